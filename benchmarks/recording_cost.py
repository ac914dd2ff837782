"""What storing every step costs a training: the same rounds by turns with every row and with hardly any, in CPU time.

Three parts a row: the worker, which makes and sends rows; the driver, which turns them into the store's; and the
store. The worker's part is the difference between both kinds of rounds, whose losses are the same. On a busy machine
single turns differ by more than that part, so there are many, in both orders, and the median comes with the interval in
which it lies at 95 %. The aim of 2 % is about the worker: driver and store are a process of their own.

    python -m benchmarks.recording_cost                      # some minutes
"""

import argparse
import math
import pickle
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, save, spread, table
from benchmarks.store_writes import live_trials
from benchmarks.trainings import digits
from mlrtui.driver import conversion
from mlrtui_db.store import Store
from mlrtui_trainer.spec import Dataset, Message, NetSpec, Round, SharpnessSpec, StepBatch, TrainSpec, TrialSpec
from mlrtui_trainer.worker import run_task

__all__ = ["Timing", "main"]

NEVER = 1_000_000  # steps between rows; the first hundred are always kept


@dataclass(frozen=True)
class Timing:
    """CPU seconds of one turn, and its rows."""

    recorded: float  # of the worker, its messages packed as for the socket
    unrecorded: float  # of the worker, too
    driver: float  # from messages to the store's rows
    store: float
    rows: int
    always: int  # rows of the unrecorded round, too

    @property
    def speed(self) -> float:
        """Rows a second of the worker."""
        return self.rows / self.recorded

    @property
    def worker_share(self) -> float:
        """Part of the worker's time that recording takes, of all rows, as of those that only one of the rounds has."""
        return (1 - self.unrecorded / self.recorded) * self.rows / (self.rows - self.always)

    @property
    def writer_share(self) -> float:
        """CPU time of driver and store beside the worker's."""
        return (self.driver + self.store) / self.recorded


def task(trial_ids: Sequence[int], width: int, steps: int, every: int, data: Dataset) -> Round:
    """A round of these trials."""
    train = TrainSpec("ce", batch=64, max_steps=steps, steps_per_epoch=len(data.x) // 64, record_every=every)
    net = NetSpec("mlp", data.x.shape[1], data.y.shape[1], depth=2, width=width)
    trials = tuple(TrialSpec(one, 1, place, 0.02, 1.0) for place, one in enumerate(trial_ids))
    return Round(1, data.data_id, net, train, SharpnessSpec(every=0), trials)


def train(round_: Round, data: Dataset) -> tuple[float, list[Message]]:
    """CPU seconds of a round whose messages are packed, and the messages."""
    begun = time.process_time()
    found = []
    for message in run_task(round_, data, "cpu"):
        pickle.dumps(message)
        found.append(message)
    return time.process_time() - begun, found


def store(folder: Path, batches: Sequence[StepBatch], trials: int) -> tuple[float, float]:
    """CPU seconds of the driver and of the store for these rows, eight messages a transaction."""
    with Store.open(folder / "rows.db") as opened:
        live_trials(opened, trials)
        begun = time.process_time()
        rows = [conversion.step_rows(batch) for batch in batches]
        converted = time.process_time()
        for first in range(0, len(rows), 8):
            with opened.transaction():
                if opened.append_steps(*rows[first : first + 8]).dropped:
                    raise SystemExit("the store dropped records of a live attempt")
        return converted - begun, time.process_time() - converted


def turn(width: int, lanes: int, steps: int, data: Dataset, *, recorded_first: bool = False) -> Timing:
    """Both kinds of rounds once, and the rows of the recorded one into a new store."""
    ids = list(range(1, lanes + 1))
    found = {every: train(task(ids, width, steps, every, data), data) for every in _order(recorded_first)}
    batches, others = ([one for one in found[every][1] if isinstance(one, StepBatch)] for every in (1, NEVER))
    with tempfile.TemporaryDirectory(prefix="recording-") as name:
        driver, stored = store(Path(name), batches, lanes)
    rows, always = (sum(len(batch.step) for batch in kind) for kind in (batches, others))
    return Timing(found[1][0], found[NEVER][0], driver, stored, rows, always)


def _order(recorded_first: bool) -> tuple[int, int]:
    return (1, NEVER) if recorded_first else (NEVER, 1)


def median(values: Sequence[float], digits: int) -> str:
    """The median, and the order statistics between which the true one lies at 95 % or more (from six values on).

    >>> median([float(one) for one in range(1, 11)], 1)
    '5.5 (2.0–9.0)'
    """
    ordered, count = sorted(values), len(values)
    below, tail = 0, 0.5**count  # of Binomial(count, 1/2)
    while tail + math.comb(count, below + 1) * 0.5**count <= 0.025:
        below += 1
        tail += math.comb(count, below) * 0.5**count
    low, high = ordered[below], ordered[count - 1 - below]
    return f"{statistics.median(ordered):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


HEAD = (
    "width",
    "lanes",
    "thousand rows/s of the worker",
    "worker, %",
    "driver and store, %",
    "driver and store, µs a row",
)


def row(width: int, lanes: int, timings: Sequence[Timing]) -> list[str]:
    """One line of the table."""
    return [
        str(width),
        str(lanes),
        spread([one.speed / 1e3 for one in timings], 0),
        median([100 * one.worker_share for one in timings], 1),
        median([100 * one.writer_share for one in timings], 1),
        f"{1e6 * statistics.median((one.driver + one.store) / one.rows for one in timings):.1f}",
    ]


def main() -> None:
    """Measure by turns and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording_cost", description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 64], help="of two hidden layers (16 64)")
    parser.add_argument("--lanes", type=int, default=16, help="trainings of a round (16)")
    parser.add_argument("--steps", type=int, default=1000, help="of each training (1000)")
    parser.add_argument("--rounds", type=int, default=30, help="turns (30)")
    parser.add_argument("--json", type=Path, help="write every timing here")
    options = parser.parse_args()
    data = digits()
    lines, records = [], []
    for width in options.widths:
        turn(width, options.lanes, 200, data)  # compiles
        timings = [
            turn(width, options.lanes, options.steps, data, recorded_first=bool(place % 2))
            for place in range(options.rounds)
        ]
        lines.append(row(width, options.lanes, timings))
        records.append({"width": width, "lanes": options.lanes, "timings": [asdict(one) for one in timings]})
    about = describe("cpu")
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
    print(table(HEAD, lines))
    save(options.json, about, records)


if __name__ == "__main__":
    main()
