"""One picture of a screen as plain text, or the data behind it, for pipes and terminals that cannot show the app."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from textual.pilot import Pilot

from mlrtui.errors import BadInput
from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.curves import Trace
from mlrtui.tui.feed import Feed
from mlrtui.tui.modes import MODES, wanted_for
from mlrtui.tui.ports import StoreReader, StoreSource
from mlrtui.tui.screens.base import ReadingScreen
from mlrtui.tui.state import MOST_MARKS, Mark, Reading, Wanted

__all__ = ["SCREENS", "data_once", "looked_at", "read_once", "render_once"]

SCREENS = (*MODES, "trial")


def looked_at(reader: StoreReader, sweep: str | None, trials: Sequence[int]) -> tuple[Wanted, tuple[Mark, ...]]:
    """What a sweep's name and trials' numbers mean in a store: what is looked at, and what is marked.

    Raises:
        BadInput: there is no such sweep or trial.
    """
    marks = []
    for trial_id in trials:
        details = reader.trial_details(trial_id)
        if details is None:
            raise BadInput(f"--trial {trial_id}: not in this store; the view `phases` lists the trials of a sweep")
        row = dict(details.trial) | dict(details.net) | dict(details.cell)
        marks.append((Mark(0, _number(row["sweep_id"]), trial_id), _number(row["cell_id"])))
    named = [row.sweep_id for row in reader.sweeps() if row.name == sweep]
    if sweep is not None and not named:
        known = ", ".join(repr(row.name) for row in reader.sweeps()) or "none"
        raise BadInput(f"--sweep {sweep!r}: not in this store; it has {known}")
    if not marks:
        return Wanted(sweep_id=next(iter(named), None)), ()
    first, cell_id = marks[0]
    if named and named[0] != first.sweep_id:
        raise BadInput(f"--trial {trials[0]}: not of sweep {sweep!r}; leave --sweep out")
    return Wanted(0, first.sweep_id, cell_id, first.trial_id), tuple(mark for mark, _ in marks[-MOST_MARKS:])


def read_once(
    sources: Sequence[StoreSource],
    screen: str = "live",
    wanted: Wanted | None = None,
    marks: tuple[Mark, ...] = (),
    clock: Callable[[], float] = time.time,
) -> Reading:
    """What a screen shows now; the stores are opened and closed."""
    readings: list[Reading] = []
    feed = Feed(sources, readings.append, wanted_for(screen, wanted or Wanted(), marks), clock=clock)
    feed.turn()
    feed.close()
    return readings[-1]


def render_once(reading: Reading, screen: str = "live", size: tuple[int, int] = (80, 24), ascii: bool = False) -> str:
    """A screen as `size` = (columns, rows) of text without colour; trouble with the store is part of the text.

    The app runs without a terminal for as long as the picture takes. Not to be called where an event loop runs.
    """
    app = MlrtuiApp([], start=screen, ascii_only=ascii, color=False, still=reading)
    pictures: list[str] = []
    app.run(headless=True, size=size, auto_pilot=_photographer(app, pictures.append))
    if not pictures:
        raise RuntimeError("the screen could not be drawn")
    return "\n".join(pictures[-1].splitlines()[:-1])  # keys are of no use on paper


def data_once(reading: Reading) -> dict[str, Any]:
    """The data behind a screen, ready for JSON: rows as in the store, curves by columns.

    Numbers that are not finite are None; in a curve `flags` tells which of them were NaN or infinite, as in table
    `step` of the store.
    """
    found: dict[str, Any] = {"trouble": reading.trouble, "sweep": None}
    if reading.wanted.browsing:
        found = {"stores": [asdict(store) for store in reading.stores]}
    elif reading.compared:
        found["compared"] = [_named(asdict(one.details)) | {"curve": _columns(one.trace)} for one in reading.compared]
    elif reading.snapshot is not None:
        found |= asdict(reading.snapshot) | {
            "freshness": asdict(reading.freshness),
            "trial_id": reading.trial_id,
            "curve": _columns(reading.trace),
        }
        if reading.page is not None:
            found["page"] = asdict(reading.page)
        if reading.details is not None:
            found["details"] = _named(asdict(reading.details))
    plain: dict[str, Any] = _plain(found)
    return plain


def _columns(trace: Trace | None) -> dict[str, list[float]]:
    names = ("step", "loss", "sharpness", "flags")
    return {} if trace is None else {name: getattr(trace, name).tolist() for name in names}


def _named(details: dict[str, Any]) -> dict[str, Any]:
    """Pairs of name and value as objects."""
    return {name: value if isinstance(value, int) else dict(value) for name, value in details.items()}


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


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
