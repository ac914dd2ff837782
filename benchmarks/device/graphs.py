"""Stage 3: steps recorded as CUDA graphs, replayed, and recorded anew as lanes end, give what single steps give."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import Ran, case_of, digits, round_of, timed
from mlrtui_trainer import recorded
from mlrtui_trainer.fast import route
from mlrtui_trainer.spec import Dataset, Round, TrainSpec, TrialSpec

ROOT = Path(__file__).resolve().parents[2]
CALM = (0.02, 0.05, 0.1, 0.2, 0.3, 0.25)
WILD = (30.0, 100.0, 300.0, 1000.0, 3000.0, 1e4)
TOLERANCE = 1e-6  # relative, in double precision


class Counts:
    """How many recordings of a step were made, and how often one was replayed."""

    def __init__(self) -> None:
        self.recordings = self.replays = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Count while inside."""
        record, counts = recorded.record, self

        def counted(body: Callable[[], None], device: torch.device) -> Callable[[], None]:
            counts.recordings += 1
            again = record(body, device)

            def replay() -> None:
                counts.replays += 1
                again()

            return replay

        with patch.object(recorded, "record", counted):
            yield


def run(setting: Setting, report: Report) -> None:
    """Calm trainings alone, and beside trainings that end early."""
    data, net = digits(256), case_of(2, 32)
    device = setting.device if setting.on_gpu else "cuda:0"
    with ExitStack() as stack:
        if not setting.on_gpu:
            report.note("rehearsed on a device that the CPU plays: speed means nothing here")
            stack.enter_context(_pretended())
        for optimizer in setting.pick(("sgd",), ("sgd", "adam"), ("sgd", "momentum", "adam")):
            scale = 0.05 if optimizer == "adam" else 1.0
            train = TrainSpec("ce", 64, setting.pick(16, 48, 400), 4, "float64", optimizer)
            for name, etas in (("calm", CALM), ("half of them end early", CALM + WILD)):
                trials = [TrialSpec(i, 1, i % 3, eta * scale, float("nan")) for i, eta in enumerate(etas)]
                task = round_of(net, train, trials, data)
                counts, recorded_run, recorded_s = _recorded(task, data, device)
                with patch.dict(os.environ, {recorded.SWITCH: "0"}):
                    single_run, single_s = timed(task, data, device)
                apart = _apart(recorded_run, single_run)
                report.row("recorded and single steps", optimizer=optimizer, trainings=name, lanes=len(etas),
                           recordings=counts.recordings, replays=counts.replays, largest_difference=apart,
                           times_as_fast=single_s / recorded_s if setting.on_gpu else None)  # fmt: skip
                report.expect(counts.replays >= train.max_steps, f"{optimizer}, {name}: steps were not replayed")
                report.expect(apart <= TOLERANCE, f"{optimizer}, {name}: apart by {apart:.1e}")
                if name != "calm":
                    report.expect(counts.recordings > 2, f"{optimizer}: no smaller recording as lanes ended")


def _recorded(task: Round, data: Dataset, device: str) -> tuple[Counts, Ran, float]:
    """A second run of a round with its recordings counted."""
    counts = Counts()
    with counts.kept():
        Ran.of(task, data, device)  # libraries make themselves ready
        counts.recordings = counts.replays = 0
        return counts, *timed(task, data, device)


def _apart(a: Ran, b: Ran) -> float:
    """Largest relative difference of the losses of trainings that did not diverge."""
    worst = 0.0
    for key, ours in a.columns.items():
        if a.outcomes[key].verdict != b.outcomes[key].verdict:
            return float("inf")
        if a.outcomes[key].verdict == "diverged":
            continue
        x, y = ours["loss"], b.columns[key]["loss"]
        if len(x) != len(y):
            return float("inf")
        worst = max(worst, float(np.max(np.abs(x - y) / np.maximum(np.abs(x), 1e-9))))
    return worst


@contextmanager
def _pretended() -> Iterator[Any]:
    """The device that stands for a GPU in the trainer's tests."""
    import pytest

    sys.path.insert(0, str(ROOT / "tests" / "trainer"))
    from pretend_cuda import PretendCuda  # type: ignore[import-not-found]  # of the tests' folder

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv(route.SWITCH, "0")  # the general way on the CPU
    try:
        with PretendCuda().entered(monkeypatch) as device:
            yield device
    finally:
        monkeypatch.undo()
