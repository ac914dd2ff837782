"""How long a sweep still takes: one model for `--dry-run`, the driver, and whatever shows what the driver says.

Before anything runs, a net costs what `sharing.costs_of` says: a guess from arithmetic. From the first records on three
things are learnt: how many times as long as guessed a step (or λ₀) takes on these devices, by cell; which part of its
steps a training does before it ends; how much training the nets that are done took, after each number of trainings.
No clock and no store: times come with what is told.

The interval holds in about 8 of 10 cases. It is made of what is not known: the cost of cells that nobody has trained
yet, the number of trainings of searches, and what the first samples of either say of the rest.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlrtui.driver.sharing import Cost

__all__ = ["CellLeft", "Forecast", "Needs", "NetLeft", "Pace", "Workers", "forecast"]

_GUESS_SD = 0.8
"""Spread of ln(true / guessed) over machines, before anything was measured: a factor of 2.8 both ways in 8 of 10."""

_CELL_SD = 0.35
"""The same between cells of one sweep on one machine, for a cell that nobody has trained yet."""

_SLOPE, _SLOPE_WEIGHT = -0.25, 2.0
"""Of true / guessed over the size of the work, in logarithms: large nets use a processor better than the guess says."""

_LIKE = 1.3
"""Of trainings before any has begun: how many times as slow they are against their guess as λ₀ is against its own. In
four examples 1.2 to 1.4; each task and each training has its own start, which the guess leaves out."""

_LIKE_SD = 0.7
"""What is left of the spread of a guess once the factor of the same machine is known for other work."""

_FLOOR_SD = 0.06  # a machine is not as fast at every moment
_SIDES = 1.2816  # of a normal distribution: 8 of 10 lie within so many standard deviations

_BINS = 50  # of the parts of a training's steps
_PRIOR_PART = 0.4
"""Part of its steps that a training of a search does: those that learn end early, those that do not are pruned.
From six examples (0.15 to 0.5); what a sweep itself shows soon outweighs it."""

_OWN = 4.0  # trainings of a cell after which its own part counts as much as that of all

_PART_SLOPE, _PART_WEIGHT = -0.1, 8.0
"""Of that part over the width, in logarithms: of two nets of one depth the wider learns in fewer epochs. The weight is
that of eight cells whose widths lie a factor of e from their middle: with less, deep nets at the end of a grid are
foreseen too short.
"""

_PRIOR_WEIGHT = 2.0  # as of so many trainings
_PRIOR_NETS = 1.0  # as of so many nets that are done
_NET_SD = 0.35  # relative, of what is left of a net before any is done


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
    size: float = 1.0  # what one piece of its work is guessed to take

    @property
    def known(self) -> bool:
        return self.guessed > 0 and self.seconds > 0

    @property
    def ln(self) -> float:
        return math.log(self.seconds / self.guessed)


class Pace:
    """How many times as long as guessed one kind of work takes, by cell.

    Args:
        guessed: the guess means something.
        like: the pace of other work on the same devices, which says something of this one before it begins.
    """

    def __init__(self, guessed: bool, like: "Pace | None" = None) -> None:
        self._guessed, self._like = guessed, like
        self._cells: dict[int, _Spent] = {}
        self._all = _Spent()
        self._line: tuple[float, float, float] | None = None

    @property
    def known(self) -> bool:
        """There is something to go by."""
        return self._guessed or self._all.guessed > 0

    @property
    def is_measured(self) -> bool:
        """Something of it was measured, so that it is more than a guess."""
        return self._all.guessed > 0

    def add_first(self, cell: int, seconds: float, guessed: float, size: float, other: float = 1.0) -> None:
        """The same of a worker's first record of this kind: a bound, since it includes importing or compiling code.

        It counts where the work was faster even so than was expected; ``other`` as for `ratio`.
        """
        if 0 < seconds < guessed * self.ratio(cell, size, other)[0]:
            self.add(cell, seconds, guessed, size)

    def add(self, cell: int, seconds: float, guessed: float, size: float) -> None:
        """A slot has spent so many seconds on what was guessed to take ``guessed``; 0: on what comes with it.

        ``size``: what one net's λ₀, or one training, of this cell is guessed to take.
        """
        for spent in (self._all, self._cells.setdefault(cell, _Spent(size=size or 1.0))):
            spent.seconds += seconds
            spent.guessed += guessed
            spent.records += guessed > 0
        self._line = None

    @property
    def sd(self) -> float:
        """What all cells have in common: the spread of ln(true / guessed) that is left of the machine's."""
        if self._like is not None and not self._all.records:
            return _GUESS_SD * (_LIKE_SD if self._like._all.records else 1.0)
        return _GUESS_SD / math.sqrt(1 + 8 * self._all.records)

    def ratio(self, cell: int, size: float, other: float = 1.0) -> tuple[float, float]:
        """Factor of a cell, and the spread of its logarithm beside what all cells have in common.

        Of a cell that nobody has worked on, by its size on the line through the others; ``other``: its factor for
        another kind of work, which stands in for that line before there is one.
        """
        line = self._through()
        if line is None:
            return other, _CELL_SD
        middle, height, slope = line
        expected = height + slope * (math.log(size or 1.0) - middle)
        own = self._cells.get(cell)
        if own is None or not own.known:
            return math.exp(expected), _CELL_SD
        weight = own.records / (own.records + 1.0)
        return math.exp(weight * own.ln + (1 - weight) * expected), _CELL_SD / math.sqrt(1 + 4 * own.records)

    def _through(self) -> tuple[float, float, float] | None:
        """The line of ln(true / guessed) over ln(size): its middle, its height there, its slope."""
        if self._line is None:
            known = [(math.log(one.size), one.ln, min(one.records, 5) / 5) for one in self._cells.values() if one.known]
            if not known:
                return None
            total = sum(weight for _, _, weight in known)
            x = sum(one * weight for one, _, weight in known) / total
            y = sum(one * weight for _, one, weight in known) / total
            across = sum(weight * (one - x) * (other - y) for one, other, weight in known)
            square = sum(weight * (one - x) ** 2 for one, _, weight in known)
            self._line = x, y, (across + _SLOPE_WEIGHT * _SLOPE) / (square + _SLOPE_WEIGHT)
        return self._line


