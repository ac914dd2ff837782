"""How long a sweep still takes: one model for `--dry-run`, the driver, and whatever shows what the driver says.

A training takes (arithmetic of all its steps) x (how slow this machine is for such a cell) x (the part of its steps
that it does before it ends). The first is `sharing.costs_of`. The other two are learnt, each as a plane over the cells
(`planes`): `Pace` from steps and seconds, `needs.Needs` from trainings that end. How many trainings a net wants is
known of a scan; of a search it is learnt from those that are done. No clock and no store: times come with what is told.

The interval holds in about 8 of 10 cases. It is made of what is not known: the coefficients of both planes, what single
cells and nets depart from them by, and the number of trainings.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlrtui.driver.needs import NET_SD, Needs, NetLeft
from mlrtui.driver.planes import Features, Likely, Plane
from mlrtui.driver.traits import Traits

__all__ = ["CellLeft", "Forecast", "Pace", "Workers", "forecast"]

_FEW = 8  # trainings a worker: of fewer it matters who takes which
_SIDES = 1.2816  # of a normal distribution: 8 of 10 lie within so many standard deviations
_FLOOR_SD = 0.06  # a machine is not as fast at every moment

_PACE = {
    "machine": Likely(-0.3, 0.7),  # before anything was measured: a factor of 2.5 both ways in 8 of 10
    "probe": Likely(0.0, 0.2),
    "training": Likely(0.1, 0.3),  # each task and each training has its own start, which the guess leaves out
    "size": Likely(-0.15, 0.1),  # large nets use a processor better than the guess says
    "probe size": Likely(-0.1, 0.1),
}
_PACE_UNKNOWN = {
    "machine": Likely(0.0, 5.0),
    "training": Likely(0.0, 1.0),
    "size": Likely(-0.4, 0.3),
    "probe size": Likely(-0.4, 0.3),
}
"""Where the guess knows of the shape alone, as of a factory's nets."""
_PACE_KIND = Likely(0.0, 0.2)
_PACE_OWN = 0.2
_RECORD_SD = 0.4  # of ln(seconds / guessed) of one record


@dataclass(frozen=True)
class Forecast:
    """Seconds to the end, and the interval in which it lies in about 8 of 10 cases."""

    seconds: float
    low: float
    high: float


@dataclass
class _Spent:
    seconds: float = 0.0
    guessed: float = 0.0
    records: int = 0


class Slowness(NamedTuple):
    """How many times as long as guessed one kind of a cell's work takes."""

    key: object
    features: Features
    factor: float
    sd: float  # of its logarithm, beside what all cells have in common


class Pace:
    """How many times as long as guessed work takes here, by cell; ``guessed``: the guess is more than a shape."""

    def __init__(self, guessed: bool) -> None:
        self._guessed = guessed
        self._spent: dict[tuple[int, bool], _Spent] = {}
        priors = _PACE if guessed else _PACE | _PACE_UNKNOWN
        self._plane = Plane(lambda name: priors.get(name, _PACE_KIND), _PACE_OWN)

    @property
    def known(self) -> bool:
        """There is something to go by."""
        return self._guessed or bool(self._plane)

    def add(self, cell: Traits, seconds: float, guessed: float, *, probe: bool = False, first: bool = False) -> None:
        """A worker has spent so many seconds on what was guessed to take ``guessed``; 0: on what comes with it.

        ``first``: it is a worker's first record of this kind of work, which includes importing or compiling code; it
        is a bound, and counts where the work was faster even so than was expected.
        """
        if first and not 0 < seconds < guessed * self.of(cell, probe=probe).factor:
            return
        spent = self._spent.setdefault((cell.cell, probe), _Spent())
        spent.seconds += seconds
        spent.guessed += guessed
        spent.records += guessed > 0
        if spent.seconds > 0 and spent.guessed > 0:
            value = math.log(spent.seconds / spent.guessed)
            self._plane.see((cell.cell, probe), cell.work(probe), value, _RECORD_SD**2 / spent.records)

    def of(self, cell: Traits, *, probe: bool = False) -> Slowness:
        """What is expected of a cell's work, until more is added."""
        key, features = (cell.cell, probe), cell.work(probe)
        found = self._plane.at(key, features)
        return Slowness(key, features, math.exp(found.mean), found.sd)

    def lean(self, direction: dict[str, float], one: Slowness, part: float) -> None:
        """Add to a direction of the plane (`Plane.spread`) a part of a sum of such work."""
        self._plane.lean(direction, one.key, one.features, part)

    def common(self, direction: Mapping[str, float]) -> float:
        """The spread of the logarithm of a sum that all its parts have in common."""
        return self._plane.spread(direction)


