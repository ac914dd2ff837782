"""What a screen needs of a store beside the snapshot of Live: whole views, as frozen rows."""

from collections.abc import Callable
from dataclasses import dataclass

from mlrtui.tui.ports import StoreReader
from mlrtui_db.models import LogRow, SweepRow

__all__ = ["LOG_LIMIT", "PAGES", "FitPage", "LogPage", "Page", "PhaseMark", "PhasePage", "load_fitting", "read_page"]

LOG_LIMIT = 20_000  # events kept in memory; older ones stay in the store


@dataclass(frozen=True)
class FitPage:
    """What fits are made from: rows of the view `eta_star` (of `grid` for scans), and the sizes of the cells."""

    sweep_id: int
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    sizes: tuple[tuple[str, int], ...]  # (label, trained parameters)


@dataclass(frozen=True)
class PhaseMark:
    """One ended trial with its phase."""

    trial_id: int
    label: str
    depth: int
    width: int
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


@dataclass(frozen=True)
class PhasePage:
    """All ended trials of a sweep, in the order of the grid, then seed, then learning rate."""

    sweep_id: int
    marks: tuple[PhaseMark, ...]


@dataclass(frozen=True)
class LogPage:
    """The events of the whole store, oldest first."""

    rows: tuple[LogRow, ...]


Page = FitPage | PhasePage | LogPage


def read_page(reader: StoreReader, name: str, sweep: SweepRow, known: Page | None) -> Page | None:
    """The rows that the screen of this name wants, None where it wants none; `known` is what was read before."""
    read = PAGES.get(name)
    return None if read is None else read(reader, sweep, known)


def load_fitting() -> None:
    """Import what a fit needs: in a thread that nobody waits for, and not at a key press."""
    import scipy.special  # noqa: F401


def _read_fits(reader: StoreReader, sweep: SweepRow, known: Page | None) -> FitPage:
    load_fitting()
    columns, rows = reader.query("eta_star" if sweep.mode == "search" else "grid", sweep.name)
    return FitPage(sweep.sweep_id, columns, tuple(rows), tuple(reader.sizes(sweep.sweep_id).items()))


_MARK_COLUMNS = (
    "trial_id", "cell", "depth", "width", "seed", "eta", "eta_lambda0", "verdict", "phase", "peak_ratio", "peak_step",
    "eta_final_sharpness", "bad_step", "bad_kind",
)  # fmt: skip


def _read_phases(reader: StoreReader, sweep: SweepRow, known: Page | None) -> PhasePage:
    columns, rows = reader.query("phases", sweep.name)
    places = [columns.index(name) for name in _MARK_COLUMNS]
    return PhasePage(sweep.sweep_id, tuple(PhaseMark(*(row[place] for place in places)) for row in rows))


def _read_log(reader: StoreReader, sweep: SweepRow, known: Page | None) -> LogPage:
    old = known.rows if isinstance(known, LogPage) else ()
    new = tuple(reader.log(old[-1].event_id if old else 0, LOG_LIMIT))
    return LogPage((*old, *new)[-LOG_LIMIT:]) if new or not isinstance(known, LogPage) else known


PAGES: dict[str, Callable[[StoreReader, SweepRow, Page | None], Page]] = {
    "exponents": _read_fits,
    "phases": _read_phases,
    "log": _read_log,
}
