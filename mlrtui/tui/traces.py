"""Curves in memory: those that were shown last, and those that a key leads to, read ahead piece by piece.

What is kept of a trial is a beginning of its steps, so reading it again means reading what came since.
"""

from collections import OrderedDict
from collections.abc import Sequence

from mlrtui.tui.curves import Trace, read_trace
from mlrtui.tui.ports import StoreReader
from mlrtui_db.models import TrialRow

__all__ = ["MOST_STEPS", "PIECE", "Traces"]

MOST_STEPS = 600_000  # kept beside the shown trial's, of all trials together: up to 45 MiB with what is drawn of them
PIECE = 5_000  # steps read ahead at once: some 5 ms, for which a key may have to wait


class Traces:
    """At most `most_steps` steps beside those of the shown trial; used by the feed's thread alone."""

    def __init__(self, most_steps: int = MOST_STEPS) -> None:
        self._most_steps = most_steps
        self._kept: OrderedDict[tuple[int, int], Trace] = OrderedDict()  # by store and trial, used last at the end
        self._shown: tuple[int, int] | None = None

    @property
    def steps(self) -> int:
        """How many steps are in memory, those of the shown trial too."""
        return sum(trace.step.size for trace in self._kept.values())

    def read(self, reader: StoreReader, store: int, trial: TrialRow) -> Trace:
        """The curve of a trial, which is the shown one from now on, as far as it is stored now."""
        self._shown = store, trial.trial_id
        known = self._kept.get(self._shown)
        if known is not None and known.step.size > trial.n_steps:
            known = None  # steps went away since: a new attempt, or somebody pruned them
        return self._keep(self._shown, read_trace(reader, trial.trial_id, known))

    def read_ahead(self, reader: StoreReader, store: int, trials: Sequence[TrialRow]) -> bool:
        """Read a piece of the first of these trials that is not in memory; False when there is none, or no room."""
        room = self._most_steps
        for trial in trials:
            room -= trial.n_steps
            if room < 0:
                return False
            key = store, trial.trial_id
            known = self._kept.get(key)
            before = 0 if known is None else known.step.size
            if known is not None:
                self._kept.move_to_end(key)
            if before < trial.n_steps:
                return self._keep(key, read_trace(reader, trial.trial_id, known, PIECE)).step.size > before
        return False

    def unread(self, store: int, trial: TrialRow) -> int:
        """How many steps of a trial are stored and not in memory."""
        known = self._kept.get((store, trial.trial_id))
        return trial.n_steps - (0 if known is None else known.step.size)

    def forget(self, store: int) -> None:
        """Drop what is known of a store that is opened anew: the file may be another one."""
        self._kept = OrderedDict((key, trace) for key, trace in self._kept.items() if key[0] != store)

    def _keep(self, key: tuple[int, int], trace: Trace) -> Trace:
        """Keep a curve in place of those that were used longest ago."""
        self._kept[key] = trace
        self._kept.move_to_end(key)
        others = [other for other in self._kept if other != self._shown]
        spare = sum(self._kept[other].step.size for other in others) - self._most_steps
        for other in others:
            if spare <= 0:
                break
            spare -= self._kept.pop(other).step.size
        return trace
