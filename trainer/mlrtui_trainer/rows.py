"""What is written down of a training: the rows of its steps, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan, nan
from typing import Any

import numpy as np
import numpy.typing as npt

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

__all__ = ["Block", "Row", "Sharpness", "TrialLog", "step_batch"]

ALWAYS_KEPT = 100
"""Rows of the first so many steps are kept whatever ``record_every`` says: catapults happen there."""


Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sharpness:
    """One measurement of λ; without ``products`` there is none, only what is beside it."""

    value: float
    residual: float
    products: int
    converged: bool
    beside: tuple[Eigenvalue, ...] = ()  # further eigenvalues and operators, where they are asked for

    @property
    def flags(self) -> int:
        """The bits of a row's flags that tell what is wrong with it."""
        if not self.products:
            return 0
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


class Block:
    """Steps of all lanes that were taken without a look in between, and what is asked of all of them at once.

    Lanes are many where a device trains hundreds: nothing is done for each step of each.
    """

    def __init__(self, first: int, loss: Floats, accuracy: Floats, dead: Floats, rms: Floats) -> None:
        """Numbers are [steps, lanes], accuracy NaN where it was not measured, dead not a number but in full batches."""
        self.first, self.count = first, len(loss)
        self.loss, self.accuracy, self.rms = loss, accuracy, rms
        self.top, self.top_at = loss.max(axis=0).tolist(), loss.argmax(axis=0).tolist()  # a NaN is the largest
        self.best_accuracy = np.fmax.reduce(accuracy, axis=0).tolist()
        with np.errstate(invalid="ignore", over="ignore"):  # of lanes that overflow
            self.rise = np.diff(loss, axis=0).max(axis=0, initial=-inf).tolist()
        self.dead = np.any(dead > 0.0, axis=0)

    @property
    def steps(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True)
class _Stretch:
    """Rows of one trial, without λ."""

    steps: npt.NDArray[np.int64]
    loss: Floats
    accuracy: Floats

    def __len__(self) -> int:
        return len(self.steps)


class TrialLog:
    """One trial while it trains: rows not yet sent, and the numbers that its outcome rests on."""

    def __init__(self, trial: TrialSpec, train: TrainSpec, samples: int, bars: Sequence[Bar] = ()) -> None:
        self.trial = trial
        self._train = train
        self._bars = {bar.step: bar.accuracy for bar in bars if 0 < bar.step < train.max_steps}
        self._full = train.batch == samples
        self._pending: list[Row | _Stretch] = []
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
        if last or self._is_kept(row.step) or new_peak or row.sharpness or row.layers:
            self._pending.append(row)
        self._last = row

    def _is_kept(self, step: Any) -> Any:
        """Whether rows of such steps are kept whatever they hold; of one step, or of each of an array."""
        kept = (step < ALWAYS_KEPT) | (step % self._train.record_every == 0)
        return kept if self._full else kept | (step % self._train.steps_per_epoch == 0)

    def add_block(self, block: Block, lane: int) -> bool:
        """Take all steps of a block that this trial survives; False, and nothing is taken, where it may not."""
        train, full, top = self._train, self._full, block.top[lane]
        if self.is_bad(top):
            return False
        if full:
            might_succeed = self.is_success(block.steps[-1], block.best_accuracy[lane])
            barred = bool(self._bars) and any(step in self._bars for step in block.steps)
            if might_succeed or barred or block.dead[lane]:
                return False
        loss, accuracy = block.loss[:, lane], block.accuracy[:, lane]
        if full:
            rise = max(block.rise[lane], float(loss[0]) - self._compared)  # the second is NaN for the first of all
            self._rise, self._compared = max(self._rise, rise), float(loss[-1])
            self.see_accuracy(block.best_accuracy[lane])
            self._accuracy = float(accuracy[-1])
        for k in range(min(block.count, phases.LOGIT_STEPS + 1 - block.first)):
            self.see_logits(block.first + k, float(block.rms[k, lane]))
        steps, peak = np.arange(block.first, block.first + block.count), self._peak
        if not top <= peak:
            self._peak, self._peak_step = top, block.first + block.top_at[lane]
        if train.record_every > 1 and block.steps.stop > ALWAYS_KEPT:
            kept = self._is_kept(steps) | (np.fmax.accumulate(np.append(peak, loss[:-1])) < loss)
            steps, loss, accuracy = steps[kept], loss[kept], accuracy[kept]
        if len(steps):
            self._pending.append(_Stretch(steps, loss, accuracy))
        return True

    def end(self, step: int, *, reached: bool = False, dead: bool = False, given_up: bool = False) -> None:
        """Close the trial after its last row, that of ``step``; one that is dead or has diverged is not given up."""
        epoch = step // self._train.steps_per_epoch
        self.ended, self._dead = True, dead
        self._reached_epoch = epoch if reached else None
        self._given_up_epoch = epoch if given_up else None

    def take(self) -> tuple[int, list[Row | _Stretch]]:
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
    parts: list[tuple[int, Row | _Stretch]] = []
    total = 0
    for log in logs:
        seq, fresh = log.take()
        start = total
        for part in fresh:
            parts.append((total, part))
            total += 1 if isinstance(part, Row) else len(part)
        if fresh:
            segments.append(Segment(log.trial.trial_id, log.trial.attempt, seq, start, total))
    if not parts:
        return None
    step, products, flags = (np.zeros(total, dtype=np.int64) for _ in range(3))
    loss, accuracy, sharpness, residual = (np.full(total, nan) for _ in range(4))
    rows = [(at, part) for at, part in parts if isinstance(part, Row)]
    for at, part in parts:
        if isinstance(part, _Stretch):
            there = slice(at, at + len(part))
            step[there], loss[there], accuracy[there] = part.steps, part.loss, part.accuracy
    for at, row in rows:
        step[at], loss[at], accuracy[at], flags[at] = row.step, row.loss, row.accuracy, row.flags
        if row.sharpness:
            sharpness[at], residual[at] = row.sharpness.value, row.sharpness.residual
            products[at] = row.sharpness.products
    return StepBatch(
        segments=tuple(segments),
        step=step,
        loss=loss,
        accuracy=accuracy,
        sharpness=sharpness,
        sharpness_residual=residual,
        products=products,
        flags=flags,
        eigenvalues=tuple((at, found) for at, row in rows if row.sharpness for found in row.sharpness.beside),
        layers=tuple((at, sizes) for at, row in rows for sizes in row.layers),
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
