"""η* of a stored search at another accuracy threshold: a value where the stored trainings decide it, else bounds.

Every training stores the best accuracy that it reached. Below the threshold of the sweep that decides each training;
above it, trainings that failed still fail, and those that succeeded may have been stopped too early to tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from mlrtui_db.models import EndedTrial
from mlrtui_trainer.loops.reports import ALWAYS_KEPT
from mlrtui_trainer.phases import is_success
from mlrtui_trainer.search import Boundary, Search, SearchSpec

__all__ = ["AtThreshold", "Ended", "Followed", "at_threshold", "followed", "is_decided", "judged", "lost_there"]


@dataclass(frozen=True)
class Ended:
    """A stored training of a search."""

    eta: float
    verdict: str
    best_accuracy: float
    """At an evaluation after the first step; NaN: none is stored."""

    given_up: bool = False
    """It was pruned: it ended before its budget did."""

    lost_there: bool = False
    """The threshold was first reached at the step at which it diverged or died, which counts as that."""


@dataclass(frozen=True)
class Followed:
    """How a stored training would have ended at another threshold."""

    verdict: str

    at: int | None = None
    """Step at which the threshold is reached; None: it is not."""

    until: int | None = None
    """The last of the stored steps that it would have had; None: all of them are its own."""


@dataclass(frozen=True)
class AtThreshold:
    """What is known of a net's η* at another threshold."""

    boundary: Boundary | None
    """As a search at this threshold would find it; None: stored trainings do not decide it."""

    low: float | None
    """The largest rate that is known to succeed; None: none is."""

    high: float | None
    """The smallest rate above ``low`` that is known to fail; None: none is."""

    missing: tuple[float, ...]
    """Rates that the search would have to train next; empty where it is decided."""


def judged(training: Ended, threshold: float, trained_to: float) -> str | None:
    """Its verdict at ``threshold``, when it was trained to reach ``trained_to``; None: not known.

    >>> judged(Ended(0.1, "reached", 0.62), 0.5, trained_to=0.6)
    'reached'
    >>> judged(Ended(0.1, "reached", 0.62), 0.9, trained_to=0.6) is None
    True
    """
    if training.best_accuracy >= threshold and not training.lost_there:
        return "reached"
    if is_success(training.verdict):
        return None  # it was stopped when it had reached the lower threshold
    if not isfinite(training.best_accuracy) and training.verdict not in ("diverged", "dead"):
        return None
    if training.given_up and threshold < trained_to:
        return None  # it might have reached the lower one
    return training.verdict


def followed(one: EndedTrial, threshold: float, trained_to: float, *, all_kept: bool) -> Followed | None:
    """How a stored training would have ended at ``threshold``; None: its steps do not tell, or not all of it.

    Args:
        one: what is stored of it, at that threshold.
        threshold: accuracy wanted.
        trained_to: accuracy of its sweep.
        all_kept: whether every evaluation is among its steps; otherwise those of the first steps are.

    >>> one = EndedTrial(1, "", 1, 0, 0.1, "reached", 0.83, False, 60, 59, 20)
    >>> followed(one, 0.5, 0.8, all_kept=True)
    Followed(verdict='reached', at=20, until=20)
    >>> followed(one._replace(reached_at=None), 0.9, 0.8, all_kept=True) is None
    True
    """
    at, lost = one.reached_at, lost_there(one)
    if at is not None and not lost:
        sure = all_kept or at < ALWAYS_KEPT  # no earlier evaluation reached it
        return Followed("reached", at, at if at != one.last_step else None) if sure else None
    best = nan if one.best_accuracy is None else one.best_accuracy
    if at is None and best >= threshold:
        if one.last_step is None or not (all_kept or one.last_step < ALWAYS_KEPT):
            return None
        best = 0.0  # it had it before its first step, which does not count
    verdict = judged(Ended(one.eta, one.verdict, best, one.given_up, lost), threshold, trained_to)
    return None if verdict is None else Followed(verdict)


def lost_there(one: EndedTrial) -> bool:
    """`Ended.lost_there` of a stored training."""
    return one.reached_at is not None and one.reached_at == one.last_step and one.verdict in ("diverged", "dead")


def at_threshold(rules: SearchSpec, trainings: Sequence[Ended], threshold: float, trained_to: float) -> AtThreshold:
    """Replay a net's search at another threshold.

    Args:
        rules: of the search; its lattice is the stored one.
        trainings: the net's, in the order in which they were asked for.
        threshold: accuracy wanted.
        trained_to: accuracy of the sweep.
    """
    verdicts = {k: judged(one, threshold, trained_to) for one in trainings if (k := rules.place(one.eta)) is not None}
    known = {k: verdict for k, verdict in verdicts.items() if verdict is not None}
    first: tuple[float, ...] = ()
    for start in dict.fromkeys(one.eta for one in trainings):  # the answer is the same from any start
        boundary, missing = _replayed(rules, start, known)
        if boundary is not None:
            return AtThreshold(boundary, *_bracket(rules, known), ())
        first = first or missing
    return AtThreshold(None, *_bracket(rules, known), first)


def is_decided(rules: SearchSpec, verdicts: Mapping[float, str | None]) -> bool:
    """Whether the verdicts at these rates decide a net's η*; None: not known."""
    known = {k: v for eta, v in verdicts.items() if v is not None and (k := rules.place(eta)) is not None}
    return any(_replayed(rules, start, known)[0] is not None for start in verdicts)


def _replayed(rules: SearchSpec, start: float, known: Mapping[int, str]) -> tuple[Boundary | None, tuple[float, ...]]:
    search = Search(rules, start)
    while not search.closed:
        asked = search.ask()
        places = [(eta, rules.place(eta)) for eta in asked]
        missing = tuple(eta for eta, k in places if k not in known)
        if missing:
            return None, missing
        for eta, k in places:
            assert k is not None
            search.tell(eta, known[k])
    return search.boundary(), ()


def _bracket(rules: SearchSpec, known: Mapping[int, str]) -> tuple[float | None, float | None]:
    low = max((k for k, verdict in known.items() if is_success(verdict)), default=None)
    failures: Iterable[int] = (k for k, v in known.items() if not is_success(v) and (low is None or k > low))
    high = min(failures, default=None)
    return (None if low is None else rules.rate(low)), (None if high is None else rules.rate(high))
