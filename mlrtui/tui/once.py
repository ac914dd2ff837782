"""One picture of the Live screen as plain text, for pipes and terminals that cannot show the app."""

from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.feed import Feed
from mlrtui.tui.ports import StoreReader, StoreSource
from mlrtui.tui.screens.base import ReadingScreen
from mlrtui.tui.state import Reading, Wanted

__all__ = ["render_once"]


def render_once(
    reader: StoreReader, size: tuple[int, int] = (80, 24), ascii: bool = False, sweep_id: int | None = None
) -> str:
    """The Live screen as `size` = (columns, rows) of text without colour; trouble with the store is part of the text.

    The app runs without a terminal for as long as the picture takes; the reader is read in the calling thread and stays
    open. Not to be called where an event loop runs.
    """
    readings: list[Reading] = []
    Feed([StoreSource("", lambda: reader)], readings.append, Wanted(sweep_id=sweep_id)).turn()
    app = MlrtuiApp([], ascii_only=ascii, color=False, still=readings[-1])
    pictures: list[str] = []
    app.run(headless=True, size=size, auto_pilot=_photographer(app, pictures.append))
    if not pictures:
        raise RuntimeError("the screen could not be drawn")
    return "\n".join(pictures[-1].splitlines()[:-1])  # keys are of no use on paper


def _photographer(app: MlrtuiApp, keep: Callable[[str], None]) -> Any:
    """A pilot that waits until the screen has settled, keeps its text and leaves."""

    async def shoot(pilot: Pilot[None]) -> None:
        await pilot.pause()
        if isinstance(app.screen, ReadingScreen):
            keep(app.screen.text())
        app.exit()

    return shoot
