"""How a stored sweep may be asked for more: seeds, grid points, rates and fits are added; what was trained stays.

A sweep grows when the file of its name asks for everything that the store holds, and more. What is trained is only what
the store lacks: a trial is known by its key, which neither the size of the grid nor a fit is part of.
"""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlrtui.config import SweepSpec
from mlrtui.config.changes import Difference, differences
from mlrtui.keys import canonical_json
from mlrtui.planning import Plan
from mlrtui_db.axes import AXES
from mlrtui_db.models import CellState

__all__ = ["ASKED_ANEW", "FREE", "RANGE", "Growth", "growth", "is_added_to", "listed"]

_GRID = frozenset({axis.key for axis in AXES} | {"training.epochs", "training.steps"})
"""Keys whose old values must still be in the grid; whether they are shows in the cells."""

FREE = frozenset({"search.method", "search.points", "search.start", "training.check"})
"""How a search asks; η* is the same to the bit."""

_RATES = frozenset({"scan.eta", "scan.eta_lambda0", "scan.eta_width.factor"})
"""Rates, to which others may be added."""

_LONGER = frozenset({"sweep.seeds", "fork.at"})
"""Lists to which others may be added, each of which makes nets of its own."""

RANGE: Mapping[str, Callable[[float, float], bool]] = {
    "search.eta_min": operator.le,
    "search.eta_max": operator.ge,
    "map.levels": operator.ge,
    "map.margin": operator.ge,
}
"""Ends of the range, and how a new one must stand to the old: the range may become larger, a map finer."""

_THRESHOLD = "search.threshold"
"""Kept apart: what is stored stays a sweep at its threshold; see `deriving`."""

_SEARCH = frozenset({"search.tolerance", "search.margin"})

ASKED_ANEW = _SEARCH | _RATES | RANGE.keys()
"""Nets that are done are asked again; trainings whose rates are asked for again are not repeated."""

_AS_BEFORE: Mapping[str, object] = {"base_width": 64, "hidden_lr": 1.0, "output_lr": 1.0}
"""Settings of cells that an earlier version did not write down, with what they were then."""


@dataclass(frozen=True)
class Growth:
    """What a sweep file changes of a stored sweep of its name."""

    changes: tuple[str, ...] = ()
    """A line for every key: ``sweep.seeds: [0, 1] -> [0, 1, 2]``."""

    refused: tuple[str, ...] = ()
    """Those of them for which the sweep needs a name of its own."""

    searches_again: bool = False
    """Nets that are done are asked again: other rates are wanted of them."""

    threshold: tuple[float, float] | None = None
    """The accuracy to be reached, as it was and as it is asked for; None: it stays."""

    new_cells: int = 0
    new_nets: int = 0
    """In new and in old cells."""

    known: Mapping[int, CellState] = field(default_factory=dict)
    """The stored cells, by their positions in the plan."""

    @property
    def text(self) -> str:
        """What is added, in words."""
        what = "; ".join(self.changes) or "what was not there yet"
        again = "; nets that are done are asked for more" if self.searches_again else ""
        return f"grown: {what} ({self.new_nets} new nets{again})"

    @property
    def adds(self) -> bool:
        """Whether the store lacks anything that the file asks for."""
        return bool(self.changes or self.new_nets)


def growth(stored: str, cells: Sequence[CellState], plan: Plan) -> Growth:
    """What a plan adds to a stored sweep, or why it is another sweep.

    Settings are compared, not keys: the key of a sweep that an earlier version started lacks what came later.

    Args:
        stored: the sweep's settings as they are stored.
        cells: what is stored of its cells.
        plan: what is wanted; with or without its data.
    """
    found = differences(stored, plan.spec)
    refused = [one for one in found if not _may_change(one) or _moves_bases(one, plan, cells)]
    known = _matched(cells, plan, same_settings=not found)
    if len(known) < len(cells):
        refused += [one for one in found if _is_of_grid(one.key)] or [Difference("cells", len(cells), len(known))]
    held = {position: cell.seeds for position, cell in known.items()}
    wanted = {record.position: {net.seed for net in record.nets} for record in plan.sweep.cells}
    if any(seeds - wanted[position] for position, seeds in held.items()):
        refused += [one for one in found if one.key == "sweep.seeds"]
    return Growth(
        tuple(map(str, found)),
        tuple(dict.fromkeys(map(str, refused))),
        threshold=next(((one.old, one.new) for one in found if one.key == _THRESHOLD), None),
        searches_again=any(one.key in ASKED_ANEW for one in found),
        new_cells=len(wanted) - len(known),
        new_nets=sum(len(seeds - held.get(position, frozenset())) for position, seeds in wanted.items()),
        known=known,
    )


def _moves_bases(one: Difference, plan: Plan, cells: Sequence[CellState]) -> bool:
    """Whether η* that it changes is what bases of stored forks train at, who would keep the rate of before."""
    fork = plan.spec.fork if isinstance(plan.spec, SweepSpec) else None
    if one.key not in _SEARCH or fork is None or fork.base_eta_star is None:
        return False
    return any("fork" in json.loads(cell.settings) for cell in cells)


def is_added_to(key: str) -> bool:
    """Whether a sweep of which this key has more values than another's may hold all of the other."""
    return _is_of_grid(key) or key in _LONGER or key in _RATES or key.startswith("fit#")


def _matched(cells: Sequence[CellState], plan: Plan, *, same_settings: bool) -> dict[int, CellState]:
    """Which stored cell is at which position of a plan.

    ``same_settings``: the sweep's settings are the plan's, so that positions are, too, whatever an earlier version
    wrote down of a cell. Otherwise cells are known by their settings.
    """
    if same_settings:
        by_position = {cell.position: cell for cell in cells}
        return {r.position: by_position[r.position] for r in plan.sweep.cells if r.position in by_position}
    places = {_place_of(cell.settings): cell for cell in cells}
    found = ((record.position, places.get(_place_of(record.settings))) for record in plan.sweep.cells)
    return {position: cell for position, cell in found if cell is not None}


def _place_of(settings: str) -> str:
    """A cell's settings without what a plan may leave open: two cells of one sweep are the same where this is.

    >>> _place_of('{"data_id": "ab", "width": 8, "hidden_lr": 1.0}')
    '{"width":8}'
    """
    known = json.loads(settings)
    return canonical_json(
        {key: value for key, value in known.items() if key != "data_id" and _AS_BEFORE.get(key, _AS_BEFORE) != value}
    )


def _is_of_grid(key: str) -> bool:
    return key in _GRID or key.startswith("arguments.")


def _may_change(one: Difference) -> bool:
    """Whether a change of this key leaves every training that is stored what it is."""
    key, old, new = one.key, one.old, one.new
    if key == _THRESHOLD:
        return isinstance(old, float) and isinstance(new, float)  # they stay with it, in a sweep of their own
    if _is_of_grid(key) or key in FREE or key in _SEARCH or key.startswith("fit#"):
        return True  # of the grid's, the cells decide
    if key.startswith("fork.") and old is None:
        return True  # there were no forks, or cells of forks decide
    if old is None or new is None:
        return False
    if key in _LONGER or key in _RATES:
        return set(listed(old)) <= set(listed(new))
    return key in RANGE and RANGE[key](new, old)


def listed(value: Any) -> list[Any]:
    """The values of a key that may have one or several."""
    return value if isinstance(value, list) else [value]
