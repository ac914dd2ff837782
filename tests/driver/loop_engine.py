"""Trainings of the user's that are a formula: a whole sweep of them takes a moment, and accuracies decide it."""

from collections.abc import Iterator
from math import exp
from pathlib import Path
from typing import Any

from mlrtui.engines.fake import FakeEngine
from mlrtui_trainer.loops.records import Records
from mlrtui_trainer.loops.reports import Reports
from mlrtui_trainer.spec import LoopRound, Message, Task, TaskDone

__all__ = ["LoopEngine", "loop_document"]

STEPS = 24


def loop_document(folder: Path, **search: Any) -> dict[str, Any]:
    """A sweep file over a function in ``folder``, which nobody calls: `LoopEngine` has the formula."""
    (folder / "own_loop.py").write_text("def train(lr, report, seed, **arguments):\n    raise RuntimeError\n")
    return {
        "sweep": {"name": "s", "seeds": [0, 1]},
        "training": {"loop": "own_loop:train", "path": str(folder), "check": False},
        "search": {"success": "accuracy", "start": 0.5, "tolerance": 0.3} | search,
    }


class LoopEngine(FakeEngine):
    """One slot, which counts its trainings. The best accuracy falls with the rate, and far above the edge the loss
    overflows; both depend on seed and arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = 0

    def answer(self, task: Task) -> Iterator[Message]:
        """What comes of one training."""
        assert isinstance(task, LoopRound)
        self.trained += 1
        reports, records = Reports(task.loop), Records(task.loop, task.trial)
        arguments = dict(task.loop.arguments)
        size = float(arguments.get("width", 8)) * float(arguments.get("depth", 1))
        eta = task.trial.eta * size**0.5 / (1.0 + 0.1 * task.trial.seed)
        best = 1.0 / (1.0 + eta**1.5 / 20.0)
        for step in range(STEPS):
            accuracy = best * (1.0 - exp(-step * (0.1 + min(eta, 3.0) / 10.0)))
            loss = 1.0 / (1 + step) if eta < 40.0 else 10.0**step
            if not reports(step, loss, accuracy):
                break
        rows = records.of(reports.take(all_of_it=True))
        end = records.of(reports.ending(task.trial.eta))
        assert rows is not None
        assert end is not None
        yield from (rows, end, TaskDone(task.task_id, 0.0))
