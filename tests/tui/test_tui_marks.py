"""The same marks on every screen: rings on values that missed their tolerance, lines at the edge with their numbers."""

import pytest
from test_tui_screens import shown
from test_tui_trial import open_trial, read_out
from tui_fakes import FakeStore, scan_store, search_store
from tui_rows import NOW, make_curve

from mlrtui.text.marks import ASCII, CHART_SIGNS, UNICODE, Marks
from mlrtui.tui.state import Mark
from mlrtui_db.flags import FLAG_SHARPNESS_NOT_CONVERGED
from mlrtui_db.lock import LockHolder
from mlrtui_db.models import WriterEnd


def missed_store() -> FakeStore:
    """Of every trial of `scan_store` the λ of steps 3, 30 and 60 missed its tolerance."""
    store = scan_store()
    for trial_id, curve in store.curves.items():
        flags = list(curve.flags)
        for step in (3, 30, 60):
            if step < len(flags):
                flags[step] |= FLAG_SHARPNESS_NOT_CONVERGED
        store.curves[trial_id] = make_curve(trial_id, list(curve.loss), list(curve.sharpness), flags)
    return store


@pytest.mark.parametrize(("ascii_only", "ring"), [(False, "○"), (True, "o")])
async def test_trial_rings_and_counts_what_missed_its_tolerance(ascii_only: bool, ring: str) -> None:
    async with shown(missed_store(), (120, 36), ascii_only=ascii_only) as view:
        await open_trial(view)
        chart = view.text().split("sharpness")[1]
        assert f"3 not converged ({ring})" in chart
        if not ascii_only:
            assert chart.split("3 not converged")[0].count(ring) == 3
        await view.press("home", *["full_stop"] * 3)
        assert "(not converged)" in read_out(view)
        await view.press("full_stop")
        assert "(not converged)" not in read_out(view)


async def test_compare_rings_and_counts_them_for_all_curves() -> None:
    marks = tuple(Mark(0, 1, trial_id) for trial_id in (6, 5))
    async with shown(missed_store(), (120, 36), start="compare", marked=marks) as view:
        await view.until(lambda: len(view.reading.compared) == 2)
        ratio = view.text().split("λη/2")[1]
        assert "6 not converged (○)" in ratio
        assert ratio.split("not converged (○)")[1].count("○") >= 3
        assert "○" not in view.text().split("λη/2")[0].split("┏━ loss")[1]


@pytest.mark.parametrize("screen", ["live", "trial", "compare"])
async def test_the_number_of_the_edge_stands_in_the_margin_where_a_curve_lies_on_the_line(screen: str) -> None:
    store = scan_store()
    for trial_id, curve in store.curves.items():  # λ within 2 % of its edge from the first step to the last
        trial = next(trial for trial in store.trials[1] if trial.trial_id == trial_id)
        flat = [2.02 / trial.eta] * len(curve.loss)
        store.curves[trial_id] = make_curve(trial_id, list(curve.loss), flat)
    marks = (Mark(0, 1, 6),) if screen == "compare" else ()
    async with shown(store, (120, 36), start=screen if marks else "live", marked=marks) as view:
        if screen == "trial":
            await open_trial(view)
        if marks:
            await view.until(lambda: bool(view.reading.compared))
        await view.until(lambda: "2/η" in view.text() and "▸" in view.text())
        row = next(row for row in view.text().splitlines() if "▸" in row)
        eta = 0.15 if screen == "trial" else None
        assert (f"2/η {2 / eta:.1f}▸" if eta else "2/η 1▸") in row
        after = row.split("▸")[1]
        assert sum(0x2800 < ord(char) < 0x2900 for char in after) > 30  # the line goes on under the curve


@pytest.mark.parametrize("marks", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_no_sign_has_two_meanings(marks: Marks) -> None:
    of_states = [sign for _, sign in marks.glyphs] + [marks.quiet, marks.stale]
    of_charts = [pair[marks.ascii_only] for pair in CHART_SIGNS.values()]
    known = [*of_states, *of_charts, "$" if marks.ascii_only else "★"]
    assert len(set(known)) == len(known)
    assert all(sign.isascii() for sign in known) or not marks.ascii_only
    assert {"-"} & set(known) == set()  # a value that is missing


async def test_nothing_runs_where_no_driver_is_at_work() -> None:
    """A sweep whose driver was killed: its open cells and trials have stopped, on every screen."""
    store = scan_store("open", False)
    async with shown(store, (160, 48)) as view:
        assert "‖7/9" in view.text()
        assert "▶" not in view.text()
        await view.press("enter", "enter")
        await view.until(lambda: "everything stored" in view.text())
        assert "▶" not in view.text()
    store = search_store("open", False)
    async with shown(store, (160, 48)) as view:
        await view.press("b")
        await view.until(lambda: "rounds  success" in view.text())
        assert "▶" not in view.text()
    async with shown(search_store("open", True), (160, 48)) as view:
        assert "▶" in view.text()


async def test_browse_says_of_an_open_sweep_that_its_driver_died() -> None:
    store = scan_store("open", False)
    store.end = WriterEnd(LockHolder(7, "here", NOW - 90, "driver"), NOW - 60, "killed", recorded=True)
    async with shown(store, (160, 48), start="browse") as view:
        await view.until(lambda: "! its driver died; R resumes it" in view.text())
        assert "! catapult scan" in view.text()
        assert "▶ catapult scan" not in view.text()
