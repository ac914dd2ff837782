"""A map on the screen Phases: a picture that sharpens, a cursor, and the window that it offers to train."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import tui_page_rows
from test_tui_screens import shown
from tui_fakes import FakeStore, scan_store

from mlrtui.config.maps import MapSection
from mlrtui.figures.success_maps import success_maps
from mlrtui.text.marks import ASCII
from mlrtui.tui.control.screen import ControlScreen
from mlrtui.tui.pages import PATIENCE, MapPage, read_page
from mlrtui.tui.phases.maps import MapView

SECTION = {"eta": [0.01, 1.0], "axis": "momentum", "window": [0.0, 0.8], "scale": "linear", "squares": 8, "levels": 1}
POINTS = 17


def rows(step: int, seed: int = 0) -> list[dict[str, Any]]:
    """Of the view: every so many points along each axis; rates up to a bound that rises with momentum succeed."""
    section = MapSection.model_validate(SECTION)
    values = section.rows(())
    return [
        {
            "map": 1,
            "seed": seed,
            "cell": f"1x8 momentum={values[row]}",
            "value": values[row],
            "eta": section.etas[column],
        }
        | {"success": int(column < 4 + row // 2), "status": "done"}
        for row in range(0, POINTS, step)
        for column in range(0, POINTS, step)
    ]


def view(step: int, seeds: int = 1) -> MapView:
    section = MapSection.model_validate(SECTION)
    return MapView(tuple(success_maps("s", section, [row for seed in range(seeds) for row in rows(step, seed)])))


def drawn(one: MapView, width: int = 41, height: int = 18) -> list[str]:
    return ["".join(text for text, _ in row) for row in one.drawn(width, height, ASCII)]


def test_the_picture_shows_each_point_where_it_is_and_sharpens() -> None:
    fine, coarse = drawn(view(1)), drawn(view(2))
    succeeding = [line[7:].count("#") for line in fine[:-1]]
    assert succeeding[0] > succeeding[8] > succeeding[-1]  # the highest momentum is above, and succeeds at most rates
    assert fine[0].startswith("   0.8|#")
    assert fine != coarse
    assert "0.01" in fine[-1]
    assert "1" in fine[-1].split()[-1]
    assert {len(line) for line in fine} == {41}
    assert drawn(view(1), 15, 3)[0].strip() == "no room for this map"


def test_the_cursor_stays_on_the_map_and_its_window_with_it() -> None:
    one = view(1)
    assert one.place == (8, 8)
    assert one.stepped(1, 0).place == (8, 9)
    assert one.stepped(0, -1).place == (9, 8)
    corner = one
    for _ in range(40):
        corner = corner.stepped(-1, 1)
    assert corner.place == (0, 0)
    assert corner.window == ((0, 4), (0, 4))
    section = MapSection.model_validate(SECTION)
    assert corner.asks == f"--eta 0.01 {section.etas[4]:.6g} --window 0 0.2"
    assert one.window == ((6, 10), (6, 10))
    assert "succeeds (trained)" in "".join(text for row in corner.under_cursor(200, ASCII) for text, _ in row)


def test_another_map_and_the_points_of_one_as_a_table() -> None:
    one = view(2, seeds=2)
    assert one.along_x().one.seed == 1
    assert one.along_x().along_x().at == 0
    (table,) = one.tables()
    assert table.columns == ("eta", "momentum", "success")
    assert len(table.rows) == 81


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """A scan whose file has [map]; it reads the view `maps` of `made.step`."""
    made = scan_store()
    snapshot = made.snapshots[1]
    spec = json.dumps(json.loads(snapshot.sweep.spec or "{}") | {"map": SECTION})
    made.snapshots[1] = replace(snapshot, sweep=replace(snapshot.sweep, spec=spec))
    others = tui_page_rows.view_rows

    def queried(of: FakeStore, name: str, sweep: str | None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        if name != "maps":
            return others(of, name, sweep)
        found = rows(2 if of.version == 1 else 1)
        return tuple(found[0]), iter([tuple(row.values()) for row in found])

    monkeypatch.setattr("tui_fakes.view_rows", queried)
    return made


async def test_the_screen_shows_the_map_follows_the_trainings_and_offers_the_window(store: FakeStore) -> None:
    async with shown(store, (100, 30), ascii_only=True) as view:
        await view.press("6")
        await view.until(lambda: "map: momentum against" in view.text())
        before = view.text()
        assert "more are asked for" in before
        sweep = store.snapshots[1].sweep
        store.snapshots[1] = replace(store.snapshots[1], sweep=replace(sweep, trials_done=999))
        store.commit()
        await view.press("r")
        await view.until(lambda: "289 trained" in view.text())
        assert view.text() != before
        await view.press("right", "up")
        assert "momentum 0.45: fails (trained)" in view.text()
        await view.press("Z")
        await view.until(lambda: isinstance(view.app.screen, ControlScreen))
        assert "mlrtui map 'catapult scan' --eta" in view.text()
        await view.press("escape")
        await view.press("enter")
        assert "a map stores no curves" in view.text()


async def test_a_scan_has_no_window() -> None:
    async with shown(scan_store(), (100, 30)) as view:
        await view.press("6")
        await view.press("Z")
        await view.until(lambda: isinstance(view.app.screen, ControlScreen))
        assert "only a sweep with [map] has windows" in view.text()


async def test_keys_of_trials_change_nothing_on_a_map(store: FakeStore) -> None:
    async with shown(store, (100, 30), ascii_only=True) as view:
        await view.press("6")
        await view.until(lambda: "map: momentum against" in view.text())
        drawn = view.text().splitlines()[:-2]
        await view.press("v", "x")
        assert view.text().splitlines()[:-2] == drawn
        assert view.app.wanted.page == "phases"
        await view.press("T", "T")
        assert "theory has no line on a map" in view.text()
        await view.press("2")
        await view.until(lambda: "a map has no fit" in view.text())


def test_an_open_map_is_read_again_when_reading_it_has_been_cheap_enough(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("mlrtui.tui.pages.time.monotonic", lambda: now[0])
    reader = store.open()
    sweep = replace(store.snapshots[1].sweep, status="open", trials_done=81)
    page = read_page(reader, "phases", sweep, None)
    assert isinstance(page, MapPage)
    slow = replace(page, took=0.5)  # its rows took half a second
    more = replace(sweep, trials_done=82)
    assert read_page(reader, "phases", more, slow) is slow
    now[0] += 0.5 * PATIENCE
    again = read_page(reader, "phases", more, slow)
    assert again is not slow
    assert read_page(reader, "phases", more, again) is again  # nothing has ended since
    assert read_page(reader, "phases", replace(more, status="done"), slow) is not slow
