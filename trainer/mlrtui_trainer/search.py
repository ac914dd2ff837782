"""Search for the maximal initial learning rate η* of one net, as questions and answers over plain verdicts.

A search asks for trials at certain learning rates and is told their verdicts. It holds no other state: the questions
are a pure function of the answers to earlier questions, so telling a new search all finished trials, in any order,
continues the old one with the same floating-point rates.

Success is a band: too small a rate misses the threshold within the budget, too large a rate is unstable, and the upper
edge is ragged (Iyer, Hanin and Rolnick 2022 define η*; successes above failures are common in deep nets). The largest
success has no limit as more rates are tried, so η* is the *area*: the rate at which a clean edge would have the same
measure of success in ln η. Three rules make it independent of the start, the method and the device:

1. every rate lies on the lattice ln η = k·ln(1 + tolerance);
2. one walk over the lattice, a function of the verdicts at the rates that it visits (module `walk`), decides which
   rates enter: a window from M successes in a row up to M failures in a row, all of it asked;
3. methods differ only in how many rates the walk may need are asked at once. Answers it never needs change nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, exp, floor, inf, isfinite, isnan, log, log1p, log2, sqrt

from mlrtui_trainer.phases import SUCCESS_RULES, is_not_reached, is_success
from mlrtui_trainer.walk import COARSE_POINTS, End, Known, Range, walk

__all__ = ["ETA_RULE", "EVIDENCE", "METHODS", "MIN_TOLERANCE", "Boundary", "Search", "SearchSpec"]

ETA_RULE = 2
"""Edition of the rule by which η* follows from verdicts: 1, the largest success; 2, the area over the window."""

METHODS = ("bisect", "section", "profile")

EVIDENCE = ("reached", "not-reached", "stalled", "diverged", "dead")
"""Verdicts that say something about a learning rate."""

MIN_TOLERANCE = 1e-6
"""Below it, the trials' own rounding would decide."""

MARGIN_LN = 0.3
"""Width in ln η of the runs of successes and of failures that end the window: a gap of 0.2 is often only a gap."""

MARGIN_RATES = (2, 12)
"""Rates of such a run at least: a single failure is no edge, however coarse the lattice; and at most: below a tolerance
of 0.025 runs over 0.3 would take most trainings, and nobody asks for so fine an answer but of a clean edge."""

PROFILE_POINTS = 16
"""Rates of a question of "profile"."""

ROUNDING = 1e-12
"""Relative difference within which a rate is that of the lattice: exp is not the same to the last bit everywhere."""


@dataclass(frozen=True)
class SearchSpec:
    """The rules of a search. Raises ValueError for numbers that cannot be searched with."""

    success: str  # one of `phases.SUCCESS_RULES`
    tolerance: float  # neighbouring rates of the lattice have the ratio 1 + tolerance
    eta_min: float
    eta_max: float
    factor: float = 2.0  # of the first, coarse steps at most
    method: str = "bisect"  # one of `METHODS`
    points: int = 8  # rates of a question of "section"; the other methods have their own numbers
    margin: int | None = None  # M, successes and failures in a row that end the window; None: see `in_a_row`

    def __post_init__(self) -> None:
        if self.success not in SUCCESS_RULES:
            raise ValueError(f"success is {self.success!r}; use one of {', '.join(SUCCESS_RULES)}")
        if not (MIN_TOLERANCE <= self.tolerance < 10.0):
            raise ValueError(f"tolerance is {self.tolerance}; use a number from {MIN_TOLERANCE:g} to 10")
        if not (0.0 < self.eta_min < self.eta_max and isfinite(self.eta_max)):
            raise ValueError(f"eta_min is {self.eta_min}, eta_max {self.eta_max}; use 0 < eta_min < eta_max")
        if not (1.01 <= self.factor <= 1e6):
            raise ValueError(f"factor is {self.factor}; use a number from 1.01 to 1e6")
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; use one of {', '.join(METHODS)}")
        if not (2 <= self.points <= 1000):
            raise ValueError(f"points is {self.points}; use a whole number from 2 to 1000")
        if self.margin is not None and self.margin < 1:
            raise ValueError(f"margin is {self.margin}; use a whole number from 1")
        if self.lowest > self.highest:
            raise ValueError(
                f"eta_min is {self.eta_min}, eta_max {self.eta_max}: no rate (1 + {self.tolerance:g})^k lies between; "
                "use a wider range or a lower tolerance"
            )

    @property
    def at_once(self) -> int:
        """Most rates of a question."""
        return {"bisect": 1, "section": self.points, "profile": PROFILE_POINTS}[self.method]

    @cached_property
    def spacing(self) -> float:
        """δ, the lattice's spacing in ln η."""
        return log1p(self.tolerance)

    @property
    def in_a_row(self) -> int:
        """M, how many successes in a row end the window below, and failures above: those of 0.3 in ln η, 2 to 12."""
        fewest, most = MARGIN_RATES
        return self.margin if self.margin is not None else min(max(fewest, round(MARGIN_LN / self.spacing)), most)

    @property
    def coarse(self) -> int:
        """Lattice rates that a coarse step passes: at most ``factor``."""
        return max(1, floor(log(self.factor) / self.spacing))

    @cached_property
    def lowest(self) -> int:
        """k of the lowest lattice rate that is at least eta_min."""
        k = floor(log(self.eta_min) / self.spacing) - 1
        while self.rate(k) < self.eta_min:
            k += 1
        return k

    @cached_property
    def highest(self) -> int:
        """k of the highest lattice rate that is at most eta_max."""
        k = floor(log(self.eta_max) / self.spacing) - 1
        while self.rate(k + 1) <= self.eta_max:
            k += 1
        return k

    def rate(self, k: float) -> float:
        """Learning rate at place ``k`` of the lattice: the only place where one is computed."""
        exponent = k * self.spacing
        root = exp(exponent / 2.0) if exponent > 709.0 else 0.0  # whose square may be infinite, where exp would raise
        return root * root if root else exp(exponent)

    def place(self, eta: float) -> int | None:
        """k of the lattice rate that ``eta`` is, up to the rounding of other machines; None: it is none."""
        if not 0.0 < eta < inf:
            return None
        k = round(log(eta) / self.spacing)
        return k if abs(eta - self.rate(k)) <= ROUNDING * eta else None

    @property
    def max_trials(self) -> int:
        """No search needs more trials, whatever their verdicts: it asks for every rate of its range at most once."""
        return self.highest - self.lowest + 1

    @cached_property
    def typical_trials(self) -> int:
        """Trials of a search whose start is within two factors of η* and whose edge is clean: an estimate for plans.

        The window's 2M rates, and outside it two coarse steps and the halvings down to its size; with several rates a
        question the steps, the stretch between two of them and what is left of the window.
        """
        m, step, k = self.in_a_row, self.coarse, self.at_once
        if k == 1:
            count = 2 * m + 2 + max(0, ceil(log2(step / m)))
        else:
            between = min(step - 1, k * ceil(log2(step + 1) / log2(k + 1)))
            count = max(3, min(k, COARSE_POINTS)) + between + max(m, 2 * m - between)
        return min(count, self.max_trials)


