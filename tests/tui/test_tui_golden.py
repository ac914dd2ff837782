"""Whole screens as text. `MLRTUI_UPDATE_GOLDENS=1` writes them anew; read the difference before keeping it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tui_fakes import FakeStore, scan_store, search_store

from mlrtui.tui.once import render_once

HERE = Path(__file__).parent / "goldens"


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("ascii_only", [False, True], ids=["braille", "ascii"])
@pytest.mark.parametrize("make", [scan_store, search_store], ids=["scan", "search"])
def test_live(make: Callable[[str, bool], FakeStore], ascii_only: bool, size: tuple[int, int]) -> None:
    store = make("done", False)  # a sweep that has ended: nothing depends on the time of day
    text = render_once(store.open(), size, ascii_only) + "\n"
    name = f"live-{make.__name__.removesuffix('_store')}-{size[0]}x{size[1]}-{'ascii' if ascii_only else 'braille'}.txt"
    path = HERE / name
    if os.environ.get("MLRTUI_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
