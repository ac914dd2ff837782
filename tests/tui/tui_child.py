"""The app on a fake store, to be started on a pty: `python tui_child.py FD [WORD...]`; FD gets a byte at every turn.

Words: `ascii`; `auto` decides that by the terminal; `law` looks at a search, `wide` at a scan over widths, `talking` at
a store with many events, `many` at one with eight sweeps, `alarming` at a scan with an alarm; `ticking` lets a second
pass at every turn; `growing` gives the running trial ten steps at every turn; with `slow` every look at a sweep takes a
while.
"""

import os
import sys
import time
from array import array
from dataclasses import replace
from typing import Any

import tui_fakes
import tui_laws
import tui_rows

from mlrtui.text.terminal import ascii_needed, leave_with_terminal
from mlrtui.tui.app import MlrtuiApp


def main() -> None:
    report = int(sys.argv[1])
    leave_with_terminal()  # a test that is killed must leave nothing behind

    words = sys.argv[2:]
    store = next((make() for word, make in STORES.items() if word in words), None) or tui_fakes.scan_store()
    now = tui_rows.NOW

    def clock() -> float:
        nonlocal now
        now += 1.0 if "ticking" in words else 0.0
        if "growing" in words:
            grow(store)
        os.write(report, b".")
        return now

    if "slow" in words:
        make_slow(store)
    ascii_only = "ascii" in words or ("auto" in words and ascii_needed())
    app = MlrtuiApp([store.source()], clock=clock, refresh=0.05, ascii_only=ascii_only)
    app.run()


def many_store() -> tui_fakes.FakeStore:
    """Eight scans, each with trials of its own, the last one the newest."""
    store = tui_fakes.scan_store()
    base, rows = store.snapshots[1], store.trials[1]
    for number in range(2, 9):
        trials = tuple(replace(row, trial_id=100 * number + row.trial_id, cell_id=number) for row in rows)
        cell = replace(base.cells[0], cell_id=number)
        sweep = replace(base.sweep, sweep_id=number, name=f"scan {number}", created_at=base.sweep.created_at + number)
        newest = 100 * number + 7
        store.snapshots[number] = replace(
            base, sweep=sweep, cells=(cell,), cell_id=number, trials=trials, newest_trial_id=newest
        )
        store.trials[number], store.nets[number] = trials, store.nets[1]
        for row in rows:
            store.curves[100 * number + row.trial_id] = store.curves[row.trial_id]
    return store


def alarming_store() -> tui_fakes.FakeStore:
    """A scan in which three trials had a loss that is not finite."""
    store = tui_fakes.scan_store()
    base = store.snapshots[1]
    store.snapshots[1] = replace(base, cells=tuple(replace(cell, nonfinite=3) for cell in base.cells))
    return store


STORES = {
    "alarming": alarming_store,
    "law": lambda: tui_laws.law_store("open", True),
    "wide": tui_laws.wide_scan_store,
    "talking": tui_laws.talking_store,
    "many": many_store,
}


def make_slow(store: tui_fakes.FakeStore) -> None:
    """Reading takes as long as on a slow disk."""

    class SlowReader(tui_fakes.FakeReader):
        def live(self, *arguments: Any, **named: Any) -> Any:
            time.sleep(0.2)
            return super().live(*arguments, **named)

        def query(self, *arguments: Any, **named: Any) -> Any:
            time.sleep(0.2)
            return super().query(*arguments, **named)

        def log(self, *arguments: Any, **named: Any) -> Any:
            time.sleep(0.2)
            return super().log(*arguments, **named)

    store.open = lambda: SlowReader(store)  # type: ignore[method-assign]


def grow(store: tui_fakes.FakeStore) -> None:
    """Ten more noisy steps of trial 7, of ten thousand that are planned."""
    curve = store.curves[7]
    start = len(curve.step)
    more = range(start, start + 10)
    store.curves[7] = replace(
        curve,
        step=array("q", [*curve.step, *more]),
        loss=array("d", [*curve.loss, *(0.5 + 0.2 * ((step * 7919) % 13) / 13 for step in more)]),
        sharpness=array("d", [*curve.sharpness, *(13.0 + ((step * 104729) % 7) / 7 for step in more)]),
        **{name: array(kind, [0] * len([*curve.step, *more])) for name, kind in _REST},
    )
    trials = store.trials[1]
    grown = tuple(
        replace(trial, last_step=start + 9, n_steps=start + 10, max_steps=10_000, last_loss=store.curves[7].loss[-1])
        if trial.trial_id == 7
        else trial
        for trial in trials
    )
    store.trials[1] = grown
    store.snapshots[1] = replace(store.snapshots[1], trials=grown)
    store.commit()


_REST = (("accuracy", "d"), ("sharpness_residual", "d"), ("flags", "q"))


if __name__ == "__main__":
    main()