@dataclass(frozen=True)
class Boundary:
    """What a search has learnt of a net; η* and its window once the search is closed."""

    eta_star: float | None  # the area over the window; where censored "at_max" a lower bound
    eta_last: float | None  # largest success; of the window once closed. Depends on how many rates were tried
    eta_star_se: float | None  # standard error of eta_star, in η; None where censored
    first_failure: float | None  # smallest failure in the window
    window_low: float | None  # lowest rate of the window, a success
    window_high: float | None  # highest rate of the window, a failure unless the range ends there
    successes: int | None  # in the window
    bracket: tuple[
        float | None, float | None
    ]  # last success and the failure above it; before a success: not reached, unstable
    zone_octaves: float | None  # log2 of the last success over the end of the plateau; 0 where the edge is clean
    reversals: int  # failures followed by a success, going up the window
    trials: int  # verdicts told at rates of the lattice, those that the walk did not need included
    censored: str | None  # None | "none" no rate succeeds | "at_min" | "at_max"
    reason: str | None  # a sentence when censored

    @property
    def eta_area(self) -> float | None:
        """The area, which η* is since rule 2; None where the window is open above."""
        return self.eta_star if self.censored is None else None


class Search:
    """One net's search: `ask` for rates, `tell` verdicts, until `ask` returns nothing.

    Examples:
        >>> spec = SearchSpec("accuracy", tolerance=0.1, eta_min=1e-3, eta_max=1e3)
        >>> search = Search(spec, start_eta=3.0)
        >>> while not search.closed:
        ...     for eta in search.ask():
        ...         search.tell(eta, "reached" if eta < 1.0 else "diverged")
        >>> round(search.boundary().eta_star, 3)
        0.953
    """

    def __init__(self, spec: SearchSpec, start_eta: float) -> None:
        """Start at ``start_eta``, moved into the range. Raises ValueError unless it is positive (infinity is)."""
        if isnan(start_eta) or start_eta <= 0.0:
            raise ValueError(f"start_eta is {start_eta}; use a positive number")
        self.spec = spec
        self.round = 0
        """Number of the current question, from 0; the number of all questions once closed."""
        self._told: dict[int, str] = {}
        self._known: dict[int, str] = {}  # answers to questions that are complete
        self._aside: dict[float, str] = {}  # verdicts at rates off the lattice: trials of an older rule
        self._end: End | None = None
        start = log(min(max(start_eta, spec.eta_min), spec.eta_max)) / spec.spacing
        self._walk = walk(_range(spec), start, self._known, spec.at_once)
        self._question: tuple[int, ...] = next(self._walk)

    @property
    def closed(self) -> bool:
        """Whether no question is left."""
        return self._end is not None

    def ask(self) -> tuple[float, ...]:
        """Learning rates wanted now, ascending: those of the current question that are unanswered. Empty: closed."""
        return tuple(self.spec.rate(k) for k in self._question if k not in self._told)

    def tell(self, eta: float, verdict: str) -> None:
        """Take a trial's verdict, in any order. "failed" is the machine's fault: the rate is asked for again.

        A rate off the lattice, of a search by rule 1, is no evidence here: η* would depend on who asked for it.

        Raises ValueError for a verdict that no search gives and for one that contradicts an earlier answer.
        """
        if verdict == "failed":
            return
        if verdict not in EVIDENCE:
            raise ValueError(f"verdict {verdict!r} has no meaning in a search; use one of {', '.join(EVIDENCE)}")
        k = self.spec.place(eta)
        earlier = self._aside.setdefault(eta, verdict) if k is None else self._told.setdefault(k, verdict)
        if earlier != verdict:
            raise ValueError(f"eta = {eta!r} was {earlier!r} and cannot become {verdict!r}")
        while self._end is None and all(k in self._told for k in self._question):
            self._known.update((k, self._told[k]) for k in self._question)
            self.round += 1
            try:
                self._question = next(self._walk)
            except StopIteration as stop:
                self._question = ()
                self._end = stop.value

    def boundary(self) -> Boundary:
        """What is known now, with the answers to an unfinished question."""
        known = self._known | {k: self._told[k] for k in self._question if k in self._told}
        if self._end is None:
            return _open(self.spec, *_edge(known), len(known))
        if self._end.window is None:
            return _open(self.spec, None, *self._end.band, len(known), self._end)
        low, high = self._end.window
        return _boundary(self.spec, low, [is_success(known[k]) for k in range(low, high + 1)], len(known), self._end)


