"""The Trial screen: cursor, zoom, reasons, what is stored."""

import math
from array import array
from dataclasses import replace

import numpy as np
import pytest
from test_tui_screens import Shown, shown
from tui_fakes import FakeStore, scan_store
from tui_rows import make_curve, make_details, make_trial

from mlrtui.charts.spec import Axis
from mlrtui.tui.compare.screen import CompareScreen
from mlrtui.tui.curves import Trace, loss_points
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.trial import cursor as moving
from mlrtui.tui.trial.charts import SharpnessView
from mlrtui.tui.trial.cursor import Sight
from mlrtui.tui.trial.reasons import phase_reason, verdict_reason
from mlrtui.tui.trial.screen import TrialScreen
from mlrtui_db.models import MeasureCurve, PartCurve


def long_trace(steps: int = 100_000, peak: int = 54_321) -> Trace:
    loss = [1.0 / (1 + step) for step in range(steps)]
    loss[peak] = 62.3456
    return Trace.of(make_curve(1, loss))


async def open_trial(view: Shown, moves: int = 0) -> None:
    await view.press("enter")
    for _ in range(moves):
        before = view.reading.trial_id
        await view.press("down")
        await view.until(lambda before=before: view.reading.trial_id != before)  # type: ignore[misc]
    await view.press("enter")
    await view.until(lambda: isinstance(view.app.screen, TrialScreen) and view.reading.details is not None)
    await view.pilot.pause()


def read_out(view: Shown) -> str:
    return view.text().splitlines()[-2]


async def test_the_cursor_begins_at_the_peak_and_its_numbers_are_exact() -> None:
    async with shown(scan_store()) as view:
        await open_trial(view)
        trace = view.reading.trace
        assert trace is not None
        assert "step 14 " in read_out(view)
        assert f"loss {trace.loss[14]:.7g}" in read_out(view)
        assert f"λ {trace.sharpness[14]:.7g}" in read_out(view)


async def test_arrows_steps_ends_and_the_peak() -> None:
    async with shown(scan_store()) as view:
        await open_trial(view)
        for key, step in (("home", 0), ("full_stop", 1), ("comma", 0), ("end", 70), ("comma", 69), ("t", 14)):
            await view.press(key)
            assert f" step {step} " in read_out(view)
        await view.press("right")
        assert " step 15 " in read_out(view)
        await view.press("left", "left")
        assert " step 13 " in read_out(view)
        await view.press("tab", "t")  # the sharpness is largest at the start
        assert " step 0 " in read_out(view)
        await view.press("shift+right")
        assert " step 1 " in read_out(view)  # ten dot columns on a log axis that begins with few steps
        await view.press("ctrl+left")
        assert " step 0 " in read_out(view)


async def test_zoom_shows_a_part_and_comes_back() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await open_trial(view)
        whole = view.text()
        await view.press("x", "plus", "plus")
        assert "0 shows all" in view.text()
        low, high = view.app.screen.sight.window  # type: ignore[attr-defined]
        assert 0 <= low < 14 < high < 60
        await view.press("end")
        assert " step 70 " in read_out(view)
        assert view.app.screen.sight.window[1] >= 70  # type: ignore[attr-defined]
        await view.press("t", "0", "x")
        assert view.text() == whole
        await view.press("plus", "minus", "minus")
        assert view.app.screen.sight.window is None  # type: ignore[attr-defined]


async def test_both_edges_are_lines_where_they_are_near() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await open_trial(view)
        text = view.text()
        assert "2/η 13.3" in text.split("sharpness λ")[1]
        assert "4/η 26.7" in text.split("sharpness λ")[1]
        for _ in range(6):
            before = view.reading.trial_id
            await view.press("left_square_bracket")
            await view.until(lambda before=before: view.reading.trial_id != before)  # type: ignore[misc]
        assert "4/η" not in view.text().split("sharpness λ")[1]


