"""How well the driver foresees the time that a sweep still takes, over examples of ours.

The real driver runs each example to its end with real trainings, on slots whose time is the CPU time that their work
took in this process: so the figures do not depend on what else the machine does. Every second of that time the driver
says how long the sweep still takes, with an interval; at the end it is known how long it took. Printed are
estimate / truth after a tenth, a quarter and half of the time, the largest miss from a tenth on (until a twentieth or
two seconds are left), and the part of the truths that lay in the interval; the aim is 0.7 to 1.3 from a tenth on.

    python -m benchmarks.time_left                                    # all of them, some minutes of CPU time
    python -m benchmarks.time_left --examples quickstart-eta-star.toml --set sweep.seeds=1
"""

import argparse
import heapq
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import describe, save, table
from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_trainer.spec import Dataset, LoopRound, Task
from mlrtui_trainer.worker import run_task

__all__ = ["EXAMPLES", "Case", "CpuTimeEngine", "measure"]

FOLDER = Path(__file__).resolve().parents[1] / "examples"
EXAMPLES = (
    "quickstart-eta-star.toml",
    "quickstart-catapult.toml",
    "maximal-initial-lr/ragged-cpu.toml",
    "maximal-initial-lr/mse-cpu.toml",
    "maximal-initial-lr/gaussians-cpu.toml",
    "catapult/solvable-cpu.toml",
    "catapult/onsets-cpu.toml",
    "edge-of-stability/tanh-cpu.toml",
)
SLOTS = 2
MARKS = (0.1, 0.25, 0.5)


class Said(NamedTuple):
    """An estimate: when it was made, and the time left with its interval."""

    at: float
    left: float
    low: float
    high: float


@dataclass(frozen=True)
class Case:
    """One example. Ratios are estimate / truth."""

    example: str
    seconds: float
    said: int
    at_tenth: float
    at_quarter: float
    at_half: float
    worst: float  # of those from a tenth on, the one farthest from 1 as a factor
    within: float  # part of the truths in the interval, from a tenth on


class CpuTimeEngine:
    """Slots that do their tasks here, one after another, each on a clock of its own that counts its CPU time."""

    def __init__(self, slots: int) -> None:
        self.now = 0.0
        self._datasets: dict[str, Dataset] = {}
        self._busy = [False] * slots
        self._events: list[tuple[float, int, EngineEvent]] = []
        self._count = 0
        for slot in range(slots):
            self._put(0.0, WorkerReady(slot, {"device": "cpu"}))
        self._ready = 0

    @property
    def devices(self) -> Sequence[str]:
        """All CPU workers."""
        return ["cpu"] * len(self._busy)

    def clock(self) -> float:
        """The time that the driver sees."""
        return self.now

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Make data sets known."""
        self._datasets.update(datasets)

    def idle(self) -> Sequence[int]:
        """Slots that wait for a task."""
        return [slot for slot in range(self._ready) if not self._busy[slot]]

    def submit(self, slot: int, task: Task) -> None:
        """Do a task at once; what comes of it waits for its time."""
        assert not isinstance(task, LoopRound)
        self._busy[slot] = True
        begun = time.process_time()
        for message in run_task(task, self._datasets[task.data_id], "cpu"):
            self._put(self.now + time.process_time() - begun, FromWorker(slot, message))

    def poll(self, timeout: float) -> list[EngineEvent]:
        """What comes first, if it comes in time; else the time passes."""
        if not self._events or self._events[0][0] > self.now + timeout:
            self.now += timeout
            return []
        self.now = max(self.now, self._events[0][0])
        return list(self._due())

    def close(self) -> None:
        """Nothing to end."""

    def _due(self) -> Iterator[EngineEvent]:
        while self._events and self._events[0][0] <= self.now:
            event = heapq.heappop(self._events)[2]
            if isinstance(event, WorkerReady):
                self._ready += 1
            elif isinstance(event, FromWorker) and type(event.message).__name__ in ("TaskDone", "TaskFailed"):
                self._busy[event.slot] = False
            yield event

    def _put(self, at: float, event: EngineEvent) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, event))


def measure(example: str, overrides: Sequence[str], slots: int = SLOTS) -> tuple[Case, list[Said]]:
    """Run an example to its end and compare what was said on the way."""
    spec = load_sweep(FOLDER / example, overrides).settled
    plan = planning.plan(spec, data.load)
    engine = CpuTimeEngine(slots)
    said: list[Said] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        with Store.open(path) as store, Reader.open(path) as reader:

            def listen() -> None:
                if said and engine.now < said[-1].at + 0.5:
                    return  # it says something once a second
                work = reader.work()
                if work is not None and None not in (work.left, work.low, work.high):
                    one = Said(engine.now, float(work.left or 0), float(work.low or 0), float(work.high or 0))
                    if not said or said[-1][1:] != one[1:]:
                        said.append(one)

            Driver(store, engine, driver_id="time_left", clock=engine.clock, each_turn=listen).run_sweep(spec, plan)
    return _case(example, said, engine.now), said


def _case(example: str, said: Sequence[Said], end: float) -> Case:
    late = [one for one in said if one.at >= MARKS[0] * end and end - one.at > max(2.0, 0.05 * end)]
    ratios = [one.left / (end - one.at) for one in late]
    inside = [one.low <= end - one.at <= one.high for one in late]
    at = [next((one.left / (end - one.at) for one in said if one.at >= mark * end), float("nan")) for mark in MARKS]
    return Case(
        example=example,
        seconds=end,
        said=len(said),
        at_tenth=at[0],
        at_quarter=at[1],
        at_half=at[2],
        worst=max(ratios, key=lambda ratio: max(ratio, 1 / max(ratio, 1e-9)), default=float("nan")),
        within=sum(inside) / len(inside) if inside else float("nan"),
    )


def main() -> None:
    """Measure every example and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_left", description=__doc__)
    parser.add_argument("--examples", nargs="+", default=EXAMPLES, help="files below examples/ (a choice of eight)")
    parser.add_argument("--set", nargs="*", default=[], dest="overrides", metavar="KEY=VALUE", help="of each of them")
    parser.add_argument("--slots", type=int, default=SLOTS, help="CPU workers (2)")
    parser.add_argument("--each", action="store_true", help="print every estimate beside its truth")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    cases = []
    for example in options.examples:
        case, said = measure(example, options.overrides, options.slots)
        cases.append(case)
        for one in said if options.each else ():
            print(f"{one.at:8.1f} s: {one.left:7.1f} ({one.low:.1f}-{one.high:.1f}), truth {case.seconds - one.at:.1f}")
        print(f"{example}: {case.seconds:.0f} s, {case.at_tenth:.2f} at a tenth, worst {case.worst:.2f}", flush=True)
    print()
    rows = [
        [
            one.example,
            f"{one.seconds:.0f}",
            *(f"{value:.2f}" for value in (one.at_tenth, one.at_quarter, one.at_half, one.worst)),
            f"{one.within:.0%}",
        ]
        for one in cases
    ]
    head = ("example", "CPU s", "at 10 %", "at 25 %", "at 50 %", "worst from 10 %", "in the interval")
    print(table(head, rows))
    save(options.json, describe("cpu") | {"slots": str(options.slots)}, [asdict(one) for one in cases])


if __name__ == "__main__":
    main()