def _range(spec: SearchSpec) -> Range:
    return Range(spec.lowest, spec.highest, spec.coarse, spec.in_a_row, spec.rate)


# What was learnt ------------------------------------------------------------------------------------------------------


def _boundary(spec: SearchSpec, low: int, succeeded: list[bool], trials: int, end: End) -> Boundary:
    """Of a window whose lowest rate, at place ``low``, succeeds."""
    successes, changes = sum(succeeded), sum(one != other for one, other in pairwise(succeeded))
    last = max(i for i, success in enumerate(succeeded) if success)
    first = succeeded.index(False) if False in succeeded else None
    plateau_end = last if first is None else first - 1
    eta_star: float | None = spec.rate(low - 0.5 + successes)
    eta_star_se = None
    if end.censored is None:
        assert eta_star is not None
        eta_star_se = eta_star * spec.spacing * sqrt(max(changes - 1, 0) / 2.0 + 1.0 / 12.0)
    elif end.censored == "at_max":
        eta_star = min(spec.rate(low - 0.5 + successes), spec.rate(spec.highest))
    else:
        eta_star = None
    above = low + last + 1
    return Boundary(
        eta_star=eta_star,
        eta_last=spec.rate(low + last),
        eta_star_se=eta_star_se,
        first_failure=None if first is None else spec.rate(low + first),
        window_low=spec.rate(low),
        window_high=spec.rate(low + len(succeeded) - 1),
        successes=successes,
        bracket=(spec.rate(low + last), spec.rate(above) if last + 1 < len(succeeded) else None),
        zone_octaves=(last - plateau_end) * spec.spacing / log(2.0),
        reversals=sum(up and not below for below, up in pairwise(succeeded)),
        trials=trials,
        censored=end.censored,
        reason=end.reason,
    )


def _edge(known: Known) -> tuple[int | None, int | None, int | None]:
    """Last success so far, and the bracket: it and the failure above; before a success: not reached, unstable."""
    last = max((k for k, verdict in known.items() if is_success(verdict)), default=None)
    if last is not None:
        return last, last, min((k for k in known if k > last), default=None)
    unstable = min((k for k, verdict in known.items() if not is_not_reached(verdict)), default=None)
    slow = (k for k, verdict in known.items() if is_not_reached(verdict) and (unstable is None or k < unstable))
    return None, max(slow, default=None), unstable


def _open(
    spec: SearchSpec, last: int | None, low: int | None, high: int | None, trials: int, end: End | None = None
) -> Boundary:
    """Of a search that is under way, or that has met no success."""

    def rate(k: int | None) -> float | None:
        return None if k is None else spec.rate(k)

    return Boundary(
        eta_star=None,
        eta_last=rate(last),
        eta_star_se=None,
        first_failure=None,
        window_low=None,
        window_high=None,
        successes=None,
        bracket=(rate(low), rate(high)),
        zone_octaves=None,
        reversals=0,
        trials=trials,
        censored=None if end is None else end.censored,
        reason=None if end is None else end.reason,
    )
