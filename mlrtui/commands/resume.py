"""`mlrtui resume` and `mlrtui rerun`: continue from the store, without a sweep file."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from pydantic import ValidationError

from mlrtui import planning
from mlrtui.commands.opening import open_current
from mlrtui.commands.run import RunOptions, refuse_code, run_specs, start
from mlrtui.config import AnySweep, LoopSweep, read_sweep
from mlrtui.config.files import apply_overrides
from mlrtui.config.parsing import parse_sweep
from mlrtui.driver.shards import Shard
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.reading.fitting import chosen
from mlrtui.stores import open_store
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted
from mlrtui_db.models import SweepRow

__all__ = ["changed_spec", "rerun_failed", "resume", "stored_spec"]


def resume(names: Sequence[str], options: RunOptions) -> int:
    """Continue these sweeps, or all unfinished ones; returns the exit code.

    With overrides in the options, the one sweep that is named is asked for more, as by its changed sweep file.

    Raises:
        BadInput: the store has no sweep of this name, or the change is none by which a sweep grows.
        StoreError: the store cannot be used.
    """
    if options.overrides:
        return _grow(names, options)
    with open_current(options.store) as reader:
        rows = chosen(reader, names) if names else [row for row in reader.sweeps() if row.status != "done"]
    ours = _ours(rows, names, "resume")
    if rows and not ours:
        return 0  # it was said whose they are
    unfinished = [row for row in ours if row.status != "done"]
    if not unfinished:
        where = "named" if names else f"in {options.store}"
        print(f"nothing to resume: every sweep {where} is done")
        return 1 if any(row.trials_failed for row in ours) else 0
    return _start(unfinished, options)


def _grow(names: Sequence[str], options: RunOptions) -> int:
    """Run a sweep's stored settings with some of them changed: what running its changed sweep file does."""
    if len(names) != 1:
        raise BadInput(f"--set {one_line(options.overrides[0])}: changes one sweep; give the name of one")
    with open_current(options.store) as reader:
        (row,) = _ours(chosen(reader, names), names, "resume")
    return run_specs([changed_spec(row, options.overrides)], replace(options, shard=_shard(row)))


def changed_spec(row: SweepRow, overrides: Sequence[str]) -> AnySweep:
    """The stored settings of a sweep with some keys changed.

    Raises:
        BadInput: a key or value that a sweep file may not have, or another name.
    """
    stored = stored_spec(row).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    apply_overrides(stored, overrides)
    spec = parse_sweep(stored, f"sweep {one_line(row.name)!r}")
    if spec.sweep.name != row.name:
        raise BadInput(f"--set sweep.name={spec.sweep.name!r}: the name says which sweep grows; leave it as it is")
    return spec


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
    refuse_code([stored_spec(row) for row in rows], options)  # before anything is changed
    again = []
    with open_store(options.store) as store, store.transaction():
        for row in rows:
            trials, nets = store.requeue_failed(row.sweep_id)
            if nets:
                again.append(row)
                text = f"queued again: {counted(trials, 'trial')}, {counted(nets, 'net')} that had failed"
                store.add_event("info", text, row.sweep_id)
                print(f"{one_line(row.name)}: {text}")
    if not again:
        print("nothing to rerun: no trial has failed")
        return 0
    return _start(again, options)


def _ours(rows: Sequence[SweepRow], named: Sequence[str], verb: str) -> list[SweepRow]:
    """The sweeps that a driver trains: those of scripts are left out, with a line each, and refused by their name.

    Raises:
        BadInput: one of them was named.
    """
    scripts = {row.sweep_id: what for row in rows if (what := _of_a_script(row))}
    for row in rows:
        if row.sweep_id in scripts and named:
            raise BadInput(
                f"{row.name!r} is {scripts[row.sweep_id]}, which mlrtui cannot {verb}: start its script again"
            )
        if row.sweep_id in scripts and row.status != "done":
            print(f"{one_line(row.name)}: {scripts[row.sweep_id]}; its own script starts it again")
    return [row for row in rows if row.sweep_id not in scripts]


def _of_a_script(row: SweepRow) -> str:
    """What only a script of the user's can go on with; "" where it is ours."""
    if row.mode == "recorded":
        return "a recorded run"
    with suppress(ValidationError):
        spec = read_sweep(row.spec)
        return "a search by find_max_lr" if isinstance(spec, LoopSweep) and spec.in_script else ""
    return ""


def _start(rows: Sequence[SweepRow], options: RunOptions) -> int:
    specs = [stored_spec(row) for row in rows]
    refuse_code(specs, options)
    return start(specs, [planning.plan(spec, None) for spec in specs], options, [_shard(row) for row in rows])


def _shard(row: SweepRow) -> str | None:
    """The shard that a store holds goes on alone; what was merged of several goes on with all that is missing."""
    with suppress(BadInput):
        return None if row.shard is None else str(Shard.parse(row.shard))
    return None


def stored_spec(row: SweepRow) -> AnySweep:
    """The stored settings of a sweep. A store may come from anywhere, so they are checked like those of a file."""
    with suppress(ValidationError):
        spec = read_sweep(row.spec)
        if spec.sweep.name == row.name:
            return spec.settled
    raise StoreTrouble(
        f"the stored settings of sweep {row.name!r} are not valid for this version of mlrtui: "
        "run its sweep file with `mlrtui run` under another sweep.name"
    )
