"""What storing every step costs a training: the same rounds by turns with every row and with hardly any, in CPU time.

Three parts a row: the worker, which makes and sends rows; the driver, which turns them into the store's; and the
store. The worker's part is the difference between both kinds of rounds, whose losses are the same.

    python -m benchmarks.recording_cost                      # a minute
"""

import argparse
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
    unrecorded: float
    driver: float  # from messages to the store's rows
    store: float
    rows: int

    @property
    def speed(self) -> float:
        """Rows a second of the worker."""
        return self.rows / self.recorded

    @property
    def worker_share(self) -> float:
        """Part of the worker's time that recording takes."""
        return 1 - self.unrecorded / self.recorded

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


def turn(width: int, lanes: int, steps: int, data: Dataset) -> Timing:
    """Both kinds of rounds once, and the rows of the first into a new store."""
    ids = list(range(1, lanes + 1))
    unrecorded, _ = train(task(ids, width, steps, NEVER, data), data)
    recorded, found = train(task(ids, width, steps, 1, data), data)
    batches = [one for one in found if isinstance(one, StepBatch)]
    with tempfile.TemporaryDirectory(prefix="recording-") as name:
        driver, stored = store(Path(name), batches, lanes)
    return Timing(recorded, unrecorded, driver, stored, sum(len(batch.step) for batch in batches))


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
        spread([100 * one.worker_share for one in timings], 1),
        spread([100 * one.writer_share for one in timings], 1),
        f"{1e6 * statistics.median((one.driver + one.store) / one.rows for one in timings):.1f}",
    ]


def main() -> None:
    """Measure by turns and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording_cost", description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 64], help="of two hidden layers (16 64)")
    parser.add_argument("--lanes", type=int, default=16, help="trainings of a round (16)")
    parser.add_argument("--steps", type=int, default=2000, help="of each training (2000)")
    parser.add_argument("--rounds", type=int, default=5, help="turns (5)")
    parser.add_argument("--json", type=Path, help="write every timing here")
    options = parser.parse_args()
    data = digits()
    lines, records = [], []
    for width in options.widths:
        turn(width, options.lanes, 200, data)  # compiles
        timings = [turn(width, options.lanes, options.steps, data) for _ in range(options.rounds)]
        lines.append(row(width, options.lanes, timings))
        records.append({"width": width, "lanes": options.lanes, "timings": [asdict(one) for one in timings]})
    about = describe("cpu")
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
    print(table(HEAD, lines))
    save(options.json, about, records)


if __name__ == "__main__":
    main()
