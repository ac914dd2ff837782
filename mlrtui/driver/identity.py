"""Whether a stored sweep is the one that is to be trained: settings, data, code; and what it lacks of it."""

from mlrtui.config.changes import differences
from mlrtui.driver.growth import Growth, growth, matched
from mlrtui.errors import BadInput
from mlrtui.planning import CellPlan, Plan, trial_key
from mlrtui_db.models import CellState, NamedSweep, SweepState
from mlrtui_db.store import Store

__all__ = ["grow", "lacking", "other_code", "refuse_other_data", "refuse_other_keys"]

_KEYS_TRIED = 10


def lacking(stored: NamedSweep, state: SweepState, plan: Plan) -> Growth:
    """What the stored sweep of this name lacks of the plan, or why it is another sweep.

    Settings are compared, not keys: the key of a sweep that an earlier version started lacks what came later.
    """
    return growth(stored.spec, state.cells, plan)


def grow(store: Store, stored: NamedSweep, state: SweepState, plan: Plan, lacks: Growth) -> None:
    """Add what the stored sweep lacks; within a transaction."""
    ids = {position: cell.cell_id for position, cell in _known(stored, state, plan).items()}
    store.grow_sweep(stored.sweep_id, plan.sweep, ids, searches_again=lacks.searches_again)


def refuse_other_data(stored: NamedSweep, state: SweepState, plan: Plan) -> None:
    """Raise where the data is no longer that which the sweep was started with.

    Raises:
        BadInput: names the first such cell; nothing was trained.
    """
    cells = {cell.position: cell for cell in plan.cells}
    for position, held in _known(stored, state, plan).items():
        cell = cells[position]
        if isinstance(cell, CellPlan) and held.data_id != cell.data_id:
            raise BadInput(
                f"data.name = {cell.data.name!r}: no longer the data with which {plan.sweep.name!r} was started "
                f"(cell {cell.label}); put the old data back, or give the sweep another sweep.name"
            )


def refuse_other_keys(stored: NamedSweep, state: SweepState, plan: Plan) -> None:
    """Raise where a stored training is not the one that this version would make for its net and rate.

    A sweep may be resumed by other code, which an event says; it may not grow, as half of it would be other numbers.

    Raises:
        BadInput: names the first such training.
    """
    cells = {cell.position: cell for cell in plan.cells}
    places = {cell.cell_id: position for position, cell in _known(stored, state, plan).items()}
    nets = {net.net_id: net for net in state.nets}
    for trial in state.trials[:_KEYS_TRIED]:
        net = nets[trial.net_id]
        if trial.trial_key != trial_key(cells[places[net.cell_id]], net.seed, trial.eta):
            raise BadInput(
                f"sweep.name = {plan.sweep.name!r}: cannot grow: its trainings were made by a version whose numbers "
                f"differ ({state.code_id}); give the larger sweep a name of its own"
            )


def _known(stored: NamedSweep, state: SweepState, plan: Plan) -> dict[int, CellState]:
    return matched(state.cells, plan, same_settings=not differences(stored.spec, plan.spec))


def other_code(plan: Plan, state: SweepState) -> str | None:
    """What to say when other code goes on with a sweep than has begun it."""
    if state.code_id == plan.sweep.code_id:
        return None
    return f"begun by {state.code_id}, goes on with {plan.sweep.code_id}: the numbers of the two may differ"
