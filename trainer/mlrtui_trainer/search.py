"""Search for the maximal initial learning rate η* of one net, as questions and answers over plain verdicts.

A search asks for trials at certain learning rates and is told their verdicts. It holds no other state: the questions
are a pure function of the answers to earlier questions, so telling a new search all finished trials, in any order,
continues the old one with the same floating-point rates.

Success is a band: too small a rate fails by slowness, too large a rate by instability, and the upper edge is ragged
(Iyer, Hanin and Rolnick 2022 define η*; successes above failures are common in deep nets). Hence

1. geometric steps from the start until a success and a failure above it are known; that no rate succeeds is said only
   after a walk down to the lowest;
2. geometric midpoints between the largest success and the smallest failure above it, down to the tolerance;
3. probes at two and four bracket widths above that failure; a success there reopens the search from it.

That is "bisect". "section" asks k rates in place of each one, for devices on which trainings beside one another are
nearly free: k steps, k rates that divide the bracket, k probes. "profile" takes the geometric steps nine at a time,
then lays 12 to 16 rates over the whole ragged zone at once, so that every estimate of the edge comes from one grid.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, floor, isfinite, isnan, log, log1p, log2, sqrt

from mlrtui_trainer.phases import SUCCESS_RULES, is_success, is_too_slow

__all__ = ["EVIDENCE", "METHODS", "MIN_TOLERANCE", "Boundary", "Search", "SearchSpec"]

METHODS = ("bisect", "section", "profile")

EVIDENCE = ("reached", "too-slow", "stalled", "diverged", "dead")
"""Verdicts that say something about a learning rate."""

MIN_TOLERANCE = 1e-6
"""Below it, geometric midpoints of doubles and the trials' own rounding would decide."""

COARSE_POINTS = 9
"""Rates of a question of "profile" while it looks for the zone."""

ZONE_POINTS = (12, 16)
"""Fewest and most rates of "profile" over the zone; as many between them as the tolerance asks for."""


@dataclass(frozen=True)
class SearchSpec:
    """The rules of a search. Raises ValueError for numbers that cannot be searched with."""

    success: str  # one of `phases.SUCCESS_RULES`
    tolerance: float  # the final bracket's ratio is at most 1 + tolerance
    eta_min: float
    eta_max: float
    factor: float = 2.0  # of the first, geometric steps
    method: str = "bisect"  # one of `METHODS`
    points: int = 8  # rates of a question of "section"; the other methods have their own numbers

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

    @property
    def at_once(self) -> int:
        """Rates of a question, k; probes and the grid of "profile" may be more."""
        return {"bisect": 1, "section": self.points, "profile": COARSE_POINTS}[self.method]

    @property
    def ln_tolerance(self) -> float:
        """Width in ln η down to which brackets are narrowed."""
        return log1p(self.tolerance)

    @property
    def max_trials(self) -> int:
        """No search needs more trials, whatever their verdicts.

        With t = ln(1 + tolerance), f = ln(factor), R = ln(eta_max / eta_min) and k rates a question: scans take at most
        R/f + 1 successful or searching steps up and as many down; every opening of a bracket takes at most k failing
        steps, log(max(f, 2t) / t) / log(k + 1) divisions and the probes; and every reopening raises the largest success
        by at least t, so there are at most R/t of them. A profile opens once, and its grid is its only division.
        """
        span = log(self.eta_max / self.eta_min)
        scan_steps = 2 * (ceil(span / log(self.factor)) + 2) + self.at_once
        divisions = self._divisions * self.at_once
        if self.method == "profile":
            return scan_steps + divisions + self.at_once + ZONE_POINTS[1]
        openings = floor(span / self.ln_tolerance) + 2
        return scan_steps + divisions + openings * (self.at_once + divisions + self.n_probes)

    @property
    def typical_trials(self) -> int:
        """Trials of a search whose start is within two factors of η* and whose edge is clean: an estimate for plans."""
        if self.method == "profile":
            return COARSE_POINTS + ZONE_POINTS[1]
        return max(3, self.at_once) + (self._divisions - 1) * self.at_once + self.n_probes

    @property
    def n_probes(self) -> int:
        """Rates above the final bracket that are looked at before the search closes."""
        return max(2, self.at_once)

    @property
    def _divisions(self) -> int:
        return ceil(log2(max(log(self.factor) / self.ln_tolerance, 2.0)) / log2(self.at_once + 1)) + 1


