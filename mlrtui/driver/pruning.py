"""When a training of a search is pruned: what the sweep's finished trainings say of its chance at an epoch's end.

The search only needs to know which side of the goal a training ends on. A pruning threshold is an accuracy at an
epoch's end: a training that is no better there is pruned, since of the finished ones nearest to the threshold none
reached the goal later, neither below it nor above. Thresholds rest on trainings that ran to their own end alone, of
nets of the same depth: shallow ones learn in an epoch what deep ones still learn in the last.
"""

from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import floor

from mlrtui.driver.starts import kind_of
from mlrtui.planning import Cell, CellPlan
from mlrtui_db.models import TrialState
from mlrtui_trainer.spec import PruningThreshold, TrainSpec

__all__ = ["MOST_EVALUATIONS", "Pruning", "evaluations", "neighbours", "threshold"]

MOST_EVALUATIONS = 32
"""Evaluations of a training that may have a threshold: with a full batch there is one at every step."""

Seen = tuple[float, bool]  # accuracy at an evaluation, and whether the goal was reached later


class Pruning:
    """A sweep's pruning thresholds, learnt from the finished trainings that differ in width, seed and rate alone.

    ``chance``: below which chance of reaching the goal a training is pruned; 0: none ever is. ``accuracies``:
    of a stored trial, by step, at those of some steps after which it went on.
    """

    def __init__(self, chance: float, accuracies: Callable[[int, Sequence[int]], Mapping[int, float]]) -> None:
        self._chance = chance
        self._accuracies = accuracies
        self._seen: dict[tuple[Hashable, int], list[Seen]] = {}

    def learn(self, plan: Cell, trial_id: int, verdict: str, given_up_epoch: int | None) -> None:
        """A training of this cell has ended and is stored. One that was pruned, or failed, says nothing."""
        if self._chance == 0.0 or given_up_epoch is not None or verdict == "failed":
            return
        assert isinstance(plan, CellPlan)
        if plan.fork is not None:
            return
        kind = _alike(plan)
        for step, accuracy in self._accuracies(trial_id, evaluations(plan.train)).items():
            insort(self._seen.setdefault((kind, step), []), (accuracy, verdict == "reached"))

    def recall(self, trials: Iterable[tuple[Cell, TrialState]]) -> None:
        """What a store holds of an earlier driver's trainings, each with its cell."""
        for plan, trial in trials:
            if trial.verdict is not None:
                self.learn(plan, trial.trial_id, trial.verdict, trial.given_up_epoch)

    def thresholds(self, plan: Cell) -> tuple[PruningThreshold, ...]:
        """Where a training of this cell that starts now is pruned."""
        if self._chance == 0.0 or not isinstance(plan, CellPlan) or plan.fork is not None:
            return ()
        kind = _alike(plan)
        found = ((step, threshold(self._seen.get((kind, step), ()), self._chance)) for step in evaluations(plan.train))
        return tuple(PruningThreshold(step, accuracy) for step, accuracy in found if accuracy is not None)


def _alike(plan: CellPlan) -> Hashable:
    return kind_of(plan), plan.net.depth


def evaluations(train: TrainSpec) -> tuple[int, ...]:
    """The steps of the evaluations at which a training may be pruned; the last one is never among them."""
    every = train.steps_per_epoch
    if train.steps_per_epoch == 1:  # a full batch, whose rows may be kept rarely
        every *= train.record_every
    count = (train.max_steps - 1) // every
    apart = max(1, -(-count // MOST_EVALUATIONS))
    return tuple(every * apart * number for number in range(1, count // apart + 1))


def neighbours(chance: float) -> int:
    """How many trainings without a success it takes to hold a chance for smaller: 1/(n + 2), the rule of succession."""
    return max(1, floor(1.0 / chance - 2.0) + 1)


def threshold(seen: Sequence[Seen], chance: float) -> float | None:
    """The highest accuracy that was seen and is pruned; None: there is none.

    ``seen``: in order of accuracy. Pruned where of the `neighbours` trainings next below (itself among them) and of as
    many next above none reached the goal, and of all below so few that their share, by the rule of succession, is
    smaller than ``chance``.
    """
    return max(_pruned(seen, chance), default=None)


def _pruned(seen: Sequence[Seen], chance: float) -> Iterator[float]:
    count = neighbours(chance)
    reached = [0, *accumulate(success for _, success in seen)]  # of the first so many
    for below in range(count, len(seen) - count + 1):
        near = reached[below + count] - reached[below - count]
        if near == 0 and (reached[below] + 1) / (below + 2) < chance and seen[below - 1][0] < seen[below][0]:
            yield seen[below - 1][0]
