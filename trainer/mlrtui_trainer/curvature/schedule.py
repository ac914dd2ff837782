"""When λ is measured along training: at every so many steps, and less often while a lane rests.

A lane rests while its last two λ differ by at most `SHARPNESS_MOVES` and the loss of its step by at most `LOSS_MOVES`
from that of its last measured step. All of it are numbers of the lane's own rows: independent of batch composition.
"""

from math import isfinite

import numpy as np
import numpy.typing as npt

from mlrtui_trainer.spec import SharpnessSpec

__all__ = ["LOSS_MOVES", "SHARPNESS_MOVES", "Schedule", "rule_text"]

SHARPNESS_MOVES = 0.02
LOSS_MOVES = 0.2

Floats = npt.NDArray[np.float64]


def rule_text(spec: SharpnessSpec) -> str:
    """The schedule in words, as a store keeps it."""
    if spec.every == 0:
        return "at initialisation"
    dense = "every step" if spec.every == 1 else f"every {spec.every} steps"
    if spec.rest_every == 0:
        return dense
    return (
        f"{dense} while the last two values differ by more than {SHARPNESS_MOVES:.0%} "
        f"or the loss by more than {LOSS_MOVES:.0%} from that of the last measured step; else every "
        f"{spec.rest_every} steps"
    )


class Schedule:
    """Which lanes are due, by their own last measurements."""

    def __init__(self, spec: SharpnessSpec, lanes: int) -> None:
        self._every, self._rest_every = spec.every, spec.rest_every
        self._value = np.full((lanes, 2), np.nan)  # the last two
        self._loss = np.full(lanes, np.nan)
        self._step = np.full(lanes, -1)

    @property
    def rests(self) -> bool:
        """Whether lanes may be left out of a step on the grid."""
        return self._rest_every > 0

    def on_grid(self, step: int) -> bool:
        """Whether any lane may be due at this step."""
        return self._every > 0 and step % self._every == 0

    def due(self, step: int, loss: Floats) -> npt.NDArray[np.bool_]:
        """Which lanes are measured at this step, whose losses are given; [lanes] both."""
        if not self.on_grid(step):
            return np.zeros(len(self._step), dtype=np.bool_)
        if not self.rests:
            return np.ones(len(self._step), dtype=np.bool_)
        return np.array([not self._at_rest(i, step, float(loss[i])) for i in range(len(self._step))], dtype=np.bool_)

    def measured(self, lanes: npt.NDArray[np.intp], step: int, loss: Floats, value: Floats) -> None:
        """Take the λ of these lanes; loss and value [measured lanes]."""
        self._value[lanes] = np.stack([value, self._value[lanes, 0]], axis=1)
        self._loss[lanes], self._step[lanes] = loss, step

    def keep(self, lanes: list[int]) -> None:
        """Forget all lanes but those with these numbers."""
        self._value, self._loss, self._step = self._value[lanes], self._loss[lanes], self._step[lanes]

    def _at_rest(self, lane: int, step: int, loss: float) -> bool:
        new, old = self._value[lane].tolist()
        before = float(self._loss[lane])
        if not all(map(isfinite, (new, old, before, loss))) or step - self._step[lane] >= self._rest_every:
            return False
        return abs(new - old) <= SHARPNESS_MOVES * abs(new) and abs(loss - before) <= LOSS_MOVES * abs(before)
