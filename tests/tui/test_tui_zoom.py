"""One pane alone: zoomed, and on a small terminal, on every screen that has several."""

import pytest
from conftest import thinned
from test_tui_screens import shown
from tui_fakes import FakeStore, scan_store
from tui_laws import law_store, wide_scan_store

from mlrtui.tui.pane_screen import PanesScreen

SCREENS = ("live", "trial", "boundary", "exponents", "phases", "compare")


def store_for(screen: str) -> FakeStore:
    made = {"boundary": law_store, "exponents": law_store, "phases": wide_scan_store}.get(screen)
    return scan_store("done", False) if made is None else made()


@pytest.mark.parametrize(("screen", "size"), thinned(SCREENS, [(80, 24), (160, 48), (40, 12)], step=2))
async def test_every_pane_can_be_seen_alone(screen: str, size: tuple[int, int]) -> None:
    async with shown(store_for(screen), size) as view:
        if screen == "compare":
            await view.press("space")
        await view.go(screen)
        await view.until(lambda: isinstance(view.app.screen, PanesScreen) and bool(view.app.screen.current.region))
        panes = view.app.screen
        assert isinstance(panes, PanesScreen)
        if not panes.single:
            await view.press("z")
        for _ in panes.PANES:
            await view.until(lambda: panes.focused is panes.current)
            body = next(part.region for part in panes.query("#body, .kind") if part.region)
            assert panes.current.region == body, panes.current.id
            assert panes.current.picture()
            await view.press("tab")
        await view.press("z")
        assert panes.current.region
