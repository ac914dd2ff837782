"""What is written down of a training: the rows of its steps, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, isnan, nan

import numpy as np

from mlrtui_trainer import phases
from mlrtui_trainer.spec import (
    FLAG_ALL_SAMPLES,
    FLAG_LOSS_NAN,
    FLAG_LOSS_NEG_INF,
    FLAG_LOSS_POS_INF,
    FLAG_SHARPNESS_INF,
    FLAG_SHARPNESS_NAN,
    FLAG_SHARPNESS_NOT_CONVERGED,
    Bar,
    Eigenvalue,
    LayerSizes,
    Outcome,
    Segment,
    StepBatch,
    TrainSpec,
    TrialSpec,
)

__all__ = ["Row", "Sharpness", "TrialLog", "step_batch"]

ALWAYS_KEPT = 100
"""Rows of the first so many steps are kept whatever ``record_every`` says: catapults happen there."""


@dataclass(frozen=True)
class Sharpness:
    """One measurement of λ."""

    value: float
    residual: float
    products: int
    converged: bool
    beside: tuple[Eigenvalue, ...] = ()  # further eigenvalues and operators, where they are asked for

    @property
    def flags(self) -> int:
        """The bits of a row's flags that tell what is wrong with it."""
        if isnan(self.value):
            return FLAG_SHARPNESS_NAN
        if not isfinite(self.value):
            return FLAG_SHARPNESS_INF
        return 0 if self.converged else FLAG_SHARPNESS_NOT_CONVERGED


@dataclass(frozen=True)
class Row:
    """One step of one trial: its weights before the step's update."""

    step: int
    loss: float
    accuracy: float = nan  # NaN: not measured
    sharpness: Sharpness | None = None
    flags: int = 0
    layers: tuple[LayerSizes, ...] = ()