async def test_brackets_go_to_the_neighbours_in_eta_and_escape_to_live() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await open_trial(view)
        assert "[ 0.125 ~ catapult @14" in view.text()
        assert "] 0.175 · waiting" in view.text()
        await view.press("left_square_bracket")
        await view.until(lambda: "trial 6 " in view.text())
        await view.until(lambda: "catapult: row 9: the smoothed loss peaked at 31.2·L₀ (limit 1.1)" in view.text())
        assert "rules of edition 2, from loss and λ" in view.text()
        assert "hidden_lr" in view.text()
        await view.press("escape")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))
        assert view.reading.trial_id == 6


async def test_values_that_are_not_finite_are_counted_and_the_reason_names_them() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await open_trial(view, moves=2)
        await view.until(lambda: "diverged: the loss was NaN at step 37" in view.text())
        assert "not finite: 1 loss, 1 λ" in view.text()
        await view.press("end")
        assert " step 37  loss NaN" in read_out(view)


async def test_a_trial_without_steps_says_so_and_keys_do_nothing() -> None:
    async with shown(scan_store()) as view:
        await open_trial(view, moves=1)
        assert "no step stored yet" in view.text()
        await view.press("left", "right", "home", "end", "t", "plus", "minus", "0", "comma", "full_stop", "y", "x")
        assert "no step stored yet" in view.text()


@pytest.mark.parametrize(
    ("steps", "every", "status", "words"),
    [
        (0, 1, "queued", "no step stored yet"),
        (0, 0, "running", "no step stored yet"),
        (5, 0, "done", "λ was asked for at initialisation only"),
        (5, 1, "running", "λ is not measured yet"),
        (5, 1, "done", "λ was not measured along this trial"),
    ],
)
async def test_a_trial_without_sharpness_says_why(steps: int, every: int, status: str, words: str) -> None:
    store = scan_store()
    store.curves[7] = make_curve(7, [0.5] * steps)
    store.trials[1] = tuple(
        replace(row, status=status, n_steps=steps) if row.trial_id == 7 else row for row in store.trials[1]
    )
    sweep = replace(store.snapshots[1].sweep, spec=f'{{"sharpness": {{"every": {every}}}}}')
    store.snapshots[1] = replace(store.snapshots[1], sweep=sweep, trials=store.trials[1])
    async with shown(store, (120, 36)) as view:
        assert words in view.text()
        await open_trial(view)
        assert words in view.text().split("sharpness λ")[1]
        await view.press("escape", "space", "equals_sign")
        await view.until(lambda: isinstance(view.app.screen, CompareScreen) and len(view.reading.compared) == 1)
        assert words in view.text().split("edge at 1")[1]


async def test_everything_stored_is_one_tab_away_on_a_small_screen() -> None:
    async with shown(scan_store()) as view:
        await open_trial(view)
        assert "activation" not in view.text()
        await view.press("tab", "tab")
        await view.until(lambda: "activation" in view.text())
        await view.press("down")
        assert "2-" in view.text()
        await view.press("shift+tab")
        await view.until(lambda: "activation" not in view.text())


@pytest.mark.parametrize("curve", [[1.0], [math.nan] * 5, [0.5] * 9, [math.inf, -math.inf, 0.0]])
async def test_odd_curves_are_drawn_or_said(curve: list[float]) -> None:
    store = scan_store()
    flags = [1 if math.isnan(v) else 2 if v == math.inf else 4 if v == -math.inf else 0 for v in curve]
    store.curves[7] = make_curve(7, curve, [math.nan] * len(curve), flags)
    async with shown(store) as view:
        await open_trial(view)
        await view.press("t", "left", "right", "shift+right", "home", "end", "plus", "minus", "y", "x")
        assert " step " in read_out(view)


@pytest.mark.parametrize(("log", "width"), [(True, 140), (False, 140), (False, 60)])
def test_a_peak_of_one_step_among_many_is_under_the_cursor(log: bool, width: int) -> None:
    trace, axis = long_trace(), Axis(0.0, 99_999.0, log)
    points = loss_points(trace)
    at = moving.place(trace, Sight())
    assert at == 54_321
    sight, seen = Sight(0), set()
    while sight.step != 99_999 and sight.step not in seen:
        assert sight.step is not None
        seen.add(sight.step)
        sight = moving.by_column(trace, points, sight, 1, axis, width, 99_999.0)
    assert 54_321 in seen
    assert len(seen) <= width + 1
    column = moving.column_at(trace, points, 54_321, axis, width)
    assert (column.high, column.high_step) == (62.3456, 54_321)
    assert column.first <= 54_321 <= column.last


