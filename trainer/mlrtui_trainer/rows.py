"""What is written down of a training: the rows of its steps, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, isnan, nan
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlrtui_trainer import phases
from mlrtui_trainer.loops.reports import ALWAYS_KEPT
from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.phase_evidence import UNKNOWN, Curve, History, PhaseFacts, Ratios
from mlrtui_trainer.schedules import rate_of
from mlrtui_trainer.spec import (
    FLAG_ALL_SAMPLES,
    FLAG_LOSS_NAN,
    FLAG_LOSS_NEG_INF,
    FLAG_LOSS_POS_INF,
    FLAG_SHARPNESS_INF,
    FLAG_SHARPNESS_NAN,
    FLAG_SHARPNESS_NOT_CONVERGED,
    Measured,
    Outcome,
    PruningThreshold,
    Segment,
    StepBatch,
    TrainSpec,
    TrialSpec,
)

__all__ = ["Block", "End", "Row", "Sharpness", "TrialLog", "bad_kind", "close_ended", "loss_flags", "step_batch"]


Floats = npt.NDArray[np.float64]

_STORED = (
    *("peak_smoothed", "rise", "logit_growth", "hidden_growth", "ratio_first", "ratio_before_peak", "ratio_low"),
    *("ratio_hover", "ratio_last", "drift", "loss_constant", "majority"),
)
"""The evidence that an outcome carries, by the names that both have."""


@dataclass(frozen=True)
class Sharpness:
    """One measurement of λ; without ``products`` there is none, only what is beside it."""

    value: float
    residual: float
    products: int
    converged: bool
    beside: tuple[Measured, ...] = ()  # further eigenvalues and operators, where they are asked for

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


class End(NamedTuple):
    """Why a trial ends at a step; all false: it goes on. A dead one may have reached its threshold."""

    diverged: bool = False
    reached: bool = False
    pruned: bool = False
    dead: bool = False

    @property
    def is_end(self) -> bool:
        """Whether it ends."""
        return self.diverged or self.reached or self.pruned or self.dead


@dataclass(frozen=True)
class Row:
    """One step of one trial: its weights before the step's update."""

    step: int
    loss: float
    accuracy: float = nan  # NaN: not measured
    sharpness: Sharpness | None = None
    flags: int = 0
    measures: tuple[Measured, ...] = ()


class Block:
    """Steps of all lanes that were taken without an evaluation in between, and what is asked of all of them at once.

    Lanes are many where a device trains hundreds: nothing is done for each step of each.
    """

    def __init__(
        self, first: int, loss: Floats, accuracy: Floats, dead: Floats, loss_of_all: Floats | None = None
    ) -> None:
        """Numbers are [steps, lanes], accuracy NaN where it was not measured, dead not a number but in full batches.

        ``loss_of_all`` [lanes] is the loss over all samples where an epoch of mini-batches ended before the first step.
        """
        self.first, self.count = first, len(loss)
        self.accuracy = accuracy
        self.worst = loss.max(axis=0).tolist()  # a NaN is the largest
        self.evaluated = loss_of_all is not None
        self.loss = loss if loss_of_all is None else np.concatenate([loss_of_all[None], loss[1:]])  # as it is kept
        self.top, self.top_at = self.loss.max(axis=0).tolist(), self.loss.argmax(axis=0).tolist()
        self.best_accuracy = np.fmax.reduce(accuracy, axis=0).tolist()
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
    flags: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.steps)


