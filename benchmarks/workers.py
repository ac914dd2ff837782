"""Whole sweeps by `mlrtui run` with one worker and with two, by turns: what the second core brings.

A scan, whose trials are known from the start, and a search, whose questions come one after the other. The time is the
store's own, from the first training's start to the sweep's end: starting Python and torch is left out, and so is the
compilation of the extra fast, which a first sweep thrown away has done.
"""

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, spread, table

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


def seconds(sweep: Path, folder: Path, workers: int) -> tuple[float, int]:
    """From the first training's start to the sweep's end, and the number of trainings."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store = Path(place, "store.db")
        command = [sys.executable, "-m", "mlrtui.cli", "run", str(sweep), "--no-tui", "--store", str(store)]
        done = subprocess.run([*command, "--devices", f"cpu:{workers}"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the sweep failed: {done.stderr.strip()}")
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            row = connection.execute(
                "SELECT (SELECT max(finished_at) FROM sweep) - min(started_at), count(*) FROM attempt"
            ).fetchone()
        return float(row[0]), int(row[1])


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
    print(
        table(("sweep", "trainings", "one worker, s", "two workers, s", "times faster"), [row(one) for one in results])
    )
    if options.json is not None:
        document = {"about": about, "cases": [asdict(one) for one in results]}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
