"""How many rates of a net are trained at once: the method by the devices, the rates of a question by the cell."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, lru_cache

from pydantic import ValidationError

from mlrtui.config import AnySweep, LoopSweep, SweepSpec, read_sweep
from mlrtui.config.forks import ForkSection
from mlrtui.config.sections import SearchSection
from mlrtui.engines.devices import kind_of
from mlrtui.errors import BadInput
from mlrtui.planning import Cell, CellPlan, LoopCell
from mlrtui_trainer.search import SearchSpec

__all__ = ["chosen_as", "chosen_for", "rules_of", "rules_of_cells", "search_rules"]

GPU_STEP = 1e9
"""Operations of a step that a large GPU does in about the time that it takes to launch its kernels: estimated, for
50 µs and 20 TFLOP/s, not measured."""

FEWEST, MOST = 3, 63
"""Rates of a question where a GPU sets their number: fewer gain no round, more gain little."""


FORK_POINTS = 3
"""Rates of a question about a fork: its base is trained once for all of them."""


def chosen_for(spec: AnySweep, devices: Sequence[str]) -> AnySweep:
    """The sweep with its method chosen, where that is "auto", by the devices that it starts on."""
    on_gpu = any(kind_of(device) == "cuda" for device in devices) and not isinstance(spec, LoopSweep)
    return spec.with_method("section", "auto") if on_gpu else spec.settled


def chosen_as(spec: AnySweep, stored: str) -> AnySweep:
    """The same as the stored sweep of its name chose, by that one's settings as they are stored.

    Its tolerance is kept, too, where the file names none: an earlier version had another default.
    """
    with suppress(ValidationError):
        search = read_sweep(stored).settled.search
        if search is not None:
            return spec.with_method(search.method, search.points, search.tolerance)
    return spec.settled


def search_rules(spec: AnySweep, cell: Cell) -> SearchSpec:
    """The rules of a cell's searches, in a sweep that searches; of many cells see `rules_of_cells`.

    Raises:
        BadInput: nothing can be searched in this range; files are checked for that when they are read.
    """
    return rules_of_cells(spec)(cell)


def rules_of_cells(spec: AnySweep) -> Callable[[Cell], SearchSpec]:
    """`search_rules` of this sweep's cells, with what they have in common made once: there may be 100,000 cells."""
    assert spec.search is not None
    seeds = len(spec.sweep.seeds)
    search = spec.search.with_method("bisect", None, seeds)  # as `SweepSpec.settled`

    @cache
    def of_points(points: int | None) -> SearchSpec:
        return rules_of(search, points)

    @cache
    def of_forks() -> SearchSpec:
        assert isinstance(spec, SweepSpec)
        assert spec.fork is not None
        return rules_of(_of_forks(search, spec.fork), FORK_POINTS)

    def rules(cell: Cell) -> SearchSpec:
        if isinstance(cell, CellPlan) and cell.fork is not None:
            return of_forks()
        return of_points(_free_points(cell, seeds) if search.points == "auto" else search.points)

    return rules


def _of_forks(search: SearchSection, fork: ForkSection) -> SearchSection:
    """The range and margin of the sweep's searches, with the forks' own rule and lattice."""
    own = {"success": fork.success, "tolerance": fork.tolerance, "method": "section"}
    return search.model_copy(update=own)


@lru_cache(maxsize=1024)
def rules_of(search: SearchSection, points: int | None = None) -> SearchSpec:
    """The rules of a search whose tolerance is settled, with so many rates a question (None: as the method has them).

    Raises:
        BadInput: nothing can be searched in this range.
    """
    assert search.tolerance is not None
    try:
        return SearchSpec(
            success=search.success,
            tolerance=search.tolerance,
            eta_min=search.eta_min,
            eta_max=search.eta_max,
            method=search.method,
            margin=search.margin,
            **({} if points is None else {"points": points}),
        )
    except ValueError as error:  # of a stored sweep whose file an earlier version took
        raise BadInput(f"search: {error}") from error


def _free_points(cell: Cell, seeds: int) -> int | None:
    """Rates at which all nets of a cell may train beside one another at almost no cost on a GPU."""
    if isinstance(cell, LoopCell) or not cell.work:
        return None  # a user's: not known before they are built
    lanes = GPU_STEP / (6 * cell.work * cell.train.batch)
    return max(FEWEST, min(int(lanes / seeds), MOST))