@dataclass(frozen=True)
class Boundary:
    """What a search has learnt of a net; final once the search is closed."""

    eta_star: float | None  # largest success
    first_failure: float | None  # smallest failure above the lowest success
    bracket: tuple[
        float | None, float | None
    ]  # last success and the failure above it; before a success: slow, unstable
    eta_area: float | None  # end of the plateau, moved up by the successful part of ln η above it
    zone_octaves: float | None  # log2 of the last success over the end of the plateau; 0 where the edge is clean
    reversals: int  # failures followed by a success, going up from the lowest success
    trials: int
    censored: str | None  # None | "none" no rate succeeds | "at_min" | "at_max"
    reason: str | None  # a sentence when censored


@dataclass(frozen=True)
class _End:
    """Why a walk ended."""

    censored: str | None = None
    reason: str | None = None


class Search:
    """One net's search: `ask` for rates, `tell` verdicts, until `ask` returns nothing."""

    def __init__(self, spec: SearchSpec, start_eta: float) -> None:
        """Start at ``start_eta``, moved into the range. Raises ValueError unless it is positive (infinity is)."""
        if isnan(start_eta) or start_eta <= 0.0:
            raise ValueError(f"start_eta is {start_eta}; use a positive number")
        self.spec = spec
        self.round = 0
        """Number of the current question, from 0; the number of all questions once closed."""
        self._told: dict[float, str] = {}
        self._known: dict[float, str] = {}  # answers to questions that are complete
        self._end: _End | None = None
        self._walk = _walk(spec, start_eta, self._known)
        self._question = next(self._walk)

    @property
    def closed(self) -> bool:
        """Whether no question is left."""
        return self._end is not None

    def ask(self) -> tuple[float, ...]:
        """Learning rates wanted now, ascending: those of the current question that are unanswered. Empty: closed."""
        return tuple(eta for eta in self._question if eta not in self._told)

    def tell(self, eta: float, verdict: str) -> None:
        """Take a trial's verdict, in any order. "failed" is the machine's fault: the rate is asked for again.

        Raises ValueError for a verdict that no search gives and for one that contradicts an earlier answer.
        """
        if verdict == "failed":
            return
        if verdict not in EVIDENCE:
            raise ValueError(f"verdict {verdict!r} has no meaning in a search; use one of {', '.join(EVIDENCE)}")
        if self._told.setdefault(eta, verdict) != verdict:
            raise ValueError(f"eta = {eta!r} was {self._told[eta]!r} and cannot become {verdict!r}")
        while self._end is None and not self.ask():
            self._known.update((eta, self._told[eta]) for eta in self._question)
            self.round += 1
            try:
                self._question = next(self._walk)
            except StopIteration as stop:
                self._question = ()
                self._end = stop.value

    def boundary(self) -> Boundary:
        """What is known now, with the answers to an unfinished question."""
        answered = {eta: self._told[eta] for eta in self._question if eta in self._told}
        return _boundary(self._known | answered, self._end or _End())


# The walk -------------------------------------------------------------------------------------------------------------

_Known = Mapping[float, str]
_Walk = Generator[tuple[float, ...], None, _End]


def _walk(spec: SearchSpec, start_eta: float, known: _Known) -> _Walk:
    """Yield questions; ``known`` holds the answers to all of them whenever the walk goes on."""
    end = yield from _find_success(spec, start_eta, known)
    if end is None and spec.method == "profile":
        return (yield from _profile(spec, known))
    while end is None:
        end = yield from _narrow(spec, known)
        if end is not None:
            break
        best = _last_success(known)
        probes = _probes(spec, known)
        if probes:
            yield probes
        if _last_success(known) == best:
            end = _End()
    return end


