"""Browse: filters, completion, order, bookmarks, several stores."""

from pathlib import Path

import pytest
from test_tui_screens import shown
from tui_fakes import both_sweeps, scan_store
from tui_rows import NOW, make_fit, make_sweep

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.browse.bookmarks import Bookmarks
from mlrtui.tui.browse.filtering import NAMES, SORTS, Entry, complete, find
from mlrtui.tui.browse.screen import BrowseScreen
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.ports import StoreSource
from mlrtui.tui.widgets.typed import Entry as Row

ENTRIES = (
    Entry(0, "a.db", "/a.db", make_sweep(1, "catapult scan", "scan", trials_failed=2, created_at=NOW - 9), None),
    Entry(0, "a.db", "/a.db", make_sweep(2, "Digits wide", "search", status="done", nets=30), make_fit(exponent=-0.7)),
    Entry(1, "b.db", "/b.db", make_sweep(1, "digits deep", "search", trials_done=7), make_fit(exponent=-0.3)),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["catapult scan", "Digits wide", "digits deep"]),
        ("DIG", ["Digits wide", "digits deep"]),
        ("deep dig", ["digits deep"]),
        ("trials_failed > 0", ["catapult scan"]),
        ("mode == 'search' and nets >= 30", ["Digits wide"]),
        ("store == 'b.db' or status == 'done'", ["Digits wide", "digits deep"]),
        ("exponent < -0.5", ["Digits wide"]),
        ("marked > 0", ["digits deep"]),
        ("not bookmarked == 1", ["Digits wide", "digits deep"]),
        ("nothing like it", []),
    ],
)
def test_filters(text: str, names: list[str]) -> None:
    found = find(ENTRIES, text, marked=(ENTRIES[2].mark,), bookmarks=frozenset({"/a.db#catapult scan"}))
    assert [entry.sweep.name for entry in found.entries] == names
    assert found.trouble == ""


@pytest.mark.parametrize("text", ["nets >", "status = 'done'", "depth > 2", "name < 3", "nets + 1", "status == done"])
def test_a_filter_that_cannot_be_read_keeps_all_and_says_why(text: str) -> None:
    found = find(ENTRIES, text)
    assert len(found.entries) == 3
    assert len(found.trouble.splitlines()) == 1


def test_every_order_can_be_turned_round() -> None:
    for at in range(len(SORTS)):
        up = [SORTS[at][1](entry) for entry in find(ENTRIES, "", at).entries]
        down = [SORTS[at][1](entry) for entry in find(ENTRIES, "", at, True).entries]
        assert up == down[::-1]
        assert up in (sorted(up), sorted(up, reverse=True))  # type: ignore[type-var]


def test_completion_of_names_and_values() -> None:
    assert complete("") == ()
    assert complete("trials_f") == ("trials_failed",)
    assert complete("nets > 2 and sta") == ("nets > 2 and status",)
    assert complete("status == 'd") == ("status == 'done'",)
    assert complete("name == 'd") == ()
    assert set(NAMES) >= {"name", "status", "mode", "cells", "trials_failed"}


async def test_typing_filters_at_once_and_commands_are_letters_meanwhile() -> None:
    async with shown(both_sweeps(), start="browse") as view:
        await view.until(lambda: "2 sweeps" in view.text())
        await view.press("slash", *"q1?")
        assert "0 of 2 sweeps" in view.text()
        assert "no sweep fits the filter" in view.text()
        await view.press("ctrl+u", *"tr", "tab")
        assert "/ trials" in view.text()
        await view.press("ctrl+w", *"catapult s", "backspace", "enter")
        assert "1 of 2 sweeps" in view.text()
        await view.press("enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen) and "catapult scan" in view.text())
        await view.press("3", "escape")
        assert isinstance(view.app.screen, BrowseScreen)
        assert "2 sweeps" in view.text()
        await view.press("slash", "up", "down", "escape", "escape")
        assert isinstance(view.app.screen, LiveScreen)


async def test_signs_that_are_commands_elsewhere_are_text_in_the_filter() -> None:
    async with shown(both_sweeps(), start="browse") as view:
        await view.press("slash", "q", "1", "slash", "plus", "minus", "left", "backspace")
        assert view.app.screen.query_one(Row).typed == "q1/-"


async def test_a_wrong_filter_is_explained_beside_it() -> None:
    async with shown(both_sweeps(), start="browse") as view:
        await view.press("slash", *"nets", "space", "greater_than_sign")
        assert "the expression ends" in view.text()


async def test_order_follows_the_keys() -> None:
    async with shown(both_sweeps(), start="browse") as view:
        await view.until(lambda: "2 sweeps" in view.text())
        await view.press("S")
        assert "oldest first" in view.text()
        await view.press("S", "s")
        assert "by name, smallest first" in view.text()


async def test_bookmarks_outlive_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "state" / "bookmarks.json"
    async with shown(both_sweeps(), start="browse", bookmarks=Bookmarks(path)) as view:
        await view.until(lambda: "2 sweeps" in view.text())
        await view.press("b")
        assert "★" in view.text()
    async with shown(both_sweeps(), start="browse", bookmarks=Bookmarks(path)) as view:
        await view.until(lambda: "★" in view.text())
        await view.press("b")
        assert "★" not in view.text()
    assert Bookmarks(path).keys == frozenset()


def test_bookmarks_that_cannot_be_kept_are_said_and_stay(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    marks = Bookmarks(tmp_path / "file" / "bookmarks.json")
    marks.toggle("a")
    assert marks.keys == {"a"}
    assert "this session only" in marks.trouble
    (tmp_path / "broken.json").write_text("{[")
    assert Bookmarks(tmp_path / "broken.json").keys == frozenset()


async def test_several_stores_are_one_list() -> None:
    one, two = scan_store(), both_sweeps()
    sources = [StoreSource("one.db", one.open, "/x/one.db"), StoreSource("two.db", two.open, "/x/two.db")]
    app = MlrtuiApp(sources, clock=lambda: NOW, refresh=60.0, start="browse")
    async with app.run_test(size=(160, 48)) as pilot:
        for _ in range(200):
            await pilot.pause(0.02)
            if isinstance(app.screen, BrowseScreen) and "3 sweeps" in app.screen.text():
                break
        assert isinstance(app.screen, BrowseScreen)
        text = app.screen.text()
        assert "3 sweeps" in text
        assert "two.db" in text
        await pilot.press("slash", *"store", "equals_sign", "equals_sign", *"'one.db'", "enter")
        assert "1 of 3 sweeps" in app.screen.text()
