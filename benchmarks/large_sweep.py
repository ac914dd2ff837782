"""What looking at a sweep of 100,000 nets takes: the commands that print once, another look of a screen, and a key.

A store is made with six ended trainings a net and one row each. Time is CPU time, each run a process of its own;
"start" is the same command's own start, on a store of 50 nets. With another checkout both are measured by turns.

    python -m benchmarks.large_sweep                                    # some minutes
    python -m benchmarks.large_sweep --cells 2500 --against /path/to/another/checkout
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.machine import describe, save, spread, table
from benchmarks.many_cells import DEPTHS, SEEDS, grid
from mlrtui import planning
from mlrtui.config import load_sweep
from mlrtui_db.store import Store

__all__ = ["main", "make"]

TRIALS = 6  # of each net
COMMANDS = {
    "status": ("status",),
    "watch --once": ("watch", "--once"),
    "browse --once": ("browse", "--once"),
}
STARTED = "import sys; sys.path[:0] = {paths}; sys.argv = {command}; from mlrtui.cli import main; main()"
INSIDE = """
import sys; sys.path[:0] = {paths}
import asyncio, json, time
from pathlib import Path
from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.live.grid import SweepGrid
from mlrtui.tui.once import read_once
from mlrtui.tui.starting import store_source
from mlrtui_db.reader import Reader

path, found, keys = Path({path}), {{}}, 20
with Reader.open(path) as reader:
    for name in ("first look", "another look"):
        begun = time.process_time()
        reader.live()
        found[name] = time.process_time() - begun

async def shoot(pilot):
    await pilot.pause()
    pane, spent = pilot.app.screen.query_one(SweepGrid), 0.0
    for at in range(keys):
        begun = time.process_time()
        pane.move(1 if at % 4 < 2 else -1, at % 2)
        spent += time.process_time() - begun
    found["a key in the grid"] = spent / keys
    pilot.app.exit()

app = MlrtuiApp([], start="live", still=read_once([store_source(path)]))
app.run(headless=True, size=(160, 48), auto_pilot=shoot)
print(json.dumps(found))
"""


def make(path: Path, cells: int) -> None:
    """A finished sweep of so many cells (a multiple of 50), four nets each, none of which was trained."""
    with tempfile.TemporaryDirectory() as name:
        sweep = Path(name) / "sweep.toml"
        sweep.write_text(grid(cells), encoding="utf-8")
        plan = planning.plan(load_sweep(sweep), None)
    with Store.open(path) as store, store.transaction():
        store.add_sweep(plan.sweep)
    with closing(sqlite3.connect(path)) as connection, connection:
        nets = [net_id for (net_id,) in connection.execute("SELECT net_id FROM net")]
        connection.executemany(
            "INSERT INTO trial (trial_key, net_id, eta, round, max_steps, status, verdict, phase, attempt, n_steps,"
            " last_step, last_loss, rev) VALUES (?, ?, ?, 0, 30, 'done', ?, ?, 1, 1, 0, 2.3, ?)",
            _trials(nets),
        )
        connection.execute(
            "INSERT INTO attempt (trial_id, attempt, driver_id, host, device, started_at, heartbeat_at, ended_at,"
            " outcome) SELECT trial_id, 1, 'benchmark', '-', 'cpu', 1, 2, 3, 'done' FROM trial"
        )
        connection.execute("INSERT INTO step (trial_id, step, loss) SELECT trial_id, 0, 2.3 FROM trial")
        connection.execute(
            "UPDATE net SET status = 'done', eta_star = 0.3, eta_last = 0.3, first_failure = 0.5, lambda0 = 5.0,"
            " eta_rule = 2, censored = 'none', rev = net_id"
        )
        connection.execute("UPDATE sweep SET status = 'done', finished_at = 5")


def _trials(nets: Sequence[int]) -> Iterator[tuple[object, ...]]:
    for net_id in nets:
        for at in range(TRIALS):
            verdict, phase = ("reached", "lazy") if at < TRIALS - 2 else ("diverged", "divergent")
            yield f"{net_id:058x}{at:06x}", net_id, 0.1 * (1 + at), verdict, phase, net_id


def seconds(command: Sequence[str], path: Path, paths: Sequence[str]) -> float:
    """CPU time of one command on a store."""
    code = STARTED.format(paths=list(paths), command=["mlrtui", *command, "--store", str(path)])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-P", "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(path: Path, small: Path, tree: Path) -> dict[str, float]:
    """Everything once with the code of one checkout, in CPU seconds."""
    paths = [str(tree), str(tree / "db"), str(tree / "trainer")]
    found = {}
    for name, command in COMMANDS.items():
        found[name] = seconds(command, path, paths)
        found[f"{name}, start"] = seconds(command, small, paths)
    code = INSIDE.format(paths=paths, path=repr(str(path)))
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    inside: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found | dict(inside)


def main() -> None:
    """Measure by turns and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_sweep", description=__doc__)
    parser.add_argument("--cells", type=int, default=25_000, help="of four nets each, a multiple of 50 (25000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns (3)")
    parser.add_argument("--against", type=Path, help="another checkout, measured by turns with this one")
    parser.add_argument("--json", type=Path, help="write every number here")
    options = parser.parse_args()
    if options.cells < DEPTHS or options.cells % DEPTHS:
        parser.error(f"{options.cells} cells: name a multiple of {DEPTHS}")
    trees = {"other": options.against} if options.against else {}
    trees["this"] = Path(__file__).resolve().parent.parent
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory(prefix="large-sweep-") as folder:
        path, small = Path(folder) / "large.db", Path(folder) / "small.db"
        make(path, options.cells)
        make(small, DEPTHS)
        for _ in range(options.rounds):
            for name, tree in trees.items():
                turns[name].append(measure(path, small, tree))
    lines = [[what, *(spread([turn[what] for turn in turns[name]], 3) for name in trees)] for what in turns["this"][0]]
    about = describe() | {"nets": str(options.cells * SEEDS)}
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
    print(table(["CPU s", *trees], lines))
    save(options.json, about, [{"tree": name} | turn for name, found in turns.items() for turn in found])


if __name__ == "__main__":
    main()
