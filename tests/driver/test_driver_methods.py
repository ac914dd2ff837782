"""Which method a search takes where its file leaves that to mlrtui, and that a sweep keeps to it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from conftest import SMALL_SEARCH
from timed_workers import TimedWorkers

from mlrtui import data, planning
from mlrtui.commands import run as commands
from mlrtui.config import SweepSpec, load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.driver.methods import chosen_for, search_rules
from mlrtui_db.store import Store

WriteSweep = Callable[..., Path]
CPU, GPU = ("cpu", "cpu"), ("cuda:0", "cuda:0")


def chosen(spec: SweepSpec) -> tuple[str, int | str | None]:
    assert spec.search is not None
    return spec.search.method, spec.search.points


def drive(store: Path, spec: SweepSpec, devices: tuple[str, ...], stop_after: int | None = None) -> str:
    looks = iter(range(10**9))
    with Store.open(store) as opened:
        driver = Driver(
            opened,
            TimedWorkers(devices, together=True),
            driver_id="test",
            should_stop=lambda: stop_after is not None and next(looks) > stop_after,
        )
        return driver.run_sweep(spec, planning.plan(spec, data.load)).status


def asked(store: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT net_id, eta, round FROM trial ORDER BY net_id, eta").fetchall()


def test_the_devices_choose_unless_the_file_does(sweep_file: WriteSweep) -> None:
    free = load_sweep(sweep_file(SMALL_SEARCH))
    assert chosen(free) == ("auto", None)
    assert chosen(chosen_for(free, CPU)) == ("bisect", None)
    assert chosen(chosen_for(free, ("fake",))) == ("bisect", None)
    assert chosen(chosen_for(free, GPU)) == ("section", "auto")
    own = load_sweep(sweep_file(SMALL_SEARCH.replace("tolerance = 0.3", 'tolerance = 0.3\nmethod = "profile"')))
    assert chosen_for(own, GPU) == own


def test_smaller_nets_are_asked_at_more_rates_at_once(sweep_file: WriteSweep) -> None:
    wide = SMALL_SEARCH.replace("width = [16, 32]", "width = [16, 128, 192, 4096]").replace("batch = 32", "batch = 128")
    spec = chosen_for(load_sweep(sweep_file(wide)), GPU)
    plan = planning.plan(spec, None)
    points = {cell.net.width: search_rules(spec, cell).at_once for cell in plan.cells if cell.net.depth == 2}
    assert points[16] == 63
    assert 63 > points[128] > points[192] > points[4096] == 3
    more = chosen_for(load_sweep(sweep_file(wide.replace("seeds = 2", "seeds = 40"))), GPU)
    assert search_rules(more, plan.cells[1]).at_once < search_rules(spec, plan.cells[1]).at_once
    on_cpu = chosen_for(load_sweep(sweep_file(wide)), CPU)
    assert {search_rules(on_cpu, cell).at_once for cell in plan.cells} == {1}


def test_a_sweep_begun_on_a_gpu_goes_on_asking_the_same_elsewhere(tmp_path: Path, sweep_file: WriteSweep) -> None:
    file = load_sweep(sweep_file(SMALL_SEARCH))
    on_gpu = chosen_for(file, GPU)
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    assert drive(whole, on_gpu, GPU) == "done"
    assert drive(cut, on_gpu, GPU, stop_after=6) == "stopped"
    stored = commands._beside_stored(commands.RunOptions(cut), [file])
    (again,), undone = stored.specs, stored.undone
    assert undone
    assert again == on_gpu
    assert chosen_for(again, CPU) == on_gpu  # as `run` does before it starts a driver
    assert drive(cut, chosen_for(again, CPU), CPU) == "done"
    assert asked(cut) == asked(whole)
    stored = commands._beside_stored(commands.RunOptions(cut), [file])
    assert (stored.specs, stored.undone) == ([on_gpu], False)
    (line,) = commands._beside_stored(commands.RunOptions(cut), [chosen_for(file, CPU)]).lines
    assert 'search.method: "section" -> "bisect"' in line
    assert drive(cut, chosen_for(file, CPU), CPU) == "done"
    assert asked(cut) == asked(whole)  # nothing more is trained


def test_a_sweep_from_before_there_was_a_choice_goes_on_by_bisection(tmp_path: Path, sweep_file: WriteSweep) -> None:
    file = load_sweep(sweep_file(SMALL_SEARCH))
    store = tmp_path / "old.db"
    assert drive(store, file, CPU, stop_after=4) == "stopped"  # stored without a choice
    (again,) = commands._beside_stored(commands.RunOptions(store), [file]).specs
    assert chosen(chosen_for(again, GPU)) == ("bisect", None)
    assert drive(store, chosen_for(again, GPU), GPU) == "done"
