"""What the words of a command line mark for Compare: sweeps by name, and the nets of trials."""

from collections.abc import Sequence

from mlrtui.errors import BadInput
from mlrtui.tui.ports import StoreReader
from mlrtui.tui.state import MOST_MARKS, Mark

__all__ = ["nets_of", "sweeps_named"]


def sweeps_named(readers: Sequence[StoreReader], names: Sequence[str]) -> tuple[Mark, ...]:
    """The sweeps of these names: in the one store, or each in its own; one name is that of all stores.

    Raises:
        BadInput: there is no such sweep, or the numbers of names and stores do not go together.
    """
    stores = len(readers)
    if stores > 1 and len(names) not in (1, stores):
        raise BadInput(f"--sweep: {len(names)} names for {stores} stores; give one for each, or one that all have")
    if max(len(names), stores) > MOST_MARKS:
        raise BadInput(f"--sweep: {max(len(names), stores)} sweeps; compare at most {MOST_MARKS}")
    if stores == 1 and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"--sweep {twice!r}: given twice; name another sweep, or a --store for each")
    found = []
    for place in range(max(len(names), stores)):
        at, name = min(place, stores - 1), names[min(place, len(names) - 1)]
        rows = readers[at].sweeps()
        row = next((row for row in rows if row.name == name), None)
        if row is None:
            known = ", ".join(repr(one.name) for one in rows) or "none"
            where = "this store" if stores == 1 else f"store {place + 1}"
            raise BadInput(f"--sweep {name!r}: not in {where}; it has {known}")
        found.append(Mark(at, row.sweep_id, None))
    return tuple(found)


def nets_of(reader: StoreReader, marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """The nets of marked trials, each once."""
    found = []
    for mark in marks:
        details = None if mark.trial_id is None else reader.trial_details(mark.trial_id)
        if details is not None:
            net = dict(details.net) | dict(details.cell)
            net_id, cell_id = net["net_id"], net["cell_id"]
            assert isinstance(net_id, int)
            assert isinstance(cell_id, int)
            found.append(Mark(mark.store, mark.sweep_id, None, net_id, cell_id))
    return tuple(dict.fromkeys(found))
