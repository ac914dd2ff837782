"""A worker on another machine: does tasks on a thread of its own, and hands out records when it is asked for them.

`mlrtui.engines.ray` makes an actor of it, one per device, and ships this package to the machine, which needs Python,
NumPy, torch and Ray alone. Two calls to such an actor may run in either order, so a task comes together with its data.
"""

import os
import platform
import queue
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlrtui_trainer.identity import sources_digest
from mlrtui_trainer.raised import said_in_short

if TYPE_CHECKING:
    from mlrtui_trainer.shipped import SourceFiles
    from mlrtui_trainer.spec import Dataset, Message, Probe, Round, Rounds

__all__ = ["Description", "RemoteWorker", "Work", "kill_worker"]

_WAITING_RECORDS = 64
"""Records that wait to be fetched before the training waits: what a slow store holds back stays here."""

_MESSAGES_A_TAKE = 200


class Description(NamedTuple):
    """Of a worker that can work; ``error``: why it cannot, in one line."""

    host: str
    node: str  # Ray's name for the machine
    pid: int
    device: str  # by its number on the machine
    code: str  # digest of this package's sources there
    env: dict[str, str]
    error: str = ""


@dataclass(frozen=True)
class Work:
    """A task; ``files``: sources of the user's that it names."""

    task: "Round | Rounds | Probe"
    files: "tuple[SourceFiles, ...]" = ()


class RemoteWorker:
    """One device's worker. ``device`` is "cpu" or "cuda"; of CUDA devices it takes the first that it sees."""

    def __init__(self, device: str) -> None:
        self._device = "cuda:0" if device == "cuda" else device
        self._records: queue.Queue[Message] = queue.Queue(_WAITING_RECORDS)
        self._work: queue.SimpleQueue[tuple[Work, Dataset | None]] = queue.SimpleQueue()
        self._datasets: dict[str, Dataset] = {}

    def describe(self) -> Description:
        """Import what a training needs, and describe the machine. Called once, first."""
        env: dict[str, str] = {"python": platform.python_version()}
        error = ""
        try:
            from mlrtui_trainer import worker

            env |= worker.describe(self._device)
        except Exception as raised:  # whatever an installation that is half there raises
            error = said_in_short(raised)
        else:
            threading.Thread(target=self._serve, daemon=True).start()
        label = _label(self._device)
        return Description(socket.gethostname(), _node(), os.getpid(), label, sources_digest(), env, error)

    def run(self, work: Work, dataset: "Dataset | None") -> None:
        """Start a task; returns at once. ``dataset``: its data, where it is the first task that has it."""
        self._work.put((work, dataset))

    def take(self, seconds: float) -> "Sequence[Message]":
        """Records since the last call, in order; waits for the first. None after so many seconds: it lives."""
        taken: list[Message] = []
        with suppress(queue.Empty):
            taken.append(self._records.get(timeout=seconds))
            while len(taken) < _MESSAGES_A_TAKE:
                taken.append(self._records.get_nowait())
        return taken

    def _serve(self) -> None:
        from mlrtui_trainer import worker
        from mlrtui_trainer.load import LoadMeter
        from mlrtui_trainer.spec import TaskFailed

        load = LoadMeter(self._device)
        while True:
            work, dataset = self._work.get()
            task = work.task
            try:
                if dataset is not None:
                    # copied: what lies in Ray's shared memory cannot be written, of which torch warns
                    arrays = {name: getattr(dataset, name).copy() for name in ("x", "y", "labels")}
                    self._datasets[dataset.data_id] = replace(dataset, **arrays)
                if work.files:
                    from mlrtui_trainer.shipped import unpacked

                    task = unpacked(task, work.files)
                for message in load.among(worker.run_task(task, self._datasets[task.data_id], self._device)):
                    self._records.put(message)
            except BaseException as raised:  # else nobody would ever hear of the task again
                self._records.put(TaskFailed(task.task_id, said_in_short(raised), out_of_memory=False))


def kill_worker(pid: int) -> bool:
    """Kill a worker that takes no calls any more, on the machine where this runs; whether it was there."""
    with suppress(OSError):
        if RemoteWorker.__name__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _label(device: str) -> str:
    """A CUDA device by its number on the machine: Ray shows a worker its own alone, which is always the first."""
    if not device.startswith("cuda"):
        return device
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    return f"cuda:{first}" if first else device


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())
