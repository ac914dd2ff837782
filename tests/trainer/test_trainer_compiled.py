"""Compiled steps: what the general ones do, to rounding; the same bits whatever runs beside."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import thinned
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer import lanes
from mlrtui_trainer.fast.steps import WIDEST, CompiledSteps
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.optimizers.stepping import optimizer_of
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import Dataset, NetSpec, TrainSpec

pytest.importorskip("numba")
training = pytest.importorskip("mlrtui_trainer.fast.training")
losses = pytest.importorskip("mlrtui_trainer.fast.losses")

ETAS = (0.01, 0.1, 40.0)


class Never:
    """Stands for a machine without the extra."""

    @staticmethod
    def of(*_: object) -> None:
        return None


def both(
    data: Dataset, net: NetSpec, spec: TrainSpec, monkeypatch: pytest.MonkeyPatch, every: int = 0
) -> tuple[Run, Run]:
    trials = [trial(i, eta, 1 + i % 2) for i, eta in enumerate(ETAS)]
    compiled = run_trials(data, net, spec, trials, every)
    with monkeypatch.context() as patch:
        patch.setattr(lanes, "CompiledSteps", Never)
        return compiled, run_trials(data, net, spec, trials, every)


WHAT = [  # loss, biases, target, depth
    *((loss, False, "classes", 3) for loss in LOSSES),
    *((loss, True, "classes", 0) for loss in LOSSES),
    ("mse", True, "parity", 1),
]


@pytest.mark.parametrize(("activation", "batch", "what"), thinned(["relu", "tanh", "linear"], [48, 96], WHAT, step=3))
def test_both_ways_train_alike(
    activation: str, batch: int, what: tuple[str, bool, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, bias, target, depth = what
    data = digits(96, target)
    net = NetSpec("mlp", 64, data.y.shape[1], depth, 32, activation, bias, layer_lr=(0.5, 1.0, 2.0))
    spec = TrainSpec(loss, batch, 12, 96 // batch, "float64")
    compiled, general = both(data, net, spec, monkeypatch)
    for i in range(len(ETAS)):
        ours, theirs = compiled.columns[i], general.columns[i]
        if general.outcomes[i].verdict == "diverged":  # chaos on the way, but the same end
            assert compiled.outcomes[i].verdict == "diverged"
            continue
        assert ours["step"].tolist() == theirs["step"].tolist()
        if ETAS[i] < 1:
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-10, abs=1e-12)
            assert np.array_equal(ours["accuracy"], theirs["accuracy"], equal_nan=True)
            assert compiled.outcomes[i].phase == general.outcomes[i].phase
            assert compiled.outcomes[i].logit_rms_peak == pytest.approx(general.outcomes[i].logit_rms_peak, rel=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch", [48, 96])
def test_both_ways_agree_to_rounding_in_single_precision(
    loss: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = TrainSpec(loss, batch, 12, 96 // batch)
    compiled, general = both(digits(96), NetSpec("mlp", 64, 10, 2, 32), spec, monkeypatch)
    for i in range(2):
        ours, theirs = compiled.columns[i], general.columns[i]
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["step"].tolist() == theirs["step"].tolist()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("number", "rel"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_a_loss_keeps_its_digits_and_its_nans(loss: str, number: type[np.floating], rel: float) -> None:
    f = np.array([[0.0, 20.0, 3.0], [18.0, 0.0, -4.0], [-90.0, 5.0, 5.0], [1.0, 300.0, -300.0]], number)
    y, labels = np.eye(3, dtype=number)[[1, 0, 2, 2]], np.array([1, 0, 2, 2])
    rule = LOSSES[loss]
    e = rule.start(torch.from_numpy(f[None].copy()), torch.from_numpy(y[None]))
    value = rule.per_sample(e, torch.from_numpy(labels[None, :, None])).double().sum()
    slope = rule.signal(e, torch.from_numpy(y[None]))[0]
    code, room = list(LOSSES).index(loss), np.full((losses.ROOM + 3) * 16, 7.0, number)

    def lose(outputs: np.ndarray) -> tuple[float, np.ndarray]:
        rows = np.full((3, 16), 5.0, number)  # what lies behind the samples of a row plays no part
        rows[:, :4] = outputs.T
        return losses.lose(rows.reshape(-1), 16, y, labels, code, number(0.5), room), rows[:, :4].T

    total, ours = lose(f)
    assert total == pytest.approx(value.item(), rel=rel)
    assert ours == pytest.approx(0.5 * slope.numpy(), rel=rel, abs=1e-37)
    for place, bad in itertools.product(range(3), (np.nan, np.inf)):
        broken = f.copy()
        broken[1, place] = bad
        assert not np.isfinite(lose(broken)[0])


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [48, 96])
def test_both_ways_remember_alike(optimizer: str, bias: bool, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"momentum": (0.01, 0.05, 1e30), "adam": (0.001, 0.01, 1e30)}[optimizer]
    monkeypatch.setattr("test_trainer_compiled.ETAS", rates)
    net = NetSpec("mlp", 64, 10, 2, 32, "tanh", bias, layer_lr=(0.5, 0.0, 2.0))
    spec = TrainSpec("ce", batch, 40, 96 // batch, "float64", optimizer=optimizer, momentum=0.8, beta1=0.85)
    compiled, general = both(digits(96), net, spec, monkeypatch)
    for i, eta in enumerate(rates):
        ours, theirs = compiled.columns[i], general.columns[i]
        assert compiled.outcomes[i].verdict == general.outcomes[i].verdict
        if eta < 1:
            assert ours["step"].tolist() == theirs["step"].tolist()
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-10, abs=1e-12)
    assert general.outcomes[2].verdict == "diverged"


def test_adam_keeps_its_digits_in_single_precision() -> None:
    net, spec, dtype = NetSpec("mlp", 64, 10, 1, 16), TrainSpec("ce", 96, 6, 1, optimizer="adam"), torch.float32
    samples, model = Samples.of(digits(96), dtype, "cpu"), build(net, "adam")
    compiled = CompiledSteps.of(model, spec, samples, [0.01])
    assert compiled is not None
    moments = []
    for general in (False, True):
        weights, batches = model.initial_weights([1], dtype, "cpu"), Batches(samples, [1], 96, 1)
        optimizer = optimizer_of(model, spec, [0.01], dtype, "cpu")
        if not general:
            compiled.train(weights, optimizer, batches, range(2), [1e9])
        for step in range(2 if general else 0):
            x, y, _ = batches.at(step)
            trace = model.forward(weights, x)
            optimizer.descend_(weights, trace, LOSSES["ce"].signal(LOSSES["ce"].start(trace.f, y), y))
        assert optimizer.ready
        moments.append([part.w[0].double() for part in optimizer.memory(weights)])
    for ours, theirs in zip(*moments, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 2e-6  # 1 - 0.999 in single precision is off by 1e-5


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_sharpness_is_measured_on_the_way(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TrainSpec("ce", 32, 12, 3, "float64", optimizer=optimizer, momentum=0.5)
    compiled, general = both(digits(96), NetSpec("mlp", 64, 10, 2, 32), spec, monkeypatch, every=5)
    measured = [5, 10] if optimizer == "adam" else [0, 5, 10]  # Adam's operator is known after a step
    for i in range(1 if optimizer == "adam" else 2):
        ours, theirs = compiled.columns[i]["sharpness"], general.columns[i]["sharpness"]
        assert np.isfinite(ours[measured]).all()
        assert np.array_equal(np.isnan(ours), np.isnan(theirs))
        assert ours[measured] == pytest.approx(theirs[measured], rel=1e-4)


@pytest.mark.parametrize("width", [16, 15])
@pytest.mark.parametrize("batch", [32, 96])
def test_a_trial_has_the_same_bits_alone_and_in_company(width: int, batch: int) -> None:
    data, net = digits(96), NetSpec("mlp", 64, 10, 2, width)
    spec = TrainSpec("ce", batch, 9, 96 // batch, success="accuracy", threshold=0.9)
    trials = [trial(i, eta, seed) for i, (eta, seed) in enumerate([(0.05, 1), (60.0, 2), (0.3, 2), (0.3, 1)])]
    together = run_trials(data, net, spec, trials)
    for one in trials:
        assert run_trials(data, net, spec, [one]).bits(one.trial_id) == together.bits(one.trial_id)


def test_more_lanes_are_in_a_chunk_where_steps_are_compiled_and_bits_do_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, net, spec = digits(96), NetSpec("mlp", 64, 10, 8, 64), TrainSpec("ce", 32, 6, 3)
    model, samples = build(net, "sgd"), Samples.of(data, torch.float32, "cpu")
    general = replace(spec, weight_decay=0.1)
    assert lanes.chunk_of(model, spec, samples, "cpu") > 2 * lanes.chunk_of(model, general, samples, "cpu") > 2
    trials = [trial(i, eta, seed) for i, (eta, seed) in enumerate([(0.05, 1), (0.1, 2), (60.0, 2)])]
    together = run_trials(data, net, spec, trials)
    monkeypatch.setattr(lanes, "COMPILED_BYTES", 0)
    assert lanes.chunk_of(model, spec, samples, "cpu") == 1
    apart = run_trials(data, net, spec, trials)
    assert all(apart.bits(one.trial_id) == together.bits(one.trial_id) for one in trials)


@pytest.mark.parametrize(
    ("net", "spec"),
    [
        (NetSpec("mlp", 64, 10, 1, WIDEST + 1), TrainSpec("ce", 32, 3, 3)),
        (NetSpec("mlp", 64, 10, 1, 16, "gelu"), TrainSpec("ce", 32, 3, 3)),
    ],
    ids=["wide", "gelu"],
)
def test_what_is_not_compiled_goes_the_general_way(net: NetSpec, spec: TrainSpec) -> None:
    data = digits(96)
    samples = Samples.of(data, lanes.DTYPES["float32"], "cpu")
    assert CompiledSteps.of(build(net, spec.optimizer), spec, samples, [0.1]) is None
    with_it = build(NetSpec("mlp", 64, 10, 1, 16), "sgd")
    assert all(CompiledSteps.of(with_it, TrainSpec(loss, 32, 3, 3), samples, [0.1]) for loss in LOSSES)
