"""What a stage is given, what it leaves behind, and the table of all stages."""

import importlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["SIZES", "STAGES", "Report", "Setting", "Skip", "Stage", "stage_of"]

T = TypeVar("T")
SIZES = ("tiny", "small", "full")


class Skip(Exception):
    """Raised by a stage that cannot run here, with the reason."""


@dataclass(frozen=True)
class Setting:
    """How a stage is to run."""

    device: str  # "cpu" or "cuda:0"
    size: str  # "tiny": a test; "small": a rehearsal on a CPU; "full": a GPU
    ends_at: float  # on the clock of `time.monotonic`, when the stage is stopped

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    @property
    def left(self) -> float:
        """Seconds until the stage is stopped."""
        return self.ends_at - time.monotonic()

    def pick(self, tiny: T, small: T, full: T) -> T:
        """The value for this size."""
        return dict(zip(SIZES, (tiny, small, full), strict=True))[self.size]

    def while_time(self, items: Iterable[T], report: "Report", each: float = 0.0) -> Iterable[T]:
        """These items, as long as the slowest so far (or ``each`` seconds) still fits; says how many were left out."""
        items = list(items)
        slowest = each
        for number, item in enumerate(items):
            if self.left < 1.2 * slowest:
                report.note(f"{len(items) - number} of {len(items)} cases left out: no time left")
                report.cut = True
                return
            begun = time.monotonic()
            yield item
            slowest = max(slowest, time.monotonic() - begun)


@dataclass
class Report:
    """The findings of a stage, written to ``path`` whenever one is added."""

    path: Path
    number: int
    title: str
    status: str = "running"  # "done" | "cut short" | "failed" | "timed out" | "skipped"
    seconds: float = 0.0
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    cut: bool = False  # some cases were left out for want of time
    echoes: bool = False  # whether rows are printed as they come, for whoever gets no files of a run that was stopped

    def row(self, table: str, **columns: object) -> None:
        """Add a row to a table."""
        self.tables.setdefault(table, []).append(columns)
        self.write()
        if self.echoes:
            print(f"{self.number}. {table}: {json.dumps(_plain(columns), ensure_ascii=False)}", flush=True)

    def note(self, text: str) -> None:
        """Add a sentence for the reader."""
        self.notes.append(text)
        self.write()

    def fault(self, text: str) -> None:
        """Add something that is wrong: the stage counts as failed."""
        self.faults.append(text)
        self.write()

    def expect(self, fine: bool, text: str) -> None:
        """A fault, unless this is so."""
        if not fine:
            self.fault(text)

    def close(self) -> None:
        """Say how the stage ended, by what it found."""
        whole = "cut short" if self.cut else "done"
        self.status = "failed" if self.faults else whole if self.tables else "timed out"
        self.write()

    def write(self) -> None:
        """Replace the file in one step, so that a stage killed at any moment leaves a whole one."""
        document = asdict(self)
        document.pop("path")
        document.pop("echoes")
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(_plain(document), indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(draft, self.path)


def _plain(value: Any) -> Any:
    """JSON knows no NaN: None stands for a number that is not finite."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Stage:
    """One stage: ``run`` of the module fills a report. ``seconds``: its limit on a GPU; ten minutes in all."""

    number: int
    title: str
    module: str
    seconds: float
    work: str = "run"

    def load(self) -> Callable[[Setting, Report], None]:
        """The function; its module is imported now, in the stage's own process."""
        found: Callable[[Setting, Report], None] = getattr(importlib.import_module(self.module), self.work)
        return found


STAGES: Sequence[Stage] = (
    Stage(1, "versions, and the trainer's tests on the device", "benchmarks.device.versions", 90.0),
    Stage(2, "agreement with the CPU", "benchmarks.device.agreement", 90.0),
    Stage(3, "CUDA graphs", "benchmarks.device.graphs", 40.0),
    Stage(4, "throughput", "benchmarks.device.throughput", 100.0),
    Stage(5, "other programs on the same device", "benchmarks.device.loops", 90.0),
    Stage(6, "sharpness at every step", "benchmarks.device.sharpness", 50.0),
    Stage(7, "memory, and two workers", "benchmarks.device.memory", 50.0),
    Stage(8, "an example file end to end", "benchmarks.device.whole", 50.0),
    Stage(9, "the kernel of Triton beside CUDA graphs and JAX", "benchmarks.device.kernel", 40.0),
)


def stage_of(number: int) -> Stage:
    """The stage of this number. Raises ValueError where there is none."""
    for stage in STAGES:
        if stage.number == number:
            return stage
    raise ValueError(f"there is no stage {number}: use {STAGES[0].number} to {STAGES[-1].number}")
