"""Large grids: whether the driver's work for each net grows with the number of cells, and what planning one takes.

The fake engine answers at once, so that the time is the driver's and the store's. Time is CPU time; each case is a
process of its own, so that its peak of memory is its own, too.

    python -m benchmarks.many_cells                       # 500 and 5,000 cells, and a plan of 100,000
    python -m benchmarks.many_cells --cells 100 1000 --plan 10000 --json out.json
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, peak_memory, save, table
from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver import estimate
from mlrtui.driver.foreseen import time_foreseen
from mlrtui.driver.loop import Driver
from mlrtui.engines.fake import FakeEngine
from mlrtui_db.records import BoundaryRecord
from mlrtui_db.store import Store

__all__ = ["Cost", "grid", "main"]

ONE_END = 1000  # nets
DEPTHS = 50  # of every grid; the widths make up the number of cells
SEEDS = 4
SWEEP = """
sweep = {{ name = "many cells", seeds = {seeds} }}
data = {{ name = "digits", samples = 64 }}
model = {{ depth = {depths}, width = {widths} }}
training = {{ loss = "ce", batch = 32, epochs = 1 }}
search = {{ threshold = 0.5, tolerance = 1.0 }}
sharpness = {{ every = 0 }}
"""


@dataclass(frozen=True)
class Cost:
    """What one case took: CPU time in seconds, peak of resident memory in bytes."""

    case: str  # "plan" | "dry-run" | "run"
    cells: int
    seconds: float
    memory: int
    first: float = 0.0  # CPU seconds of the first thousand nets of a sweep that is run, from the second net on
    last: float = 0.0  # ... and of the last thousand

    @property
    def nets_per_second(self) -> float:
        """Nets that were answered in a second of CPU time."""
        return self.cells * SEEDS / self.seconds


def grid(cells: int) -> str:
    """The sweep file of a search over so many cells (a multiple of 50) with four nets each."""
    widths = list(range(2, 2 + cells // DEPTHS))
    return SWEEP.format(seeds=SEEDS, depths=list(range(1, 1 + DEPTHS)), widths=widths)


def planned(folder: Path, sweep: Path) -> Sequence[float]:
    """Read the file, plan its grid without data, estimate trainings and time."""
    plan = planning.plan(load_sweep(sweep), None)
    estimate.expected_trainings(plan)
    estimate.parallel_lanes(plan)
    time_foreseen(plan, ["cpu"])
    return ()


def dry_run(folder: Path, sweep: Path) -> Sequence[float]:
    """`mlrtui run --dry-run`, imports included."""
    subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", "run", str(sweep), "--dry-run"], check=True, stdout=subprocess.DEVNULL
    )
    return ()


class Timed(Store):
    """A store that knows when each net was closed, in CPU time."""

    def close_net(self, net_id: int, boundary: BoundaryRecord | None = None) -> None:
        """Close it."""
        super().close_net(net_id, boundary)
        self.closed.append(time.process_time())

    closed: list[float]


def run(folder: Path, sweep: Path) -> Sequence[float]:
    """Search η* of every net with the fake engine, from planning to the last fits; when each net was closed."""
    spec = load_sweep(sweep)
    with Timed.open(folder / "many.db") as store:
        assert isinstance(store, Timed)
        store.closed = []
        end = Driver(store, FakeEngine(), driver_id="benchmark").run_sweep(spec, planning.plan(spec, data.load))
    assert end.status == "done", end
    return store.closed


def warm(folder: Path) -> None:
    """Bring in what loading data and fitting import: the same few seconds, however large the grid."""
    importlib.import_module("scipy.stats")
    (folder / "warm.toml").write_text(grid(DEPTHS), encoding="utf-8")
    planning.plan(load_sweep(folder / "warm.toml"), data.load)


CASES = {"plan": planned, "dry-run": dry_run, "run": run}


def measure(case: str, cells: int) -> Cost:
    """One case in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.many_cells", "--case", case, "--cells", str(cells)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def here(case: str, cells: int) -> Cost:
    """One case in this process, or in the child that it starts."""
    who = resource.RUSAGE_CHILDREN if case == "dry-run" else resource.RUSAGE_SELF
    with tempfile.TemporaryDirectory(prefix="many-cells-") as name:
        folder, sweep = Path(name), Path(name) / "sweep.toml"
        sweep.write_text(grid(cells), encoding="utf-8")
        if case == "run":
            warm(folder)
        before = resource.getrusage(who)
        closed = CASES[case](folder, sweep)
        after = resource.getrusage(who)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ends = (closed[ONE_END] - closed[0], closed[-1] - closed[-1 - ONE_END]) if len(closed) > ONE_END else (0.0, 0.0)
    return Cost(case, cells, seconds, peak_memory(after), *ends)


def rows(costs: Sequence[Cost]) -> list[list[str]]:
    """The costs as lines of a table."""
    return [
        [
            cost.case,
            f"{cost.cells:,}",
            f"{cost.seconds:.1f}",
            f"{cost.nets_per_second:.1f}" if cost.case == "run" else "",
            f"{cost.first:.1f}, {cost.last:.1f}" if cost.first else "",
            f"{cost.memory / 1e6:.0f}",
        ]
        for cost in costs
    ]


def main() -> None:
    """Measure every case and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_cells", description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[500, 5000], help="cells of the sweeps run (500 5000)")
    parser.add_argument("--plan", type=int, default=100_000, help="cells of the grid that is planned (100000)")
    parser.add_argument("--json", type=Path, help="write every number here")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)  # in this process
    options = parser.parse_args()
    for cells in (*options.cells, options.plan):
        if cells < DEPTHS or cells % DEPTHS:
            parser.error(f"{cells} cells: name a multiple of {DEPTHS}")
    if options.case is not None:
        print(json.dumps(asdict(here(options.case, options.cells[0]))))
        return
    costs: list[Cost] = []
    begun = time.monotonic()
    for case, cells in (("plan", options.plan), ("dry-run", options.plan), *(("run", each) for each in options.cells)):
        costs.append(measure(case, cells))
    machine = describe()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n")
    print(table(["case", "cells", "CPU s", "nets per CPU s", "first, last thousand, s", "MB at most"], rows(costs)))
    print(f"\n{time.monotonic() - begun:.0f} s in all")
    save(options.json, machine, [asdict(cost) for cost in costs])


if __name__ == "__main__":
    main()
