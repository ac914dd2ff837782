"""`mlrtui resume` and `mlrtui rerun`: continue from the store, without a sweep file."""

from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from mlrtui import planning
from mlrtui.commands.opening import open_current
from mlrtui.commands.run import RunOptions, refuse_code, start
from mlrtui.config import AnySweep, LoopSweep, read_sweep
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
    unfinished = [row for row in rows if row.status != "done"]
    if not unfinished:
        where = "named" if names else f"in {options.store}"
        print(f"nothing to resume: every sweep {where} is done")
        return 1 if any(row.trials_failed for row in rows) else 0
    return _start(_ours(unfinished, names), options)


def rerun_failed(names: Sequence[str], options: RunOptions) -> int:
    """Queue the failed trials and nets of these sweeps (default: all) again and train them; returns the exit code.

    Raises:
        BadInput: the store has no sweep of this name.
        StoreError: the store cannot be used.
    """
    with open_current(options.store) as reader:
        rows = _ours(chosen(reader, names), names)
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


def _start(rows: Sequence[SweepRow], options: RunOptions) -> int:
    specs = [_spec(row) for row in rows]
    refuse_code(specs, options)
    useful = max(estimate.parallel_lanes(planning.plan(spec, None)) for spec in specs)
    return start(specs, useful, options)


def _ours(rows: Sequence[SweepRow], names: Sequence[str]) -> list[SweepRow]:
    """Those that no script of the user's searches by itself; says which are left out, unless they were named.

    Raises:
        BadInput: one of them was named, or there is no other.
    """
    scripts = [row for row in rows if (spec := _spec(row)) and isinstance(spec, LoopSweep) and spec.in_script]
    texts = [f"{row.name!r} is a script's own: run the script again, find_max_lr goes on with it" for row in scripts]
    if texts and (names or len(scripts) == len(rows)):
        raise BadInput.gather(texts)
    for text in texts:
        print(one_line(text))
    return [row for row in rows if row not in scripts]


def _spec(row: SweepRow) -> AnySweep:
    """The stored settings of a sweep. A store may come from anywhere, so they are checked like those of a file."""
    with suppress(ValidationError):
        spec = read_sweep(row.spec)
        if spec.sweep.name == row.name:
            return spec.settled
    raise StoreTrouble(
        f"the stored settings of sweep {row.name!r} are not valid for this version of mlrtui: "
        "run its sweep file with `mlrtui run` under another sweep.name"
    )