def _find_success(spec: SearchSpec, start_eta: float, known: _Known) -> Generator[tuple[float, ...], None, _End | None]:
    """Look for any success: up from too slow, down from unstable, between the two, and at last down to eta_min.

    The last walk is for rates above the band that look too slow: an unstable training may end a little below its
    initial loss, and the search must not say that no rate succeeds before it has looked below.
    """
    start = min(max(start_eta, spec.eta_min), spec.eta_max)
    above = spec.at_once // 2
    yield (*_down(spec, start, spec.at_once - 1 - above), start, *_up(spec, start, above))
    while _last_success(known) is None:
        slow, unstable = _band(known)
        if unstable is None and slow is not None:
            if slow >= spec.eta_max:
                remedy = "give more epochs or raise eta_max"
                nowhere = f"no success up to eta_max = {spec.eta_max:g}, where it is still too slow; {remedy}"
                return (yield from _descend(spec, known, nowhere))
            yield _up(spec, slow, spec.at_once)
        elif unstable is not None and slow is None:
            if unstable <= spec.eta_min:
                return _End("at_min", f"unstable at every rate down to eta_min = {spec.eta_min:g}; lower eta_min")
            yield _down(spec, unstable, spec.at_once)
        elif unstable is not None and slow is not None:
            if unstable / slow <= 1.0 + spec.tolerance:
                band = f"no success: too slow up to {slow:.4g}, unstable from {unstable:.4g}"
                return (yield from _descend(spec, known, f"{band}; give more epochs or a lower tolerance"))
            yield _between(slow, unstable, spec.at_once)
    return None


def _descend(spec: SearchSpec, known: _Known, nowhere: str) -> Generator[tuple[float, ...], None, _End | None]:
    """Geometric steps down from the lowest rate tried; without any success, ``nowhere`` is the answer."""
    while _last_success(known) is None:
        lowest = min(known)
        if lowest <= spec.eta_min:
            return _End("none", nowhere)
        yield _down(spec, lowest, spec.at_once)
    return None


def _narrow(spec: SearchSpec, known: _Known) -> Generator[tuple[float, ...], None, _End | None]:
    """Scan up until a failure above the largest success is known, then divide their bracket down to the tolerance."""
    while True:
        end = yield from _find_failure(spec, known)
        low, high = _bracket(known)
        if end is not None or high is None or high / low <= 1.0 + spec.tolerance:
            return end
        yield _between(low, high, spec.at_once)


def _find_failure(spec: SearchSpec, known: _Known) -> Generator[tuple[float, ...], None, _End | None]:
    """Scan up until a failure above the largest success is known."""
    while True:
        low, high = _bracket(known)
        if low >= spec.eta_max:
            return _End("at_max", f"still succeeds at eta_max = {spec.eta_max:g}; raise eta_max")
        if high is not None:
            return None
        yield _up(spec, low, spec.at_once)


def _profile(spec: SearchSpec, known: _Known) -> _Walk:
    """One grid in ln η over the zone, from the end of the plateau to the failure above the largest success."""
    end = yield from _find_failure(spec, known)
    if end is not None:
        return end
    _, high = _bracket(known)
    low = _plateau_end(known)
    assert high is not None
    fewest, most = ZONE_POINTS
    wanted = ceil(log(high / low) / spec.ln_tolerance) - 1
    grid = _between(low, high, min(max(wanted, fewest), most))
    yield _unknown(grid, known)
    return _End()


def _probes(spec: SearchSpec, known: _Known) -> tuple[float, ...]:
    """Rates at two, four, ... bracket widths (in ln η) above the first failure over the largest success.

    A bracket counts as at least half the tolerance wide: otherwise neighbours that happen to lie close together would
    make reopenings that gain almost nothing.
    """
    low, high = _bracket(known)
    if high is None:
        return ()
    width = max(log(high / low), 0.5 * spec.ln_tolerance)
    room = log(spec.eta_max / high) / width  # in bracket widths; without it, far probes would overflow
    rates = (high * exp(2.0 * i * width) for i in range(1, spec.n_probes + 1) if 2.0 * i < room + 1.0)
    return _unknown((eta for eta in rates if eta <= spec.eta_max), known)


