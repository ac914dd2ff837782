"""The engine of a script: its one slot is the script itself, at the other end of a socket, where the training runs."""

from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui.engines.loops import described
from mlrtui_trainer.loops.process import Difference, Failure, Job, Returned
from mlrtui_trainer.loops.records import Records
from mlrtui_trainer.spec import Dataset, LoopRound, Repeated, Task, TaskDone

__all__ = ["DEVICE", "CallerEngine"]

DEVICE = "script"
"""Device name of attempts that ran in a script: which device it used is its own business."""


class CallerEngine:
    """One slot, which trains in the process that asked for the search. It is gone when that process hangs up."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self.gone = ""
        """Why the script does not go on; "" while it does."""
        self._connection = connection
        self._task: LoopRound | None = None
        self._records: Records | None = None
        self._events: list[EngineEvent] = [WorkerReady(0, described(DEVICE))]

    @property
    def devices(self) -> Sequence[str]:
        """The script."""
        return [DEVICE]

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """There are none: the script has its own."""

    def idle(self) -> Sequence[int]:
        """The slot, when it has nothing to do."""
        return [0] if self._task is None and not self.gone else []

    def submit(self, slot: int, task: Task) -> None:
        """Ask the script for a training."""
        assert isinstance(task, LoopRound)
        self._task, self._records = task, Records(task.loop, task.trial)
        try:
            self._connection.send(Job(task.loop, task.trial.eta, task.trial.seed, task.check))
        except OSError:
            self._hung_up()

    def poll(self, timeout: float) -> list[EngineEvent]:
        """What the script reports. It is never taken to hang: somebody is looking at it."""
        events, self._events = self._events, []
        if events or self.gone or not wait([self._connection], timeout):
            return events
        try:
            while not self.gone and self._connection.poll():
                events += self._received(self._connection.recv())
        except (EOFError, OSError):
            self._hung_up()
        return events

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _received(self, message: object) -> list[EngineEvent]:
        task, records = self._task, self._records
        if isinstance(message, Failure):
            self.gone = message.error
            return []
        assert task is not None
        assert records is not None
        if isinstance(message, Difference):
            return [FromWorker(0, Repeated(task.task_id, message.text))]
        if isinstance(message, Returned):
            self._task = None
            return [FromWorker(0, TaskDone(task.task_id, message.seconds))]
        record = records.of(message)
        return [] if record is None else [FromWorker(0, record)]

    def _hung_up(self) -> None:
        self.gone = self.gone or "the script ended"