def test_zoom_keeps_the_cursor_inside_and_ends_at_a_few_steps() -> None:
    sight = Sight(54_321)
    for _ in range(40):
        sight = moving.zoomed(sight, 54_321.0, 0.5, False, 99_999.0)
    assert sight.window is not None
    assert sight.window[0] < 54_321 < sight.window[1]
    assert 4 <= sight.window[1] - sight.window[0] <= 20
    moved = moving.by_column(long_trace(), loss_points(long_trace()), sight, 200, Axis(*sight.window, False), 80, 1e5)
    assert moved.step is not None
    assert moved.window is not None
    assert moved.window[0] <= moved.step <= moved.window[1]


def test_a_training_that_was_given_up_says_by_which_bar() -> None:
    trial = make_trial(1, 1, 0.1, verdict="not-reached", given_up_epoch=3, last_step=48, last_accuracy=0.125)
    details = make_details(trial)
    known = replace(details, attempt=(*details.attempt, ("bars", "[[16, 0.1], [48, 0.25]]")))
    assert verdict_reason(trial, known) == (
        "not-reached: given up at the end of epoch 3 at accuracy 0.125, no better than 0.25: finished ones near that "
        "never reached the goal (loss 0.5 → 0.0123)"
    )
    assert "at the end of epoch 3 at accuracy 0.125: finished" in verdict_reason(trial, details)


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({"verdict": "diverged", "bad_kind": "threshold", "bad_step": 9}, {}, "passed 1e6 = 1e6·max(L₀, 1) at step 9"),
        ({"verdict": "dead"}, {}, "dead: no unit"),
        ({"verdict": "reached", "best_accuracy": 0.91}, {"reached_epoch": 3}, "epoch 3 with accuracy 0.910"),
        ({"verdict": "not-reached"}, {}, "not reached: the budget"),
        ({"verdict": "stalled"}, {}, "no better than at the start (loss 0.5 → 0.0123)"),
        ({"status": "failed", "verdict": "failed"}, {"error": "out of memory"}, "says nothing about η: out of memory"),
        ({"status": "queued", "verdict": None}, {}, "waiting"),
    ],
)
def test_verdicts_in_words(changes: dict[str, object], facts: dict[str, object], words: str) -> None:
    trial = make_trial(1, 1, 0.1, **changes)
    details = make_details(trial)
    details = replace(details, trial=(*details.trial, *facts.items()))  # type: ignore[arg-type]
    assert words in verdict_reason(trial, details)
    assert verdict_reason(trial, None)


def test_a_phase_is_shown_with_the_row_that_gave_it_and_the_edition_of_the_rules() -> None:
    trial = make_trial(1, 1, 0.1, phase="catapult")
    details = make_details(replace(trial, phase=None))
    pairs = {"phase_reason": "row 9: peaked at 40·L₀", "phase_rule": 2, "phase_basis": "loss"}
    told = replace(details, trial=(*details.trial, *pairs.items()))
    assert phase_reason(trial, told) == "catapult: row 9: peaked at 40·L₀ · rules of edition 2, from the loss alone"
    pairs |= {"phase_basis": "loss+sharpness"}
    told = replace(details, trial=(*details.trial, *pairs.items()))
    assert phase_reason(trial, told).endswith("· rules of edition 2, from loss and λ")
    pairs = {"phase_reason": "named by the first edition of the rules", "phase_rule": 1, "phase_basis": None}
    told = replace(details, trial=(*details.trial, *pairs.items()))
    assert phase_reason(trial, told) == "catapult: named by the first edition of the rules · rules of edition 1"
    assert phase_reason(replace(trial, phase=None), told) == ""
    assert phase_reason(trial, None) == "catapult"


