"""How several workers share a sweep: in how much less time, in which order, and with the same answers."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from conftest import thinned
from timed_workers import PROBE, TimedWorkers

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.driver.sharing import Figures, Turn, lanes_that_fill, turns_of
from mlrtui.driver.slots import Slots
from mlrtui.driver.sweep_run import SweepRun
from mlrtui_db import invariants
from mlrtui_db.records import NetLambdas
from mlrtui_db.store import Store
from mlrtui_trainer.models.kinds import forward_work
from mlrtui_trainer.spec import Probe, Round

SWEEP = """
[sweep]
name = "shared"
seeds = {seeds}
[data]
name = "digits"
samples = 256
[model]
depth = {depth}
width = {width}
[training]
loss = "ce"
batch = 64
epochs = 1
[sharpness]
every = 0
{how}
"""
KINDS = {
    "scan": "[scan]\neta = [0.01, 0.02, 0.03, 0.05]",
    "search": "[search]\ntolerance = 0.1",
    "fit": '[search]\ntolerance = 0.1\nstart = "fit"',
    "section": '[search]\ntolerance = 0.1\nmethod = "section"\npoints = 3',
}
WIDTHS = (32, 64, 128, 256)


def drive(
    folder: Path,
    engine: TimedWorkers,
    kind: str,
    *,
    seeds: int = 4,
    depth: Sequence[int] = (2, 4),
    width: Sequence[int] = WIDTHS,
) -> Path:
    """A sweep of small to large nets; returns its store, in which times are the engine's."""
    sweep = folder / "sweep.toml"
    sweep.write_text(SWEEP.format(seeds=seeds, depth=list(depth), width=list(width), how=KINDS[kind]), encoding="utf-8")
    spec = load_sweep(sweep)
    path = folder / f"{kind}-{len(engine.devices)}.db"
    path.unlink(missing_ok=True)
    with Store.open(path, clock=lambda: engine.seconds) as store:
        driver = Driver(store, engine, driver_id="test", clock=lambda: engine.seconds)
        assert driver.run_sweep(spec, planning.plan(spec, data.load)).status == "done"
    return path


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(("kind", "together"), thinned(["scan", "search", "section"], [False, True], step=2))
def test_two_workers_take_little_more_than_half_the_time(tmp_path: Path, kind: str, together: bool) -> None:
    """Though the grid's costly cells come last, and whether a round's outcomes come one by one or not."""
    one, two, four = (TimedWorkers(["cpu"] * count, together=together) for count in (1, 2, 4))
    for engine in (one, two, four):
        drive(tmp_path, engine, kind)
    assert two.seconds <= one.seconds / 1.9
    assert four.seconds <= one.seconds / 3.5


@pytest.mark.parametrize("kind", ["scan", "search"])
def test_the_answers_are_those_of_one_worker(tmp_path: Path, kind: str) -> None:
    stores = [drive(tmp_path, TimedWorkers(["cpu"] * count), kind) for count in (1, 2, 3)]
    trials = "SELECT net_id, eta, round, verdict FROM trial ORDER BY 1, 2"
    answers = "SELECT net_id, status, start_eta, eta_star, first_failure, eta_area, reversals FROM net ORDER BY 1"
    for store in stores:
        assert invariants.check(store) == []
        assert rows(store, trials) == rows(stores[0], trials)
        assert rows(store, answers) == rows(stores[0], answers)


def test_small_cells_still_answer_first(tmp_path: Path) -> None:
    """No cell of the first half has its answer later than with one worker, and λ₀ of all is known earlier."""
    ends = (
        "SELECT position, max(ended_at) FROM attempt JOIN trial USING (trial_id) JOIN net USING (net_id)"
        " JOIN cell USING (cell_id) GROUP BY position ORDER BY position"
    )
    one, two = TimedWorkers(["cpu"]), TimedWorkers(["cpu", "cpu"])
    alone, shared = (dict(rows(drive(tmp_path, engine, "search"), ends)) for engine in (one, two))
    assert all(shared[place] < 0.7 * alone[place] for place in range(4))  # type: ignore[operator]
    assert sorted(range(4), key=shared.__getitem__) == list(range(4))
    measured = [
        max(
            at + len(task.nets) * forward_work(task.net) * PROBE
            for at, _, task in engine.tasks
            if isinstance(task, Probe)
        )
        for engine in (one, two)
    ]
    assert measured[1] < measured[0]


