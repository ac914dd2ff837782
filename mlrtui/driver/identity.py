"""Whether a stored sweep is the one that is to be trained: the same settings, the same data, and by which code."""

from mlrtui.config import changes
from mlrtui.errors import BadInput
from mlrtui.planning import CellPlan, Plan
from mlrtui_db.models import SweepState
from mlrtui_db.store import Store

__all__ = ["other_code", "refuse_other_data", "stored_sweep"]


def stored_sweep(store: Store, plan: Plan) -> int | None:
    """The sweep_id of the stored sweep of this name and of equal settings; None: there is none, or it differs.

    Settings are compared, not keys: the key of a sweep that an earlier version started lacks what came later.
    """
    found = store.sweep_named(plan.sweep.name)
    return None if found is None or changes(found.spec, plan.spec) else found.sweep_id


def refuse_other_data(plan: Plan, state: SweepState) -> None:
    """Raise where the data is no longer that which the sweep was started with.

    Raises:
        BadInput: names the first such cell; nothing was trained.
    """
    for stored, cell in zip(state.cells, plan.cells, strict=True):
        if isinstance(cell, CellPlan) and stored.data_id != cell.data_id:
            raise BadInput(
                f"data.name = {cell.data.name!r}: no longer the data with which {plan.sweep.name!r} was started "
                f"(cell {cell.label}); put the old data back, or give the sweep another sweep.name"
            )


def other_code(plan: Plan, state: SweepState) -> str | None:
    """What to say when other code goes on with a sweep than has begun it."""
    if state.code_id == plan.sweep.code_id:
        return None
    return f"begun by {state.code_id}, goes on with {plan.sweep.code_id}: the numbers of the two may differ"
