"""Alarms: facts of a reading that a person should know of at once, with the rule of each; shown under the header.

The feed takes them. They change only when a fact does, so that nothing is drawn while none does.
"""

import os
from dataclasses import dataclass

import numpy as np

from mlrtui.text.lines import Line, line, width_of
from mlrtui.text.marks import trains
from mlrtui.text.numbers import counted, whole
from mlrtui.tui.curves import Trace, ratio_points
from mlrtui.tui.edges import rates_of, ratio_name
from mlrtui_db.models import LiveSnapshot, TrialRow
from mlrtui_db.work import WorkRow

__all__ = ["RULES", "Alarms", "crossed_at", "low_space", "nonfinite_trials", "quiet_workers", "strip"]

QUIET_WORKER = 60.0
"""Seconds without a record after which a worker that is at work counts as quiet."""
_SPACES = (64 << 20, 256 << 20, 1 << 30)
"""Bytes; free space is told by the smallest of them that it is below."""

RULES = (
    ("! disk", "less than 1 GiB (256 MiB, 64 MiB) is free where the store lies"),
    ("! no record", "a worker is at work, and its driver has heard no step or λ₀ of it for 60 s"),
    ("! NaN or inf", "so many trials of the sweep had a loss that is not finite"),
    ("! above 1", "in the running trial that is shown λη/2 was at most 1, and was above 1 first at that step"),
)
"""Each alarm, and when it is shown; for the help."""


@dataclass(frozen=True)
class Alarms:
    """Those of one moment."""

    space: int | None = None  # bytes that the free space is below; None: there is enough, or it is not known
    quiet: tuple[int, ...] = ()  # workers, by slot
    nonfinite: int = 0  # trials
    crossed: tuple[str, int] | None = None  # the ratio's name, and the first step above 1

    def words(self) -> list[tuple[str, str]]:
        """Each in words, with its role, the most urgent first."""
        found = []
        if self.space is not None:
            size = f"{self.space >> 30} GiB" if self.space >= 1 << 30 else f"{self.space >> 20} MiB"
            found.append((f"disk: under {size} free where the store lies", "failed"))
        if self.quiet:
            many = "worker " if len(self.quiet) == 1 else "workers "
            listed = ", ".join(map(str, self.quiet[:4])) + (", ..." if len(self.quiet) > 4 else "")
            found.append((f"no record from {many}{listed} for {whole(QUIET_WORKER)} s", "failed"))
        if self.nonfinite:
            found.append((f"NaN or inf in {counted(self.nonfinite, 'trial')}", "stale"))
        if self.crossed is not None:
            found.append((f"{self.crossed[0]} above 1 first at step {self.crossed[1]}", "stale"))
        return found


def nonfinite_trials(snapshot: LiveSnapshot | None) -> int:
    """Trials of the sweep whose loss was not finite."""
    return 0 if snapshot is None else sum(cell.nonfinite for cell in snapshot.cells)


def low_space(place: str) -> int | None:
    """Which of the bounds the free space of a store's disk is below; None: none of them, or it is not known."""
    if not place:
        return None
    try:
        disk = os.statvfs(os.path.dirname(place) or ".")
    except OSError:
        return None
    return next((bound for bound in _SPACES if disk.f_bavail * disk.f_frsize < bound), None)


def quiet_workers(work: WorkRow | None, now: float) -> tuple[int, ...]:
    """The slots of workers that are at work and have sent nothing for too long."""
    workers = () if work is None else work.workers
    return tuple(
        one.slot
        for one in workers
        if one.state in ("training", "lambda0") and one.heard is not None and now - one.heard >= QUIET_WORKER
    )


def crossed_at(trial: TrialRow | None, trace: Trace | None) -> tuple[str, int] | None:
    """Where the sharpness of a running trial rose above its edge; one that started above has not crossed it."""
    if trial is None or trace is None or trial.edge is None or not trains(trial) or trace.trial_id != trial.trial_id:
        return None
    steps, ratio = ratio_points(trace, rates_of(trial), trial.edge)
    if not len(ratio) or not ratio[0] <= 1:
        return None
    above = np.flatnonzero(ratio > 1)
    return (ratio_name(trial.edge), int(steps[above[0]])) if above.size else None


def strip(alarms: Alarms, width: int) -> Line:
    """All alarms in one line, each behind a sign of its own; () without any."""
    parts: list[Line] = [((" ! ", role), (text, role)) for text, role in alarms.words()]
    shown, more = len(parts), line()
    while shown > 1 and sum(map(width_of, (*parts[:shown], more))) > width:
        shown -= 1
        more = line(f"  and {len(parts) - shown} more", "stale")
    return tuple(run for part in (*parts[:shown], more) for run in part if run[0])
