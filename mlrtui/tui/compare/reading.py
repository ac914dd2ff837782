"""What Compare needs of the stores: each mark is read once, and again where its store has moved."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.analysis.quantities import best_rates
from mlrtui.figures.rows import view_rows
from mlrtui.tui.curves import Trace, read_measure, read_trace
from mlrtui.tui.measured import preferred
from mlrtui.tui.pages import FitPage, read_page
from mlrtui.tui.ports import StoreReader
from mlrtui.tui.state import Compared, ComparedNet, ComparedSweep, Mark, Wanted, choose_trial, headline
from mlrtui_db.models import FitRow, SweepRow

__all__ = ["Comparison", "Marked"]

_Found = Compared | ComparedNet | ComparedSweep


@dataclass(frozen=True)
class Marked:
    """What is known of the marks, by kind, each in their order."""

    trials: tuple[Compared, ...]
    nets: tuple[ComparedNet, ...]
    sweeps: tuple[ComparedSweep, ...]


class Comparison:
    """Reads marks; used by the feed's thread alone. A mark of what is gone is left out."""

    def __init__(self) -> None:
        self._known: dict[Mark, tuple[int | None, _Found | None]] = {}

    def read(self, marks: Sequence[Mark], stores: Sequence[tuple[StoreReader | None, int | None, str]]) -> Marked:
        """What is known of the marks; `stores` are readers with the data versions they show, and their labels."""
        self._known = {mark: known for mark, known in self._known.items() if mark in marks}
        for mark in marks:
            reader, version, label = stores[mark.store] if mark.store < len(stores) else (None, None, "")
            known = self._known.get(mark, (None, None))
            if reader is not None and known[0] != version:
                self._known[mark] = version, _read(reader, mark, label, known[1])
        found = [self._known.get(mark, (None, None))[1] for mark in marks]
        return Marked(
            tuple(one for one in found if isinstance(one, Compared)),
            tuple(one for one in found if isinstance(one, ComparedNet)),
            tuple(one for one in found if isinstance(one, ComparedSweep)),
        )


def _read(reader: StoreReader, mark: Mark, label: str, known: _Found | None) -> _Found | None:
    if mark.net_id is not None:
        return _net(reader, mark)
    trial_id, fit = mark.trial_id, None
    if trial_id is None:
        sweep = next((row for row in reader.sweeps() if row.sweep_id == mark.sweep_id), None)
        if sweep is None:
            return None
        if sweep.mode != "recorded":
            return _sweep(reader, mark, label, sweep)
        trial_id, fit = _stand_in(reader, mark.sweep_id)
    return None if trial_id is None else _trial(reader, mark, trial_id, fit, known)


def _trial(reader: StoreReader, mark: Mark, trial_id: int, fit: FitRow | None, known: _Found | None) -> Compared | None:
    details = reader.trial_details(trial_id)
    if details is None:
        return None
    before = known if isinstance(known, Compared) else None
    trace: Trace = read_trace(reader, trial_id, None if before is None else before.trace)
    measured = None
    if dict(details.sweep).get("mode") == "recorded" and (measure := preferred(reader.measures(trial_id))):
        measured = read_measure(reader, trial_id, measure, None if before is None else before.measured)
    return Compared(mark, details, trace, fit, measured)


def _net(reader: StoreReader, mark: Mark) -> ComparedNet | None:
    """None where the net is gone, or has no training yet: only these tell its settings."""
    snapshot = reader.live(mark.sweep_id, mark.cell_id, events=1)
    if snapshot is None:
        return None
    net = next((net for net in snapshot.nets if net.net_id == mark.net_id), None)
    cell = next((cell for cell in snapshot.cells if cell.cell_id == mark.cell_id), None)
    trials = sorted((trial for trial in snapshot.trials if trial.net_id == mark.net_id), key=lambda trial: trial.eta)
    details = reader.trial_details(trials[0].trial_id) if trials else None
    return None if net is None or cell is None or details is None else ComparedNet(mark, details, cell, net, (*trials,))


def _sweep(reader: StoreReader, mark: Mark, label: str, sweep: SweepRow) -> ComparedSweep:
    page = read_page(reader, "exponents", sweep, None)
    assert isinstance(page, FitPage)
    rows = [dict(zip(page.columns, row, strict=True)) for row in page.rows]
    if sweep.mode == "scan":
        rows = [dict(row) for row in best_rates(view_rows(reader, "phases", sweep.name))]
    return ComparedSweep(mark, label, sweep, tuple(reader.fits(sweep.sweep_id)), page, rows)


def _stand_in(reader: StoreReader, sweep_id: int) -> tuple[int | None, FitRow | None]:
    """The trial that stands for a recorded run, as Live would choose it, and the main fit."""
    snapshot = reader.live(sweep_id, None, events=1)
    if snapshot is None:
        return None, None
    return choose_trial(snapshot, Wanted(), None), headline(snapshot.fits)