def test_costly_cells_begin_at_once_where_they_would_end_alone(tmp_path: Path) -> None:
    engine = TimedWorkers(["cpu"] * 4)
    drive(tmp_path, engine, "search", seeds=1)
    first = {slot: (task.net.depth, task.net.width) for at, slot, task in engine.tasks if at == 0.0}
    assert (first[0], first[2]) == ((2, 64), (2, 32))  # a pilot, and one slot goes in the order of the grid
    assert first[1] == (4, 256)
    assert first[3] == (2, 256)
    costly = [task for _, _, task in engine.tasks if (task.net.depth, task.net.width) == (4, 256)]
    in_turn = sum(forward_work(task.net) * (PROBE if isinstance(task, Probe) else 1.0) for task in costly)
    # Nothing but this net was waited for.
    assert engine.seconds == in_turn


def test_two_workers_keep_to_cells_of_their_own(tmp_path: Path) -> None:
    """While others are left, no two slots train the same cell, so that rounds hold all of its nets."""
    engine = TimedWorkers(["cpu", "cpu"])
    drive(tmp_path, engine, "search")
    rounds = [(slot, task) for _, slot, task in engine.tasks if isinstance(task, Round)]
    slots = {
        cell: {slot for slot, task in rounds if task.net.width == cell[1] and task.net.depth == cell[0]}
        for cell in product([2, 4], WIDTHS)
    }
    assert {cell for cell, which in slots.items() if len(which) > 1} <= {(2, 256), (4, 64), (4, 256)}
    # The last two are shared at the end; of a pilot one net comes first, and the others in their turn.


def test_searches_that_learn_still_begin_with_the_corners(tmp_path: Path) -> None:
    engine = TimedWorkers(["cpu"] * 3)
    store = drive(tmp_path, engine, "fit")
    probed = [(task.net.depth, task.net.width) for _, _, task in engine.tasks if isinstance(task, Probe)]
    corners = set(product((2, 4), (32, 256)))
    assert max(probed.index(at) for at in corners) < min(probed.index(at) for at in set(probed) - corners)
    assert rows(store, "SELECT count(*) FROM net WHERE eta_star IS NULL") == [(0,)]


def test_gpus_take_whole_cells_in_the_order_of_the_grid(tmp_path: Path) -> None:
    engine = TimedWorkers(["cuda:0", "cuda:1"], together=True)
    drive(tmp_path, engine, "scan")
    begun = [(task.net.depth, task.net.width) for _, _, task in engine.tasks if isinstance(task, Round)]
    assert list(dict.fromkeys(begun)) == list(product([2, 4], WIDTHS))
    sizes = [len(task.trials) for _, _, task in engine.tasks if isinstance(task, Round)]
    assert sizes == [16] * 7 + [8, 8]  # the last cell is shared: both are idle


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_one_cell_is_shared_by_all_who_wait(tmp_path: Path, device: str) -> None:
    engine = TimedWorkers([device] * 2)
    drive(tmp_path, engine, "scan", depth=[4], width=[64])
    assert [(at, len(task.nets)) for at, _, task in engine.tasks if isinstance(task, Probe)] == [(0.0, 2), (0.0, 2)]