def test_a_cursor_on_a_step_that_is_gone_goes_to_the_nearest() -> None:
    trace = Trace.of(make_curve(1, [1.0, 2.0, 3.0]))
    assert moving.place(trace, Sight(50)) == 2
    assert moving.place(Trace.of(make_curve(1, [])), Sight(50)) is None
    assert np.isnan(
        moving.column_at(
            Trace.of(make_curve(1, [math.nan])), (np.array([0.0]), np.array([math.nan])), 0, Axis(0.0, 1.0, False), 9
        ).high
    )


async def test_an_empty_store_has_no_trial_to_open() -> None:
    async with shown(FakeStore()) as view:
        await view.press("enter", "enter")
        assert isinstance(view.app.screen, LiveScreen)


def add_measure(store: FakeStore, trial_id: int, name: str, parts: dict[str, list[tuple[int, float, float]]]) -> None:
    """Steps, values and edges by part."""
    curves = {}
    for part, rows in parts.items():
        step, value, edge = zip(*rows, strict=True)
        curves[part] = PartCurve(array("q", step), array("d", value), array("d", edge))
    store.measures[trial_id, name] = MeasureCurve(trial_id, store.curves[trial_id].attempt, name, curves)


async def test_parts_of_a_measure_are_drawn_together_with_the_edge_of_the_sharpness() -> None:
    store = scan_store()
    nan = math.nan
    for trial_id in store.curves:
        ranks = {"1": [(0, 8.0, nan), (9, 9.0, nan)], "2": [(0, 2.0, nan), (5, nan, nan), (9, 1.0, nan)]}
        add_measure(store, trial_id, "spectrum hessian", ranks)
        add_measure(store, trial_id, "weights", {"input": [(0, 1.0, nan)], "output": [(0, 4.0, nan), (9, 5.0, nan)]})
    async with shown(store) as view:
        await open_trial(view)
        edges = [name for name in ("2/η", "4/η") if name in view.text()]
        await view.press("m")
        await view.until(lambda: view.reading.measured is not None)
        await view.pilot.pause()
        assert "spectrum hessian  1 to 2  m: weights, λ" in view.text()
        assert "peak 9 @9 · now 9 @9" in view.text()
        assert "2/η" in edges
        assert "2/η" in view.text()
        chart = view.app.screen.query_one(SharpnessView)
        (second,) = chart.beside()
        assert (second.letter, list(second.x), list(second.y)) == ("2", [0.0, 9.0], [2.0, 1.0])
        await view.press("m")
        await view.until(lambda: view.reading.measured is not None and view.reading.measured.measure == "weights")
        await view.pilot.pause()
        assert "weights  1 input, 2 output  m: spectrum hessian, λ" in view.text()


async def test_a_key_draws_the_next_measure_that_is_stored_and_then_the_sharpness_again() -> None:
    store = scan_store()
    for trial_id in store.curves:
        add_measure(store, trial_id, "grad_norm", {"": [(0, 1.5, math.nan), (5, 0.25, math.nan), (9, 12.5, math.nan)]})
        add_measure(store, trial_id, "of a plug-in", {"": [(4, 3.0, 4.0)]})
    async with shown(store) as view:
        await open_trial(view)
        assert "sharpness λ  gauss-newton  m: grad_norm, of a plug-in" in view.text()
        await view.press("m")
        await view.until(lambda: view.reading.measured is not None)
        await view.pilot.pause()
        assert "grad_norm  m: of a plug-in, λ" in view.text()
        assert "peak 12.5 @9 · now 12.5 @9" in view.text()
        chart = view.app.screen.query_one(SharpnessView)
        assert chart.y_log  # as it is registered
        chart.turn_scale()
        assert not chart.y_log
        await view.press("m")
        await view.until(lambda: view.reading.measured is not None and view.reading.measured.measure == "of a plug-in")
        await view.pilot.pause()
        assert "edge 4" in view.text()
        assert not chart.y_log
        await view.press("m")
        await view.until(lambda: view.reading.measured is None)
        await view.pilot.pause()
        assert "sharpness λ  gauss-newton  m: grad_norm, of a plug-in" in view.text()


async def test_without_measures_the_key_does_nothing() -> None:
    async with shown(scan_store()) as view:
        await open_trial(view)
        await view.press("m")
        assert view.reading.measures == ()
        assert "m: " not in view.text()
