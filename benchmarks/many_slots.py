"""Where one driver with one store saturates: rows and trials a second with 1 to 1,000 slots that train nothing.

Slots answer at once with made-up curves, so that the time is the driver's and the store's; what the slots themselves
take is measured and taken off. Time is CPU time; each case is a process of its own. Beside it, bare
inserts of as many rows: what SQLite alone takes.

    python -m benchmarks.many_slots                           # some minutes
    python -m benchmarks.many_slots --slots 1000 --rows 100   # one size
    python -m benchmarks.many_slots --against /path/to/another/checkout    # that one by turns with this one
"""

import argparse
import importlib
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe, peak_memory, save, spread, table
from benchmarks.store_writes import BARE
from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui_db.store import Store
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    Message,
    Outcome,
    Probe,
    Round,
    Segment,
    StepBatch,
    Task,
    TaskDone,
    TrialSpec,
)

__all__ = ["Case", "Cost", "Slots", "main"]

SWEEP = """
sweep = {{ name = "many slots", seeds = {seeds} }}
data = {{ name = "digits", samples = 64 }}
model = {{ depth = 1, width = {widths} }}
training = {{ loss = "ce", batch = "full", epochs = {epochs} }}
scan = {{ eta_lambda0 = [0.25, 0.5, 1.0, 1.5] }}
sharpness = {{ every = 0 }}
"""
RATES = 4


@dataclass(frozen=True)
class Case:
    """One size: slots, lanes of a round, steps of a training, and how many of its rows go in one message."""

    slots: int
    lanes: int
    steps: int
    rows: int
    cells: int  # of `lanes` trainings each

    @property
    def trials(self) -> int:
        """Trainings in all."""
        return self.cells * self.lanes


@dataclass(frozen=True)
class Cost:
    """CPU seconds that one case took the driver and the store, and bare inserts of its rows; memory in bytes."""

    case: Case
    seconds: float
    bare: float
    memory: int  # peak of the whole process
    pending: int  # the most rows that one poll brought
    revisions: int  # transactions that wrote something

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.case.trials * (self.case.steps + 1)


