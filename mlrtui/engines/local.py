"""The local engine: one worker process per device, each behind a socket."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.deadlines import Deadlines, Silence, hangs
from mlrtui.engines.ends import MAX_DEATHS, MAX_STARTS, cause_of_end
from mlrtui.engines.links import HUNG_UP, MESSAGES_PER_POLL, ROWS_PER_POLL, arrivals, post, socket_pair
from mlrtui_trainer.spec import Dataset, LoopRound, Message, Task, TaskDone, TaskFailed

__all__ = ["LocalEngine"]

# Tied to us before anything is imported that takes time.
_START = "import sys; from mlrtui import tether; tether.tie(int(sys.argv.pop(1))); " + (
    "from mlrtui.engines import local_worker; local_worker.main()"
)


@dataclass
class _Worker:
    """One slot's process. ``known``: data sets that it already holds."""

    device: str
    process: "subprocess.Popen[bytes]"
    connection: "Connection[object, object]"
    ready: bool = False
    busy: bool = False
    starts: int = 1  # in a row without a word
    deaths: int = 0  # in a row without a finished task
    dead: bool = False
    known: set[str] = field(default_factory=set)
    silence: Silence = field(default_factory=Silence)


class LocalEngine:
    """Worker processes on this machine. CPU workers run one thread each: a trial's bits never depend on them."""

    def __init__(self, devices: Sequence[str], deadlines: Deadlines | None = None) -> None:
        self._datasets: dict[str, Dataset] = {}
        self._deadlines = deadlines or Deadlines()
        self._workers = [self._spawn(device) for device in devices]
        self._next = 0

    @property
    def devices(self) -> Sequence[str]:
        """Device name of every slot."""
        return [worker.device for worker in self._workers]

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Make data sets known; each worker gets one when its first task needs it."""
        self._datasets.update(datasets)

    def idle(self) -> Sequence[int]:
        """Slots that are ready and wait for a task."""
        return [slot for slot, w in enumerate(self._workers) if w.ready and not w.busy and not w.dead]

    def submit(self, slot: int, task: Task) -> None:
        """Send a task. A worker that died meanwhile is reported by the next `poll`, with the task lost."""
        assert not isinstance(task, LoopRound)  # those are for `loops.LoopEngine`
        worker = self._workers[slot]
        worker.busy = True
        worker.silence.heard(record=True)  # its time starts now
        fresh = () if task.data_id in worker.known else (self._datasets[task.data_id],)
        worker.known.add(task.data_id)
        post(worker.process, worker.connection, *fresh, task)

    def poll(self, timeout: float) -> list[EngineEvent]:
        """Messages in order of arrival per worker; deaths after the worker's last message."""
        slots = {w.connection: slot for slot, w in enumerate(self._workers) if not w.dead}
        events: list[EngineEvent] = []
        rows, count = 0, len(self._workers)
        ready = [slots[connection] for connection in wait(list(slots), timeout)]  # type: ignore[index]
        for slot in sorted(ready, key=lambda slot: (slot - self._next) % count):
            if rows >= ROWS_PER_POLL:
                self._workers[slot].silence.heard(record=True)  # it has something to tell, and its turn comes
                continue
            fresh = self._drain(slot)
            rows += sum(event.rows for event in fresh if isinstance(event, FromWorker))
            events += fresh
            self._next = (slot + 1) % count  # the first of the next poll
        for slot, worker in enumerate(self._workers):
            worker.silence.look()
            reason = hangs(worker.silence, self._deadlines, ready=worker.ready, busy=worker.busy)
            if reason is not None and not worker.dead:
                events.append(self._bury(slot, reason))
        return events

    def close(self) -> None:
        """Hang up, and kill whoever does not leave: a worker holds nothing worth keeping."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()

    def _drain(self, slot: int) -> list[EngineEvent]:
        worker = self._workers[slot]
        events: list[EngineEvent] = []
        rows = 0
        for received in arrivals(worker.connection):
            if received is HUNG_UP:
                events.append(self._bury(slot))
                break
            worker.silence.heard(record=received is not None)
            if received is None:
                continue  # only a sign of life
            if not worker.ready:
                worker.ready = True
                worker.starts = 0
                env: dict[str, str] = received  # type: ignore[assignment]
                events.append(WorkerReady(slot, env))
                continue
            message: Message = received  # type: ignore[assignment]
            if isinstance(message, TaskDone | TaskFailed):
                worker.busy = False
                worker.deaths = 0
            events.append(fresh := FromWorker(slot, message))
            rows += fresh.rows
            if len(events) >= MESSAGES_PER_POLL or rows >= ROWS_PER_POLL:
                break
        return events

    def _bury(self, slot: int, reason: str | None = None) -> WorkerDied:
        """Report a worker that is dead, or hangs for a reason, and start it anew, unless it keeps dying."""
        worker = self._workers[slot]
        worker.connection.close()
        worker.process.kill()
        cause = cause_of_end(worker.process.wait())
        detail = reason or cause
        if worker.starts >= MAX_STARTS or worker.deaths >= MAX_DEATHS:
            worker.dead = True
            return WorkerDied(slot, detail, final=True)
        fresh = self._spawn(worker.device)
        fresh.starts, fresh.deaths = worker.starts + 1, worker.deaths + 1
        self._workers[slot] = fresh
        return WorkerDied(slot, detail, final=False)

    def _spawn(self, device: str) -> _Worker:
        connection, theirs = socket_pair(self._deadlines.beat)
        environment = dict(os.environ)
        if device == "cpu":
            environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            # -P: a torch.py in the working folder must not be imported in place of the real one
            [sys.executable, "-P", "-c", _START, str(os.getpid()), str(theirs.fileno()), device],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=environment,
        )
        theirs.close()
        return _Worker(device, process, connection)
