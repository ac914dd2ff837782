"""`mlrtui watch`, `browse` and `status`: readers only."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mlrtui.plain import one_line
from mlrtui.printing import needs_ascii, show
from mlrtui.report import fit_line, sweep_line
from mlrtui_db import lock
from mlrtui_db.reader import Reader

__all__ = ["browse", "status", "watch"]


def watch(
    store: Path, *, once: bool, ascii_only: bool, refresh: float | None, mouse: bool = True, as_json: bool = False
) -> int:
    """The live screen; where there is no terminal, progress lines until the driver ends."""
    with Reader.open(store) as reader:  # a store that cannot be read is one sentence, not a screen
        if as_json:
            from mlrtui.tui.once import data_once

            print(json.dumps(data_once(reader), ensure_ascii=False, allow_nan=False))
            return 0
        if once:
            from mlrtui.tui.once import render_once

            size = os.get_terminal_size() if sys.stdout.isatty() else os.terminal_size((80, 24))
            print(render_once(reader, (size.columns, size.lines), needs_ascii(ascii_only)))
            return 0
    if not sys.stdout.isatty():
        from mlrtui.follow import follow

        follow(store, [], lambda: lock.holder(store) is not None, ascii_only)
        return 0
    from mlrtui.tui.starting import run_app

    return run_app([store], start="live", refresh=refresh, ascii=ascii_only or None, mouse=mouse)


def browse(stores: Sequence[Path], *, ascii_only: bool, refresh: float | None, mouse: bool = True) -> int:
    """The list of sweeps; where there is no terminal, as text."""
    for store in stores:
        Reader.open(store).close()
    if not sys.stdout.isatty():
        for store in stores:
            with Reader.open(store) as reader:
                lines = [f"{store}:", *(f"  {sweep_line(row)}" for row in reader.sweeps())]
            show("\n".join(lines), ascii_only)
        return 0
    from mlrtui.tui.starting import run_app

    return run_app(list(stores), start="browse", refresh=refresh, ascii=ascii_only or None, mouse=mouse)


def status(store: Path, *, as_json: bool) -> int:
    """Sweeps, progress and the driver, as text or JSON. Exit code 1 when trials failed."""
    with Reader.open(store) as reader:
        sweeps = reader.sweeps()
        fits = {row.sweep_id: snapshot.fits for row in sweeps if (snapshot := reader.live(row.sweep_id)) is not None}
    holder = lock.holder(store)
    if as_json:
        document = {
            "store": str(store),
            "driver": None if holder is None else dataclasses.asdict(holder),
            "sweeps": [
                dataclasses.asdict(row)
                | {
                    "spec": json.loads(row.spec),
                    "fits": [dataclasses.asdict(fit) for fit in fits.get(row.sweep_id, ())],
                }
                for row in sweeps
            ],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        who = "no driver is running" if holder is None else f"the driver ({one_line(holder.place())}) is at work"
        waits = f"; {one_line(holder.note)}" if holder is not None and holder.note else ""
        show(f"{store}: {who}{waits}")
        for row in sweeps:
            created = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_at))
            show(f"  {created}  {sweep_line(row)}")
            for fit in fits.get(row.sweep_id, ()):
                show(f"      {fit_line(fit)}")
    return 1 if any(row.trials_failed for row in sweeps) else 0
