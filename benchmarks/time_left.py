"""How well the driver foresees the time that a sweep still takes, over examples of ours.

The real driver runs each example to its end, on slots whose time is the CPU time that their work took in this process:
so the figures do not depend on what else the machine does. Every second of that time the driver says how long the sweep
still takes, with an interval; at the end it is known how long it took. Printed are estimate / truth after a tenth, a
quarter and half of the time; from a tenth on (until a twentieth or two seconds are left) the largest miss, the part of
the estimates within 30 % of the truth, and the part of the truths that lay in the interval.

    python -m benchmarks.time_left --record recordings          # trains all of them once: half an hour of CPU time
    python -m benchmarks.time_left --replay recordings          # the same trainings again, in seconds
    python -m benchmarks.time_left --examples quickstart-eta-star.toml --set sweep.seeds=1
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import describe, save, table
from benchmarks.recordings import CpuTimeEngine, Recording, ReplayEngine
from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

__all__ = ["EXAMPLES", "Case", "measure"]

FOLDER = Path(__file__).resolve().parents[1] / "examples"
FITTED = (
    "catapult/cnn-cpu.toml",
    "catapult/depth-cpu.toml",
    "edge-of-stability/tanh-cpu.toml",
    "forks/warmup-cpu.toml",
    "maximal-initial-lr/gaussians-cpu.toml",
    "maximal-initial-lr/mse-cpu.toml",
    "quickstart-catapult.toml",
    "real-training/normed-widths-cpu.toml",
    "trainability/momentum-cpu.toml",
    "warm-up/deep-relu-cpu.toml",
    "width-scaling/per-layer-sgd-cpu.toml",
)
"""On whose recordings the constants of the model were chosen."""

JUDGED = (
    "catapult/decay-cpu.toml",
    "edge-of-stability/rates-cpu.toml",
    "maximal-initial-lr/late-cpu.toml",
    "maximal-initial-lr/threshold-low-cpu.toml",
    "quickstart-eta-star.toml",
    "trainability/tanh-cpu.toml",
    "warm-up/forks-ce-cpu.toml",
    "width-scaling/logits-mse-cpu.toml",
    "width-scaling/mup-cpu.toml",
    "width-scaling/transformer-cpu.toml",
)
"""On which it is judged: their recordings were replayed once the constants stood.

The rule, written before either was replayed with the model: examples in alphabetical order, every second one, save
that both halves have forks and a map. Counted are those of 10 s or more on two slots; met is estimate / truth between
0.7 and 1.3 at a tenth of the time.
"""

EXAMPLES = (*FITTED, *JUDGED)
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
    met: float  # part of those from a tenth on that lie within 30 %
    worst: float  # of those from a tenth on, the one farthest from 1 as a factor
    within: float  # part of the truths in the interval, from a tenth on


def measure(example: str, overrides: Sequence[str], engine: CpuTimeEngine | ReplayEngine) -> tuple[Case, list[Said]]:
    """Run an example to its end and compare what was said on the way."""
    spec = load_sweep(FOLDER / example, overrides).settled
    plan = planning.plan(spec, data.load)
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
        met=sum(0.7 <= ratio <= 1.3 for ratio in ratios) / len(ratios) if ratios else float("nan"),
        worst=max(ratios, key=lambda ratio: max(ratio, 1 / max(ratio, 1e-9)), default=float("nan")),
        within=sum(inside) / len(inside) if inside else float("nan"),
    )


def _engine(options: argparse.Namespace, example: str) -> CpuTimeEngine | ReplayEngine | None:
    """What does the work of an example; None: its recording is wanted and not there, or there already."""
    path = _file(options.replay or options.record, example) if options.replay or options.record else None
    if options.replay:
        return ReplayEngine(options.slots, Recording.load(path)) if path is not None and path.exists() else None
    return None if path is not None and path.exists() else CpuTimeEngine(options.slots)


def _file(folder: Path, example: str) -> Path:
    return folder / f"{example.removesuffix('.toml').replace('/', '.')}.recording"


def main() -> None:
    """Measure every example and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_left", description=__doc__)
    parser.add_argument("--examples", nargs="+", default=EXAMPLES, help="files below examples/ (a choice of them)")
    parser.add_argument("--set", nargs="*", default=[], dest="overrides", metavar="KEY=VALUE", help="of each of them")
    parser.add_argument("--slots", type=int, default=SLOTS, help="CPU workers (2)")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write what each training took there")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="train nothing: take what was written there")
    parser.add_argument("--each", action="store_true", help="print every estimate beside its truth")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    cases = []
    for example in options.examples:
        engine = _engine(options, example)
        if engine is None:
            continue
        case, said = measure(example, options.overrides, engine)
        if options.record and isinstance(engine, CpuTimeEngine):
            options.record.mkdir(parents=True, exist_ok=True)
            engine.recording.save(_file(options.record, example))
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
            f"{one.met:.0%}",
            f"{one.within:.0%}",
        ]
        for one in cases
    ]
    head = ("example", "CPU s", "at 10 %", "at 25 %", "at 50 %", "worst from 10 %", "within 30 %", "in the interval")
    print(table(head, rows))
    save(options.json, describe("cpu") | {"slots": str(options.slots)}, [asdict(one) for one in cases])


if __name__ == "__main__":
    main()
