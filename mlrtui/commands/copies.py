"""`mlrtui backup`, `archive`, `merge` and `prune`: operations on whole stores."""

import sys
from collections.abc import Sequence
from pathlib import Path

from mlrtui.commands.opening import open_current
from mlrtui.driver.fitting import refit_merged
from mlrtui.driver.joining import join
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.reading.fitting import chosen
from mlrtui.stores import open_store
from mlrtui.text.numbers import counted, megabytes
from mlrtui_db import copies, merging
from mlrtui_db.errors import StoreIOError

__all__ = ["archive", "backup", "merge", "prune"]


def backup(store: Path, out: Path) -> None:
    """Copy a store, even while it is written."""
    print(f"{out}: {megabytes(copies.back_up(store, out))}, a copy of {store}")


def archive(store: Path, out: Path) -> None:
    """Copy a store into one packed file for read-only media."""
    print(f"{out}: {megabytes(copies.archive(store, out))}, one file; show it with: mlrtui browse {out}")


def merge(out: Path, stores: Sequence[Path]) -> None:
    """Combine several stores into a new one."""
    twice = [path for path in stores if path.resolve() == out.resolve()]
    if twice:
        raise BadInput(f"{twice[0]}: cannot be merged into itself; choose another name for the new store")
    made = merging.merge(out, stores, refit_merged, join=join)
    print(f"{out}: {counted(made.sweeps, 'sweep')}, {counted(made.trials, 'trial')}, {counted(made.steps, 'step')}")


def prune(store: Path, names: Sequence[str], *, sure: bool) -> int:
    """Delete the stored steps of sweeps and free their disk space; asks first. Returns the exit code."""
    with open_current(store) as reader:
        rows = chosen(reader, names)
    sweeps = ", ".join(repr(row.name) for row in rows)
    if not sure:
        if not sys.stdin.isatty():
            raise BadInput("prune deletes steps permanently and there is no terminal for the confirmation; use --yes")
        print(
            f"This permanently deletes every step (loss, accuracy, λ) of {sweeps}. η*, λ₀, results and fits are kept."
        )
        if input("Delete them? Type yes: ").strip().lower() != "yes":
            print("nothing was deleted")
            return 1
    before = store.stat().st_size
    with open_store(store) as opened:
        with opened.transaction():
            deleted = 0
            for row in rows:
                gone = opened.prune_steps(row.sweep_id)
                deleted += gone
                if gone:
                    opened.add_event("warning", f"pruned: {counted(gone, 'step')} deleted by the user", row.sweep_id)
        try:
            opened.compact()  # also where nothing is left to delete: an earlier attempt may have run out of space
        except StoreIOError as error:
            raise StoreTrouble(
                f"{store}: {counted(deleted, 'step')} of {sweeps} deleted, but the file cannot be compacted "
                f"({error.reason}), which needs as much space again; new steps reuse the freed pages. "
                f"{error.remedy}, then prune again"
            ) from None
    sizes = f"{megabytes(before)} before, {megabytes(store.stat().st_size)} now"
    print(f"{store}: {counted(deleted, 'step')} of {sweeps} deleted, {sizes}")
    return 0
