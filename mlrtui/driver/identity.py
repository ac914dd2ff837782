"""Whether a stored sweep is the one that is to be trained: its data, its numbers, its code."""

from collections.abc import Mapping

from mlrtui.errors import BadInput
from mlrtui.planning import CellPlan, Plan, trial_key
from mlrtui_db.models import CellState, SweepState
from mlrtui_db.store import Store

__all__ = ["other_code", "refuse_other_data", "refuse_other_keys"]

_KEYS_TRIED = 10


def refuse_other_data(plan: Plan, known: Mapping[int, CellState]) -> None:
    """Raise where the data is no longer that which the sweep was started with; ``known``: see `Growth.known`.

    Raises:
        BadInput: names the first such cell; nothing was trained.
    """
    cells = {cell.position: cell for cell in plan.cells}
    for position, held in known.items():
        cell = cells[position]
        if isinstance(cell, CellPlan) and held.data_id != cell.data_id:
            raise BadInput(
                f"data.name = {cell.data.name!r}: no longer the data with which {plan.sweep.name!r} was started "
                f"(cell {cell.label}); put the old data back, or give the sweep another sweep.name"
            )


def refuse_other_keys(store: Store, state: SweepState, plan: Plan, known: Mapping[int, CellState]) -> None:
    """Raise where a stored training is not the one that this version would make for its net and rate.

    A sweep may be resumed by other code, which an event says; it may not grow, as half of it would be other numbers.

    Raises:
        BadInput: names the first such training.
    """
    cells = {cell.position: cell for cell in plan.cells}
    places = {cell.cell_id: position for position, cell in known.items()}
    nets = {net.net_id: net for net in state.nets}
    some = state.trials[:_KEYS_TRIED]
    for trial, stored in zip(some, store.trial_keys([trial.trial_id for trial in some]), strict=True):
        net = nets[trial.net_id]
        if stored != trial_key(cells[places[net.cell_id]], net.seed, trial.eta, net.base_eta):
            raise BadInput(
                f"sweep.name = {plan.sweep.name!r}: cannot grow: its trainings were made by a version whose numbers "
                f"differ ({state.code_id}); give the larger sweep a name of its own"
            )


def other_code(plan: Plan, state: SweepState) -> str | None:
    """What to say when other code goes on with a sweep than has begun it."""
    if state.code_id == plan.sweep.code_id:
        return None
    return f"begun by {state.code_id}, goes on with {plan.sweep.code_id}: the numbers of the two may differ"
