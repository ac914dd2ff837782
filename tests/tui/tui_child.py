"""The app on a fake store, to be started on a pty: `python tui_child.py FD [WORD...]`; FD gets a byte at every turn.

Words: `ascii`; `auto` decides that by the terminal; `law` looks at a search; `ticking` lets a second pass at every
turn; `growing` gives the running trial ten steps at every turn.
"""

import os
import sys
from array import array
from dataclasses import replace

import tui_fakes
import tui_laws
import tui_rows

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.terminal import ascii_needed, leave_with_terminal


def main() -> None:
    report = int(sys.argv[1])
    leave_with_terminal()  # a test that is killed must leave nothing behind

    words = sys.argv[2:]
    store = tui_laws.law_store("open", True) if "law" in words else tui_fakes.scan_store()
    now = tui_rows.NOW

    def clock() -> float:
        nonlocal now
        now += 1.0 if "ticking" in words else 0.0
        if "growing" in words:
            grow(store)
        os.write(report, b".")
        return now

    ascii_only = "ascii" in words or ("auto" in words and ascii_needed())
    app = MlrtuiApp([store.source()], clock=clock, refresh=0.05, ascii_only=ascii_only)
    app.run()


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