class Slots:
    """An engine of slots that answer at once, one message of each busy slot in every poll."""

    def __init__(self, count: int, rows: int) -> None:
        self._names = [f"cuda:{slot}" for slot in range(count)]
        self._rows = rows
        self._work: dict[int, Iterator[Message]] = {}
        self._events: deque[EngineEvent] = deque(WorkerReady(slot) for slot in range(count))
        self.seconds = 0.0  # CPU time of the slots themselves
        self.pending = 0

    @property
    def devices(self) -> Sequence[str]:
        """Names of the slots."""
        return self._names

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Nothing is trained."""

    def idle(self) -> Sequence[int]:
        """Slots without a task."""
        return [slot for slot in range(len(self._names)) if slot not in self._work]

    def submit(self, slot: int, task: Task) -> None:
        """Take a task."""
        assert isinstance(task, Round | Probe)  # no numbers are made up for others
        self._work[slot] = self._probe(task) if isinstance(task, Probe) else self._round(task)

    def poll(self, timeout: float) -> list[EngineEvent]:
        """One message of each slot that has work."""
        begun = time.process_time()
        for slot, messages in list(self._work.items()):
            message = next(messages)
            if isinstance(message, TaskDone):
                del self._work[slot]
            self._events.append(FromWorker(slot, message))
        events = list(self._events)
        self._events.clear()
        sent = [one.message for one in events if isinstance(one, FromWorker)]
        self.pending = max(self.pending, sum(len(one.step) for one in sent if isinstance(one, StepBatch)))
        self.seconds += time.process_time() - begun
        return events

    def close(self) -> None:
        """Nothing to end."""

    @staticmethod
    def _probe(task: Probe) -> Iterator[Message]:
        for net_id, _ in task.nets:
            yield LambdaAtInit(net_id, *(1.0, 1e-6) * 4, converged=True)
        yield TaskDone(task.task_id, 0.0)

    def _round(self, task: Round) -> Iterator[Message]:
        total = task.train.max_steps + 1
        for seq, start in enumerate(range(0, total, self._rows)):
            yield _batch(task.trials, seq, start, min(start + self._rows, total))
        for trial in task.trials:
            yield _outcome(trial, seq + 1)
        yield TaskDone(task.task_id, 0.0)


def _batch(trials: Sequence[TrialSpec], seq: int, start: int, stop: int) -> StepBatch:
    each, lanes = stop - start, len(trials)
    step = np.arange(start, stop, dtype=np.int64)
    loss = 2.3 * np.exp(-1e-3 * step)
    count = each * lanes
    return StepBatch(
        segments=tuple(
            Segment(one.trial_id, one.attempt, seq, i * each, (i + 1) * each) for i, one in enumerate(trials)
        ),
        step=np.tile(step, lanes),
        loss=np.concatenate([loss * (1 + 1e-3 * i) for i in range(lanes)]),
        accuracy=np.full(count, np.nan),
        sharpness=np.tile(1.0 + 0.1 * np.sin(step), lanes),
        sharpness_residual=np.full(count, 1e-6),
        products=np.full(count, 3, dtype=np.int64),
        flags=np.zeros(count, dtype=np.int64),
    )


def _outcome(trial: TrialSpec, seq: int) -> Outcome:
    return Outcome(
        trial_id=trial.trial_id,
        attempt=trial.attempt,
        seq=seq,
        verdict="finished",
        phase="lazy",
        reached_epoch=None,
        loss_initial=2.3,
        loss_final=0.1,
        best_accuracy=0.9,
        final_accuracy=0.9,
        peak_ratio=1.0,
        peak_step=0,
        final_sharpness=1.0,
        logit_rms_initial=1.0,
        logit_rms_peak=1.0,
    )


def here(case: Case) -> Cost:
    """One case in this process."""
    for imported in ("scipy.stats", "mlrtui.analysis.fits"):  # the same second or two, however many rows
        importlib.import_module(imported)
    seeds = case.lanes // RATES
    with tempfile.TemporaryDirectory(prefix="many-slots-") as name:
        sweep = Path(name) / "sweep.toml"
        widths = list(range(2, 2 + case.cells))
        sweep.write_text(SWEEP.format(seeds=seeds, widths=widths, epochs=case.steps), encoding="utf-8")
        spec = load_sweep(sweep)
        plan = planning.plan(spec, data.load)
        engine = Slots(case.slots, case.rows)
        with Store.open(Path(name) / "slots.db") as store:
            driver = Driver(store, engine, driver_id="benchmark")
            begun = time.process_time()
            end = driver.run_sweep(spec, plan)
            seconds = time.process_time() - begun - engine.seconds
            revisions = store.rev
        assert end.status == "done", end
        memory = peak_memory(resource.getrusage(resource.RUSAGE_SELF))
        bare = _bare(Path(name), case)
    return Cost(case, seconds, bare, memory, engine.pending, revisions)


def _bare(folder: Path, case: Case) -> float:
    """CPU seconds of as many rows, message by message, 20 messages a transaction, without checks or summaries."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.executescript(BARE)
    begun, open_ = time.process_time(), 0
    for cell in range(case.cells):
        for start in range(0, case.steps + 1, case.rows):
            if open_ % 20 == 0:
                connection.execute("BEGIN")
            for lane in range(case.lanes):
                trial, stop = cell * case.lanes + lane, min(start + case.rows, case.steps + 1)
                rows = [(trial, step, 2.3 / (1 + step), None, 1.0, 1e-6, 3, 0) for step in range(start, stop)]
                connection.executemany("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            open_ += 1
            if open_ % 20 == 0:
                connection.execute("COMMIT")
    if connection.in_transaction:
        connection.execute("COMMIT")
    connection.close()
    return time.process_time() - begun


def measure(case: Case, tree: Path | None = None) -> Cost:
    """One case in a process of its own, of another checkout where one is named."""
    code = "import json, sys; from benchmarks import many_slots as m; m.child(json.loads(sys.argv[1]))"
    if tree is not None:  # its packages, and the benchmarks of this one
        ours = Path(__file__).resolve().parent.parent
        code = f"import sys; sys.path[:0] = {[str(at) for at in (tree / 'db', tree / 'trainer', tree)]}; " + (
            f"import benchmarks; benchmarks.__path__ = [{str(ours / 'benchmarks')!r}]; {code}"
        )
    command = [sys.executable, "-c", code, json.dumps(asdict(case))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Cost(**(found | {"case": Case(**found["case"])}))


def child(case: dict[str, int]) -> None:
    """What a process of `measure` does."""
    print(json.dumps(asdict(here(Case(**case)))))


def cases(slots: Sequence[int], rows: Sequence[int], total: int) -> list[Case]:
    """Long trainings by the rows of a message, and for each number of slots short ones in small rounds."""
    found = []
    for count in slots:
        for each in rows:
            lanes, steps = 16, 499
            cells = max(1, total // (lanes * (steps + 1)))
            found.append(Case(count, lanes, steps, each, max(cells, min(count, 4 * cells))))
        found.append(Case(count, 4, 20, 100, max(total // 400, 2 * count)))
    return found


HEAD = (
    "tree",
    "slots",
    "lanes",
    "rows a training",
    "rows a message",
    "rows/s",
    "trials/s",
    "times bare",
    "commits",
    "MB",
)


def row(name: str, costs: Sequence[Cost]) -> list[str]:
    """One line of the table."""
    case, first = costs[0].case, costs[0]
    return [
        name,
        *(str(number) for number in (case.slots, case.lanes, case.steps + 1, case.rows)),
        spread([cost.rows / cost.seconds / 1000 for cost in costs], 0) + " k",
        spread([case.trials / cost.seconds for cost in costs], 0),
        spread([cost.seconds / cost.bare for cost in costs], 1),
        str(first.revisions),
        f"{max(cost.memory for cost in costs) / 1e6:.0f}",
    ]


def main() -> None:
    """Measure every case by turns and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_slots", description=__doc__)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1000], help="(1 4 16 64 256 1000)")
    parser.add_argument("--rows", type=int, nargs="+", default=[5, 20, 100], help="rows of a lane a message (5 20 100)")
    parser.add_argument("--total", type=int, default=200_000, help="rows of a case of long trainings (200000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns (3)")
    parser.add_argument("--against", type=Path, help="another checkout, measured by turns with this one")
    parser.add_argument("--json", type=Path, help="write every number here")
    options = parser.parse_args()
    trees = {"this": None} if options.against is None else {"other": options.against, "this": None}
    lines, records = [], []
    for case in cases(options.slots, options.rows, options.total):
        costs: dict[str, list[Cost]] = {name: [] for name in trees}
        for _ in range(options.rounds):
            for name, tree in trees.items():
                costs[name].append(measure(case, tree))
        for name, found in costs.items():
            lines.append(row(name, found))
            records += [asdict(cost) | {"tree": name} for cost in found]
    about = describe()
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
    print(table(HEAD, lines))
    save(options.json, about, records)


if __name__ == "__main__":
    main()
