"""Forks of a training: each goes on from one snapshot, at a rate of its own."""

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from mlrtui.errors import BadInput
from mlrtui_trainer.loops.code import Train
from mlrtui_trainer.loops.reports import Reports
from mlrtui_trainer.phases import COLLAPSED, EXCURSION_MINI, FITTED, FLAT

if TYPE_CHECKING:
    from mlrtui_trainer.gauge import Snapshot

__all__ = ["Forks"]

_NEARLY_FITTED = 1e-3
"""Loss at a snapshot, as a share of that at the start, below which forks are doubted; below `FITTED` refused."""
_TAIL = 10
"""Steps of the last quarter, at least, that show a drift."""


class Forks:
    """A user's training that goes on from a snapshot, each time anew."""

    def __init__(self, train: Train, at: "Snapshot", *, fresh: bool) -> None:
        self._train, self._at, self._fresh = train, at, fresh
        self.loss_initial = at.loss_initial
        self.note = ""
        self.dead = False
        """Whether the last fork ended with a net that does not depend on its input any more."""

    def __call__(self, lr: float, report: Reports, seed: int) -> object:
        """Train one. Raises BadInput where the net is fitted."""
        self._at.restore(lr=lr, fresh=self._fresh)
        losses: list[float] = []

        def noted(step: int, loss: Any, accuracy: Any = None) -> bool:
            before, goes_on = report.last, report(step, loss, accuracy)
            if report.last is not None and report.last is not before:  # what comes after the end does not count
                losses.append(report.last.loss)  # not of the tensor again: a GPU is waited for
                if len(losses) == 1:
                    self._judge(losses[0])
            return goes_on

        done = self._train(lr, noted, seed)
        self.dead = self._at.dead() or self._collapsed(losses)
        return done

    def _judge(self, loss: float) -> None:
        """Growth from a loss of almost 0 does not show within the steps of a fork."""
        share = loss / self.loss_initial
        if share < FITTED:
            raise BadInput(
                f"at: the net is fitted (loss {loss:.3g}, at the start {self.loss_initial:.3g}): no fork shows its "
                "edge; take the snapshot earlier"
            )
        if share < _NEARLY_FITTED:
            self.note = "nearly fitted at the snapshot: η* may be too high, more steps a fork make it surer"

    def _collapsed(self, losses: list[float]) -> bool:
        """Row 6 of the table of phases: it was shaken, and ends flat at the loss of a constant output."""
        low, high = (limit * self._at.loss_constant for limit in COLLAPSED)
        if not (losses and low <= losses[-1] <= high and max(losses) >= EXCURSION_MINI * self.loss_initial):
            return False
        tail = np.log(losses[-max(len(losses) // 4, _TAIL) :])
        if len(tail) < _TAIL or not isfinite(float(tail.sum())):
            return False
        slope = float(np.polyfit(np.arange(len(tail)), tail, 1)[0])
        return abs(slope * len(tail)) < FLAT
