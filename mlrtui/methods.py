"""How the nets of a sweep are searched: the method by the devices, the rates of a question by the cell."""

from collections.abc import Sequence

from mlrtui.config import SweepSpec
from mlrtui.planning import CellPlan
from mlrtui_trainer.search import SearchSpec

__all__ = ["search_rules", "settled"]

GPU_STEP = 1e9
"""Operations of a step that a large GPU does in about the time that it takes to tell it of the step: reckoned, for
50 µs and 20 TFLOP/s, not measured."""

FEWEST, MOST = 3, 63
"""Rates of a question where a GPU sets their number: fewer gain no round, more gain little."""


def settled(spec: SweepSpec, devices: Sequence[str], stored: SweepSpec | None = None) -> SweepSpec:
    """The sweep with its method chosen where that is "auto": as ``stored``, else by the devices that it starts on."""
    if stored is not None and stored.search is not None and stored.search.method != "auto":
        return spec.with_method(stored.search.method, stored.search.points)
    on_gpu = stored is None and any(device.startswith("cuda") for device in devices)
    return spec.with_method("section", "auto") if on_gpu else spec.with_method("bisect", None)


def search_rules(spec: SweepSpec, cell: CellPlan) -> SearchSpec:
    """The rules of a cell's searches, in a sweep that searches."""
    search = spec.search
    assert search is not None
    points = _free_points(cell, len(spec.sweep.seeds)) if search.points == "auto" else search.points
    return SearchSpec(
        success=search.success,
        tolerance=search.tolerance,
        eta_min=search.eta_min,
        eta_max=search.eta_max,
        method="bisect" if search.method == "auto" else search.method,
        **({} if points is None else {"points": points}),
    )


def _free_points(cell: CellPlan, seeds: int) -> int | None:
    """Rates at which all nets of a cell may train beside one another at almost no cost on a GPU."""
    if not cell.net.work:
        return None  # a factory's nets: not known before they are built
    lanes = GPU_STEP / (6 * cell.net.work * cell.train.batch)
    return max(FEWEST, min(int(lanes / seeds), MOST))
