"""A few screens as pictures, for colours and themes; what they say is in the text goldens.

`pytest tests/tui/test_tui_snapshots.py --snapshot-update` draws them anew; look at them before keeping them.
"""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from test_tui_golden import WAYS
from test_tui_screens import Shown
from textual.pilot import Pilot
from tui_fakes import both_sweeps, scan_store, search_store
from tui_rows import NOW

from mlrtui.tui.app import MlrtuiApp


@pytest.fixture(autouse=True)
def same_everywhere() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.delenv("NO_COLOR", raising=False)
        time.tzset()
        yield
    time.tzset()


async def live(view: Shown) -> None:
    await view.until(lambda: "reached" in view.text())


@pytest.mark.parametrize(
    ("name", "light"), [("live", False), ("live", True), ("trial", False), ("compare", False), ("browse", False)]
)
def test_picture(snap_compare: Any, name: str, light: bool) -> None:
    store = {"live": lambda: search_store("done", False), "browse": both_sweeps}.get(
        name, lambda: scan_store("done", False)
    )()
    app = MlrtuiApp([store.source()], clock=lambda: NOW, refresh=60.0, color=True, light=light)

    async def go(pilot: Pilot[None]) -> None:
        view = Shown(app, pilot)
        await view.until(lambda: app.reading is not None)
        await WAYS.get(name, live)(view)
        await pilot.pause()

    assert os.environ.get("NO_COLOR") is None
    assert snap_compare(app, terminal_size=(160, 48), run_before=go)
