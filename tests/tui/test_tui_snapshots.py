"""Every screen as a picture: sizes, themes, without colour, in ASCII.

`pytest tests/tui/test_tui_snapshots.py --snapshot-update` draws them anew; look at them before keeping them.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store
from tui_laws import law_store, talking_store, wide_scan_store
from tui_rows import NOW

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.once import read_once
from mlrtui.tui.state import Mark, Wanted

SCREENS: dict[str, tuple[Callable[[], FakeStore], tuple[str, ...]]] = {
    "live": (lambda: search_store("done", False), ()),
    "trial": (lambda: scan_store("done", False), ()),
    "boundary": (law_store, ()),
    "exponents": (law_store, ()),
    "phases": (wide_scan_store, ()),
    "compare": (lambda: scan_store("done", False), ()),
    "browse": (both_sweeps, ()),
    "log": (talking_store, ()),
    "help": (lambda: scan_store("done", False), ("question_mark",)),
    "palette": (lambda: scan_store("done", False), ("colon",)),
}
WAYS = {
    "dark": {"color": True},
    "light": {"color": True, "light": True},
    "no-colour": {"color": False},
    "ascii": {"color": True, "ascii_only": True},
}


@pytest.fixture(autouse=True)
def same_everywhere() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("screen", SCREENS)
def test_picture(snap_compare: Any, screen: str, way: str, size: tuple[int, int]) -> None:
    make, keys = SCREENS[screen]
    marks = tuple(Mark(0, 1, trial) for trial in (2, 6, 7)) if screen == "compare" else ()
    start = "live" if keys else screen
    reading = read_once([make().source()], start, Wanted(), marks, lambda: NOW)
    app = MlrtuiApp([], start=start, still=reading, **WAYS[way])  # type: ignore[arg-type]

    async def go(pilot: Pilot[None]) -> None:
        await pilot.press(*keys)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=go)