class TrialLog:
    """One trial while it trains: rows not yet sent, and the numbers that its outcome rests on."""

    def __init__(self, trial: TrialSpec, train: TrainSpec, samples: int, bars: Sequence[Bar] = ()) -> None:
        self.trial = trial
        self._train = train
        self._bars = {bar.step: bar.accuracy for bar in bars if 0 < bar.step < train.max_steps}
        self._full = train.batch == samples
        self._pending: list[Row] = []
        self._seq = 0
        self._loss_initial = nan
        self._peak, self._peak_step = nan, 0
        self._rise, self._compared = 0.0, nan
        self._accuracy, self._best_accuracy = nan, nan
        self._logit_initial, self._logit_peak = nan, nan
        self._last: Row | None = None
        self._reached_epoch: int | None = None
        self._given_up_epoch: int | None = None
        self._dead = False
        self.ended = False

    def start(self, loss: float) -> None:
        """Take the loss over all training samples at initialisation."""
        self._loss_initial = loss

    @property
    def limit(self) -> float:
        """The largest loss that does not end the trial; NaN, so none, where the start is not finite."""
        return phases.divergence_limit(self._loss_initial) if isfinite(self._loss_initial) else nan

    def is_bad(self, loss: float) -> bool:
        """Whether this loss ends the trial as diverged."""
        return not loss <= self.limit  # a NaN compares as False

    def is_success(self, step: int, accuracy: float) -> bool:
        """Whether this accuracy, at an epoch's end, ends the trial as a success."""
        return self._train.success == "accuracy" and step > 0 and accuracy >= self._train.threshold

    def is_hopeless(self, step: int, accuracy: float) -> bool:
        """Whether this accuracy, at an epoch's end before the last, is no better than the round's bar there."""
        return step in self._bars and accuracy <= self._bars[step] and not self.is_success(step, accuracy)

    def compare(self, loss: float) -> None:
        """Take the next of the losses that are over the same samples, for the largest rise."""
        if isfinite(loss):
            rise = loss - self._compared
            self._rise = rise if rise > self._rise else self._rise  # False for the first: NaN
            self._compared = loss

    def see_accuracy(self, accuracy: float) -> None:
        """Take an accuracy over all training samples."""
        self._accuracy = accuracy
        if not isnan(accuracy):
            self._best_accuracy = accuracy if isnan(self._best_accuracy) else max(self._best_accuracy, accuracy)

    def see_logits(self, step: int, rms: float) -> None:
        """Take the RMS of the outputs on a step's batch."""
        if step > phases.LOGIT_STEPS or not isfinite(rms):
            return
        if step == 0:
            self._logit_initial = rms
        self._logit_peak = rms if isnan(self._logit_peak) else max(self._logit_peak, rms)

    def add(self, row: Row, *, last: bool = False, all_samples: bool = False) -> None:
        """Write a row down, unless the spec leaves it out."""
        flags = row.flags | _loss_flags(row.loss) | (row.sharpness.flags if row.sharpness else 0)
        if all_samples and not self._full:
            flags |= FLAG_ALL_SAMPLES
        if flags != row.flags:
            row = replace(row, flags=flags)
        new_peak = isfinite(row.loss) and not row.loss <= self._peak
        if new_peak:
            self._peak, self._peak_step = row.loss, row.step
        epoch_end = not self._full and row.step % self._train.steps_per_epoch == 0
        on_grid = row.step < ALWAYS_KEPT or row.step % self._train.record_every == 0
        if last or on_grid or epoch_end or new_peak or row.sharpness or row.layers:
            self._pending.append(row)
        self._last = row

    def end(self, step: int, *, reached: bool = False, dead: bool = False, given_up: bool = False) -> None:
        """Close the trial after its last row, that of ``step``; one that is dead or has diverged is not given up."""
        epoch = step // self._train.steps_per_epoch
        self.ended, self._dead = True, dead
        self._reached_epoch = epoch if reached else None
        self._given_up_epoch = epoch if given_up else None

    def take(self) -> tuple[int, list[Row]]:
        """The rows not yet sent, with their sequence number."""
        rows, self._pending = self._pending, []
        seq = self._seq
        self._seq += bool(rows)
        return seq, rows

    def outcome(self) -> Outcome:
        """How the trial ended, by the rules of `phases`. Its rows must have been taken."""
        last = self._last
        if last is None:
            raise ValueError("a trial without rows has no outcome")
        diverged = self.is_bad(last.loss)
        reached = self._reached_epoch is not None
        initial, success = self._loss_initial, self._train.success
        verdict = phases.verdict(success, reached, diverged, self._dead, initial, last.loss)
        ratio = self._peak / initial if initial > 0.0 else nan
        phase = phases.label(
            self._train.loss,
            verdict,
            initial,
            last.loss,
            self._rise,
            ratio,
            self._logit_initial,
            self._logit_peak,
            self._accuracy,
        )
        return Outcome(
            trial_id=self.trial.trial_id,
            attempt=self.trial.attempt,
            seq=self._seq,
            verdict=verdict,
            phase=phase,
            reached_epoch=self._reached_epoch,
            loss_initial=initial,
            loss_final=last.loss,
            best_accuracy=self._best_accuracy,
            final_accuracy=self._accuracy,
            peak_ratio=ratio,
            peak_step=self._peak_step,
            final_sharpness=last.sharpness.value if last.sharpness else nan,
            logit_rms_initial=self._logit_initial,
            logit_rms_peak=self._logit_peak,
            bad_step=last.step if diverged else None,
            bad_kind=_bad_kind(last.loss) if diverged else None,
            given_up_epoch=None if diverged or self._dead else self._given_up_epoch,
        )


def step_batch(logs: Sequence[TrialLog]) -> StepBatch | None:
    """The rows that these trials have not sent yet, as columns; None if there are none."""
    segments: list[Segment] = []
    rows: list[Row] = []
    for log in logs:
        seq, fresh = log.take()
        if fresh:
            start = len(rows)
            rows += fresh
            segments.append(Segment(log.trial.trial_id, log.trial.attempt, seq, start, len(rows)))
    if not rows:
        return None
    lam = [row.sharpness for row in rows]
    return StepBatch(
        segments=tuple(segments),
        step=np.array([row.step for row in rows], dtype=np.int64),
        loss=np.array([row.loss for row in rows], dtype=np.float64),
        accuracy=np.array([row.accuracy for row in rows], dtype=np.float64),
        sharpness=np.array([one.value if one else nan for one in lam], dtype=np.float64),
        sharpness_residual=np.array([one.residual if one else nan for one in lam], dtype=np.float64),
        products=np.array([one.products if one else 0 for one in lam], dtype=np.int64),
        flags=np.array([row.flags for row in rows], dtype=np.int64),
        eigenvalues=tuple((i, found) for i, one in enumerate(lam) if one for found in one.beside),
        layers=tuple((i, sizes) for i, row in enumerate(rows) for sizes in row.layers),
    )


def _loss_flags(loss: float) -> int:
    if isnan(loss):
        return FLAG_LOSS_NAN
    if isfinite(loss):
        return 0
    return FLAG_LOSS_POS_INF if loss > 0 else FLAG_LOSS_NEG_INF


def _bad_kind(loss: float) -> str:
    if isnan(loss):
        return "nan"
    if isfinite(loss):
        return "threshold"
    return "+inf" if loss > 0 else "-inf"
