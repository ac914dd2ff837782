"""What the feed reads for the Compare screen, kept until its store moves."""

from collections.abc import Sequence

from mlrtui.tui.curves import Trace, read_trace
from mlrtui.tui.ports import StoreReader
from mlrtui.tui.state import Compared, Mark, Wanted, choose_trial, headline
from mlrtui_db.models import FitRow

__all__ = ["Comparison"]


class Comparison:
    """Reads marks; used by the feed's thread alone. A mark whose trial is gone is left out."""

    def __init__(self) -> None:
        self._known: dict[Mark, tuple[int | None, Compared | None]] = {}

    def read(
        self, marks: Sequence[Mark], stores: Sequence[tuple[StoreReader | None, int | None]]
    ) -> tuple[Compared, ...]:
        """What is known of the marks, in their order; `stores` are readers with the data versions they show."""
        self._known = {mark: known for mark, known in self._known.items() if mark in marks}
        for mark in marks:
            reader, version = stores[mark.store] if mark.store < len(stores) else (None, None)
            known = self._known.get(mark, (None, None))
            if reader is not None and known[0] != version:
                self._known[mark] = version, _read(reader, mark, known[1])
        found = [self._known.get(mark, (None, None))[1] for mark in marks]
        return tuple(compared for compared in found if compared is not None)


def _read(reader: StoreReader, mark: Mark, known: Compared | None) -> Compared | None:
    trial_id, law = mark.trial_id, None
    if trial_id is None:
        trial_id, law = _stand_in(reader, mark.sweep_id)
    details = None if trial_id is None else reader.trial_details(trial_id)
    if trial_id is None or details is None:
        return None
    trace: Trace = read_trace(reader, trial_id, None if known is None else known.trace)
    return Compared(mark, details, trace, law)


def _stand_in(reader: StoreReader, sweep_id: int) -> tuple[int | None, FitRow | None]:
    """The trial that stands for a sweep, as Live would choose it, and the sweep's main law."""
    snapshot = reader.live(sweep_id, None, events=1)
    if snapshot is None:
        return None, None
    return choose_trial(snapshot, Wanted(), None), headline(snapshot.fits)
