"""Exponents, Boundary, Phases and Log together: whole screens as text, every key at every size, stores in trouble."""

import itertools
import math
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FULL, thinned
from rich.cells import cell_len
from test_tui_screens import shown
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store
from tui_laws import law_store, talking_store, wide_scan_store
from tui_rows import NOW, make_curve

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.feed import Feed
from mlrtui.tui.keymap import KEYS
from mlrtui.tui.pages import LogPage
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.starting import store_source
from mlrtui.tui.state import Reading, Wanted
from mlrtui_db.errors import StoreLocked, StoreMissing
from mlrtui_db.models import EventRow

HERE = Path(__file__).parent / "goldens"
OPENED_BY = {
    **{name: next(key.keys[0] for key in KEYS if key.id == name) for name in MlrtuiApp.MODES},
    "help": "question_mark",
}


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("ascii_only", [False, True], ids=["braille", "ascii"])
@pytest.mark.parametrize(
    ("screen", "make", "keys", "awaited"),
    [
        ("exponents", law_store, ("2", "right", "right"), "cell L2 n128"),
        ("boundary", law_store, ("b",), "zone"),
        ("phases", wide_scan_store, ("6", "right"), "ranges of"),
        ("log", talking_store, ("5", "down"), "50 of 50"),
    ],
)
async def test_pages_look_as_they_did(
    screen: str,
    make: Callable[[], FakeStore],
    keys: tuple[str, ...],
    awaited: str,
    ascii_only: bool,
    size: tuple[int, int],
) -> None:
    async with shown(make(), size, ascii_only=ascii_only) as view:
        await view.press(keys[0])
        await view.until(lambda: view.reading.page is not None or screen == "boundary")
        await view.press(*keys[1:])
        await view.until(lambda: awaited in view.text())
        text = view.text() + "\n"
    if ascii_only:
        assert text.isascii()
    path = HERE / f"{screen}-{size[0]}x{size[1]}-{'ascii' if ascii_only else 'braille'}.txt"
    if os.environ.get("MLRTUI_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (law_store, (160, 48)),
        (wide_scan_store, (40, 12)),
        *([(law_store, (20, 6)), (FakeStore, (80, 24))] if FULL else []),
    ],
)
async def test_every_key_of_every_page_keeps_the_app_alive(
    make: Callable[[], FakeStore], size: tuple[int, int]
) -> None:
    async with shown(make(), size) as view:
        for screen in ("exponents", "boundary", "phases", "log"):
            await view.press("1", OPENED_BY[screen])
            mine = [name for key in KEYS if screen in key.screens for name in key.keys]
            for name in mine:
                if name in ("enter", "escape"):
                    continue
                await view.press(name)
                if name == "slash":
                    await view.press("n", "o", "tab", "left", "backspace", "enter", "escape")
                lines = view.text().splitlines()
                assert len(lines) <= size[1]
                assert all(cell_len(line) <= size[0] for line in lines), (screen, name, lines)
            await view.press("enter")
        assert view.app.is_running


@pytest.mark.parametrize(
    ("screen", "make"), [("exponents", law_store), ("boundary", law_store), ("phases", scan_store)]
)
async def test_growing_and_shrinking_keeps_a_page(screen: str, make: Callable[[], FakeStore]) -> None:
    async with shown(make(), (80, 24)) as view:
        await view.press(OPENED_BY[screen])
        await view.until(lambda: view.reading.page is not None or screen == "boundary")
        before = view.text()
        for size in ((40, 12), (160, 48), (80, 24)):
            await view.pilot.resize_terminal(*size)
            await view.pilot.pause()
            await view.pilot.pause()
        assert view.text() == before


async def test_tab_visits_every_pane_of_a_page_on_a_narrow_terminal() -> None:
    async with shown(law_store(), (40, 12)) as view:

        def visible() -> list[str | None]:
            return [pane.id for pane in view.app.screen.query(".pane") if pane.region.area]

        await view.press("2")
        for name in ("plot", "fit", "residuals", "cell", "plot"):
            await view.until(lambda name=name: visible() == [name])  # type: ignore[misc]
            await view.press("tab")


async def test_zoom_gives_one_pane_the_screen_and_escape_takes_it_back() -> None:
    async with shown(law_store()) as view:
        await view.press("2", "z")
        await view.until(lambda: view.app.screen.query_one("#plot").region.width == 80)
        await view.press("escape")
        await view.until(lambda: view.app.screen.query_one("#plot").region.width < 80)


# Stores in trouble ----------------------------------------------------------------------------------------------------


def _one_point() -> FakeStore:
    store = scan_store("done", False)
    store.curves = {trial_id: make_curve(trial_id, [2.3], [20.0]) for trial_id in store.curves}
    return store


def _all_nan() -> FakeStore:
    store = law_store()
    bad = {"eta_star": math.nan, "first_failure": math.nan, "eta_area": math.nan, "lambda0": math.nan}
    store.nets = {cell: tuple(replace(net, **bad) for net in nets) for cell, nets in store.nets.items()}  # type: ignore[arg-type]
    rows = {
        cell: tuple(replace(t, eta_lambda0=math.nan, last_loss=None) for t in ts) for cell, ts in store.trials.items()
    }
    store.trials = rows
    store.curves = {key: make_curve(key, [math.nan] * 9, [math.nan] * 9, [1 | 8] * 9) for key in store.curves}
    return store


def _constant() -> FakeStore:
    store = law_store()
    store.nets = {
        cell: tuple(replace(net, eta_star=0.5, first_failure=0.5, eta_area=0.5, zone_octaves=0.0) for net in nets)
        for cell, nets in store.nets.items()
    }
    store.trials = {cell: tuple(replace(t, eta=0.5, eta_lambda0=2.0) for t in ts) for cell, ts in store.trials.items()}
    store.curves = {key: make_curve(key, [1.0] * 9, [20.0] * 9) for key in store.curves}
    return store


