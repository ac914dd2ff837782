"""Invented sweeps for the screens of laws: a law with noise, a censored cell, a scan over widths."""

import math
from dataclasses import replace

from tui_fakes import FakeStore, scan_store, search_store
from tui_rows import NOW, make_cell, make_fit, make_net, make_trial

from mlrtui_db.models import EventRow


def law_store(status: str = "done", alive: bool = False) -> FakeStore:
    """The search of `search_store`, all nets ended, with a spread over seeds, and one cell that ran into its range."""
    store = search_store(status, alive)
    snapshot = store.snapshots[2]
    for cell in snapshot.cells:
        star = 2.0 * cell.depth**-0.9 * cell.width**-0.6
        jitter = [1 + 0.05 * math.sin(7 * cell.cell_id + 3 * seed) for seed in (0, 1)]
        censored = "at_max" if (cell.depth, cell.width) == (2, 64) else None
        store.nets[cell.cell_id] = tuple(
            replace(
                net,
                status="done",
                eta_star=star * jitter[net.seed],
                first_failure=star * jitter[net.seed] * 1.03,
                eta_area=star * jitter[net.seed] * 0.97,
                zone_octaves=0.2,
                reversals=1,
                censored=censored,
                reason="eta_max = 0.1 still succeeds" if censored else None,
            )
            for net in store.nets[cell.cell_id]
        )
    fits = (
        make_fit(fit="a", term="depth*width", where_expr=""),
        make_fit(fit="b", term="depth*width", where_expr="width >= 16*depth"),
        make_fit(fit="c", y="lambda0", term="depth*width", exponent=1.0),
    )
    store.snapshots[2] = replace(snapshot, fits=fits, nets=store.nets[15])
    return store


def wide_scan_store() -> FakeStore:
    """The scan of `scan_store` at three widths, ended."""
    store = scan_store("done", False)
    base = store.trials[1]
    cells = []
    store.trials, store.nets, store.curves = {}, {}, {}
    for at, width in enumerate((128, 256, 512), 1):
        cells.append(make_cell(at, 2, width, nets=1, nets_done=1, trials=9, trials_done=9, lambda0_mean=20.0))
        ended = [trial for trial in base if trial.status == "done"]
        more = make_trial(98, at, 3.0, verdict="dead", phase=None, status="done", eta_lambda0=60.0)
        store.trials[at] = tuple(
            replace(
                trial,
                trial_id=100 * at + trial.trial_id,
                cell_id=at,
                net_id=at * 10,
                eta_lambda0=(trial.eta_lambda0 or 1.0) * (1 + 0.02 * at),
            )
            for trial in (*ended, more)
        )
        store.nets[at] = (make_net(at),)
    snapshot = store.snapshots[1]
    store.snapshots[1] = replace(snapshot, cells=tuple(cells), cell_id=3, nets=store.nets[3], trials=store.trials[3])
    return store


def talking_store(count: int = 50) -> FakeStore:
    """A store with events of every level, some about trials."""
    store = scan_store("done", False)
    events = tuple(
        EventRow(
            at + 1,
            NOW - 5 * (count - at),
            ("info", "info", "info", "warning", "error")[at % 5],
            f"event {at}: " + ("trial diverged" if at % 5 == 3 else "worker lost" if at % 5 == 4 else "round ended"),
            9 if at % 5 == 3 else None,
        )
        for at in range(count)
    )
    store.snapshots[1] = replace(store.snapshots[1], events=events[::-1])
    return store