def test_whose_turn_it_is() -> None:
    two = ["cpu", "cpu"]
    first, second = Turn(idle=2, slots=2), Turn(idle=1, slots=2, sees_to_costly=True, slot=1)
    first, second = (replace(turn, peers=2, sees_to_pilots=True) for turn in (first, second))
    alone = Turn(idle=1, slot=1, sees_to_pilots=True)
    assert list(turns_of([0], ["cpu"], set())) == [replace(alone, slot=0)]
    assert list(turns_of([0, 1], two, set())) == [first, second]
    assert list(turns_of([1], two, {0})) == [alone]  # the only one left goes in the grid's order
    assert list(turns_of([1], ["cuda:0", "cpu"], set())) == [alone]
    gpus = ["cuda:0", "cuda:1", *two]
    figures = [Figures(80), Figures(24, 2, 7)]
    assert list(turns_of([0, 1], gpus, set(), figures.__getitem__)) == [
        Turn(idle=2, figures=figures[0], peers=2),  # no equal shares: lanes cost little there
        Turn(idle=1, figures=figures[1], peers=2, slot=1, sees_to_costly=True),
    ]


def test_every_second_gpu_begins_the_costly_cells_in_time(tmp_path: Path) -> None:
    """Where the grid's order would leave the longest for the end, when all others have nothing to do."""
    engine = TimedWorkers(["cuda:0", "cuda:1"], together=True)
    drive(tmp_path, engine, "scan", seeds=1, depth=[1], width=[*range(32, 41), 1024])
    first = {slot: task.net.width for _, slot, task in reversed(engine.tasks)}
    assert first == {0: 32, 1: 1024}


def test_rounds_in_flight_on_one_device_are_as_large_as_fills_it(tmp_path: Path) -> None:
    """By what a worker measured; without figures a slot takes all that a cell wants."""
    (tmp_path / "x.toml").write_text(SWEEP.format(seeds=4, depth=2, width=[32, 4096], how=KINDS["scan"]))
    small, large = planning.plan(load_sweep(tmp_path / "x.toml"), None).cells
    hidden = 20_000 * 3_000  # GFLOP/s · ns
    assert lanes_that_fill(small, hidden) > 10 * lanes_that_fill(large, hidden)
    assert lanes_that_fill(large, hidden) == 1
    assert lanes_that_fill(small, 0) == 0

    def largest(figures: Sequence[Figures]) -> int:
        spec = load_sweep(tmp_path / "x.toml")
        plan = planning.plan(spec, None)
        with Store.open(tmp_path / f"{len(list(tmp_path.iterdir()))}.db") as store:
            with store.transaction():
                sweep_id = store.add_sweep(plan.sweep)
            state = store.sweep_state(sweep_id)
        run = SweepRun(spec, plan, state)
        for net in run.nets.values():
            net.lambdas = NetLambdas(net.net_id, *[1.0] * 8, converged=True)
            run.open(net)
        run.changed(run.nets.values())
        (turn,) = turns_of([0], ["cuda:0"] * len(figures), set(), figures.__getitem__)
        draft = run.next_draft(turn)
        assert draft is not None
        return len(draft.trainings)

    wanted = 4 * 4  # seeds and rates of a cell
    assert largest([Figures()]) == wanted
    assert largest([Figures(mates=2)] * 2) == wanted  # nothing was measured
    assert largest([Figures(mates=2, hidden=1)] * 2) == wanted // 2  # a lane fills it: two rounds are as fast as one
    assert largest([Figures(mates=2, hidden=hidden)] * 2) == wanted  # all of them do not


def test_a_slot_knows_what_its_worker_measured() -> None:
    slots = Slots(["cuda:0", "cuda:0", "cpu"])
    measured = {"memory": str(80 << 30), "gflops": "20000", "launch_ns": "3000"}
    for slot in (0, 1):
        slots.ready(slot, "cuda:0", measured)
    assert slots.figures(0) == Figures(40 << 30, 2, 60_000_000)
    assert slots.figures(2) == Figures()
    slots.ready(0, "cuda:0", {**measured, "gflops": "nan"})
    assert slots.figures(0).hidden == 0
