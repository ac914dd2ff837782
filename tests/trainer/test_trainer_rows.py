"""What is written down of a training, checked against a plain loop over the same net, data and order."""

from math import isfinite

import numpy as np
import pytest
import torch
from torch import nn
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer import lanes
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature, preconditioned
from mlrtui_trainer.evaluation import Evaluation, evaluate
from mlrtui_trainer.models.base import Model
from mlrtui_trainer.models.mlp import Mlp, Weights, draw, rate_vector
from mlrtui_trainer.rows import Block, Row, Sharpness, TrialLog, step_batch
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import (
    FLAG_ALL_SAMPLES,
    FLAG_LOSS_NAN,
    FLAG_LOSS_POS_INF,
    FLAG_SHARPNESS_NAN,
    FLAG_SHARPNESS_NOT_CONVERGED,
    Dataset,
    NetSpec,
    PruningThreshold,
    TrainSpec,
)

NET = NetSpec("mlp", 64, 10, 2, 16, layer_lr=(0.1, 1.0, 1.0))


def plain_loop(data: Dataset, net: NetSpec, spec: TrainSpec, eta: float, seed: int = 1):
    """One training at a time with autograd, in double precision: losses of the batches, and (loss, accuracy) of all."""
    mlp = Mlp.of(net)
    weights = [torch.from_numpy(w).requires_grad_() for w in draw(mlp, seed)]
    x, y, labels = torch.from_numpy(data.x), torch.from_numpy(data.y), torch.from_numpy(data.labels)

    def loss_and_outputs(rows):
        h = x[rows]
        for w in weights[:-1]:
            h = torch.relu(h @ w.T)
        f = h @ weights[-1].T
        return (
            nn.functional.cross_entropy(f, labels[rows])
            if spec.loss == "ce"
            else 0.5 * ((f - y[rows]) ** 2).sum(1).mean()
        ), f

    losses, everything, history = [], [], []
    samples = len(data.x)
    for t in range(spec.max_steps + 1):
        total, f = loss_and_outputs(slice(None))
        everything.append((total.item(), (f.argmax(1) == labels).double().mean().item()))
        history.append([w.detach().clone() for w in weights])
        if t == spec.max_steps:
            return np.array(losses), np.array(everything), history
        rows = slice(None)
        if spec.batch < samples:
            epoch, place = divmod(t, spec.steps_per_epoch)
            rows = generator(seed, "order", epoch).permutation(samples)[place * spec.batch : (place + 1) * spec.batch]
        loss, _ = loss_and_outputs(rows)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, grad, rate in zip(weights, grads, mlp.rate, strict=True):
                w -= eta * rate * grad
    raise AssertionError


@pytest.mark.parametrize("loss", ["ce", "mse"])
def test_mini_batch_rows_are_those_of_a_plain_loop(loss):
    data = digits(90)
    spec = TrainSpec(
        loss, 32, 7, 2, "float64"
    )  # 26 samples of each order are left out; 7 steps are 3 epochs and a half
    run = train(data, NET, spec, [0.05], every=3)
    losses, everything, history = plain_loop(data, NET, spec, 0.05)
    rows = run.columns[0]
    assert rows["step"].tolist() == list(range(8))
    ends = [2, 4, 6, 7]  # of epochs: the loss is that of all samples
    of_batches = [0, 1, 3, 5]
    assert rows["loss"][of_batches] == pytest.approx(np.array(losses)[of_batches], rel=1e-11)
    assert rows["loss"][ends] == pytest.approx(everything[ends, 0], rel=1e-11)
    assert [t for t in range(8) if rows["flags"][t] & FLAG_ALL_SAMPLES] == ends
    assert [t for t in range(8) if not np.isnan(rows["accuracy"][t])] == [0, 2, 4, 6, 7]
    for t in (0, 2, 4, 6, 7):
        assert rows["accuracy"][t] == pytest.approx(everything[t, 1])
    assert [t for t in range(8) if not np.isnan(rows["sharpness"][t])] == [0, 3, 6, 7]
    for t in (0, 3, 6, 7):
        assert rows["sharpness"][t] == pytest.approx(sharpness(data, spec, history[t]), rel=1e-3)
        assert 0 < rows["sharpness_residual"][t] <= 0.02
    assert np.array_equal(rows["products"] > 0, ~np.isnan(rows["sharpness"]))
    outcome = run.outcomes[0]
    assert outcome.verdict == "finished"
    assert outcome.loss_initial == pytest.approx(everything[0, 0], rel=1e-11)
    assert outcome.loss_final == rows["loss"][7]
    assert outcome.final_sharpness == rows["sharpness"][7]
    assert (outcome.final_accuracy, outcome.best_accuracy) == (rows["accuracy"][7], np.nanmax(rows["accuracy"]))
    assert outcome.peak_step == int(np.argmax(rows["loss"]))
    assert outcome.peak_ratio == pytest.approx(rows["loss"].max() / everything[0, 0])


