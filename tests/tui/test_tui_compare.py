"""Marks and the Compare screen."""

from dataclasses import replace

import pytest
from test_tui_screens import Shown, shown
from tui_fakes import FakeStore, both_sweeps, scan_store
from tui_rows import make_curve, make_details, make_fit, make_trial

from mlrtui.tui.browse.screen import BrowseScreen
from mlrtui.tui.compare.differences import result_rows, setting_rows
from mlrtui.tui.compare.screen import CompareScreen
from mlrtui.tui.curves import Trace
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.state import MOST_MARKS, Compared, Mark


def compared(trial_id: int, **changes: object) -> Compared:
    trial = make_trial(trial_id, 1, 0.1 * trial_id, **changes)
    return Compared(Mark(0, 1, trial_id), make_details(trial), Trace.of(make_curve(trial_id, [1.0, 0.5])), None)


async def mark_trials(view: Shown, count: int) -> None:
    await view.press("enter", "space")
    for _ in range(count - 1):
        before = view.reading.trial_id
        await view.press("up")
        await view.until(lambda before=before: view.reading.trial_id != before)  # type: ignore[misc]
        await view.press("space")


async def test_marked_trials_share_one_axis() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await mark_trials(view, 3)
        assert view.text().count("•") == 3
        await view.press("equals_sign")
        await view.until(lambda: isinstance(view.app.screen, CompareScreen) and len(view.reading.compared) == 3)
        text = view.text()
        for words in ("what differs: 1 of 12 settings", "A 1×512 η 0.15", "C 1×512 η 0.105", "catapult", "2/η"):
            assert words in text
        assert "activation" not in text
        await view.press("d")
        await view.until(lambda: "activation" in view.text())
        await view.press("d", "home")
        before = view.text()
        await view.press("left")
        assert "step 13 · A 1" in view.text()
        assert view.text() != before
        await view.press("escape")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))


async def test_a_mark_is_taken_away_by_the_same_key_and_a_seventh_replaces_the_first() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await view.press("space", "space")
        assert view.app.look.marked == ()
        await mark_trials(view, MOST_MARKS + 1)
        assert [mark.trial_id for mark in view.app.look.marked] == [6, 5, 4, 3, 2, 1]
        await view.press("equals_sign")
        await view.until(lambda: len(view.reading.compared) == MOST_MARKS)
        assert "F 1×512" in view.text()
        await view.press("backspace")
        await view.until(lambda: "nothing is marked" in view.text())


async def test_marked_sweeps_show_their_fits() -> None:
    async with shown(both_sweeps(), (160, 48), start="browse") as view:
        await view.until(lambda: "2 sweeps" in view.text())
        await view.press("space", "j", "space")
        assert view.text().count("•") == 2
        await view.press("equals_sign")
        await view.until(lambda: len(view.reading.sweeps) == 2)
        assert "η* −0.71 [−0.85, −0.57]" in view.text()
        assert "exponents, 95 %" in view.text()
        await view.press("escape")
        await view.until(lambda: isinstance(view.app.screen, BrowseScreen))


async def test_a_running_curve_grows_while_it_is_compared() -> None:
    store = scan_store()
    async with shown(store, (160, 48)) as view:
        await view.press("enter", "space", "equals_sign")
        await view.until(lambda: len(view.reading.compared) == 1)
        assert view.reading.compared[0].trace.last_step == 70
        old = store.curves[7]
        store.curves[7] = make_curve(7, [*old.loss, 0.5, 0.4], [*old.sharpness, 12.0, 12.0])
        store.commit()
        await view.press("r")
        await view.until(lambda: view.reading.compared[0].trace.last_step == 72)
        assert store.log[-1] == ("curve", 7, 70)


async def test_a_trial_that_is_gone_is_left_out() -> None:
    store = scan_store()
    async with shown(store) as view:
        await mark_trials(view, 2)
        store.trials[1] = tuple(trial for trial in store.trials[1] if trial.trial_id != 7)
        store.commit()
        await view.press("equals_sign")
        await view.until(lambda: [one.mark.trial_id for one in view.reading.compared] == [6])


async def test_nothing_marked_says_what_to_do() -> None:
    async with shown(FakeStore()) as view:
        await view.press("4")
        await view.until(lambda: "space marks a trial" in view.text())
        await view.press("left", "up", "d", "y", "x")
        assert "space marks a trial" in view.text()


def test_differences_are_those_that_differ() -> None:
    one, two = compared(1), compared(2, phase="catapult")
    two = replace(two, details=replace(two.details, cell=(("depth", 2), ("width", 512))))
    rows = {row.name: row for row in setting_rows([one, two])}
    assert rows["depth"].values == ("1", "2")
    assert rows["activation"].values == ("relu", "-")
    assert not rows["width"].differs
    assert rows["eta"].differs
    assert "cell_id" not in rows


@pytest.mark.parametrize("fit", [None, make_fit()])
def test_results_without_any_value_are_left_out(fit: object) -> None:
    rows = {row.name: row.values for row in result_rows([replace(compared(1), fit=fit)])}  # type: ignore[arg-type]
    assert rows["phase"] == ("lazy",)
    assert ("fit of the sweep" in rows) == (fit is not None)
    assert "accuracy" not in rows


async def test_each_curve_without_sharpness_says_why_where_the_reasons_differ() -> None:
    store = scan_store()
    store.curves[6], store.curves[7] = make_curve(6, []), make_curve(7, [0.5] * 5)
    rows = {6: {"n_steps": 0, "status": "queued"}, 7: {"n_steps": 5, "status": "done"}}
    store.trials[1] = tuple(replace(row, **rows.get(row.trial_id, {})) for row in store.trials[1])
    store.snapshots[1] = replace(store.snapshots[1], trials=store.trials[1])
    async with shown(store, (160, 48), marked=(Mark(0, 1, 6), Mark(0, 1, 7)), start="compare") as view:
        await view.until(lambda: len(view.reading.compared) == 2)
        assert "A no step stored yet · B λ was not measured along this trial" in view.text()
