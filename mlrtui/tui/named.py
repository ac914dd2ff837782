"""What the command line names, a sweep and trials, as what is looked at and what is marked."""

from collections.abc import Sequence

from mlrtui.errors import BadInput
from mlrtui.tui.ports import StoreReader
from mlrtui.tui.state import MOST_MARKS, Mark, Wanted

__all__ = ["looked_at"]


def looked_at(reader: StoreReader, sweep: str | None, trials: Sequence[int]) -> tuple[Wanted, tuple[Mark, ...]]:
    """What a sweep's name and trials' numbers mean in a store: what is looked at, and what is marked.

    Raises:
        BadInput: there is no such sweep or trial.
    """
    marks = []
    for trial_id in trials:
        details = reader.trial_details(trial_id)
        if details is None:
            raise BadInput(f"--trial {trial_id}: not in this store; the view `phases` lists the trials of a sweep")
        row = dict(details.trial) | dict(details.net) | dict(details.cell)
        marks.append((Mark(0, _number(row["sweep_id"]), trial_id), _number(row["cell_id"])))
    named = [row.sweep_id for row in reader.sweeps() if row.name == sweep]
    if sweep is not None and not named:
        known = ", ".join(repr(row.name) for row in reader.sweeps()) or "none"
        raise BadInput(f"--sweep {sweep!r}: not in this store; it has {known}")
    if not marks:
        return Wanted(sweep_id=next(iter(named), None)), ()
    first, cell_id = marks[0]
    if named and named[0] != first.sweep_id:
        raise BadInput(f"--trial {trials[0]}: not of sweep {sweep!r}; leave --sweep out")
    return Wanted(0, first.sweep_id, cell_id, first.trial_id), tuple(mark for mark, _ in marks[-MOST_MARKS:])


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
