"""Whole screens as text. `MLRTUI_UPDATE_GOLDENS=1` writes them anew; read the difference before keeping it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_tui_screens import Shown, shown
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store

from mlrtui.tui.once import read_once, render_once

HERE = Path(__file__).parent / "goldens"

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
CHARACTERS = pytest.mark.parametrize("ascii_only", [False, True], ids=["braille", "ascii"])


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def compare(name: str, size: tuple[int, int], ascii_only: bool, text: str) -> None:
    assert text.isascii() or not ascii_only
    path = HERE / f"{name}-{size[0]}x{size[1]}-{'ascii' if ascii_only else 'braille'}.txt"
    if os.environ.get("MLRTUI_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@SIZES
@CHARACTERS
@pytest.mark.parametrize("make", [scan_store, search_store], ids=["scan", "search"])
def test_live(make: Callable[[str, bool], FakeStore], ascii_only: bool, size: tuple[int, int]) -> None:
    store = make("done", False)  # a sweep that has ended: nothing depends on the time of day
    name = f"live-{make.__name__.removesuffix('_store')}"
    compare(name, size, ascii_only, render_once(read_once([store.source()]), "live", size, ascii_only) + "\n")


async def open_trial(view: Shown) -> None:
    await view.press("enter", "up")
    await view.until(lambda: view.reading.trial_id == 6)
    await view.press("enter")
    await view.until(lambda: view.reading.details is not None)


async def open_compare(view: Shown) -> None:
    await view.press("space", "left_square_bracket")
    await view.until(lambda: view.reading.trial_id == 6)
    await view.press("space", "equals_sign")
    await view.until(lambda: len(view.reading.compared) == 2)


async def open_browse(view: Shown) -> None:
    await view.press("3")
    await view.until(lambda: "0.71" in view.text())
    await view.press("b", "j", "space", "slash", *"nets>0", "enter")


async def open_palette(view: Shown) -> None:
    await view.press("colon", *"log")


WAYS = {"trial": open_trial, "compare": open_compare, "browse": open_browse, "palette": open_palette}


@SIZES
@CHARACTERS
@pytest.mark.parametrize("name", sorted(WAYS))
async def test_screen(name: str, ascii_only: bool, size: tuple[int, int]) -> None:
    store = both_sweeps() if name == "browse" else scan_store("done", False)
    async with shown(store, size, ascii_only=ascii_only) as view:
        await WAYS[name](view)
        await view.pilot.pause()
        compare(name, size, ascii_only, view.text() + "\n")
