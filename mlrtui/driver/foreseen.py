"""What a sweep will take before anything of it runs, in words: the forecast of `forecast` without any record."""

from collections.abc import Sequence

from mlrtui.driver.forecast import CellLeft, Pace, Workers, forecast
from mlrtui.driver.needs import Needs, NetLeft
from mlrtui.driver.sharing import costs_of
from mlrtui.driver.traits import Traits
from mlrtui.engines.devices import kind_of
from mlrtui.garbage import uncollected
from mlrtui.planning import CellPlan, Plan
from mlrtui.text.numbers import about

__all__ = ["time_foreseen"]


@uncollected()
def time_foreseen(plan: Plan, devices: Sequence[str]) -> str:
    """The time that a plan will take on the CPU workers among these devices; on one core where there is none."""
    if not all(isinstance(cell, CellPlan) for cell in plan.cells):
        return "not foreseen: what a training of yours costs is known to its function alone"
    if not all(cell.work for cell in plan.cells if isinstance(cell, CellPlan)):
        return "not foreseen: what a factory's nets cost is not known before they are built"
    cost, probed = costs_of(plan.spec), NetLeft(True, 0)
    workers = sum(kind_of(device) == "cpu" for device in devices)
    cells = [CellLeft(Traits(cell.position, cost(cell)), [probed] * len(cell.seeds)) for cell in plan.cells]
    found = forecast(cells, Pace(True), Needs(plan.spec.search is None), Workers(max(workers, 1)))
    assert found is not None  # a guess is always there
    where = f"{workers} CPU workers" if workers > 1 else "one CPU core"
    return f"{about(found.seconds, found.low, found.high)} on {where}, a guess from the arithmetic alone"
