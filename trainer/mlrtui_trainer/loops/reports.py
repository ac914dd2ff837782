"""What a training of the user's reports, and what that decides."""

from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite, isnan, nan
from operator import index
from typing import Any, NamedTuple

from mlrtui_trainer.divergence import divergence_limit
from mlrtui_trainer.scalars import scalar

__all__ = ["ALWAYS_KEPT", "Ending", "LoopError", "LoopSpec", "Reported", "Reports", "difference"]

ALWAYS_KEPT = 100
"""Rows of the first so many steps are kept whatever ``record_every`` says: catapults happen there."""

LARGEST_STEP = 2**62


class LoopError(ValueError):
    """What is wrong with a training function or with what it reports, as one sentence."""


@dataclass(frozen=True)
class LoopSpec:
    """A training of the user's, at any learning rate and seed, and when it counts as a success."""

    name: str = ""  # "package.module:function"; "": one of a script that is running
    path: str = ""  # folder in which the module is sought after the installed packages
    code_hash: str = ""  # SHA-256 of the module's source file
    arguments: tuple[tuple[str, bool | int | float | str], ...] = ()  # given by name, beside lr, report and seed
    success: str | None = None  # as in `spec.TrainSpec`
    threshold: float | None = None  # for success "accuracy"
    max_steps: int = 0  # that it reports, where that is known; 0: not known
    record_every: int = 1


class Reported(NamedTuple):
    """One report. Accuracy is NaN where none was given."""

    step: int
    loss: float
    accuracy: float


class Ending(NamedTuple):
    """All that the outcome of a training rests on."""

    first: Reported
    last: Reported
    diverged: bool
    reached: bool
    best_accuracy: float
    peak: float  # the largest finite loss
    peak_step: int


class Reports:
    """The reports of one training; called as its ``report``. Nothing counts after the one that decides it.

    >>> run = Reports(LoopSpec(success="loss-below-initial"))
    >>> run(0, 1.0), run(1, 0.5), run(2, float("inf")), run(3, 0.1)
    (True, True, False, False)
    >>> run.ending(lr=0.1).diverged
    True
    """

    def __init__(self, loop: LoopSpec, loss_initial: float = nan) -> None:
        """``loss_initial``: of the training that this one is a fork of; NaN: the first reported one."""
        self.loop = loop
        self.first: Reported | None = None
        self._loss_initial = loss_initial
        self.last: Reported | None = None
        self.diverged = self.reached = False
        self._best_accuracy = nan
        self._peak, self._peak_step = nan, 0
        self._pending: list[Reported] = []
        self._last_is_kept = True

    def __call__(self, step: int, loss: Any, accuracy: Any = None) -> bool:
        """Take a step's loss (and accuracy); False once the training is decided.

        Args:
            step: its number, larger than the one before.
            loss: a number, or a tensor or array of one.
            accuracy: the same, between 0 and 1.

        Raises:
            LoopError: a step that is no number or does not increase, a loss or an accuracy that is none.
        """
        if self.diverged or self.reached:
            return False
        one = Reported(self._number(step), _real("loss", loss), _share(accuracy))
        if self.first is None:
            self.first = one if isnan(self._loss_initial) else one._replace(loss=self._loss_initial)
        self.last = one
        self.diverged = not isfinite(one.loss) or one.loss > divergence_limit(self.first.loss)
        if not self._best_accuracy >= one.accuracy:
            self._best_accuracy = one.accuracy if not isnan(one.accuracy) else self._best_accuracy
        threshold = self.loop.threshold
        self.reached = self.loop.success == "accuracy" and threshold is not None and one.accuracy >= threshold
        new_peak = isfinite(one.loss) and not one.loss <= self._peak
        if new_peak:
            self._peak, self._peak_step = one.loss, one.step
        self._last_is_kept = new_peak or one.step < ALWAYS_KEPT or one.step % self.loop.record_every == 0
        if self._last_is_kept:
            self._pending.append(one)
        return not (self.diverged or self.reached)

    def take(self, *, all_of_it: bool = False) -> list[Reported]:
        """The rows to be stored that were not yet taken; ``all_of_it``: the last one too, kept or not."""
        if all_of_it and self.last is not None and not self._last_is_kept:
            self._pending.append(self.last)
            self._last_is_kept = True
        rows, self._pending = self._pending, []
        return rows

    def ending(self, lr: float) -> Ending:
        """What the outcome rests on.

        Raises:
            LoopError: it reported no loss, or no accuracy where that decides.
        """
        if self.first is None or self.last is None:
            raise LoopError(f"train_fn reported no loss at lr = {lr:.6g}: call report(step, loss) after each step")
        if self.loop.success == "accuracy" and isnan(self._best_accuracy) and not self.diverged:
            raise LoopError('success is "accuracy" but no accuracy was reported: call report(step, loss, accuracy)')
        decided = (self.diverged, self.reached)
        return Ending(self.first, self.last, *decided, self._best_accuracy, self._peak, self._peak_step)

    def _number(self, step: Any) -> int:
        try:
            number = index(step.item() if hasattr(step, "item") else step)
        except TypeError:
            raise LoopError(f"report(step={step!r}): a step is a whole number, as in report(step, loss)") from None
        if not 0 <= number <= LARGEST_STEP:
            raise LoopError(f"report(step={number}): count steps from 0")
        if self.last is not None and number <= self.last.step:
            raise LoopError(f"report(step={number}) after step {self.last.step}: steps must increase")
        return number


def difference(first: list[Reported], second: list[Reported]) -> str:
    """Where two runs of one training differ, in words; "" where they report the same numbers, NaN for NaN.

    >>> difference([Reported(0, 1.0, nan)], [Reported(0, 1.0, nan)])
    ''
    >>> difference([Reported(0, 1.0, nan), Reported(1, 0.5, nan)], [Reported(0, 1.0, nan), Reported(1, 0.25, nan)])
    'loss 0.5 at step 1, the second time 0.25'
    """
    for one, other in zip_longest(first, second):
        if one is None or other is None:
            there, last = ("the second", first[-1]) if other is None else ("the first", second[-1])
            return f"reports up to step {last.step}, {there} time fewer"
        if one.step != other.step:
            return f"a report of step {one.step}, the second time of step {other.step}"
        for what, value, again in (("loss", one.loss, other.loss), ("accuracy", one.accuracy, other.accuracy)):
            if value != again and not (isnan(value) and isnan(again)):
                return f"{what} {value:.9g} at step {one.step}, the second time {again:.9g}"
    return ""


def _share(accuracy: Any) -> float:
    value = nan if accuracy is None else _real("accuracy", accuracy)
    if not (isnan(value) or 0.0 <= value <= 1.0):
        raise LoopError(f"report(accuracy={value:g}): an accuracy is a number from 0 to 1")
    return value


def _real(what: str, value: Any) -> float:
    try:
        return scalar(value)
    except (TypeError, ValueError, RuntimeError):
        said = " ".join(repr(value).split())[:60]
        raise LoopError(f"report({what}={said}): must be one number, or a tensor or array of one") from None
