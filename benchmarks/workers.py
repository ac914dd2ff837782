"""Whole sweeps with one worker and with two, by turns: what the second core brings.

A scan, whose trials are known from the start, and a search, whose questions come one after the other. The driver runs
as `mlrtui run` runs it, without the screen. The time goes from the first task that a worker is given, a measurement of
λ₀, to the last answer: starting Python and torch is left out, and so is the compilation of the extra fast, which a
first sweep thrown away has done. A clock that begins with the first training would favour one worker, which has
measured every λ₀ by then, while two still share the last ones.
"""

import argparse
import math
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, save, spread, table
from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.local import LocalEngine
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_trainer.spec import Task

GRID = """
[sweep]
name = "workers"
seeds = [1, 2, 3, 4]
[data]
name = "digits"
[model]
depth = [2, 4]
width = [32, 64, 128, 256]
[training]
loss = "ce"
batch = 128
epochs = {epochs}
[sharpness]
every = 0
"""
SWEEPS = {
    "scan": GRID + "[scan]\neta = [0.01, 0.02, 0.03, 0.05]\n",
    "search": GRID + "[search]\nthreshold = 0.8\n",
}


@dataclass(frozen=True)
class Measured:
    """One kind of sweep, in seconds, round by round."""

    kind: str
    trainings: int
    one: tuple[float, ...]
    two: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """How many times faster two workers were."""
        return [one / two for one, two in zip(self.one, self.two, strict=True)]


class _Timed(LocalEngine):
    """Notes when the first task is given."""

    begun: float | None = None

    def submit(self, slot: int, task: Task) -> None:
        self.begun = self.begun or time.monotonic()
        super().submit(slot, task)


def seconds(sweep: Path, folder: Path, workers: int) -> tuple[float, int]:
    """From the first task to the last answer, and the number of trainings."""
    spec = load_sweep(sweep)
    plan = planning.plan(spec, data.load)
    engine = _Timed(["cpu"] * workers)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as place, Store.open(Path(place, "store.db")) as store:
            end = Driver(store, engine, driver_id="benchmark").run_sweep(spec, plan)
            taken = time.monotonic() - (engine.begun or math.nan)
            if end.status != "done" or end.failed:
                raise SystemExit(f"the sweep failed: {end}")
            with Reader.open(store.path) as reader:
                return taken, reader.sweeps()[0].trials_done
    finally:
        engine.close()


def measure(kind: str, epochs: int, rounds: int, folder: Path) -> Measured:
    """Turns of one and two workers; a first turn is thrown away."""
    sweep = folder / f"{kind}.toml"
    sweep.write_text(SWEEPS[kind].format(epochs=epochs), encoding="utf-8")
    turns = [(seconds(sweep, folder, 1), seconds(sweep, folder, 2)) for _ in range(rounds + 1)][1:]
    return Measured(kind, turns[0][0][1], tuple(one for (one, _), _ in turns), tuple(two for _, (two, _) in turns))


HEAD = ("sweep", "trainings", "one worker, s", "two workers, s", "times faster")


def row(measured: Measured) -> list[str]:
    """One line of the table."""
    one, two = (f"{statistics.median(times):.1f}" for times in (measured.one, measured.two))
    return [measured.kind, str(measured.trainings), one, two, spread(measured.ratios)]


def main() -> None:
    """Measure, print a table, and write all numbers to a file if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measured turns of every sweep (3)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of a training (10)")
    parser.add_argument("--kinds", nargs="+", choices=tuple(SWEEPS), default=tuple(SWEEPS), help="sweeps to measure")
    parser.add_argument("--json", type=Path, help="write every timing here")
    options = parser.parse_args()

    about = describe("cpu")
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(kind, options.epochs, options.rounds, Path(folder)) for kind in options.kinds]
    print(table(HEAD, [row(one) for one in results]))
    save(options.json, about, [asdict(one) for one in results])


if __name__ == "__main__":
    main()
