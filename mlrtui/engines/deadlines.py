"""How long a worker may be silent, counted in time during which somebody listened."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from mlrtui.engines.ends import after

__all__ = ["BEAT_SECONDS", "Deadlines", "Silence", "hangs"]

BEAT_SECONDS = 2.0
"""A worker says this often that it is alive, whatever it computes."""

_LONGEST_LOOK = 1.0  # s; a longer gap between two looks is ours (a full disk, a suspended machine), not the worker's


@dataclass(frozen=True)
class Deadlines:
    """Seconds after which a worker counts as hanging and is killed."""

    start: float = 900.0  # until it has imported what it needs: a cold disk is slow
    beat: float = 60.0  # without any sign of life: stopped, or stuck inside a call
    record: float = 3600.0  # alive, but no record of its task


class Silence:
    """For how long nothing came. A clock that jumps, or a listener that was away, adds at most a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = clock()
        self.beat = 0.0
        self.record = 0.0

    def look(self) -> None:
        """Count the time since the last look; call it after everything that came has been read."""
        now = self._clock()
        passed = min(max(now - self._looked_at, 0.0), _LONGEST_LOOK)
        self._looked_at = now
        self.beat += passed
        self.record += passed

    def heard(self, *, record: bool) -> None:
        """A sign of life came; ``record``: one that shows progress."""
        self.beat = 0.0
        if record:
            self.record = 0.0


def hangs(silence: Silence, deadlines: Deadlines, *, ready: bool, busy: bool) -> str | None:
    """Why a worker counts as hanging, or None."""
    if not ready:
        return after("did not start", deadlines.start) if silence.beat > deadlines.start else None
    if silence.beat > deadlines.beat:
        return after("gave no sign of life", deadlines.beat)
    if busy and silence.record > deadlines.record:
        return after("recorded nothing", deadlines.record)
    return None