class CellLeft(NamedTuple):
    """What is left of a cell."""

    traits: Traits
    nets: Sequence[NetLeft]


class Workers(NamedTuple):
    """Who does the work."""

    number: int
    lanes: float = 1.0  # of a task, on average
    side_by_side: bool = False  # lanes of a task cost little more than one, as on a GPU
    waited: float = 0.0  # s, of all together: for a first sign of workers that start, load code or compile it

    @property
    def idle_at_the_end(self) -> float:
        """Trainings of a last task for which the others wait, on average; CPU workers share the last ones."""
        return (self.number - 1) / self.number * (self.lanes if self.side_by_side else 1.0)


def _in_parallel(pieces: Sequence[float], workers: int) -> float:
    """The time that so many workers take, each of which takes the next piece once it is free."""
    free = [0.0] * workers
    for piece in pieces:
        heapq.heapreplace(free, free[0] + piece)
    return max(free)


def forecast(cells: Iterable[CellLeft], pace: Pace, needs: Needs, slots: Workers) -> Forecast | None:
    """The time until all of these cells are done.

    Args:
        cells: what is left.
        pace: how slow the workers are.
        needs: what nets take.
        slots: that share the work.

    Returns:
        None where nothing is known yet.
    """
    cells = [cell for cell in cells if cell.nets]
    if not pace.known or slots.number < 1:
        return None
    needs.learn((cell.traits, lane) for cell in cells for net in cell.nets for lane in net.running)
    of_pace: dict[str, float] = {}
    of_needs: dict[str, float] = {}
    pieces: list[float] = []  # seconds of the trainings of a scan, which wait for nothing
    work = variance = chain = last = 0.0
    for cell in cells:
        one, cost = cell.traits, cell.traits.cost
        slow, slow_probe, wants = pace.of(one), pace.of(one, probe=True), needs.of(one)
        each, start, probe = cost.training * slow.factor, cost.start * slow.factor, cost.probe * slow_probe.factor
        last = max(last, start + each * wants.part)
        here = measuring = 0.0
        for net, times in Counter(cell.nets).items():  # many are alike
            begun = sum((needs.ends_at(lane) - lane.part) * each + (not lane.part) * start for lane in net.running)
            trainings, parts = needs.left(wants, net)
            left = trainings * start + parts * each
            here += times * (begun + left)
            measuring += times * probe * net.probe
            variance += times * (NET_SD * left) ** 2
            if needs.scan and not slots.side_by_side and len(pieces) <= _FEW * slots.number:
                pieces += [begun / (len(net.running) or 1)] * len(net.running)
                pieces += [(left + probe * net.probe) / (trainings or 1.0)] * round(trainings) * times
            at_once = cost.trainings / cost.questions
            together = max(at_once if slots.side_by_side else min(at_once, slots.number), 1.0)
            in_turn = left / together + (begun / len(net.running) if net.running else 0.0)
            chain = max(chain, in_turn * (slots.lanes if slots.side_by_side else 1.0) + probe * net.probe)
        work += here + measuring
        pace.lean(of_pace, slow, here)
        pace.lean(of_pace, slow_probe, measuring)
        needs.lean(of_needs, wants, here)
        variance += (math.hypot(slow.sd, wants.sd) * here) ** 2 + (slow_probe.sd * measuring) ** 2
    if work <= 0:
        return Forecast(0.0, 0.0, 0.0)
    if slots.number == 1:
        seconds = work
    elif pieces and len(pieces) <= _FEW * slots.number:
        seconds = _in_parallel(pieces, slots.number)
    else:
        seconds = max(work / slots.number + min(slots.idle_at_the_end * last, work / slots.number), chain)
    of_pace, of_needs = ({name: part / work for name, part in one.items()} for one in (of_pace, of_needs))
    common = math.hypot(pace.common(of_pace), needs.common(of_needs))
    sd = math.sqrt(_FLOOR_SD**2 + common**2 + variance / work**2)
    factor = math.exp(_SIDES * min(sd, 2.0))
    # What has lasted so long lasts about as long again: of 8 in 10, between a quarter and four times of it.
    wait = slots.waited / slots.number
    return Forecast(seconds + wait, seconds / factor + wait / 4, seconds * factor + wait * 4)
