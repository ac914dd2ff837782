"""Small terminals, plain ones, and screens that are printed: no number is cut, columns stand below their heads."""

import re
from dataclasses import replace

import pytest
from test_tui_feed import Watched
from test_tui_screens import shown
from tui_fakes import scan_store
from tui_laws import wide_scan_store
from tui_rows import NOW

from mlrtui.commands.look import How, browse, printed_size
from mlrtui.errors import BadInput
from mlrtui.text.lines import plain
from mlrtui.text.marks import UNICODE
from mlrtui.text.numbers import moment
from mlrtui.tui.state import Look, Mark
from mlrtui.tui.widgets.header import header_line
from mlrtui_db.work import WorkRow


async def test_phases_of_80_columns_counts_every_phase() -> None:
    async with shown(wide_scan_store(), (80, 24)) as view:
        await view.press("6")
        await view.until(lambda: "ranges of" in view.text())
        edge = next(row for row in view.text().splitlines() if row.startswith("┗"))
        assert "✓ 12  ~ 6  ✗ 3  / 3 ━┛" in edge
        text = view.text()
        for names in ("lazy 4", "catapult 2", "divergent 1", "dead 1"):  # what the signs mean
            assert names in text
        assert "…" not in text


@pytest.mark.parametrize("left", [None, 3_000.0, 4_000.0])
@pytest.mark.parametrize("width", [80, 160])
def test_a_run_that_stops_before_its_end_says_when_in_place_of_the_time_left(left: float | None, width: int) -> None:
    store = scan_store()
    until = NOW + 3_600.0
    store.snapshots[1] = replace(store.snapshots[1], writer_until=until)
    store.work = WorkRow(NOW, "training", 1, "catapult scan", left=left)
    watched = Watched(store)
    watched.turn()
    head = plain(header_line("1 Live", watched.reading, Look(UNICODE), width))
    assert ("ETA 50m" in head) == (left == 3_000.0)
    assert ("ETA" in head) == (left == 3_000.0)
    if left != 3_000.0 or width == 160:
        assert f"until {moment(until)}" in head


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_columns_of_compare_stand_below_their_letters(ascii_only: bool, size: tuple[int, int]) -> None:
    marks = tuple(Mark(0, 1, trial_id) for trial_id in (7, 6, 4))
    async with shown(scan_store(), size, ascii_only=ascii_only, start="compare", marked=marks) as view:
        await view.until(lambda: len(view.reading.compared) == 3)
        rows = view.text().splitlines()
        head = next(row for row in rows if re.search(r" A 1.512", row))
        eta = next(row for row in rows if re.search(r"^. eta  ", row))
        assert [head.index(f"{letter} 1") for letter in "ABC"] == [eta.index(one) for one in ("0.15", "0.125", "0.095")]
        assert "…" not in head
        assert "~" not in head


def test_the_size_of_a_printed_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed_size(How(once=True, size="120x36")) == (120, 36)
    monkeypatch.setenv("COLUMNS", "97")
    monkeypatch.setenv("LINES", "31")
    assert printed_size(How(once=True)) == (97, 31)


@pytest.mark.parametrize("size", ["120", "x", "0x0", "120x36x1", "5000x20", "-3x4", "19x24"])
def test_a_size_that_is_none_is_refused_in_one_line(size: str) -> None:
    with pytest.raises(BadInput, match="give columns and rows, from 20x5") as raised:
        browse([], How("browse", once=True, size=size))
    assert "\n" not in str(raised.value)


def test_a_size_without_once_is_refused() -> None:
    with pytest.raises(BadInput, match="add --once"):
        browse([], How("browse", size="120x36"))
