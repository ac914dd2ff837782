"""One picture of the Live screen as plain text, for pipes and terminals that cannot show the app."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from textual.pilot import Pilot

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.feed import Feed
from mlrtui.tui.ports import StoreReader, StoreSource
from mlrtui.tui.screens.base import ReadingScreen
from mlrtui.tui.state import Reading, Wanted

__all__ = ["data_once", "render_once"]


def render_once(
    reader: StoreReader, size: tuple[int, int] = (80, 24), ascii: bool = False, sweep_id: int | None = None
) -> str:
    """The Live screen as `size` = (columns, rows) of text without colour; trouble with the store is part of the text.

    The app runs without a terminal for as long as the picture takes; the reader is read in the calling thread and stays
    open. Not to be called where an event loop runs.
    """
    app = MlrtuiApp([], ascii_only=ascii, color=False, still=_read(reader, sweep_id))
    pictures: list[str] = []
    app.run(headless=True, size=size, auto_pilot=_photographer(app, pictures.append))
    if not pictures:
        raise RuntimeError("the screen could not be drawn")
    return "\n".join(pictures[-1].splitlines()[:-1])  # keys are of no use on paper


def data_once(reader: StoreReader, sweep_id: int | None = None) -> dict[str, Any]:
    """The data behind the Live screen, ready for JSON: rows as in the store, the chosen trial's curve by columns.

    Numbers that are not finite are None; in the curve `flags` tells which of them were NaN or infinite, as in table
    `step` of the store.
    """
    reading = _read(reader, sweep_id)
    snapshot = reading.snapshot
    if snapshot is None:
        return {"trouble": reading.trouble, "sweep": None}
    trace = reading.trace
    curve = {} if trace is None else {name: getattr(trace, name).tolist() for name in _COLUMNS}
    found = asdict(snapshot) | {
        "trouble": reading.trouble,
        "freshness": asdict(reading.freshness),
        "trial_id": reading.trial_id,
        "curve": curve,
    }
    plain: dict[str, Any] = _plain(found)
    return plain


_COLUMNS = ("step", "loss", "sharpness", "flags")


def _read(reader: StoreReader, sweep_id: int | None) -> Reading:
    readings: list[Reading] = []
    Feed([StoreSource("", lambda: reader)], readings.append, Wanted(sweep_id=sweep_id)).turn()
    return readings[-1]


def _plain(value: Any) -> Any:
    """The value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _photographer(app: MlrtuiApp, keep: Callable[[str], None]) -> Any:
    """A pilot that waits until the screen has settled, keeps its text and leaves."""

    async def shoot(pilot: Pilot[None]) -> None:
        await pilot.pause()
        if isinstance(app.screen, ReadingScreen):
            keep(app.screen.text())
        app.exit()

    return shoot
