"""One picture of a screen as plain text, or the data behind it, for pipes and terminals that cannot show the app."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from textual.pilot import Pilot

from mlrtui.reading.documents import plain, sweep_object, unpacked
from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.browse.filtering import SORT_NAMES, entries_of, find
from mlrtui.tui.choices import set_wanted
from mlrtui.tui.curves import Trace
from mlrtui.tui.feed import Feed
from mlrtui.tui.modes import MODES, wanted_for
from mlrtui.tui.pages import FitPage, Page
from mlrtui.tui.ports import StoreSource
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import Mark, Reading, Wanted

__all__ = ["SCREENS", "data_once", "read_once", "render_once"]

SCREENS = (*MODES, "trial")


def read_once(
    sources: Sequence[StoreSource],
    screen: str = "live",
    wanted: Wanted | None = None,
    marks: tuple[Mark, ...] = (),
    clock: Callable[[], float] = time.time,
    choices: Mapping[str, str] = MappingProxyType({}),
) -> Reading:
    """What a screen shows now; the stores are opened and closed."""
    readings: list[Reading] = []
    feed = Feed(
        sources, readings.append, wanted_for(screen, set_wanted(wanted or Wanted(), choices), marks), clock=clock
    )
    feed.sweeps_alone = screen == "browse"
    feed.turn()
    if screen == "browse" and (place := _under_cursor(readings[-1], choices)) is not None:
        feed.want(replace(readings[-1].wanted, preview=place))
        feed.turn()
    feed.close()
    return readings[-1]


def _under_cursor(reading: Reading, choices: Mapping[str, str]) -> tuple[int, int] | None:
    """Store and number of the sweep on which the cursor of Browse stands."""
    sort = SORT_NAMES.index(choices["sort"]) if choices.get("sort") in SORT_NAMES else 0
    entries = find(entries_of(reading.stores), choices.get("filter", ""), sort, choices.get("order") == "reversed")
    first = next(iter(entries.entries), None)
    return None if first is None else (first.store, first.sweep.sweep_id)


def render_once(
    reading: Reading,
    screen: str = "live",
    size: tuple[int, int] = (80, 24),
    ascii: bool = False,
    choices: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A screen as `size` = (columns, rows) of text without colour; trouble with the store is part of the text.

    The app runs without a terminal for as long as the picture takes. Not to be called where an event loop runs.
    """
    app = MlrtuiApp([], start=screen, ascii_only=ascii, color=False, still=reading, choices=choices)
    pictures: list[str] = []
    app.run(headless=True, size=size, auto_pilot=_photographer(app, pictures.append))
    if not pictures or app.return_code:  # it may break down after a first picture
        raise RuntimeError("the screen could not be drawn")
    return "\n".join(pictures[-1].splitlines()[:-1])  # keys are of no use on paper


def data_once(reading: Reading) -> dict[str, Any]:
    """The data behind a screen, ready for JSON: rows as in the store, curves by columns.

    Numbers that are not finite are None; in a curve `flags` tells which of them were NaN or infinite, as in table
    `step` of the store.
    """
    found: dict[str, Any] = {"trouble": reading.trouble, "sweep": None}
    found["work"] = None if reading.work is None else asdict(reading.work)
    if reading.wanted.compared:
        found["compared"] = [_named(asdict(one.details)) | {"curve": _columns(one.trace)} for one in reading.compared]
        found["nets"] = [
            _named(asdict(one.details))
            | {"net": asdict(one.net), "cell": asdict(one.cell), "trials": [asdict(trial) for trial in one.trials]}
            for one in reading.nets
        ]
        found["sweeps"] = [
            {"store": one.store, "sweep": sweep_object(one.sweep, one.fits), "page": _page(one.page)}
            for one in reading.sweeps
        ]
        from mlrtui.tui.compare.sweeps import ratios_of  # only a comparison needs it

        found["ratios"] = asdict(ratios_of(reading.sweeps)) if len(reading.sweeps) > 1 else None
    elif reading.snapshot is not None:
        found |= asdict(reading.snapshot) | {
            "sweep": sweep_object(reading.snapshot.sweep, reading.snapshot.fits),
            "freshness": asdict(reading.freshness),
            "trial_id": reading.trial_id,
            "curve": _columns(reading.trace),
        }
        if reading.page is not None:
            found["page"] = _page(reading.page)
        if reading.details is not None:
            found["details"] = _named(asdict(reading.details))
    printed: dict[str, Any] = plain(found)
    return printed


def _page(page: Page) -> dict[str, Any]:
    """Rows beside the snapshot; those of a view as objects."""
    if not isinstance(page, FitPage):
        return asdict(page)
    rows = [dict(zip(page.columns, map(unpacked, page.columns, row), strict=True)) for row in page.rows]
    return {"sweep_id": page.sweep_id, "rows": rows, "sizes": dict(page.sizes)}


def _columns(trace: Trace | None) -> dict[str, list[float]]:
    names = ("step", "loss", "sharpness", "flags")
    return {} if trace is None else {name: getattr(trace, name).tolist() for name in names}


def _named(details: dict[str, Any]) -> dict[str, Any]:
    """Pairs of name and value as objects."""
    return {
        name: value if isinstance(value, int) else {column: unpacked(column, one) for column, one in value}
        for name, value in details.items()
    }


def _photographer(app: MlrtuiApp, keep: Callable[[str], None]) -> Any:
    """A pilot that waits until the screen has settled, keeps its text and leaves."""

    async def shoot(pilot: Pilot[None]) -> None:
        await pilot.pause()
        if isinstance(app.screen, ReadingScreen):
            keep(app.screen.text())
        app.exit()

    return shoot
