"""Measures: their numbers against a plain loop, at which steps, and that no training notices them."""

from itertools import pairwise
from math import isnan

import numpy as np
import pytest
from test_trainer_rows import NET, plain_loop
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer.measures import MEASURES, Measure
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.registry import UnknownNameError
from mlrtui_trainer.spec import Measured, MeasureSpec, NetSpec, SharpnessSpec, StepBatch, TrainSpec

DATA = digits(96)
CNN = NetSpec("cnn", 64, 10, 1, 4, shape=(1, 8, 8))
EVERY_STEP = MeasureSpec(("grad_norm",))


def spec(batch: int, **changes: object) -> TrainSpec:
    per_epoch = 96 // batch
    return TrainSpec("ce", batch, 12, per_epoch, dtype="float64", **changes)  # type: ignore[arg-type]


def measured(run: Run, trial_id: int) -> list[tuple[int, Measured]]:
    """Steps and values of one trial."""
    return [
        (int(batch.step[row]), one)
        for batch in run.messages
        if isinstance(batch, StepBatch)
        for segment in batch.segments
        if segment.trial_id == trial_id
        for row, one in batch.measures
        if segment.start <= row < segment.stop
    ]


@pytest.mark.parametrize("batch", [96, 32])
@pytest.mark.parametrize("every", [0, 4])
def test_the_norm_is_that_of_the_gradient_by_which_a_plain_loop_moves(batch, every):
    _, _, weights = plain_loop(DATA, NET, spec(batch), eta=0.5)
    run = run_trials(DATA, NET, spec(batch), [trial(0, 0.5)], every, measures=EVERY_STEP)
    rates = Mlp.of(NET).rate
    norms = []
    for before, after in pairwise(weights):
        parts = [(a - b) / (0.5 * rate) for b, a, rate in zip(before, after, rates, strict=True)]
        norms.append(sum(float((part**2).sum()) for part in parts) ** 0.5)
    found = measured(run, 0)
    steps = 12 if batch < 96 else 13  # only a full batch has one for the step that is not taken
    assert [step for step, _ in found] == list(range(steps))
    assert [one.value for _, one in found][:12] == pytest.approx(norms, rel=1e-9)
    assert {one.measure for _, one in found} == {"grad_norm"}
    assert all(isnan(one.edge) for _, one in found)


@pytest.mark.parametrize(
    ("net", "batch", "sharpness_every"),
    [(NET, 96, 0), (NET, 96, 3), (NET, 32, 0), (NET, 32, 3), (CNN, 32, 0)],
    ids=lambda one: getattr(one, "kind", one),
)
def test_no_training_notices_that_it_is_measured(net, batch, sharpness_every):
    trials = [trial(0, 0.3), trial(1, 0.7, seed=2), trial(2, 1e4)]
    how = SharpnessSpec(every=sharpness_every)
    plain = run_trials(DATA, net, spec(batch), trials, how=how)
    seen = run_trials(DATA, net, spec(batch), trials, how=how, measures=MeasureSpec(("grad_norm",), 5))
    for one in trials:
        assert seen.bits(one.trial_id) == plain.bits(one.trial_id)
    assert [step for step, _ in measured(seen, 0)] == [0, 5, 10]
    alone = run_trials(DATA, net, spec(batch), trials[1:2], how=how, measures=MeasureSpec(("grad_norm",), 5))
    assert repr(measured(alone, 1)) == repr(measured(seen, 1))


def test_measured_rows_are_kept_whatever_else_is_left_out():
    train = TrainSpec("ce", 96, 230, 1, record_every=1000)
    run = run_trials(DATA, NET, train, [trial(0, 0.01)], measures=MeasureSpec(("grad_norm",), 50))
    assert [step for step, _ in measured(run, 0)] == [0, 50, 100, 150, 200]
    assert {150, 200} <= set(run.columns[0]["step"].tolist())


def test_a_measure_of_somebody_else_has_its_edge_and_its_lanes():
    MEASURES.register(
        "distance",
        Measure(
            "1",
            "Distance from the start.",
            lambda moment: (moment.weights - moment.initial).norm(dim=1),
            lambda train, eta: train.max_steps / eta,
        ),
    )
    try:
        run = run_trials(
            DATA, NET, spec(32), [trial(0, 0.1), trial(1, 1e4), trial(2, 0.2)], measures=MeasureSpec(("distance",))
        )
    finally:
        MEASURES.remove("distance")
    near, far = measured(run, 0), measured(run, 2)
    assert near[0][1] == Measured("distance", 0.0, 120.0)
    assert far[-1][1].edge == 60.0
    assert all(0 < a[1].value < b[1].value for a, b in zip(near[1:], far[1:], strict=True))
    assert len(measured(run, 1)) < len(near)  # it diverged
    assert np.isfinite([one.value for _, one in near]).all()


def test_a_measure_that_is_not_installed_fails_the_task_by_name():
    with pytest.raises(AssertionError) as failed:
        run_trials(DATA, NET, spec(32), [trial(0, 0.1)], measures=MeasureSpec(("nothing",)))
    assert "measure 'nothing' is not known; use one of grad_norm" in str(failed.value)
    with pytest.raises(UnknownNameError):
        MEASURES["nothing"]


def test_a_measure_with_parts_has_a_number_for_each_of_them():
    def norms(moment):
        return {
            name: moment.gradient[:, place].double().square().sum(1).sqrt() for name, place in moment.tensors.items()
        }

    MEASURES.register("norms", Measure("loss", "Norm of the gradient of each tensor.", norms, last_step=4))
    try:
        run = run_trials(
            DATA, NET, spec(96), [trial(0, 0.1), trial(1, 0.2)], measures=MeasureSpec(("norms", "grad_norm"), 2)
        )
    finally:
        MEASURES.remove("norms")
    found = measured(run, 0)
    parts = {(step, one.part): one.value for step, one in found if one.measure == "norms"}
    layers = len(NET.sizes) - 1
    names = [name for i in range(layers) for name in ([f"{i + 1}", f"{i + 1} bias"] if NET.bias else [f"{i + 1}"])]
    assert sorted(parts) == sorted((step, name) for step in (0, 2, 4) for name in names)
    whole = {step: one.value for step, one in found if one.measure == "grad_norm"}
    assert list(whole) == list(range(0, 13, 2))
    for step in (0, 2, 4):
        assert sum(parts[step, name] ** 2 for name in names) ** 0.5 == pytest.approx(whole[step], rel=1e-12)


def test_a_measure_that_gives_too_few_numbers_fails_by_its_name():
    MEASURES.register("short", Measure("1", "One number for all lanes.", lambda moment: moment.weights.sum()))
    try:
        with pytest.raises(AssertionError, match=r"measure 'short' gives \(\) for 1 lanes"):
            run_trials(DATA, NET, spec(96), [trial(0, 0.1)], measures=MeasureSpec(("short",)))
    finally:
        MEASURES.remove("short")
