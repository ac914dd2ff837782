"""How much training nets take: the part of its steps that a training does, and how many trainings a net wants.

The part is (what trainings at this place among those of their net usually do) x (what this cell does beside that), the
latter a plane over the cells (`planes`). Trainings that run, and nets that go on, count with what is expected of them:
those that end first are the short ones.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mlrtui.driver.planes import Features, Likely, Plane
from mlrtui.driver.traits import Traits

__all__ = ["NET_SD", "Lane", "Left", "Needs", "NetLeft", "OfCell"]

_NEEDS = {
    "all": Likely(0.0, 0.05),  # the level is that of `_Places`
    "width": Likely(-0.25, 0.2),  # of two nets the wider learns in fewer epochs
    "depth": Likely(0.0, 0.2),
}
_NEEDS_KIND = Likely(0.0, 0.3)
_NEEDS_OWN = 0.25
_TRAINING_SD = 0.7  # of ln(part of its steps that one training of a cell does)


def _needs_prior(name: str) -> Likely:
    """Of a coefficient of the plane of `Needs`, by the name of its feature."""
    return _NEEDS.get(name, _NEEDS_KIND)


def _scan_prior(name: str) -> Likely:
    """The same of a scan, whose trainings do all their steps unless they diverge."""
    return Likely(0.0, _needs_prior(name).sd / 3)


_BINS = 50  # of the parts of a training's steps
_PRIOR_PART, _PRIOR_TRAININGS = 0.4, 3.0
"""Part of its steps that a training of a search does, as if so many had been seen: those that learn end early, those
that do not are pruned."""

_COUNTS = {"all": Likely(0.0, 0.05), "width": Likely(0.0, 0.05), "depth": Likely(0.0, 0.15)}
_COUNTS_KIND = Likely(0.0, 0.1)
_COUNTS_OWN = 0.1
"""Of ln(trainings of a net / those of all that are searched by the same rules)."""

_PLACE_TRAININGS = 1.0  # of any place, as if so many had been seen where a training of a net stands among its others
_COUNT_SD, _COUNT_NETS = 0.25, 2.0
"""Spread of ln(trainings of a net / typical ones), as if so many nets had been seen."""

NET_SD = 0.3  # of ln(what a net takes), between seeds of one cell


class Lane(NamedTuple):
    """A training that runs: its place among those of its net, and the part of its steps that it has done."""

    place: int
    part: float


class Left(NamedTuple):
    """What a net still takes: trainings to begin, and their steps, in whole trainings."""

    trainings: float
    parts: float


class NetLeft(NamedTuple):
    """A net that is not done: whether λ₀ is to be measured, trainings told, and those that run.

    ``more``: trainings that are expected besides, where that is known from elsewhere, as of the rows of a map.
    """

    probe: bool
    told: int
    running: tuple[Lane, ...] = ()
    more: float | None = None


@dataclass
class _Places:
    """Of nets that are searched by the same rules: what a training does by its place among those of its net.

    Sums are by place and cell.
    """

    typical: int
    parts: dict[tuple[int, int], tuple[int, float]] = field(default_factory=dict)
    ended: Counter[int] = field(default_factory=Counter)  # nets by the number of their trainings
    mean: list[float] = field(default_factory=list)  # part of a training at a place
    left: list[Left] = field(default_factory=list)  # of a net that has had so many, and wants at least one more
    ends: list[float] = field(default_factory=list)  # chance that a net that has had so many is done

    def add(self, place: int, cell: int, part: float) -> None:
        count, total = self.parts.get((place, cell), (0, 0.0))
        self.parts[place, cell] = count + 1, total + part


@dataclass
class _Done:
    """Nets of a cell that are done, and the parts of all their trainings."""

    cell: Traits
    nets: int = 0
    trainings: int = 0  # with those that cost nothing
    parts: float = 0.0
    places: Counter[int] = field(default_factory=Counter)  # of the trainings


class OfCell(NamedTuple):
    """What is expected of the trainings of a cell."""

    cell: Traits
    shape: Features
    factor: float  # how many times as much as usual they do
    sd: float  # of its logarithm
    part: float  # of its steps that one does


class Needs:
    """Which part of its steps a training does, and how many trainings a net takes. ``scan``: their number is known."""

    def __init__(self, scan: bool) -> None:
        self.scan = scan
        self._bins = [(0, 0.0)] * _BINS  # trainings that have ended, by the part that they did
        self._by_rules: dict[int, _Places] = {}
        self._traits: dict[int, Traits] = {}  # of all cells that were trained
        self._nets: dict[int, tuple[Traits, dict[int, float]]] = {}  # that are not done: parts by place
        self._done: dict[int, _Done] = {}  # by cell
        self._plane = Plane(_scan_prior if scan else _needs_prior, _NEEDS_OWN)
        self._counts = Plane(lambda name: _COUNTS.get(name, _COUNTS_KIND), _COUNTS_OWN)
        self._usual = 1.0 if scan else _PRIOR_PART
        self._seen = 0.0  # trainings
        self.nets_done = 0

    def next_place(self, net: int, told: int) -> int:
        """Where a training stands among those of its search of which so many were told; some of them cost nothing."""
        return max(told, 1 + max(self._nets[net][1], default=-1)) if net in self._nets else told

    def trained(self, cell: Traits, net: int, place: int, part: float) -> None:
        """A training has ended that did this part of its steps; ``place``: among those of its net."""
        at = min(int(part * _BINS), _BINS - 1)
        self._bins[at] = self._bins[at][0] + 1, self._bins[at][1] + part
        self._places(cell).add(place, cell.cell, part)
        self._traits[cell.cell] = cell
        self._nets.setdefault(net, (cell, {}))[1][place] = part

    def ended(self, net: int) -> None:
        """A net is done."""
        cell, parts = self._nets.pop(net, (None, {}))
        if cell is None or not any(parts.values()):
            return
        self.nets_done += 1
        self._places(cell).ended[max(parts) + 1] += 1
        done = self._done.setdefault(cell.cell, _Done(cell))
        done.nets += 1
        done.trainings += max(parts) + 1
        done.parts += sum(parts.values())
        done.places.update(parts.keys())

    def to_end(self, part: float) -> float:
        """The part at which a training ends that has come this far: the short ones end first, and do not decide."""
        at = min(int(part * _BINS), _BINS - 1)
        later = self._bins[at + 1 :] if part > 0 else self._bins  # it may wait in its task for others
        return (sum(total for _, total in later) + 1.0) / (sum(count for count, _ in later) + 1)

    def learn(self, running: Iterable[tuple[Traits, Lane]] = ()) -> None:
        """Take in what was told since, and what runs, which is expected to go on as others did."""
        begun = [(cell, place, self.to_end(part)) for cell, (place, part) in running]
        sums: dict[int, dict[tuple[int, int], tuple[int, float]]] = {}
        for rules, places in self._by_rules.items():
            sums[rules] = dict(places.parts)
        for cell, place, part in begun:
            self._traits[cell.cell] = cell
            own = sums.setdefault(self._rules(cell), {})
            count, total = own.get((place, cell.cell), (0, 0.0))
            own[place, cell.cell] = count + 1, total + part
            self._places(cell)
        for _ in range(2 if any(sums.values()) else 1):
            self._learn_places(sums)
            self._learn_cells(begun)

    def of(self, cell: Traits) -> OfCell:
        """What is expected of a cell, until more is taken in."""
        shape = cell.shape
        found = self._plane.at(cell.cell, shape)
        factor = math.exp(found.mean)
        return OfCell(cell, shape, factor, found.sd, min(self._usual * factor, 1.0))

    def left(self, one: OfCell, net: NetLeft) -> Left:
        """What a net still takes beside what runs."""
        if net.more is not None:
            return Left(net.more, net.more * one.part)
        places, had = self._places(one.cell), net.told + len(net.running)
        if self.scan:
            means = [min(self._mean(places, place) * one.factor, 1.0) for place in range(had, places.typical)]
            return Left(len(means), sum(means))
        found = self._after(places, had)
        own = math.exp(self._counts.at(one.cell.cell, one.shape).mean) - 1.0  # so many times as many besides
        trainings = max(found.trainings + own * self._after(places, 0).trainings, 1.0)
        if net.running:  # it may be done with them
            trainings *= 1.0 - places.ends[min(had, len(places.ends) - 1)]
        return Left(trainings, trainings * min(found.parts / found.trainings * one.factor, 1.0))

    def lean(self, direction: dict[str, float], one: OfCell, part: float) -> None:
        """Add to a direction of the plane (`Plane.spread`) a part of a sum of such trainings."""
        self._plane.lean(direction, one.cell.cell, one.shape, part)

    def common(self, direction: Mapping[str, float]) -> float:
        """The spread of the logarithm of a sum that all its parts have in common, see `lean`."""
        level = 0.0 if self.scan else _COUNT_SD / math.sqrt(1 + self.nets_done)
        prior = 1.0 if self.scan else _PRIOR_TRAININGS
        return math.hypot(self._plane.spread(direction), level, _TRAINING_SD / math.sqrt(prior + self._seen))

    def ends_at(self, lane: Lane) -> float:
        """The part at which one that runs ends."""
        return max(self.to_end(lane.part), lane.part)

    # --- learning ----------------------------------------------------------------------------------------------

    def _rules(self, cell: Traits) -> int:
        return cell.cost.trainings

    def _places(self, cell: Traits) -> _Places:
        rules = self._rules(cell)
        found = self._by_rules.get(rules)
        if found is None:
            found = self._by_rules[rules] = _Places(cell.cost.trainings)
        return found

    def _mean(self, places: _Places, place: int) -> float:
        return places.mean[place] if place < len(places.mean) else self._usual

    def _learn_places(self, sums: dict[int, dict[tuple[int, int], tuple[int, float]]]) -> None:
        factors = {cell: self.of(one).factor for cell, one in self._traits.items()}
        count = total = self._seen = 0.0
        for own in sums.values():
            for (_, cell), (number, parts) in own.items():
                count += number * factors[cell]
                total += parts
                self._seen += number
        prior, weight = (1.0, 1.0) if self.scan else (_PRIOR_PART, _PRIOR_TRAININGS)
        self._usual = (total + weight * prior) / (count + weight)
        for rules, places in self._by_rules.items():
            own = sums.get(rules, {})
            size = 1 + max((place for place, _ in own), default=-1)
            counts, totals = [_PLACE_TRAININGS] * size, [_PLACE_TRAININGS * self._usual] * size
            for (place, cell), (number, parts) in own.items():
                counts[place] += number * factors[cell]
                totals[place] += parts
            places.mean = [one / other for one, other in zip(totals, counts, strict=True)]
            if not self.scan:
                self._learn_counts(places)

    def _learn_counts(self, places: _Places) -> None:
        """What is left of a net after so many trainings, from how many others took."""
        most = 3 * max(places.typical, *places.ended, 1)
        typical = math.log(places.typical)
        weights = [0.0] + [math.exp(-0.5 * ((math.log(n) - typical) / _COUNT_SD) ** 2) for n in range(1, most + 1)]
        scale = _COUNT_NETS / sum(weights)
        ends = [weight * scale + places.ended[n] for n, weight in enumerate(weights)]
        at_risk = [0.0] * (most + 2)  # nets that took at least so many
        for n in range(most, -1, -1):
            at_risk[n] = at_risk[n + 1] + ends[n]
        for cell, parts in self._nets.values():  # nets that are not done count as long as they have been trained
            if self._rules(cell) == places.typical and parts:
                for n in range(1, min(max(parts), most) + 1):
                    at_risk[n] += 1
        places.ends = [ends[n] / at_risk[n] if at_risk[n] > 0 else 1.0 for n in range(most + 1)]
        places.left = [Left(1.0, self._usual)] * (most + 1)
        for n in range(most - 1, -1, -1):
            again, after = 1.0 - places.ends[n + 1], places.left[n + 1]
            places.left[n] = Left(1.0 + again * after.trainings, self._mean(places, n) + again * after.parts)

    def _after(self, places: _Places, had: int) -> Left:
        if not places.left:
            self._learn_counts(places)
        return places.left[min(had, len(places.left) - 1)]

    def _learn_cells(self, begun: Iterable[tuple[Traits, int, float]]) -> None:
        """How much the trainings of each cell do, beside what those at the same places usually do."""
        found: dict[int, list[float]] = {}  # by cell: done, usual, trainings

        def add(cell: Traits, done: float, usual: float, count: float) -> None:
            own = found.setdefault(cell.cell, [0.0, 0.0, 0.0])
            own[0] += done
            own[1] += usual
            own[2] += count

        for done in self._done.values():
            places = self._places(done.cell)
            usual = sum(self._mean(places, place) * count for place, count in done.places.items())
            add(done.cell, done.parts, usual, sum(done.places.values()))
        for cell, parts in self._nets.values():
            places = self._places(cell)
            add(cell, sum(parts.values()), sum(self._mean(places, one) for one in parts), len(parts))
        for cell, place, part in begun:
            add(cell, part, self._mean(self._places(cell), place), 1)
        for number, (total, usual, count) in found.items():
            if count:
                value = math.log((total + 0.5 * self._usual) / (usual + 0.5 * self._usual))
                self._plane.see(number, self._traits[number].shape, value, _TRAINING_SD**2 / count)
        if not self.scan:
            self._learn_counts_of_cells()

    def _learn_counts_of_cells(self) -> None:
        """How many trainings nets of each cell take beside the usual number, also those that are far but not done."""
        found = {number: (done.cell, done.nets, float(done.trainings)) for number, done in self._done.items()}
        for cell, parts in self._nets.values():
            places, had = self._places(cell), max(parts, default=-1) + 1
            if had >= self._after(places, 0).trainings / 2:
                _, nets, trainings = found.get(cell.cell, (cell, 0, 0.0))
                more = (1.0 - places.ends[min(had, len(places.ends) - 1)]) * self._after(places, had).trainings
                found[cell.cell] = cell, nets + 1, trainings + had + more
        for number, (cell, nets, trainings) in found.items():
            ratio = trainings / nets / self._after(self._places(cell), 0).trainings
            self._counts.see(number, cell.shape, math.log(ratio), _COUNT_SD**2 / nets)