def _extreme() -> FakeStore:
    store = law_store()
    at = itertools.cycle((5e-324, 1e-300, 1.0, 1e300, 1.7e308))
    store.nets = {
        cell: tuple(replace(net, eta_star=next(at), first_failure=1.7e308, zone_octaves=900.0) for net in nets)
        for cell, nets in store.nets.items()
    }
    store.trials = {
        cell: tuple(replace(t, eta=next(at), eta_lambda0=next(at)) for t in ts) for cell, ts in store.trials.items()
    }
    return store


def _nothing_yet() -> FakeStore:
    store = search_store()
    store.nets = dict.fromkeys(store.nets, ())
    store.trials = dict.fromkeys(store.trials, ())
    store.snapshots[2] = replace(store.snapshots[2], fits=(), events=(), newest_trial_id=None, nets=(), trials=())
    return store


TROUBLE: dict[str, tuple[Callable[[], FakeStore], str]] = {
    "empty": (FakeStore, "no sweep"),
    "missing": (
        lambda: FakeStore(error=StoreMissing("There is no store at runs.db.")),
        "There is no store at runs.db.",
    ),
    "locked": (lambda: FakeStore(error=StoreLocked("The store is locked by a backup.")), "locked by a backup"),
    "broken": (lambda: FakeStore(error=RuntimeError("disk I/O error")), "disk I/O error"),
    "nothing yet": (_nothing_yet, "digits"),
    "one point": (_one_point, "catapult scan"),
    "all NaN": (_all_nan, "digits"),
    "constant": (_constant, "digits"),
    "extreme": (_extreme, "digits"),
    "two sweeps": (both_sweeps, "digits"),
}


@pytest.mark.parametrize(
    ("trouble", "screen"), thinned(TROUBLE, [name for name in OPENED_BY if name != "help"], step=4)
)
async def test_every_screen_says_what_it_sees_and_never_raises(trouble: str, screen: str) -> None:
    make, words = TROUBLE[trouble]
    async with shown(make()) as view:
        await view.press(OPENED_BY[screen])
        await view.until(lambda: words in view.text())
        await view.press("x", "y", "down", "right", "r")
        assert view.app.is_running
        assert words in view.text()


def _real(folder: Path, kind: str) -> Path:
    """A store file of a kind that a reader cannot read, or only just."""
    from mlrtui_db.store import Store

    path = folder / "runs.db"
    Store.open(path).close()
    if kind == "half-written":
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "foreign":
        path.write_bytes(b"not a store at all, but longer than a header" * 40)
    elif kind == "newer":
        with sqlite3.connect(path) as connection:
            connection.execute("DROP VIEW exponents")
            connection.execute("PRAGMA user_version = 999")
        connection.close()
    elif kind == "read-only":
        path.chmod(0o444)
    elif kind == "vanished":
        path.unlink()
    return path


@pytest.mark.parametrize(
    ("kind", "screen"),
    thinned(
        ["half-written", "foreign", "newer", "vanished", "read-only"],
        ["live", "boundary", "exponents", "phases", "log", "browse"],
        step=4,
    ),
)
async def test_files_that_are_no_readable_store_are_a_sentence_on_every_screen(
    kind: str, screen: str, tmp_path: Path
) -> None:
    path = _real(tmp_path, kind)
    kept = shutil.copy(path, tmp_path / "kept") if path.exists() else None
    app = MlrtuiApp([store_source(path)], refresh=60.0)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(600):
            await pilot.pause(0.02)
            if app.reading is not None:
                break
        await pilot.press(OPENED_BY[screen])
        await pilot.pause()
        assert isinstance(app.screen, ReadingScreen)
        text = app.screen.text()
        assert ("no sweep" in text) if kind == "read-only" else (" ! " in text)
        assert "Traceback" not in text
    assert kept is None or Path(kept).read_bytes() == path.read_bytes()


# What is read ---------------------------------------------------------------------------------------------------------


def test_pages_are_read_only_where_a_screen_wants_them() -> None:
    store = law_store()
    posted: list[Reading] = []
    feed = Feed([store.source()], posted.append, Wanted(), clock=lambda: NOW)
    feed.turn()
    assert posted[-1].page is None
    feed.want(Wanted(page="exponents"))
    feed.turn()
    assert [call[0] for call in store.log if call[0] in ("query", "sizes", "log")] == ["query", "sizes"]
    count = len(posted)
    feed.turn()
    assert len(posted) == count
    feed.close()


def test_the_log_reads_only_what_is_new_and_starts_again_with_another_store() -> None:
    first, second = talking_store(5), talking_store(3)
    posted: list[Reading] = []
    feed = Feed([first.source("a"), second.source("b")], posted.append, Wanted(page="log"), clock=lambda: NOW)
    feed.turn()
    snapshot = first.snapshots[1]
    first.snapshots[1] = replace(snapshot, events=(EventRow(6, NOW, "info", "new", None), *snapshot.events))
    first.commit()
    feed.turn()
    assert [call for call in first.log if call[0] == "log"] == [("log", 0), ("log", 5)]
    assert isinstance(posted[-1].page, LogPage)
    assert [row.event_id for row in posted[-1].page.rows] == [1, 2, 3, 4, 5, 6]
    feed.want(Wanted(store=1, page="log"))
    feed.turn()
    assert isinstance(posted[-1].page, LogPage)
    assert [row.event_id for row in posted[-1].page.rows] == [1, 2, 3]
    feed.close()