def sharpness(data, spec, weights):
    """λ with the layers' rates over all samples, from a cold start at a tight tolerance."""
    mlp = Mlp.of(NET)
    stacked = Weights(tuple(w[None] for w in weights), ())
    operator = curvature(mlp, stacked, torch.from_numpy(data.x), torch.from_numpy(data.y), spec.loss, "gauss-newton")
    start = start_vectors([9], mlp.n_params, torch.float64, "cpu")
    return largest(preconditioned(operator, rate_vector(mlp, torch.float64, "cpu")), start, 1e-8, 200).value[0]


def test_full_batch_rows_hold_loss_and_accuracy_of_everything_at_every_step():
    data = digits(64)
    spec = TrainSpec("mse", 64, 6, 1, "float64")
    run = train(data, NET, spec, [0.02])
    _, everything, _ = plain_loop(data, NET, spec, 0.02)
    rows = run.columns[0]
    assert rows["loss"] == pytest.approx(everything[:, 0], rel=1e-11)
    assert rows["accuracy"] == pytest.approx(everything[:, 1])
    assert not (rows["flags"] & FLAG_ALL_SAMPLES).any()
    assert np.isnan(rows["sharpness"]).all()


@pytest.mark.parametrize("batch", [32, 128])
@pytest.mark.parametrize("every", [0, 1, 3])
def test_a_diverging_trial_ends_at_its_bad_step_and_leaves_the_others_alone(batch, every):
    data = digits(128)
    spec = TrainSpec("mse", batch, 30, 128 // batch, record_every=7)
    run = train(data, NET, spec, [0.001, 50.0, 0.002], every)
    rows, outcome = run.columns[1], run.outcomes[1]
    assert outcome.verdict == "diverged"
    assert outcome.phase == "divergent"
    assert rows["step"][-1] == outcome.bad_step
    assert not rows["loss"][-1] <= 1e6 * max(outcome.loss_initial, 1.0)
    assert (rows["loss"][:-1] <= 1e6 * max(outcome.loss_initial, 1.0)).all()
    assert np.isnan(rows["sharpness"][-1])
    assert outcome.bad_kind == ("threshold" if isfinite(rows["loss"][-1]) else "+inf")
    for i in (0, 2):
        assert run.outcomes[i].verdict == "finished"
        assert run.columns[i]["step"][-1] == 30


def test_an_infinite_rate_of_growth_is_a_flag_not_an_error():
    run = train(digits(64), NET, TrainSpec("mse", 64, 5, 1), [1e30])
    rows, outcome = run.columns[0], run.outcomes[0]
    assert rows["flags"][-1] & (FLAG_LOSS_NAN | FLAG_LOSS_POS_INF)
    assert outcome.bad_kind in ("nan", "+inf")
    assert outcome.bad_step == 1
    assert outcome.peak_ratio == 1.0


@pytest.mark.parametrize(("batch", "every"), [(32, 0), (32, 2), (128, 0), (128, 3)])
def test_success_ends_a_trial_at_an_epochs_end(batch, every):
    data = digits(128)
    spec = TrainSpec("ce", batch, 200, 128 // batch, success="accuracy", threshold=0.5)
    run = train(data, NET, spec, [0.3, 1e-6], every)
    outcome, rows = run.outcomes[0], run.columns[0]
    assert outcome.verdict == "reached"
    assert outcome.reached_epoch == rows["step"][-1] // spec.steps_per_epoch
    assert rows["step"][-1] % spec.steps_per_epoch == 0
    assert 0 < rows["step"][-1] < 200
    at_ends = rows["accuracy"][~np.isnan(rows["accuracy"])]
    assert at_ends[-1] >= 0.5
    assert (at_ends[1:-1] < 0.5).all()
    assert bool(rows["flags"][-1] & FLAG_ALL_SAMPLES) == (batch < 128)
    assert np.isnan(rows["sharpness"][-1]) == (every == 0)
    assert run.outcomes[1].verdict in ("not-reached", "stalled")
    assert run.outcomes[1].reached_epoch is None


def test_other_success_rules_are_judged_at_the_end():
    data = digits(64)
    for rule, verdicts in (("loss-below-initial", ["reached", "diverged"]), ("finite", ["reached", "diverged"])):
        run = train(data, NET, TrainSpec("mse", 64, 20, 1, success=rule), [0.01, 50.0])
        assert [run.outcomes[i].verdict for i in (0, 1)] == verdicts
        assert run.columns[0]["step"][-1] == 20


@pytest.mark.parametrize("batch", [16, 64])
@pytest.mark.parametrize("every", [0, 2])
def test_a_net_whose_last_hidden_layer_dies_ends(batch, every):
    data = digits(64)
    spec = TrainSpec("ce", batch, 60, 64 // batch)
    net = NetSpec("mlp", 64, 10, 2, 16)
    run = run_trials(data, net, spec, [trial(i, 2.0 * 2 ** (i % 4), seed=i) for i in range(12)], every)
    dead = [i for i, outcome in run.outcomes.items() if outcome.verdict == "dead"]
    assert dead
    for i in dead:
        assert run.columns[i]["step"][-1] < 60
        assert run.columns[i]["loss"][-1] == pytest.approx(np.log(10))  # all outputs are zero
        assert run.outcomes[i].phase == "collapsed"


def test_no_steps_give_the_initial_row():
    run = train(digits(64), NET, TrainSpec("ce", 32, 0, 2), [0.1], every=1)
    assert run.columns[0]["step"].tolist() == [0]
    assert run.columns[0]["sharpness"][0] > 0
    assert run.outcomes[0].loss_final == run.outcomes[0].loss_initial


def test_thinned_rows_keep_the_start_the_grid_the_peaks_and_the_end():
    spec = TrainSpec("mse", 8, 300, 1000, record_every=50)
    log = TrialLog(trial(1, 0.1), spec, samples=8)
    log.start(1.0)
    for t in range(300):
        log.add(
            Row(t, 9.0 if t == 217 else 1.0 / (t + 1), sharpness=Sharpness(2.0, 0.0, 3, True) if t == 144 else None)
        )
    log.add(Row(300, 0.5), last=True)
    batch = step_batch([log])
    assert batch is not None
    assert batch.step.tolist() == [*range(100), 100, 144, 150, 200, 217, 250, 300]
    assert batch.products[101] == 3


def test_epoch_ends_are_kept_and_sequence_numbers_count_what_was_sent():
    log = TrialLog(trial(1, 0.1), TrainSpec("mse", 8, 300, 30, record_every=1000), samples=240)
    log.start(1.0)
    log.add(Row(0, 1.0))
    first = step_batch([log])
    nothing = step_batch([log])
    for t in range(100, 200):
        log.add(Row(t, 0.5))
    second = step_batch([log])
    assert first is not None
    assert second is not None
    assert nothing is None
    assert [first.segments[0].seq, second.segments[0].seq, log.take()[0]] == [0, 1, 2]
    assert second.step.tolist() == [120, 150, 180]


def test_flags_of_a_sharpness():
    assert Sharpness(float("nan"), float("nan"), 1, False).flags == FLAG_SHARPNESS_NAN
    assert Sharpness(1.0, 0.1, 20, False).flags == FLAG_SHARPNESS_NOT_CONVERGED
    assert Sharpness(1.0, 0.0, 3, True).flags == 0


def test_the_logits_peak_is_that_of_the_first_ten_steps():
    data = digits(64)
    run = train(data, NET, TrainSpec("ce", 64, 30, 1, "float64"), [0.02])
    _, _, history = plain_loop(data, NET, TrainSpec("ce", 64, 30, 1, "float64"), 0.02)
    rms = []
    for weights in history[:11]:
        h = torch.from_numpy(data.x)
        for w in weights[:-1]:
            h = torch.relu(h @ w.T)
        rms.append((h @ weights[-1].T).square().mean().sqrt().item())
    assert run.outcomes[0].logit_rms_initial == pytest.approx(rms[0])
    assert run.outcomes[0].logit_rms_peak == pytest.approx(max(rms))


def test_different_nets_of_one_round_see_their_own_order():
    data = digits(128)
    spec = TrainSpec("ce", 32, 8, 4, "float64")
    run = run_trials(data, NET, spec, [trial(0, 0.05, 1), trial(1, 0.05, 2), trial(2, 0.1, 2)])
    for i, (eta, seed) in enumerate(((0.05, 1), (0.05, 2), (0.1, 2))):
        losses, everything, _ = plain_loop(data, NET, spec, eta, seed)
        losses[4] = everything[4, 0]  # an epoch's end
        assert run.columns[i]["loss"][:8] == pytest.approx(losses, rel=1e-11)


BLOCKS = {
    "mini-batch": TrainSpec("ce", 32, 240, 4),
    "mini-batch, thinned": TrainSpec("mse", 32, 240, 4, record_every=9),
    "full batch": TrainSpec("mse", 128, 240, 1),
    "full batch, thinned": TrainSpec("mse", 128, 240, 1, record_every=9),
    "full batch, until it is learnt": TrainSpec("ce", 128, 240, 1, success="accuracy", threshold=0.8),
    "until it is learnt": TrainSpec("ce", 32, 240, 4, success="accuracy", threshold=0.8),
}


@pytest.mark.parametrize("target", ["classes", "parity"])
@pytest.mark.parametrize("name", BLOCKS)
def test_steps_written_down_as_a_block_are_those_written_down_one_by_one(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, data = BLOCKS[name], digits(128, target)
    net = NetSpec("mlp", 64, data.y.shape[1], 2, 16)
    etas = (1e-5, 0.02, 0.1, 0.3, 0.5, 0.8, 1.5, 4.0, 1e3, 1e30)
    trials = [trial(i, eta, seed=i % 3) for i, eta in enumerate(etas)]
    thresholds = [PruningThreshold(80, 0.2), PruningThreshold(160, 0.3)]
    taken: list[bool] = []
    add_block = TrialLog.add_block

    def counted(log: TrialLog, block: Block, lane: int) -> bool:
        taken.append(add_block(log, block, lane))
        return taken[-1]

    monkeypatch.setattr(TrialLog, "add_block", counted)
    blocks = run_trials(data, net, spec, trials, thresholds=thresholds)
    assert any(taken)
    assert not all(taken)
    monkeypatch.setattr(TrialLog, "add_block", lambda *_: False)
    steps = run_trials(data, net, spec, trials, thresholds=thresholds)
    assert len({outcome.verdict for outcome in steps.outcomes.values()}) > 1
    for one in trials:
        assert blocks.bits(one.trial_id) == steps.bits(one.trial_id)


def test_nets_are_looked_at_once_before_their_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(lanes, "CompiledSteps", type("Never", (), {"of": staticmethod(lambda *_: None)}))

    def evaluated(model: Model, weights: Weights, samples: Samples, loss: str) -> Evaluation:
        looked.append(weights.lanes)
        return evaluate(model, weights, samples, loss)

    monkeypatch.setattr(lanes, "evaluate", evaluated)
    run_trials(digits(128), NET, TrainSpec("ce", 32, 4, 4), [trial(i, 0.01 * i, seed=i % 2) for i in range(6)])
    assert looked == [2, 6]
