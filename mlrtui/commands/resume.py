"""`mlrtui resume` and `mlrtui rerun`: continue from the store, without a sweep file."""

from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from mlrtui import planning
from mlrtui.commands.opening import open_current
from mlrtui.commands.run import RunOptions, refuse_code, start
from mlrtui.config import SweepSpec
from mlrtui.driver import estimate
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.stores import open_store
from mlrtui.text.escape import one_line
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = ["chosen", "rerun_failed", "resume"]


def resume(names: Sequence[str], options: RunOptions) -> int:
    """Continue these sweeps, or all unfinished ones; returns the exit code.

    Raises:
        BadInput: the store has no sweep of this name.
        StoreError: the store cannot be used.
    """
    with open_current(options.store) as reader:
        rows = chosen(reader, names) if names else [row for row in reader.sweeps() if row.status != "done"]
    rows = _ours(rows, names, "resume")
    unfinished = [row for row in rows if row.status != "done"]
    if not unfinished:
        where = "named" if names else f"in {options.store}"
        print(f"nothing to resume: every sweep {where} is done")
        return 1 if any(row.trials_failed for row in rows) else 0
    return _start(unfinished, options)


def rerun_failed(names: Sequence[str], options: RunOptions) -> int:
    """Queue the failed trials and nets of these sweeps (default: all) again and train them; returns the exit code.

    Raises:
        BadInput: the store has no sweep of this name.
        StoreError: the store cannot be used.
    """
    with open_current(options.store) as reader:
        rows = _ours(chosen(reader, names), names, "rerun")
    if not rows:
        print("nothing to rerun: no trial has failed")
        return 0
    refuse_code([_spec(row) for row in rows], options)  # before anything is changed
    again = []
    with open_store(options.store) as store, store.transaction():
        for row in rows:
            trials, nets = store.requeue_failed(row.sweep_id)
            if nets:
                again.append(row)
                text = f"queued again: {trials} trials, {nets} nets that had failed"
                store.add_event("info", text, row.sweep_id)
                print(f"{one_line(row.name)}: {text}")
    if not again:
        print("nothing to rerun: no trial has failed")
        return 0
    return _start(again, options)


def chosen(reader: Reader, names: Sequence[str]) -> list[SweepRow]:
    """The sweeps of these names, or all of the store, oldest first.

    Raises:
        BadInput: there is no sweep of this name.
    """
    known = {row.name: row for row in reversed(reader.sweeps())}
    unknown = [name for name in names if name not in known]
    if unknown:
        held = ", ".join(repr(name) for name in known) or "none"
        raise BadInput(f"{unknown[0]!r}: no sweep of this name in {reader.path}; it contains {held}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _ours(rows: Sequence[SweepRow], named: Sequence[str], verb: str) -> list[SweepRow]:
    """The sweeps that a driver trains: recorded runs are left out, with a line about each, and refused by their name.

    Raises:
        BadInput: a recorded run was named.
    """
    recorded = [row for row in rows if row.mode == "recorded"]
    if named and recorded:
        raise BadInput(f"{recorded[0].name!r} is a recorded run, which mlrtui cannot {verb}: start its script again")
    for row in recorded:
        if row.status != "done":
            print(f"{one_line(row.name)}: a recorded run; its own script starts it again")
    return [row for row in rows if row.mode != "recorded"]


def _start(rows: Sequence[SweepRow], options: RunOptions) -> int:
    specs = [_spec(row) for row in rows]
    refuse_code(specs, options)
    useful = max(estimate.parallel_lanes(planning.plan(spec, None)) for spec in specs)
    return start(specs, useful, options)


def _spec(row: SweepRow) -> SweepSpec:
    """The stored settings of a sweep. A store may come from anywhere, so they are checked like those of a file."""
    with suppress(ValidationError):
        spec = SweepSpec.from_canonical(row.spec)
        if spec.sweep.name == row.name:
            return spec.settled
    raise StoreTrouble(
        f"the stored settings of sweep {row.name!r} are not valid for this version of mlrtui: "
        "run its sweep file with `mlrtui run` under another sweep.name"
    )
