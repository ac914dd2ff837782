"""What a screen needs of a store beside the snapshot of Live: whole views, as frozen rows."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlrtui.analysis.quantities import QUANTITIES, derived, derives, view_of
from mlrtui.analysis.rows import Row
from mlrtui.figures.rows import view_rows
from mlrtui.report import growth_line
from mlrtui.tui.ports import StoreReader
from mlrtui_db.axes import AXES, SIZES
from mlrtui_db.models import LogRow, SweepRow

if TYPE_CHECKING:
    from mlrtui.figures.success_maps import SuccessMap

__all__ = [
    "LOG_LIMIT",
    "PAGES",
    "FitPage",
    "LogPage",
    "MapPage",
    "Onsets",
    "Page",
    "PhaseMark",
    "PhasePage",
    "load_fitting",
    "read_page",
]

LOG_LIMIT = 20_000  # events kept in memory; older ones stay in the store

PATIENCE = 20
"""Maps of an open sweep are read again after so many times the seconds that reading them took: all their rows are."""


@dataclass(frozen=True)
class FitPage:
    """What fits are made from: rows of the view `eta_star` (of `grid` for scans), and the sizes of the cells."""

    sweep_id: int
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    sizes: tuple[tuple[str, int], ...]  # (label, trained parameters)
    derived: tuple[tuple[str, tuple[Row, ...]], ...] = ()  # what a scan's [[fit]] explains by its trainings, and rows


@dataclass(frozen=True)
class PhaseMark:
    """One ended trial with its phase."""

    trial_id: int
    label: str
    depth: int | None
    width: int | None
    seed: int
    eta: float
    eta_lambda0: float | None
    verdict: str | None
    phase: str | None
    peak_ratio: float | None
    peak_step: int | None
    eta_final_sharpness: float | None
    bad_step: int | None
    bad_kind: str | None
    phase_rule: int | None = None
    phase_basis: str | None = None
    phase_reason: str | None = None
    final_accuracy: float | None = None
    edge: float | None = None  # η × sharpness at the edge of stability; None: there is none
    model: str | None = None
    activation: str | None = None
    loss: str | None = None
    axes: tuple[tuple[str, float | str], ...] = ()  # those that vary in the sweep, but depth and width

    def on(self, axis: str) -> float | str:
        """Its value on an axis of the grid, or its seed; 0 where it has none."""
        known = dict(self.axes)
        value = known[axis] if axis in known else getattr(self, axis)
        return 0 if value is None else value


@dataclass(frozen=True)
class Onsets:
    """At which η·λ₀ the trials of one net change their kind, each with the tried rate on its other side."""

    label: str
    seed: int
    c_loss: float | None  # the loss rises
    c_loss_above: float | None
    c_sharp: float | None  # the sharpness rises
    c_sharp_above: float | None
    c_max: float | None  # the last that survives
    c_max_below: float | None


@dataclass(frozen=True)
class PhasePage:
    """All ended trials of a sweep but those of forks, in the order of the grid, then seed, then learning rate."""

    sweep_id: int
    marks: tuple[PhaseMark, ...]
    onsets: tuple[Onsets, ...] | None = None  # None: not asked for, since it takes a while
    growth: tuple[str, ...] = ()  # whether outputs grow with width in a controlled way, a sentence for each law
    forked: int = 0  # trials of forks, which have no place here: they start with other weights than those of λ₀


@dataclass(frozen=True)
class MapPage:
    """The maps of a sweep with [map]."""

    sweep_id: int
    maps: tuple["SuccessMap", ...]
    ended: int  # trainings that had ended
    status: str  # of the sweep
    read_at: float = field(default=0.0, compare=False)  # by the process's own clock
    took: float = field(default=0.0, compare=False)  # seconds of the reading


@dataclass(frozen=True)
class LogPage:
    """The events of the whole store, oldest first."""

    rows: tuple[LogRow, ...]


Page = FitPage | PhasePage | MapPage | LogPage


def read_page(reader: StoreReader, name: str, sweep: SweepRow, known: Page | None) -> Page | None:
    """The rows that the screen of this name wants, None where it wants none; `known` is what was read before."""
    read = PAGES.get(name)
    return None if read is None else read(reader, sweep, known)


def load_fitting() -> None:
    """Import what a fit needs: in a thread that nobody waits for, and not at a key press."""
    import scipy.special  # noqa: F401


def _read_fits(reader: StoreReader, sweep: SweepRow, known: Page | None) -> FitPage:
    load_fitting()
    columns, found = reader.query(view_of(sweep.mode), sweep.name)
    rows = tuple(found)
    asked = {str(fit.get("y")) for fit in json.loads(sweep.spec).get("fit", ())}
    asked |= {fit.y for fit in reader.fits(sweep.sweep_id)}
    wanted = [y for y in QUANTITIES if y in asked and derives(y)] if sweep.mode == "scan" else []
    cells = [dict(zip(columns, row, strict=True)) for row in rows] if wanted else []
    trials = view_rows(reader, "phases", sweep.name) if wanted else []
    return FitPage(
        sweep.sweep_id,
        columns,
        rows,
        tuple(reader.sizes(sweep.sweep_id).items()),
        tuple((y, tuple(derived(y, cells, trials))) for y in wanted),
    )


_MARK_COLUMNS = (
    "trial_id", "cell", "depth", "width", "seed", "eta", "eta_lambda0", "verdict", "phase", "peak_ratio", "peak_step",
    "eta_final_sharpness", "bad_step", "bad_kind", "phase_rule", "phase_basis", "phase_reason", "final_accuracy",
    "edge", "model", "activation", "training_loss",
)  # fmt: skip
_ONSET_COLUMNS = (
    "cell", "seed", "c_loss", "c_loss_above", "c_sharp", "c_sharp_above", "c_max", "c_max_below",
)  # fmt: skip


def _read_phases(reader: StoreReader, sweep: SweepRow, known: Page | None) -> PhasePage | MapPage:
    return _read_maps(reader, sweep, known) or _read_marks(reader, sweep)


def _read_maps(reader: StoreReader, sweep: SweepRow, known: Page | None) -> MapPage | None:
    """None where the sweep has none."""
    if not sweep.is_map:
        return None
    if isinstance(known, MapPage) and (known.sweep_id, known.status) == (sweep.sweep_id, sweep.status):
        soon = sweep.status == "open" and time.monotonic() < known.read_at + known.took * PATIENCE
        if known.maps and (soon or sweep.trials_done == known.ended):
            return known
    from mlrtui.figures.success_maps import read_maps  # with pydantic, which no other screen needs

    start = time.monotonic()
    maps = tuple(read_maps(reader, sweep))
    end = time.monotonic()
    return MapPage(sweep.sweep_id, maps, sweep.trials_done, sweep.status, end, end - start)


def _read_marks(reader: StoreReader, sweep: SweepRow) -> PhasePage:
    columns, rows = reader.query("phases", sweep.name)
    kept = list(rows)
    places = [columns.index(name) for name in _MARK_COLUMNS]
    varying = [
        (axis.name, at)
        for axis in AXES
        if axis.name not in SIZES and axis.column in columns
        for at in (columns.index(axis.column),)
        if len({row[at] for row in kept}) > 1
    ]
    marks = tuple(
        PhaseMark(*[*(row[place] for place in places), tuple((name, _shown(row[at])) for name, at in varying)])
        for row in kept
    )
    forked = max(sweep.trials_done - len(marks), 0) if sweep.has_forks else 0
    return PhasePage(sweep.sweep_id, marks, growth=_growth(reader, sweep), forked=forked)


def _shown(value: object) -> float | str:
    """A number, or a text; "none" where an axis does not apply."""
    return value if isinstance(value, int | float | str) else "none"


def _read_onsets(reader: StoreReader, sweep: SweepRow, known: Page | None) -> PhasePage | MapPage:
    page = _read_phases(reader, sweep, known)
    if isinstance(page, MapPage):
        return page
    columns, rows = reader.query("onsets", sweep.name)
    places = [columns.index(name) for name in _ONSET_COLUMNS]
    return replace(page, onsets=tuple(Onsets(*(row[place] for place in places)) for row in rows))


def _growth(reader: StoreReader, sweep: SweepRow) -> tuple[str, ...]:
    if "eta_width" not in sweep.spec:  # before NumPy and SciPy are imported for nothing
        return ()
    from mlrtui.analysis.growth import growths

    load_fitting()
    columns, rows = reader.query("width_growth", sweep.name)
    return tuple(growth_line(one) for one in growths(dict(zip(columns, row, strict=True)) for row in rows))


def _read_log(reader: StoreReader, sweep: SweepRow, known: Page | None) -> LogPage:
    old = known.rows if isinstance(known, LogPage) else ()
    new = tuple(reader.log(old[-1].event_id if old else 0, LOG_LIMIT))
    return LogPage((*old, *new)[-LOG_LIMIT:]) if new or not isinstance(known, LogPage) else known


PAGES: dict[str, Callable[[StoreReader, SweepRow, Page | None], Page]] = {
    "exponents": _read_fits,
    "phases": _read_phases,
    "onsets": _read_onsets,
    "log": _read_log,
}
