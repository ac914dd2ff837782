"""Alarms: a row under the header while there is something, by the rule of each, and nothing sent while none changes."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_tui_screens import shown
from test_tui_terminal import Terminal, start
from tui_fakes import FakeStore, scan_store
from tui_rows import NOW, make_curve, make_trial

from mlrtui.text.lines import plain, width_of
from mlrtui.tui import alarms
from mlrtui.tui.alarms import RULES, Alarms, crossed_at, low_space, quiet_workers, strip
from mlrtui.tui.curves import Trace
from mlrtui_db.work import WorkerRow, WorkRow

__all__ = ["start"]  # a fixture

ALL = Alarms(1 << 30, (0, 3), 2, ("λη/2", 14))


def alarming(nonfinite: int = 3) -> FakeStore:
    store = scan_store()
    snapshot = store.snapshots[1]
    cells = tuple(replace(cell, nonfinite=nonfinite) for cell in snapshot.cells)
    store.snapshots[1] = replace(snapshot, cells=cells)
    return store


def test_each_is_in_words_and_the_most_urgent_come_first() -> None:
    text = plain(strip(ALL, 200))
    assert text == (
        " ! disk: under 1 GiB free where the store lies ! no record from workers 0, 3 for 60 s"
        " ! NaN or inf in 2 trials ! λη/2 above 1 first at step 14"
    )
    assert strip(Alarms(), 80) == ()
    for width in (40, 80, 120):
        assert width_of(strip(ALL, width)) <= max(width, 62)
    assert plain(strip(ALL, 80)).endswith("and 3 more")
    assert plain(strip(Alarms(64 << 20, (5,), 1), 120)) == (
        " ! disk: under 64 MiB free where the store lies ! no record from worker 5 for 60 s ! NaN or inf in 1 trial"
    )


def test_a_worker_is_quiet_by_its_own_last_record() -> None:
    workers = (
        WorkerRow(0, "training", heard=NOW - 59),
        WorkerRow(1, "training", heard=NOW - 61),
        WorkerRow(2, "lambda0", heard=NOW - 700),
        WorkerRow(3, "idle", heard=NOW - 700),
        WorkerRow(4, "training"),
    )
    assert quiet_workers(WorkRow(NOW, "training", workers=workers), NOW) == (1, 2)
    assert quiet_workers(None, NOW) == ()


@pytest.mark.parametrize(
    ("sharpness", "step"),
    [([5.0, 9.0, 11.0, 8.0, 12.0], 2), ([5.0, 9.0, 10.0], None), ([11.0, 9.0, 12.0], None), ([np.nan, 9.0, 10.5], 2)],
    ids=["crossed", "never above", "above from the start", "measured later"],
)
def test_the_edge_is_crossed_from_below(sharpness: list[float], step: int | None) -> None:
    trial = make_trial(7, 1, 0.2, status="running", n_steps=len(sharpness))
    trace = Trace.of(make_curve(7, [1.0] * len(sharpness), sharpness))
    assert crossed_at(trial, trace) == (None if step is None else ("λη/2", step))
    assert crossed_at(replace(trial, status="done", verdict="finished"), trace) is None
    assert crossed_at(replace(trial, edge=None), trace) is None


def test_the_disk_is_told_by_the_bound_that_it_is_below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    size = free.f_bavail * free.f_frsize
    monkeypatch.setattr(alarms, "_SPACES", (size // 2, size * 2, size * 4))
    assert low_space(str(tmp_path / "s.db")) == size * 2
    monkeypatch.setattr(alarms, "_SPACES", (0,))
    assert low_space(str(tmp_path / "s.db")) is None
    assert low_space(str(tmp_path / "no" / "s.db")) is None
    assert low_space("") is None


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_row_comes_and_goes_on_every_screen_with_a_header(ascii_only: bool) -> None:
    store = alarming()
    async with shown(store, (80, 24), ascii_only=ascii_only) as view:
        for key in "1245671":
            await view.press(key)
            await view.until(lambda: view.text().splitlines()[1].startswith(" ! NaN or inf in 3 trials"))
        assert len(view.text().splitlines()) <= 24
        store.snapshots[1] = scan_store().snapshots[1]
        store.commit()
        await view.press("r")
        await view.until(lambda: "NaN or inf" not in view.text())
        assert view.text().splitlines()[1][0] in "+┏┌"
        await view.press("question_mark")
        await view.press("slash", *"! ")
        assert all(name.strip() in view.text() for name, _ in RULES)
        if ascii_only:
            assert view.text().isascii()


async def test_a_low_screen_and_a_sweep_that_has_ended_have_no_row() -> None:
    async with shown(alarming(), (80, 15)) as view:
        assert "NaN or inf" not in view.text()
    store = alarming()
    snapshot = store.snapshots[1]
    store.snapshots[1] = replace(snapshot, sweep=replace(snapshot.sweep, status="done"))
    async with shown(store) as view:
        assert "NaN or inf" not in view.text()


def test_nothing_is_sent_while_an_alarm_stays(start: "type[Terminal]") -> None:
    terminal = start((80, 24), "alarming")
    terminal.wait_for(lambda: "NaN or inf in 3 trials" in terminal.text())
    terminal.wait_turns(2)
    while terminal.read(0.3):
        pass
    before = len(terminal.sent)
    terminal.wait_turns(20)
    assert terminal.read(0.0) == b""
    assert len(terminal.sent) == before
