"""What a sweep will cost, guessed from its plan before anything runs; `forecast` makes a time of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from mlrtui.config.maps import MapSection
from mlrtui.driver.methods import FORK_POINTS, rules_of_cells
from mlrtui.engines.devices import kind_of
from mlrtui.planning import Cell, CellPlan, Plan
from mlrtui_trainer.models.kinds import forward_work

__all__ = [
    "expected_trainings",
    "map_range",
    "map_trainings",
    "parallel_lanes",
    "rows_per_second",
    "seconds_per_core",
    "seconds_per_probe",
    "seconds_per_training",
    "seconds_to_start",
    "writer_remark",
]

_FLOPS_PER_CORE = 35e9
"""Multiply-adds that small nets reach on one core of a server; large ones reach several times more."""

_SECONDS_PER_LAYER = 15e-6
"""What each layer of a step costs beside its arithmetic."""

_PRODUCTS_PER_LAMBDA = 6
"""Operator products that one warm λ takes along training, on average."""

_PRODUCTS_PER_PROBE = 9
"""Operator products that the λs of a net at initialisation take together."""

_SECONDS_PER_PROBE = 5e-3
"""What they take beside those."""


WRITER_ROWS = 100_000
"""Rows a second that one store takes from its driver, on one core of a server (docs/benchmarks.md)."""

_ROWS_PER_GPU = 1e4
"""Steps of all lanes a second of one GPU, about: 64 lanes, 150 steps/s."""


def expected_trainings(plan: Plan) -> int:
    """How many trainings the sweep will take: exact for a scan, about for a search."""
    trainings = _trainings_of(plan)
    return sum(map(trainings, plan.cells))


def map_range(plan: Plan) -> tuple[int, int] | None:
    """The fewest and the most trainings of a sweep with maps: their coarse grids, and all points; None: it has none."""
    section = plan.spec.boundary_map
    if section is None:
        return None
    step = 1 if section.window is None else 1 << section.levels  # rows from one of the coarse grid to the next
    rows = [(cell.row.row, len(cell.seeds)) for cell in plan.cells if isinstance(cell, CellPlan) and cell.row]
    fewest = sum(seeds for row, seeds in rows if row % step == 0) * (section.squares + 1)
    return fewest, sum(seeds for _, seeds in rows) * section.points


def parallel_lanes(plan: Plan) -> int:
    """Trainings that can run at the same time, which bounds the number of useful workers."""
    if plan.spec.search is None:
        return expected_trainings(plan)
    rules = rules_of_cells(plan.spec)
    return sum(len(cell.seeds) * rules(cell).at_once for cell in plan.cells)


def seconds_per_core(plan: Plan) -> float:
    """Rough time of all trainings and their λ on one CPU core, in seconds."""
    trainings = _trainings_of(plan)
    return sum(trainings(cell) * seconds_per_training(cell) for cell in plan.cells if isinstance(cell, CellPlan))


def seconds_per_training(cell: CellPlan) -> float:
    """Rough time of one training of this cell, and of its λ, on one CPU core, in seconds."""
    how, step = cell.sharpness, _seconds_per_step(cell)
    if how.every:
        products = _PRODUCTS_PER_LAMBDA * (1 + len(how.others)) / how.every  # rest is not foreseen
        step += products * 8 * _work(cell) * (how.samples or cell.samples) / _FLOPS_PER_CORE
    return seconds_to_start(cell) + cell.train.max_steps * step


def seconds_to_start(cell: CellPlan) -> float:
    """The part of it before the first step: of a fork, its base, which is trained once for the rates of a question."""
    return _base_steps(cell) * _seconds_per_step(cell) / FORK_POINTS


def seconds_per_probe(cell: CellPlan) -> float:
    """Rough time of one net's λ where its trainings start on one CPU core, in seconds."""
    samples = cell.sharpness.samples or cell.samples
    base = _base_steps(cell) * _seconds_per_step(cell)
    return base + _SECONDS_PER_PROBE + _PRODUCTS_PER_PROBE * 8 * _work(cell) * samples / _FLOPS_PER_CORE


def rows_per_second(plan: Plan, devices: Sequence[str]) -> float:
    """Rows a second that the trainings send with these devices busy, about; 0 where it is not foreseen."""
    gpus = sum(kind_of(device) != "cpu" for device in devices)
    seconds = steps = rows = 0.0
    trainings_of = _trainings_of(plan)
    for cell in plan.cells:
        if isinstance(cell, CellPlan) and cell.work:
            trainings = trainings_of(cell)
            seconds += trainings * seconds_per_training(cell)
            steps += trainings * cell.max_steps
            rows += trainings * _rows_of(cell)
    if not seconds:
        return 0.0
    return (_ROWS_PER_GPU * gpus + steps / seconds * (len(devices) - gpus)) * rows / steps


def _rows_of(cell: CellPlan) -> float:
    """Stored of a training, about."""
    return cell.max_steps / cell.train.record_every if cell.train.curves else 1.0


def writer_remark(plan: Plan, devices: Sequence[str]) -> str:
    """What to do where one store would be too slow for what these devices send; "" where it is not.

    The interval is left as it is: it is part of what names a training, so that none is trained twice.
    """
    rows = rows_per_second(plan, devices)
    if rows <= WRITER_ROWS:
        return ""
    every = plan.spec.record.every * math.ceil(rows / WRITER_ROWS)
    return (
        f"about {rows / 1e3:.0f} thousand rows/s would be stored, one store takes about {WRITER_ROWS // 1000} thousand,"
        f" so trainings would wait for it: set record.every = {every}, or use --shard on several machines"
    )


def _seconds_per_step(cell: CellPlan) -> float:
    """Of a training, without λ."""
    return _SECONDS_PER_LAYER * (cell.net.depth + 1) + 6 * _work(cell) * cell.train.batch / _FLOPS_PER_CORE


def _work(cell: CellPlan) -> int:
    """Of a net for a sample; of a factory's as if it were fully connected, which is right in how it grows alone."""
    return cell.work or forward_work(replace(cell.net, kind="mlp"))


def _base_steps(cell: CellPlan) -> int:
    """Steps of the base before a fork's trainings start."""
    return 0 if cell.fork is None else cell.fork.start.step


def _trainings_of(plan: Plan) -> Callable[[Cell], int]:
    """How many the nets of a cell take."""
    if (section := plan.spec.boundary_map) is not None:
        of_row = map_trainings(section)
        return lambda cell: len(cell.seeds) * of_row
    if plan.spec.scan is not None:
        each = plan.spec.scan.count
        return lambda cell: len(cell.seeds) * each
    rules = rules_of_cells(plan.spec)
    return lambda cell: len(cell.seeds) * rules(cell).typical_trials


def map_trainings(section: MapSection) -> int:
    """Trainings of a row of a map, about: the rows of the coarse grid have theirs, and a boundary that crosses the map
    once is followed at every level by a band of points."""
    width, points = 2 * (1 + 2 * section.margin), section.points
    if section.window is None:
        return min(section.squares + 1 + width * section.levels, points)
    bands = sum(width * (section.squares << level) for level in range(1, section.levels + 1))
    return min(math.ceil(((section.squares + 1) ** 2 + bands) / points), points)
