"""How many steps a second the store takes, beside bare inserts of the same rows, interleaved in one process.

A transaction holds some rows of each of some live trials, as the driver's does every 200 ms. The bare inserts go into a
table of the same columns and key with neither checks, fences nor summaries: what SQLite itself costs.
"""

import argparse
import math
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, save, spread, table
from mlrtui_db.records import CellRecord, NetRecord, Segment, StepRows, SweepRecord, TrialRecord
from mlrtui_db.store import Store

CASES = ((64, 1), (64, 5), (64, 20), (8, 20), (256, 20))  # live trials, rows of each in a transaction
BARE = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;
CREATE TABLE step (
  trial_id INTEGER NOT NULL, step INTEGER NOT NULL, loss REAL, accuracy REAL, sharpness REAL,
  sharpness_residual REAL, products INTEGER, flags INTEGER NOT NULL, PRIMARY KEY (trial_id, step)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Timing:
    """Writing the same rows once into each, in seconds."""

    store: float
    bare: float
    slowest: float  # of the store's transactions


@dataclass(frozen=True)
class Measured:
    """All rounds of one case."""

    trials: int
    rows: int
    transactions: int
    bytes_per_row: float
    timings: tuple[Timing, ...]

    @property
    def rates(self) -> list[float]:
        """Rows a second that the store took, round by round."""
        return [self.trials * self.rows * self.transactions / timing.store for timing in self.timings]

    @property
    def costs(self) -> list[float]:
        """Time of the store over that of the bare inserts."""
        return [timing.store / timing.bare for timing in self.timings]


def sweep(nets: int) -> SweepRecord:
    """One cell with as many nets as there are live trials."""
    seeds = tuple(NetRecord(seed, "gauss-newton", "mean over samples", "all") for seed in range(nets))
    cell = CellRecord(
        position=0,
        label="4x64",
        settings='{"depth":4,"width":64}',
        depth=4,
        width=64,
        n_params=17024,
        data="digits",
        samples=1024,
        data_id="0" * 64,
        target="classes",
        standardize="global",
        model="mlp",
        activation="relu",
        bias=False,
        parametrization="sp",
        input_lr=1.0,
        loss="ce",
        optimizer="sgd",
        batch=64,
        max_steps=10**6,
        steps_per_epoch=16,
        dtype="float32",
        nets=seeds,
    )
    return SweepRecord(name="benchmark", sweep_key="0" * 64, spec="{}", mode="scan", code_id="-", cells=(cell,))


def live_trials(store: Store, count: int) -> list[int]:
    """So many running trials in a new store, each of a net of its own."""
    with store.transaction():
        sweep_id = store.add_sweep(sweep(count))
    nets = [net.net_id for net in store.sweep_state(sweep_id).nets]
    with store.transaction():
        trial_ids = store.add_trials([TrialRecord(net, f"{net:064d}", 0.1, None, 0, 10**6) for net in nets])
        store.open_attempts(trial_ids, "benchmark", "none", {})
    return trial_ids


def batches(trial_ids: list[int], rows: int, transactions: int) -> Iterator[StepRows]:
    """What the driver hands over: λ at every tenth step, accuracy at every twentieth."""
    draw = random.Random(0)
    for seq in range(transactions):
        segments = tuple(
            Segment(trial_id=trial_id, attempt=1, seq=seq, start=i * rows, stop=(i + 1) * rows)
            for i, trial_id in enumerate(trial_ids)
        )
        step = [*range(seq * rows, (seq + 1) * rows)] * len(trial_ids)
        tenth = [at % 10 == 0 for at in step]
        yield StepRows(
            segments=segments,
            step=step,
            loss=[draw.random() for _ in step],
            accuracy=[draw.random() if at % 20 == 0 else None for at in step],
            sharpness=[draw.random() if measured else None for measured in tenth],
            sharpness_residual=[1e-4 if measured else None for measured in tenth],
            products=[12 if measured else None for measured in tenth],
            flags=[0] * len(step),
        )


def write_store(path: Path, trials: int, rows: int, transactions: int) -> tuple[float, float, list[StepRows]]:
    """Seconds for all transactions, for the slowest, and what was written."""
    with Store.open(path) as store:
        data = list(batches(live_trials(store, trials), rows, transactions))
        times = []
        for batch in data:
            begun = time.perf_counter()
            with store.transaction():
                applied = store.append_steps(batch)
            times.append(time.perf_counter() - begun)
            if applied.dropped:
                raise SystemExit("the store dropped records of a live attempt")
    return math.fsum(times), max(times), data


def write_bare(path: Path, data: list[StepRows]) -> float:
    """Seconds for the same rows in the same transactions."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(BARE)
    spent = 0.0
    for batch in data:
        trial_ids = [segment.trial_id for segment in batch.segments for _ in range(segment.stop - segment.start)]
        columns = (batch.loss, batch.accuracy, batch.sharpness, batch.sharpness_residual, batch.products, batch.flags)
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", zip(trial_ids, batch.step, *columns, strict=True)
        )
        connection.execute("COMMIT")
        spent += time.perf_counter() - begun
    connection.close()
    return spent


def measure(folder: Path, trials: int, rows: int, total: int, rounds: int) -> Measured:
    """Interleave both ``rounds`` times, each time into new files of about ``total`` rows."""
    transactions = max(2, total // (trials * rows))
    timings, size = [], 0
    for turn in range(rounds):
        ours, bare = folder / f"store-{trials}-{rows}-{turn}.db", folder / f"bare-{trials}-{rows}-{turn}.db"
        spent, slowest, data = write_store(ours, trials, rows, transactions)
        timings.append(Timing(store=spent, bare=write_bare(bare, data), slowest=slowest))
        size = ours.stat().st_size
        ours.unlink()
        bare.unlink()
    return Measured(trials, rows, transactions, size / (trials * rows * transactions), tuple(timings))


HEAD = ("live trials", "rows of each", "thousand rows/s", "times bare inserts", "slowest transaction, ms", "bytes/row")


def row(measured: Measured) -> list[str]:
    """One line of the table."""
    return [
        str(measured.trials),
        str(measured.rows),
        spread([rate / 1000 for rate in measured.rates], 0),
        spread(measured.costs),
        f"{1000 * statistics.median(timing.slowest for timing in measured.timings):.0f}",
        f"{measured.bytes_per_row:.0f}",
    ]


def main() -> None:
    """Measure, print a table, and write all numbers to a file if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_writes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every case (5)")
    parser.add_argument("--rows", type=int, default=200_000, help="rows written in every round (200000)")
    parser.add_argument("--folder", type=Path, help="where the stores are made (the system's temporary folder)")
    parser.add_argument("--json", type=Path, help="write every timing here")
    options = parser.parse_args()

    about = describe() | {"sqlite": sqlite3.sqlite_version}
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=f"store-writes-{os.getpid()}-") as name:
        results = [measure(Path(name), trials, rows, options.rows, options.rounds) for trials, rows in CASES]
    print(table(HEAD, [row(measured) for measured in results]))
    save(options.json, about, [asdict(measured) for measured in results])


if __name__ == "__main__":
    main()
