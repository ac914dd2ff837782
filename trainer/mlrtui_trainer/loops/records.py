"""From the reports of a user's training to the records that our own trainings give."""

from collections.abc import Sequence
from math import nan

import numpy as np

from mlrtui_trainer import phases
from mlrtui_trainer.loops.reports import Ending, LoopSpec, Reported
from mlrtui_trainer.rows import bad_kind, loss_flags
from mlrtui_trainer.spec import Outcome, Segment, StepBatch, TrialSpec

__all__ = ["Records", "verdict_of"]


class Records:
    """The records of one training, made of its messages in their order."""

    def __init__(self, loop: LoopSpec, trial: TrialSpec) -> None:
        self._loop, self._trial = loop, trial
        self._seq = 0

    def of(self, message: object) -> StepBatch | Outcome | None:
        """What a list of `Reported` or an `Ending` gives; nothing for other messages."""
        found: StepBatch | Outcome | None = None
        if isinstance(message, list):
            found = _step_batch(self._trial, self._seq, message)
        elif isinstance(message, Ending):
            found = _outcome(self._loop, self._trial, self._seq, message)
        self._seq += found is not None
        return found


def _step_batch(trial: TrialSpec, seq: int, rows: Sequence[Reported]) -> StepBatch:
    """Rows of steps; ``seq`` counts the records of the trial's attempt from 0."""
    none = np.full(len(rows), nan)
    return StepBatch(
        segments=(Segment(trial.trial_id, trial.attempt, seq, 0, len(rows)),),
        step=np.array([one.step for one in rows], dtype=np.int64),
        loss=np.array([one.loss for one in rows], dtype=np.float64),
        accuracy=np.array([one.accuracy for one in rows], dtype=np.float64),
        sharpness=none,
        sharpness_residual=none,
        products=np.zeros(len(rows), dtype=np.int64),
        flags=np.array([loss_flags(one.loss) for one in rows], dtype=np.int64),
    )


def verdict_of(loop: LoopSpec, end: Ending, *, dead: bool = False) -> str:
    """How the training ended, by the rule of the search; one of `phases.VERDICTS`."""
    return phases.verdict(loop.success, end.reached, end.diverged, dead, end.first.loss, end.last.loss)


def _outcome(loop: LoopSpec, trial: TrialSpec, seq: int, end: Ending) -> Outcome:
    """How the training ended. It has no phase: those are of losses that we know, and of λ."""
    first, last = end.first, end.last
    return Outcome(
        trial_id=trial.trial_id,
        attempt=trial.attempt,
        seq=seq,
        verdict=verdict_of(loop, end),
        phase=None,
        reached_epoch=None,
        loss_initial=first.loss,
        loss_final=last.loss,
        best_accuracy=end.best_accuracy,
        final_accuracy=last.accuracy,
        peak_ratio=end.peak / first.loss if first.loss > 0.0 else nan,
        peak_step=end.peak_step,
        final_sharpness=nan,
        logit_rms_initial=nan,
        logit_rms_peak=nan,
        bad_step=last.step if end.diverged else None,
        bad_kind=bad_kind(last.loss) if end.diverged else None,
    )
