"""What the driver asks of an engine, and what an engine reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mlrtui_trainer.spec import Dataset, Message, StepBatch, Task

__all__ = ["Engine", "EngineEvent", "EngineNote", "FromWorker", "WorkerDied", "WorkerReady"]


@dataclass(frozen=True)
class WorkerReady:
    """A worker has imported what it needs; ``env`` describes its machine and is kept with every attempt.

    "host" in it is the machine's name, where that is not the driver's.
    """

    slot: int
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FromWorker:
    """A record of the task that runs in a slot."""

    slot: int
    message: Message

    @property
    def rows(self) -> int:
        """How many rows of the store it becomes, about."""
        return len(self.message.step) if isinstance(self.message, StepBatch) else 1


@dataclass(frozen=True)
class WorkerDied:
    """A worker is gone, and with it the task that it had. ``final``: it will not be started again."""

    slot: int
    detail: str
    final: bool


@dataclass(frozen=True)
class EngineNote:
    """Something for the user to read, which becomes a warning in the store: one line."""

    text: str


EngineEvent = WorkerReady | FromWorker | WorkerDied | EngineNote


class Engine(Protocol):
    """Some slots, each of which runs one task at a time. A `TaskDone` or `TaskFailed` frees the slot."""

    @property
    def devices(self) -> Sequence[str]:
        """Device name of every slot, such as "cpu" or "cuda:1"; their number never changes."""

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Make data sets known, by id, before a task names them."""

    def idle(self) -> Sequence[int]:
        """Slots that wait for a task."""

    def submit(self, slot: int, task: Task) -> None:
        """Start a task in an idle slot."""

    def poll(self, timeout: float) -> list[EngineEvent]:
        """What happened since the last call; waits at most ``timeout`` seconds for something.

        Raises:
            EngineFailed: nothing can run any more.
        """

    def close(self) -> None:
        """End all workers."""
