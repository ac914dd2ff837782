"""Everything that is stored of a trial can be drawn: accuracy, rates, two quantities on one axis, η·t, closed forms."""

import json
import math
from array import array
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from test_tui_screens import Shown, shown
from test_tui_trial import add_measure, open_trial, read_out
from tui_fakes import FakeStore, scan_store
from tui_rows import make_curve, make_details

from mlrtui.tui.clocks import times
from mlrtui.tui.curves import Trace, loss_points, sharpness_points
from mlrtui.tui.edges import Rates
from mlrtui.tui.trial.charts import LossView, SharpnessView
from mlrtui.tui.trial.solvable import recursion
from mlrtui_db.models import Curve, TrialDetails
from mlrtui_trainer.schedules import rate_at
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    NetSpec,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

UNIT = Dataset("unit", "regression", np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1, np.int64))


def with_accuracy(curve: Curve, sharpness: bool) -> Curve:
    """0.1 at step 0, then one value an epoch of 20 steps, up to 0.8 after 100; without λ where not `sharpness`."""
    known = [0.1 + 0.007 * step if step % 20 == 0 else math.nan for step in curve.step]
    lam = list(curve.sharpness) if sharpness else [math.nan] * len(curve.step)
    return replace(make_curve(curve.trial_id, list(curve.loss), lam, list(curve.flags)), accuracy=array("d", known))


def store_with(sharpness: bool, spec: str = "{}") -> FakeStore:
    store = scan_store()
    store.curves = {trial_id: with_accuracy(curve, sharpness) for trial_id, curve in store.curves.items()}
    store.snapshots[1] = replace(store.snapshots[1], sweep=replace(store.snapshots[1].sweep, spec=spec))
    return store


async def drawn(view: Shown, name: str) -> SharpnessView:
    await view.until(lambda: view.app.screen.query_one(SharpnessView).subject == name)
    await view.pilot.pause()
    return view.app.screen.query_one(SharpnessView)


async def test_a_search_without_sharpness_shows_the_accuracy_with_its_threshold() -> None:
    spec = json.dumps({"search": {"success": "accuracy", "threshold": 0.35}, "sharpness": {"every": 0}})
    async with shown(store_with(False, spec), (120, 36)) as view:
        await open_trial(view)
        chart = await drawn(view, "accuracy")
        assert "accuracy" in view.text()
        assert "goal 0.35▸" in view.text()
        assert view.reading.trace is not None
        step, value = chart.points(view.reading.trace)
        assert step.tolist() == [0.0, 20.0, 40.0, 60.0]
        assert value.tolist() == pytest.approx([0.1, 0.24, 0.38, 0.52])
        await view.press("end")
        assert "accuracy" not in read_out(view)  # not evaluated there
        await view.press("home")
        assert "accuracy 0.1" in read_out(view)


async def test_one_key_goes_through_all_that_is_stored() -> None:
    store = store_with(True)
    rows = tuple(replace(trial, schedule="cosine", warmup_steps=5) for trial in store.trials[1])
    store.trials[1], store.snapshots[1] = rows, replace(store.snapshots[1], trials=rows)
    for trial_id in store.curves:
        add_measure(store, trial_id, "grad_norm", {"": [(0, 1.5, math.nan), (9, 12.5, math.nan)]})
    async with shown(store, (120, 36)) as view:
        await open_trial(view)
        assert "sharpness λ  gauss-newton  m: accuracy, learning rate, grad_norm" in view.text()
        for name in ("accuracy", "learning rate", "grad_norm"):
            await view.press("m")
            chart = await drawn(view, name)
            assert "λ" in view.text().split(f"{name}  m: ")[1].splitlines()[0]
            if name == "learning rate":
                trial, trace = view.reading.trial, view.reading.trace
                assert trial is not None
                assert trace is not None
                rates = [trial.eta * rate_at("cosine", 5, trial.max_steps, step) for step in trace.step.tolist()]
                assert chart.points(trace)[1].tolist() == pytest.approx(rates)
        await view.press("m")
        await drawn(view, "")


async def test_two_quantities_stand_on_one_axis() -> None:
    store = store_with(True)
    for trial_id in store.curves:
        add_measure(store, trial_id, "grad_norm", {"": [(0, 1.5, math.nan), (9, 90.0, math.nan)]})
    async with shown(store, (120, 36)) as view:
        await open_trial(view)
        chart = await drawn(view, "")
        assert chart.beside() == ()
        await view.press("M")
        await view.until(lambda: bool(chart.beside()))
        assert "sharpness λ and 2 accuracy" in view.text()
        await view.press("M")
        await view.until(lambda: "sharpness λ and 2 grad_norm" in view.text())
        (second,) = chart.beside()
        assert (second.letter, second.y.tolist()) == ("2", [1.5, 90.0])
        labels = [row for row in view.text().split("and 2 grad_norm")[1].splitlines() if "100┤" in row]
        assert labels  # the axis holds both
        await view.press("M")
        await view.until(lambda: chart.beside() == ())


