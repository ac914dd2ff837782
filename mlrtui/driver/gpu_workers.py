"""How many workers share a GPU where nobody says so: two where one worker's rounds leave half of it unused.

A worker's device waits while its host works. Two processes on a GPU take turns, so that one's rounds fill the gaps of
the other's. More than two have not been measured anywhere.
"""

from collections.abc import Mapping, Sequence

from mlrtui.driver.methods import chosen_for, rules_of_cells
from mlrtui.driver.sharing import hidden_of, lanes_that_fill
from mlrtui.engines.devices import cpu_cores, figures_of, kind_of
from mlrtui.planning import Cell, CellPlan, Plan

__all__ = ["shared_out", "workers_for"]

LEAST_MEMORY = 8 << 30
"""Bytes of a GPU for each worker, at least: its libraries, its recordings, and a chunk of lanes with their λ."""

FULL = 0.5
"""Part of a GPU that one worker's rounds may use on average, so that a second one's fit beside them."""


def shared_out(devices: Sequence[str], plans: Sequence[Plan]) -> Sequence[str]:
    """The devices with those GPUs twice that two workers share; each must be named once, else nothing is changed.

    Measures the GPUs, in a process of its own, some seconds long.
    """
    gpus = [device for device in devices if kind_of(device) == "cuda"]
    if not gpus or len(set(devices)) < len(devices) or cpu_cores() < 2 * len(gpus):
        return devices
    work = [(cell, len(cell.seeds) * at_once) for plan in plans for cell, at_once in _lanes_at_once(plan, devices)]
    if len(work) < 2 * len(gpus) or not all(isinstance(cell, CellPlan) and cell.work for cell, _ in work):
        return devices  # too few, or of a user's net or training, of which nothing is known
    figures = figures_of(tuple(gpus))
    return [device for device in devices for _ in range(workers_for(work, figures.get(device, {})))]


def workers_for(work: Sequence[tuple[Cell, int]], figures: Mapping[str, str]) -> int:
    """1 or 2, for cells with the trainings that each wants at once, on a GPU with these figures (`ceilings`)."""
    memory = figures.get("memory", "")
    hidden = hidden_of(figures)
    if not hidden or not memory.isdecimal() or int(memory) < 2 * LEAST_MEMORY or figures.get("shared") == "no":
        return 1
    used = whole = 0.0
    for cell, lanes in work:
        fill = lanes_that_fill(cell, hidden)
        if not fill or not isinstance(cell, CellPlan):
            return 1
        launches = cell.train.max_steps * (cell.net.depth + 1)  # their time, where lanes cost nothing
        whole += launches
        used += launches * min(1.0, lanes / fill)
    return 2 if whole and used <= FULL * whole else 1


def _lanes_at_once(plan: Plan, devices: Sequence[str]) -> Sequence[tuple[Cell, int]]:
    """The cells of a sweep, and how many trainings of a net each wants at once."""
    spec = chosen_for(plan.spec, devices)
    if spec.search is None:
        return [(cell, spec.scan.count if spec.scan is not None else 1) for cell in plan.cells]
    rules = rules_of_cells(spec)
    return [(cell, rules(cell).at_once) for cell in plan.cells]