class TrialLog:
    """One trial while it trains: rows not yet sent, and the numbers that its outcome rests on."""

    def __init__(
        self,
        trial: TrialSpec,
        train: TrainSpec,
        samples: int,
        thresholds: Sequence[PruningThreshold] = (),
        facts: PhaseFacts = UNKNOWN,
    ) -> None:
        self.trial = trial
        self.train = train
        self._facts = facts
        self._ratios = Ratios()
        self.curve: Curve | None = None  # what its losses say of its phase, once it has ended
        self._thresholds = {one.step: one.accuracy for one in thresholds if 0 < one.step < train.max_steps}
        self._full = train.batch == samples
        self._pending: list[Row | _Stretch] = []
        self._waiting = 0
        self._seq = 0
        self._loss_initial = nan
        self.limit = nan
        """The largest loss that does not end the trial; NaN, so none, where the start is not finite."""
        self._peak, self._peak_step = nan, 0
        self._accuracy, self._best_accuracy = nan, nan
        self._last: Row | None = None
        self._end = End()
        self._epoch = 0  # of the end
        self.ended = False

    def start(self, loss: float) -> None:
        """Take the loss over all training samples at initialisation, of a fork that of its base."""
        self._loss_initial = loss
        self.limit = phases.divergence_limit(loss) if isfinite(loss) else nan

    def is_bad(self, loss: float) -> bool:
        """Whether this loss ends the trial as diverged."""
        return not loss <= self.limit  # a NaN compares as False

    def end_at(self, step: int, loss: float, accuracy: float, dead: float) -> End:
        """Whether and why this step ends the trial: the only place that decides it.

        accuracy, dead: over all samples; NaN where they are not known, which ends nothing. A trial is pruned where its
        accuracy, at an epoch's end before the last, is no better than the round's threshold there.
        """
        if self.is_bad(loss):
            return End(diverged=True, dead=dead > 0.0)
        reached = self.train.success == "accuracy" and step > 0 and accuracy >= self.train.threshold
        pruned = not reached and step in self._thresholds and accuracy <= self._thresholds[step]
        return End(reached=reached, pruned=pruned, dead=dead > 0.0)

    def may_end_in(self, block: "Block", lane: int) -> bool:
        """Whether some step of a block may end the trial, by `end_at` of the worst of its numbers."""
        accuracy, dead = (block.best_accuracy[lane], float(block.dead[lane])) if self._full else (nan, nan)
        if self.end_at(block.steps[-1], block.worst[lane], accuracy, dead).is_end:
            return True
        return self._full and any(step in self._thresholds for step in block.steps)

    def see_accuracy(self, accuracy: float) -> None:
        """Take an accuracy over all training samples."""
        self._accuracy = accuracy
        if not isnan(accuracy):
            self._best_accuracy = accuracy if isnan(self._best_accuracy) else max(self._best_accuracy, accuracy)

    def add(self, row: Row, *, last: bool = False, all_samples: bool = False) -> None:
        """Write a row down, unless the spec leaves it out."""
        flags = row.flags | loss_flags(row.loss) | (row.sharpness.flags if row.sharpness else 0)
        if all_samples and not self._full:
            flags |= FLAG_ALL_SAMPLES
        if flags != row.flags:
            row = replace(row, flags=flags)
        new_peak = isfinite(row.loss) and not row.loss <= self._peak
        if new_peak:
            self._peak, self._peak_step = row.loss, row.step
        new_peak &= self.train.curves
        if last or self._is_kept(row.step) or new_peak or row.sharpness or row.measures:
            self._pending.append(row)
            self._waiting += 1
        if row.sharpness and self._facts.edge > 0.0:
            self._ratios.add(row.step, row.sharpness.value * self._rate(row.step) / self._facts.edge)
        self._last = row

    def _rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.trial.eta * rate_of(self.train, step)

    @property
    def last(self) -> Row:
        """The last row that was added by itself: of a trial that has ended, its last."""
        if self._last is None:
            raise ValueError("a trial without rows has no last one")
        return self._last

    def _is_kept(self, step: Any) -> Any:
        """Whether rows of such steps are kept whatever they hold; of one step, or of each of an array."""
        if not self.train.curves:
            return step < 0
        kept = (step < ALWAYS_KEPT) | (step % self.train.record_every == 0)
        return kept if self._full else kept | (step % self.train.steps_per_epoch == 0)

    def add_block(self, block: Block, lane: int) -> bool:
        """Take all steps of a block that this trial survives; False, and nothing is taken, where it may not."""
        train, top = self.train, block.top[lane]
        if self.may_end_in(block, lane):
            return False
        loss, accuracy = block.loss[:, lane], block.accuracy[:, lane]
        if self._full:
            self.see_accuracy(block.best_accuracy[lane])
            self._accuracy = float(accuracy[-1])
        steps, peak = np.arange(block.first, block.first + block.count), self._peak
        flags = np.zeros(block.count, dtype=np.int64)
        flags[:1] = FLAG_ALL_SAMPLES if block.evaluated else 0
        if not top <= peak:
            self._peak, self._peak_step = top, block.first + block.top_at[lane]
        if not train.curves:
            return True
        if train.record_every > 1 and block.steps.stop > ALWAYS_KEPT:
            kept = self._is_kept(steps) | (np.fmax.accumulate(np.append(peak, loss[:-1])) < loss)
            steps, loss, accuracy, flags = steps[kept], loss[kept], accuracy[kept], flags[kept]
        if len(steps):
            self._pending.append(_Stretch(steps, loss, accuracy, flags))
            self._waiting += len(steps)
        return True

    def end(self, step: int, end: End = End()) -> None:  # noqa: B008 (immutable)
        """Close the trial after its last row, that of ``step``; by default since its steps are done."""
        self.ended, self._end, self._epoch = True, end, step // self.train.steps_per_epoch

    @property
    def waiting(self) -> int:
        """Rows not yet sent."""
        return self._waiting

    def take(self) -> tuple[int, list[Row | _Stretch]]:
        """The rows not yet sent, with their sequence number."""
        rows, self._pending, self._waiting = self._pending, [], 0
        seq = self._seq
        self._seq += bool(rows)
        return seq, rows

    def outcome(self) -> Outcome:
        """How the trial ended, by the rules of `phases`. Its rows must have been taken."""
        last = self.last
        diverged = self.is_bad(last.loss)
        reached, dead = self._end.reached, self._end.dead
        initial, success = self._loss_initial, self.train.success
        verdict = phases.verdict(success, reached, diverged, dead, initial, last.loss)
        ratio = self._peak / initial if initial > 0.0 else nan
        curve = self.curve or Curve()
        evidence = self._evidence(curve, verdict, last)
        phase = phases.label(evidence)
        return Outcome(
            trial_id=self.trial.trial_id,
            attempt=self.trial.attempt,
            seq=self._seq,
            verdict=phases.survived(success, verdict, phase.label),
            phase=phase.label,
            phase_rule=phases.RULE_EDITION,
            phase_basis=phase.basis,
            phase_reason=phase.reason,
            reached_epoch=self._epoch if reached else None,
            loss_initial=initial,
            loss_final=last.loss,
            best_accuracy=self._best_accuracy,
            final_accuracy=self._accuracy,
            peak_ratio=ratio,
            peak_step=self._peak_step,
            final_sharpness=last.sharpness.value if last.sharpness else nan,
            logit_rms_initial=curve.logit_rms_initial,
            logit_rms_peak=curve.logit_rms_peak,
            bad_step=last.step if diverged else None,
            bad_kind=bad_kind(last.loss) if diverged else None,
            given_up_epoch=self._epoch if self._end.pruned and not (diverged or dead) else None,
            **{name: getattr(evidence, name) for name in _STORED},
        )

    def _evidence(self, curve: Curve, verdict: str, last: Row) -> phases.Evidence:
        """What the phase rests on."""
        train, facts = self.train, self._facts
        ratios = self._ratios.summary(last.step, max(curve.peak_step, curve.rise_step))
        return phases.Evidence(
            loss_kind=train.loss,
            verdict=verdict,
            full_batch=self._full,
            loss_initial=self._loss_initial,
            loss_final=last.loss,
            optimizer=train.optimizer,
            beta=OPTIMIZERS[train.optimizer].beta(train),
            linear=facts.linear,
            accuracy=self._accuracy,
            loss_constant=facts.loss_constant,
            majority=facts.majority,
            peak_smoothed=curve.peak_smoothed,
            rise=curve.rise,
            rise_at_end=curve.rise_at_end,
            drift=curve.drift,
            logit_growth=curve.logit_growth,
            hidden_growth=curve.hidden_growth,
            ratio_initial=self._rate(0) * self.trial.lambda0 / facts.edge if facts.edge > 0.0 else nan,
            **vars(ratios),
        )


