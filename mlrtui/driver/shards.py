"""One part of a sweep out of several that are trained apart, on machines that know nothing of each other.

Which nets are in a shard follows from the sweep file alone, never from a timing, a device or a store: every machine
deals the same. The unit is the net, whose search is one training after another.
"""

import re
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace

from mlrtui.driver.estimate import map_trainings, seconds_per_probe, seconds_per_training
from mlrtui.errors import BadInput
from mlrtui.planning import Cell, CellPlan, LoopCell, Plan

__all__ = ["Shard", "dealt", "part"]

_TRAININGS = 12
"""Of a search: about as many for every net, so their number decides nothing."""

_NANOSECONDS = 1e9
_MOST = 100_000


@dataclass(frozen=True)
class Shard:
    """Shard ``index`` of ``count``, counted from 0.

    >>> Shard.parse("1/4")
    Shard(index=1, count=4)
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Raises BadInput unless it is I/N with 0 <= I < N."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        if not found or not 0 <= int(found[1]) < int(found[2]) <= _MOST:
            raise BadInput(f"--shard {text}: use I/N with I from 0 to N - 1, such as 0/4")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def part(plan: Plan, shard: Shard) -> Plan:
    """The plan of one shard: its own nets, and the cells that have some."""
    own = dealt(plan, shard.count)
    cells, records = [], []
    for cell, record in zip(plan.cells, plan.sweep.cells, strict=True):
        nets = tuple(net for net in record.nets if own[_home(cell), net.seed] == shard.index)
        if nets:
            cells.append(replace(cell, seeds=tuple(net.seed for net in nets)))
            records.append(replace(record, nets=nets))
    sweep = replace(plan.sweep, cells=tuple(records), shard=str(shard))
    used = {cell.data_id for cell in cells}
    datasets = {data_id: data for data_id, data in plan.datasets.items() if data_id in used}
    return replace(plan, cells=tuple(cells), sweep=sweep, datasets=datasets)


def dealt(plan: Plan, count: int) -> dict[tuple[int, int], int]:
    """The shard of every net (position of its cell, seed): the costliest first, each to the shard with the least.

    Forks go with their nets, and are part of their costs. Costs are whole nanoseconds from shapes alone, so that
    machines agree; ties go to the first shard.
    """
    costs: dict[int, int] = {}
    for cell in plan.cells:
        costs[_home(cell)] = costs.get(_home(cell), 0) + _cost(plan, cell)
    homes = (cell for cell in plan.cells if _home(cell) == cell.position)
    nets = sorted((-costs[cell.position], cell.position, seed) for cell in homes for seed in cell.seeds)
    loads = [(0, shard) for shard in range(count)]
    heapify(loads)
    shards = {}
    for negative, position, seed in nets:
        load, shard = loads[0]
        shards[position, seed] = shard
        heapreplace(loads, (load - negative, shard))
    return shards


def _home(cell: Cell) -> int:
    """Position of the cell with whose nets its own go."""
    if isinstance(cell, CellPlan) and cell.row is not None:
        return cell.row.home  # rows of a map decide what is asked of each other
    return cell.fork.base if isinstance(cell, CellPlan) and cell.fork is not None else cell.position


def _cost(plan: Plan, cell: Cell) -> int:
    if isinstance(cell, LoopCell):
        return 1  # what a training of the user's takes is not known
    if (section := plan.spec.boundary_map) is not None:
        return max(1, round(_NANOSECONDS * map_trainings(section) * seconds_per_training(cell)))
    trainings = plan.spec.scan.count if plan.spec.scan is not None else _TRAININGS
    return max(1, round(_NANOSECONDS * (seconds_per_probe(cell) + trainings * seconds_per_training(cell))))