class _After(NamedTuple):
    """What is left of a net, in whole trainings: mean and variance."""

    mean: float
    variance: float


@dataclass
class _Tally:
    """Of nets that are done: what was left of them after so many trainings."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    ended: int = 0  # of these nets, those that were done with it


class _Parts(NamedTuple):
    """Of a cell: trainings that have ended, the sum of their parts, the width of its nets."""

    trainings: int
    total: float
    width: int


@dataclass
class Needs:
    """How much training nets take. Parts are of a whole training, of all the steps that it may have.

    ``scan``: the number of trainings is known.
    """

    scan: bool
    _parts: list[int] = field(default_factory=lambda: [0] * _BINS)
    _parts_total: list[float] = field(default_factory=lambda: [0.0] * _BINS)
    _trained: dict[int, list[float]] = field(default_factory=dict)  # by net, in the order in which they ended
    _after: list[_Tally] = field(default_factory=list)  # by number of trainings
    done: int = 0  # nets
    _cells: dict[int, _Parts] = field(default_factory=dict)  # by number
    _slope: tuple[float, float] | None = None  # see `_line`; None: it is to be found

    def trained(self, net: int, part: float, told: int, cell: int = 0, width: int = 1) -> None:
        """A training has ended.

        Args:
            net: its number.
            part: of its steps that it did.
            told: how many of its net had ended before, some of which cost nothing.
            cell: the number of the net's.
            width: of the cell's nets.
        """
        own = self._cells.get(cell, _Parts(0, 0.0, width))
        self._cells[cell] = _Parts(own.trainings + 1, own.total + part, width)
        self._slope = None
        at = min(int(part * _BINS), _BINS - 1)
        self._parts[at] += 1
        self._parts_total[at] += part
        history = self._trained.setdefault(net, [])
        history += [0.0] * (told - len(history))
        history.append(part)

    def ended(self, net: int) -> None:
        """A net is done."""
        history = self._trained.pop(net, [])
        if not any(history):
            return
        self.done += 1
        while len(self._after) <= len(history):
            self._after.append(_Tally())
        left = sum(history)
        for told in range(len(history) + 1):
            tally = self._after[told]
            tally.count += 1
            tally.total += left
            tally.squares += left * left
            tally.ended += told == len(history)
            left = max(left - history[told], 0.0) if told < len(history) else 0.0

    def to_end(self, part: float) -> float:
        """The part at which a training ends that has come this far."""
        at = min(int(part * _BINS), _BINS - 1)
        count, total = sum(self._parts[at + 1 :]), sum(self._parts_total[at + 1 :])
        return (total + 1.0) / (count + 1)

    def factor(self, cell: int, width: int = 1, middle: float = 0.0) -> float:
        """The part that trainings of a cell do over that of all that have ended.

        Of a cell that nobody has trained, by its width alone: depth says little (a line over the size of nets foresaw
        half of what deep cells took). ``middle``: of ln(width) of the nets that are left, from which the slope starts
        before any training has ended.
        """
        usual = sum(self._parts_total) / max(sum(self._parts), 1)
        if self.scan:
            return 1.0
        if usual <= 0:
            return math.exp(_PART_SLOPE * (math.log(width) - middle))
        middle, slope = self._line(usual)
        expected = usual * math.exp(slope * (math.log(width) - middle))
        own = self._cells.get(cell, _Parts(0, 0.0, width))
        return min(max((own.total + _OWN * expected) / (own.trainings + _OWN) / usual, 0.3), 2.5)

    def _line(self, usual: float) -> tuple[float, float]:
        """Of ln(part) over ln(width): the middle of the widths that were trained, and the slope."""
        if self._slope is None:
            known = [
                (math.log(one.width), math.log((one.total + _OWN * usual) / (one.trainings + _OWN)), one.trainings)
                for one in self._cells.values()
            ]
            total = sum(count for _, _, count in known)
            middle = sum(x * count for x, _, count in known) / total
            height = sum(y * count for _, y, count in known) / total
            seen = [(x - middle, y - height, count / (count + _OWN)) for x, y, count in known]
            across, square = sum(w * x * y for x, y, w in seen), sum(w * x * x for x, _, w in seen)
            self._slope = middle, (across + _PART_WEIGHT * _PART_SLOPE) / (square + _PART_WEIGHT)
        return self._slope

    def mean_part(self, running: Sequence[float]) -> float:
        """The part of its steps that a training does, where these are running: the short ones end first."""
        known, total = sum(self._parts), sum(self._parts_total)
        prior = 1.0 if self.scan else _PRIOR_PART
        total += sum(map(self.to_end, running)) + _PRIOR_WEIGHT * prior
        return total / (known + len(running) + _PRIOR_WEIGHT)

    def after(self, told: int, cost: Cost, part: float, *, open_: bool, factor: float = 1.0) -> _After:
        """What a net still takes after so many trainings.

        Args:
            told: trainings that have ended.
            cost: of the cell.
            part: of its steps that a training of this cell does.
            open_: it is known to want at least one more.
            factor: that of the cell, for what nets of other cells took.
        """
        expected = max(cost.trainings - told, 1 if open_ else 0) * part
        if self.scan:
            return _After(expected, expected * part * 0.25)
        prior = _After(expected, (_NET_SD * cost.trainings * part) ** 2)
        if told >= len(self._after):
            return prior
        tally = self._after[told]
        count = tally.count - (tally.ended if open_ else 0)
        if count <= 0:
            return prior
        mean = (tally.total * factor + _PRIOR_NETS * prior.mean) / (count + _PRIOR_NETS)
        spread = max(tally.squares / count - (tally.total / count) ** 2, 0.0) * factor**2
        return _After(mean, (count * spread + _PRIOR_NETS * prior.variance) / (count + _PRIOR_NETS))


class NetLeft(NamedTuple):
    """A net that is not done: whether λ₀ is to be measured, trainings told, and how far those are that run."""

    probe: bool
    told: int
    running: tuple[float, ...] = ()


class CellLeft(NamedTuple):
    """What is left of a cell."""

    cell: int
    cost: Cost
    nets: Sequence[NetLeft]


class Workers(NamedTuple):
    """Who does the work."""

    number: int
    lanes: float = 1.0  # of a task, on average
    side_by_side: bool = False  # lanes of a task cost little more than one, as on a GPU
    waited: float = 0.0  # s, of all together: for a first sign of workers that start, load code or compile it

    @property
    def idle_at_the_end(self) -> float:
        """Part of a last task for which the others wait, on average."""
        return (self.number - 1) / self.number * self.lanes


def forecast(cells: Iterable[CellLeft], probes: Pace, trainings: Pace, needs: Needs, slots: Workers) -> Forecast | None:
    """The time until all of these cells are done.

    Args:
        cells: what is left.
        probes: the pace of measuring λ₀.
        trainings: the pace of training.
        needs: what nets take.
        slots: that share the work.

    Returns:
        None where nothing is known yet.
    """
    cells = [cell for cell in cells if cell.nets]
    if not trainings.known or slots.number < 1:
        return None
    running = [part for cell in cells for net in cell.nets for part in net.running]
    usual = needs.mean_part(running)
    nets = sum(len(cell.nets) for cell in cells)
    middle = sum(len(cell.nets) * math.log(cell.cost.width) for cell in cells) / max(nets, 1)
    work = variance = by_cell = unknown = chain = last = 0.0
    for one in cells:
        measures = probes.ratio(one.cell, one.cost.probe)[0]
        ratio, sd = trainings.ratio(one.cell, one.cost.training, measures * _LIKE if probes.is_measured else 1.0)
        each, probe = one.cost.training * ratio, one.cost.probe * measures
        factor = needs.factor(one.cell, one.cost.width, middle)
        part = min(usual * factor, 1.0)
        last = max(last, each * part)
        here = measuring = 0.0
        for net, times in Counter(one.nets).items():  # many are alike
            begun = sum(needs.to_end(done) - done for done in net.running)
            left = needs.after(net.told + len(net.running), one.cost, part, open_=not net.running, factor=factor)
            here += times * (begun + left.mean) * each
            measuring += times * probe * net.probe
            variance += times * left.variance * each**2
            at_once = one.cost.trainings / one.cost.questions
            together = max(at_once if slots.side_by_side else min(at_once, slots.number), 1.0)
            in_turn = (left.mean / together + (begun / len(net.running) if net.running else 0.0)) * each
            chain = max(chain, in_turn * (slots.lanes if slots.side_by_side else 1.0) + probe * net.probe)
        work += here + measuring
        by_cell += (sd * (here + measuring)) ** 2
        unknown += here
    if work <= 0:
        return Forecast(0.0, 0.0, 0.0)
    if slots.number == 1:
        seconds = work
    else:
        seconds = max(work / slots.number + min(slots.idle_at_the_end * last, work / slots.number), chain)
    samples = math.sqrt(1 + needs.done) if not needs.scan else math.sqrt(1 + sum(needs._parts))
    common = trainings.sd**2 + ((0.0 if needs.scan else _NET_SD) / samples * unknown / work) ** 2
    sd = math.sqrt(_FLOOR_SD**2 + common + (by_cell + variance) / work**2)
    factor = math.exp(_SIDES * min(sd, 2.0))
    # What has lasted so long lasts about as long again: of 8 in 10, between a quarter and four times of it.
    wait = slots.waited / slots.number
    return Forecast(seconds + wait, seconds / factor + wait / 4, seconds * factor + wait * 4)