def close_ended(
    logs: Sequence[TrialLog], history: History, first: int, loss: Floats, sizes: Floats | None = None
) -> None:
    """Tell trials that have ended what their losses say: what ``history`` has, and steps from ``first`` on.

    These are [steps, lanes] and [steps, 3, lanes]; each trial takes them up to its last row. Where that follows them,
    it is an evaluation. The history itself stays as it is.
    """
    groups: dict[int, list[int]] = {}
    for i, log in enumerate(logs):
        if log.ended and log.curve is None:
            groups.setdefault(log.last.step, []).append(i)
    for step, lanes in groups.items():
        part, count = history.select(lanes), step - first + 1
        part.add(loss[:count, lanes], None if sizes is None else sizes[:count, :, lanes])
        if len(loss) < count and step > 0:
            part.finish(np.array([logs[i].last.loss for i in lanes]))
        for k, i in enumerate(lanes):
            logs[i].curve = part.curve(k)


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
            flags[there] = part.flags
    for at, row in rows:
        step[at], loss[at], accuracy[at], flags[at] = row.step, row.loss, row.accuracy, row.flags
        if row.sharpness:
            sharpness[at], residual[at] = row.sharpness.value, row.sharpness.residual
            products[at] = row.sharpness.products
    return StepBatch(
        eta=_rates(logs, segments, step),
        segments=tuple(segments),
        step=step,
        loss=loss,
        accuracy=accuracy,
        sharpness=sharpness,
        sharpness_residual=residual,
        products=products,
        flags=flags,
        measures=tuple((at, one) for at, row in rows for one in _measured(row)),
    )


def _measured(row: Row) -> tuple[Measured, ...]:
    return row.measures if row.sharpness is None else (*row.sharpness.beside, *row.measures)


def _rates(
    logs: Sequence[TrialLog], segments: Sequence[Segment], step: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64] | None:
    """The learning rate of every row where a schedule changes it, else None."""
    scheduled = {log.trial.trial_id: log for log in logs if log.train.is_scheduled}
    if not scheduled:
        return None
    rates = np.full(len(step), nan)
    for segment in segments:
        log = scheduled.get(segment.trial_id)
        if log is not None:
            train, there = log.train, slice(segment.start, segment.stop)
            rates[there] = [log.trial.eta * rate_of(train, int(at)) for at in step[there]]
    return rates


def loss_flags(loss: float) -> int:
    """The bits of a row's flags that tell what is wrong with its loss."""
    if isnan(loss):
        return FLAG_LOSS_NAN
    if isfinite(loss):
        return 0
    return FLAG_LOSS_POS_INF if loss > 0 else FLAG_LOSS_NEG_INF


def bad_kind(loss: float) -> str:
    """How the loss of a training that has diverged is bad, as ``Outcome.bad_kind``."""
    if isnan(loss):
        return "nan"
    if isfinite(loss):
        return "threshold"
    return "+inf" if loss > 0 else "-inf"
