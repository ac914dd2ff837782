"""Forks in the trainer: they go on as their base would have, bit for bit, whatever trains beside them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mlrtui_trainer.spec import (
    Dataset,
    Fork,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TaskDone,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

SAMPLES = 48
_random = np.random.default_rng(7)
_x = _random.standard_normal((SAMPLES, 6))
DATA = Dataset("d", "sign", _x, np.sign(_x[:, :1] + 0.5 * _x[:, 1:2] ** 2 - 0.4), np.zeros(SAMPLES, np.int64))
NET = NetSpec("mlp", 6, 1, 2, 16)
PLAIN = SharpnessSpec()


def train_spec(optimizer: str = "sgd", batch: int = SAMPLES, steps: int = 12) -> TrainSpec:
    return TrainSpec("mse", batch, steps, SAMPLES // batch, optimizer=optimizer, success="survives")


def losses(task: Round, trial_id: int = 1) -> NDArray[np.float64]:
    *messages, last = run_task(task, DATA, "cpu")
    assert isinstance(last, TaskDone), last
    batches = [message for message in messages if isinstance(message, StepBatch)]
    parts = [one.loss[s.start : s.stop] for one in batches for s in one.segments if s.trial_id == trial_id]
    return np.concatenate(parts)


def forked(train: TrainSpec, fork: Fork, *trials: TrialSpec, net: NetSpec = NET) -> Round:
    return Round(1, "d", net, train, PLAIN, trials, fork=fork)


@pytest.mark.parametrize("step", [0, 5, 37])
@pytest.mark.parametrize("batch", [SAMPLES, 12])
@pytest.mark.parametrize(("optimizer", "eta"), [("sgd", 0.02), ("momentum", 0.004), ("adam", 0.004), ("muon", 0.004)])
def test_a_fork_at_the_rate_of_its_base_goes_on_as_the_base(optimizer: str, eta: float, batch: int, step: int) -> None:
    train = train_spec(optimizer, batch)
    whole = losses(
        Round(1, "d", NET, replace(train, max_steps=step + 12), PLAIN, (TrialSpec(1, 1, 3, eta, 1.0),)),
    )
    company = (
        TrialSpec(1, 1, 3, eta, 1.0, eta),
        TrialSpec(2, 1, 3, 2 * eta, 1.0, eta),
        TrialSpec(3, 1, 4, eta, 1.0, eta),
    )
    forks = losses(forked(train, Fork(step), *company))
    # where mini-batches end at an epoch's end, rows have the loss over all samples: the first and last need not
    same = slice(1, -1) if batch < SAMPLES else slice(None)
    assert np.array_equal(forks[same], whole[step:][same])


@pytest.mark.parametrize("net", [NET, replace(NET, activation="tanh", bias=True)])
def test_a_warm_up_is_continued_too(net: NetSpec) -> None:
    warm = train_spec("momentum", steps=30)
    warmed = replace(warm, schedule="linear-warmup", warmup_steps=10)
    whole = losses(Round(1, "d", net, warmed, PLAIN, (TrialSpec(1, 1, 3, 0.004, 1.0),)))
    fork = Fork(18, schedule="linear-warmup", warmup_steps=10)
    forks = losses(forked(replace(warm, max_steps=12), fork, TrialSpec(1, 1, 3, 0.004, 1.0, 0.004), net=net))
    np.testing.assert_allclose(forks, whole[18:], rtol=1e-5)  # scheduled steps are not compiled, constant ones are


def test_a_fresh_state_is_another_question() -> None:
    train, trial = train_spec("adam"), TrialSpec(1, 1, 3, 0.004, 1.0, 0.004)
    kept, fresh = (losses(forked(train, Fork(20, state), trial)) for state in ("keep", "fresh"))
    assert kept[0] == fresh[0]  # the same weights
    assert not np.array_equal(kept[1:], fresh[1:])


def test_what_is_measured_where_a_fork_starts() -> None:
    train = train_spec()
    base = losses(Round(1, "d", NET, replace(train, max_steps=25), PLAIN, (TrialSpec(1, 1, 3, 0.02, 1.0),)))
    probe, _ = run_task(Probe(1, "d", NET, train, PLAIN, ((9, 3),), Fork(25), (0.02,)), DATA, "cpu")
    start, _ = run_task(Probe(1, "d", NET, train, PLAIN, ((9, 3),)), DATA, "cpu")
    assert isinstance(probe, LambdaAtInit)
    assert isinstance(start, LambdaAtInit)
    assert (probe.loss, probe.loss_initial) == (base[-1], base[0])
    assert np.isnan(start.loss)
    assert probe.main != start.main
    outcome = next(
        message
        for message in run_task(forked(train, Fork(25), TrialSpec(1, 1, 3, 0.02, 1.0, 0.02)), DATA, "cpu")
        if isinstance(message, Outcome)
    )
    assert outcome.loss_initial == base[0]  # of the base: a catapult from a fitted net need not return to less


@pytest.mark.parametrize(
    ("optimizer", "base_eta", "fork"),
    [
        ("sgd", 0.02, Fork(0)),
        ("sgd", 0.02, Fork(20)),
        ("momentum", 0.004, Fork(20)),
        ("momentum", 0.004, Fork(20, "fresh")),
        ("adam", 0.004, Fork(20)),
    ],
)
def test_a_catapult_begins_where_a_dense_search_along_the_first_step_finds_it(
    optimizer: str, base_eta: float, fork: Fork
) -> None:
    train = train_spec(optimizer, steps=1)
    found, _ = run_task(Probe(1, "d", NET, train, PLAIN, ((9, 3),), fork, (base_eta,)), DATA, "cpu")
    assert isinstance(found, LambdaAtInit)
    etas = np.geomspace(found.eta_catapult / 4.0, found.eta_catapult * 2.0, 210)  # 1 % apart
    trials = tuple(TrialSpec(at, 1, 3, float(eta), 1.0, base_eta) for at, eta in enumerate(etas))
    after: dict[int, list[float]] = {}
    for message in run_task(forked(train, fork, *trials), DATA, "cpu"):
        if isinstance(message, StepBatch):
            for s in message.segments:
                after.setdefault(s.trial_id, []).extend(message.loss[s.start : s.stop].tolist())
    rising = [eta for at, eta in enumerate(etas) if after[at][-1] > after[at][0]]
    assert rising[0] == pytest.approx(found.eta_catapult, rel=0.02)
    assert rising == etas[-len(rising) :].tolist()  # the loss of one step crosses once


def test_a_base_that_diverges_has_no_loss_where_forks_would_start() -> None:
    linear = replace(NET, activation="linear")
    probe = Probe(1, "d", linear, train_spec(), PLAIN, ((9, 3), (8, 4)), Fork(30), (5.0, 0.02))
    lost, sound, _ = run_task(probe, DATA, "cpu")
    assert isinstance(lost, LambdaAtInit)
    assert isinstance(sound, LambdaAtInit)
    assert np.isnan(lost.loss)
    assert np.isnan(lost.eta_catapult)
    assert sound.loss < sound.loss_initial