async def test_steps_are_labelled_in_physical_time() -> None:
    async with shown(scan_store(), (120, 36)) as view:
        await open_trial(view)
        before = view.text()
        await view.press("u")
        text = view.text()
        assert text.count("against η·t") == 2
        trial = view.reading.trial
        assert trial is not None
        assert f" {10 * trial.eta:g} " in text  # step 10
        await view.press("u")
        assert view.text() == before


@pytest.mark.parametrize("schedule", ["linear-warmup", "cosine", "inverse-root"])
@pytest.mark.parametrize("steps", [37, 9000])
def test_physical_time_is_the_sum_of_the_rates_before_a_step(schedule: str, steps: int) -> None:
    rates = Rates(0.3, schedule, 10, steps)
    rate = [rates.at(step) for step in range(steps)]
    at = np.array([0, 1, 9, 11, steps // 2, steps], dtype=np.float64)
    expected = [sum(rate[: int(step)]) for step in at]
    assert times(rates, at).tolist() == pytest.approx(expected, rel=1e-3)
    assert times(Rates(0.3), at).tolist() == pytest.approx((0.3 * at).tolist())


@cache
def trained(width: int, c: float, operator: str, steps: int = 120) -> tuple[TrialDetails, Trace]:
    """A training of the solvable model by the trainer, as a store would return it."""
    net = NetSpec("two-layer-linear", 1, 1, 1, width, activation="linear")
    spec, how = TrainSpec("mse", 1, steps, 1, dtype="float64"), SharpnessSpec(operator, 1, exact=True)
    probe, _ = run_task(Probe(1, "unit", net, spec, how, ((1, 7),)), UNIT, "cpu")
    assert isinstance(probe, LambdaAtInit)
    eta = c / probe.gauss_newton
    batches = run_task(Round(2, "unit", net, spec, how, (TrialSpec(1, 1, 7, eta, probe.main),)), UNIT, "cpu")
    parts = [batch for batch in batches if isinstance(batch, StepBatch)]
    step, loss, accuracy, sharpness, flags = (
        np.concatenate([np.asarray(getattr(part, name)) for part in parts]).tolist()
        for name in ("step", "loss", "accuracy", "sharpness", "flags")
    )
    nan = array("d", [math.nan] * len(step))
    curve = Curve(
        1, 1, array("q", step), *(array("d", one) for one in (loss, accuracy, sharpness)), nan, array("q", flags)
    )
    details = make_details(scan_store().trials[1][0])
    cell = {"model": "two-layer-linear", "data": "unit", "loss": "mse", "optimizer": "sgd", "width": width}
    return (
        replace(
            details,
            cell=tuple(cell.items()),
            net=(("operator", operator), ("lambda0_gauss_newton", probe.gauss_newton)),
            trial=(("eta", eta),),
        ),
        Trace.of(curve),
    )


@pytest.mark.parametrize(("width", "c", "operator"), [(64, 2.5, "gauss-newton"), (8, 1.5, "hessian")])
def test_the_recursion_is_the_trained_solvable_model_to_one_in_a_million(width: int, c: float, operator: str) -> None:
    details, trace = trained(width, c, operator)
    theory = recursion(details, trace)
    assert theory is not None
    (step, loss), (at, sharpness) = loss_points(trace), sharpness_points(trace)
    sizeable = loss > 1e-20 * loss[0]  # below it a loss in float64 is rounding
    assert sizeable.sum() >= 8
    assert theory.loss[step[sizeable].astype(int)].tolist() == pytest.approx(loss[sizeable].tolist(), rel=1e-6)
    assert at.size > 100
    assert theory.sharpness[at.astype(int)].tolist() == pytest.approx(sharpness.tolist(), rel=1e-6)
    (drawn_,) = theory.beside((step, loss), of_loss=True)
    assert (drawn_.letter, drawn_.role) == ("T", "theory")


@pytest.mark.parametrize(
    "other", [{"model": "mlp"}, {"data": "digits"}, {"loss": "ce"}, {"optimizer": "adam"}, {"schedule": "cosine"}]
)
def test_no_other_training_has_the_recursion(other: dict[str, str]) -> None:
    details, trace = trained(64, 2.5, "gauss-newton")
    assert recursion(details, trace) is not None
    assert recursion(replace(details, cell=(*details.cell, *other.items())), trace) is None


async def test_one_key_shows_and_hides_the_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    details, trace = trained(64, 2.5, "gauss-newton")
    store = scan_store("done", False)
    for trial_id in store.curves:
        store.curves[trial_id] = make_curve(trial_id, trace.loss.tolist(), trace.sharpness.tolist())
    monkeypatch.setattr("tui_fakes.make_details", lambda trial, *_: replace(details, trial_id=trial.trial_id))
    async with shown(store, (120, 36)) as view:
        await open_trial(view)
        await view.until(lambda: view.text().count("T recursion, within") == 2)
        assert all(view.app.screen.query_one(kind).beside() for kind in (LossView, SharpnessView))
        await view.press("T")
        assert "recursion" not in view.text()
        assert not any(view.app.screen.query_one(kind).beside() for kind in (LossView, SharpnessView))