def _unknown(rates: Iterable[float], known: _Known) -> tuple[float, ...]:
    """Without those that fall on a known rate, up to rounding: grids and steps may share places."""
    return tuple(eta for eta in rates if all(abs(log(eta / other)) > 0.1 * MIN_TOLERANCE for other in known))


def _up(spec: SearchSpec, eta: float, count: int) -> tuple[float, ...]:
    """Up to ``count`` geometric steps above ``eta``; the last is eta_max where they reach it."""
    return tuple(_steps(eta, spec.factor, spec.eta_max, count))


def _down(spec: SearchSpec, eta: float, count: int) -> tuple[float, ...]:
    """Up to ``count`` geometric steps below ``eta``, ascending; the first is eta_min where they reach it."""
    return tuple(reversed([*_steps(eta, 1.0 / spec.factor, spec.eta_min, count)]))


def _steps(eta: float, factor: float, limit: float, count: int) -> Iterator[float]:
    for _ in range(count):
        if eta == limit:
            return
        eta = min(eta * factor, limit) if factor > 1.0 else max(eta * factor, limit)
        yield eta


def _between(low: float, high: float, count: int) -> tuple[float, ...]:
    """``count`` rates that divide the bracket evenly in ln η; different ones where doubles lie close together."""
    if count == 1:
        return (sqrt(low) * sqrt(high),)  # without overflow
    step = log(high / low) / (count + 1)
    rates = dict.fromkeys(low * exp(i * step) for i in range(1, count + 1))
    return tuple(eta for eta in rates if low < eta < high)


def _successes(known: _Known) -> list[float]:
    return [eta for eta, verdict in known.items() if is_success(verdict)]


def _last_success(known: _Known) -> float | None:
    return max(_successes(known), default=None)


def _band(known: _Known) -> tuple[float | None, float | None]:
    """Largest too-slow rate below the smallest unstable one, and that one, while there is no success."""
    unstable = min((eta for eta, verdict in known.items() if not is_too_slow(verdict)), default=None)
    slow = (eta for eta, verdict in known.items() if is_too_slow(verdict) and (unstable is None or eta < unstable))
    return max(slow, default=None), unstable


def _bracket(known: _Known) -> tuple[float, float | None]:
    """Largest success and the smallest failure above it, if any is known; there must be a success."""
    low = max(_successes(known))
    return low, min((eta for eta in known if eta > low), default=None)


# What was learnt ------------------------------------------------------------------------------------------------------


def _boundary(known: _Known, end: _End) -> Boundary:
    if not _successes(known):
        return Boundary(None, None, _band(known), None, None, 0, len(known), end.censored, end.reason)
    last, failure_above = _bracket(known)
    rising, succeeded = _rising(known)
    first = succeeded.index(False) if False in succeeded else len(rising)
    return Boundary(
        eta_star=last,
        first_failure=rising[first] if first < len(rising) else None,
        bracket=(last, failure_above),
        eta_area=None if failure_above is None else _area(rising[first - 1 :], succeeded[first - 1 :]),
        zone_octaves=log2(last / rising[first - 1]),
        reversals=sum(up and not below for below, up in pairwise(succeeded)),
        trials=len(known),
        censored=end.censored,
        reason=end.reason,
    )


def _rising(known: _Known) -> tuple[list[float], list[bool]]:
    """Rates from the lowest success up, and whether they succeeded; what lies below is the slow side."""
    rising = sorted(eta for eta in known if eta >= min(_successes(known)))
    return rising, [is_success(known[eta]) for eta in rising]


def _plateau_end(known: _Known) -> float:
    """Last success before the first failure, going up from the lowest success; there must be both."""
    rising, succeeded = _rising(known)
    return rising[succeeded.index(False) - 1]


def _area(rates: list[float], succeeded: list[bool]) -> float:
    """Rate at which a clean edge would have the same measure of success in ln η.

    Every rate stands for the stretch up to the middles between it and its neighbours (midpoint rule).
    """
    measure = 0.0
    for (low, low_ok), (high, high_ok) in pairwise(zip(rates, succeeded, strict=True)):
        measure += 0.5 * (low_ok + high_ok) * log(high / low)
    return rates[0] * exp(measure)
