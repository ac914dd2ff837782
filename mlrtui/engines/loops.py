"""The engine of users' trainings: a fresh process for each, so that none harms another, whatever it does."""

import importlib.metadata
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.deadlines import BEAT_SECONDS, Deadlines, Silence
from mlrtui.engines.ends import after, cause_of_end
from mlrtui.engines.links import HUNG_UP, MESSAGES_PER_POLL, arrivals
from mlrtui_trainer.loops.process import STARTED, Failure, Job, Returned
from mlrtui_trainer.loops.records import Records
from mlrtui_trainer.loops.reports import Ending, Reported, difference
from mlrtui_trainer.spec import Dataset, LoopRound, Message, Repeated, Task, TaskDone, TaskFailed

__all__ = ["LoopEngine", "described"]

# Tied to us before anything is imported that takes time.
_START = "import sys; from mlrtui import tether; tether.tie(int(sys.argv.pop(1))); " + (
    "from mlrtui_trainer.loops import process; process.main()"
)
_LINGER_SECONDS = 60.0  # after its outcome, in which a training may tidy up


@dataclass
class _Running:
    """A training's process. ``first``: what the training reported the first time, when this is the second."""

    task: LoopRound
    process: "subprocess.Popen[bytes]"
    connection: "Connection[object, object]"
    records: Records
    first: list[Reported] | None = None
    seen: list[Reported] = field(default_factory=list)
    started: bool = False
    outcome: bool = False
    silence: Silence = field(default_factory=Silence)

    def record(self, message: object) -> Message | None:
        """What the driver is to have of a message: nothing of the second time."""
        if isinstance(message, list) and self.task.check:
            self.seen += message
        self.outcome |= isinstance(message, Ending)
        return None if self.first is not None else self.records.of(message)

    def hangs(self, deadlines: Deadlines) -> str | None:
        """Why the process counts as hanging, or None."""
        if not self.started:
            return after("did not start", deadlines.start) if self.silence.record > deadlines.start else None
        if self.silence.beat > deadlines.beat:
            return after("gave no sign of life", deadlines.beat)
        if self.outcome:
            return after("did not return", _LINGER_SECONDS) if self.silence.record > _LINGER_SECONDS else None
        if self.silence.record > deadlines.record:
            return after("reported nothing", deadlines.record)
        return None


class LoopEngine:
    """Slots, each of which runs one training at a time in a process of its own.

    A process on a GPU sees that one alone; one on the CPU sees no GPU and uses one thread, unless the training asks for
    more by itself.
    """

    def __init__(self, devices: Sequence[str], deadlines: Deadlines | None = None) -> None:
        self._devices = list(devices)
        self._deadlines = deadlines or Deadlines()
        self._running: dict[int, _Running] = {}
        self._events: list[EngineEvent] = [WorkerReady(slot, described(one)) for slot, one in enumerate(devices)]

    @property
    def devices(self) -> Sequence[str]:
        """Device name of every slot."""
        return self._devices

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """There are none: a training has its own."""

    def idle(self) -> Sequence[int]:
        """Slots without a process."""
        return [slot for slot in range(len(self._devices)) if slot not in self._running]

    def submit(self, slot: int, task: Task) -> None:
        """Start a training."""
        assert isinstance(task, LoopRound)
        self._running[slot] = self._spawn(slot, task)

    def poll(self, timeout: float) -> list[EngineEvent]:
        """Messages in order of arrival per training; its end after its last message."""
        slots = {running.connection: slot for slot, running in self._running.items()}
        events, self._events = self._events, []
        for connection in wait(list(slots), 0.0 if events else timeout):
            events += self._drain(slots[connection])  # type: ignore[index]
        for slot, running in list(self._running.items()):
            running.silence.look()
            reason = running.hangs(self._deadlines)
            if reason is None and _has_ended(running.process) and not running.connection.poll():
                reason = ""  # its own children may keep the socket open
            if reason is not None:
                events += self._ended(slot, None, reason)
        return events

    def close(self) -> None:
        """End all trainings."""
        for running in self._running.values():
            _end(running, patience=0.0)
        self._running.clear()

    def _drain(self, slot: int) -> list[EngineEvent]:
        running, events = self._running[slot], list[EngineEvent]()
        for message in arrivals(running.connection):
            if message is HUNG_UP:
                return events + self._ended(slot, None, "")
            running.silence.heard(record=message is not None)
            running.started |= message == STARTED
            if isinstance(message, Returned | Failure):
                return events + self._ended(slot, message, "")
            if (record := running.record(message)) is not None:
                events.append(FromWorker(slot, record))
            if len(events) >= MESSAGES_PER_POLL:
                break
        return events

    def _ended(self, slot: int, last: Returned | Failure | None, reason: str) -> list[EngineEvent]:
        """A training is over, or counts as hanging for a reason: what is to be said of it."""
        running = self._running.pop(slot)
        cause = _end(running, patience=1.0 if last is not None else 0.0)
        detail, task = reason or cause, running.task
        done = FromWorker(slot, TaskDone(task.task_id, 0.0))
        if running.first is not None:
            wrong = "" if running.outcome else f"the second time it failed: {_why(last) or detail}"
            return [FromWorker(slot, Repeated(task.task_id, wrong or difference(running.first, running.seen))), done]
        if running.outcome:
            if not task.check:
                return [done]
            self._running[slot] = self._spawn(slot, task, running.seen)
            return []
        if isinstance(last, Failure):
            return [FromWorker(slot, TaskFailed(task.task_id, *last))]
        return [WorkerDied(slot, detail, final=False)]

    def _spawn(self, slot: int, task: LoopRound, first: list[Reported] | None = None) -> _Running:
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            # -P: a torch.py in the working folder must not be imported in place of the real one
            [sys.executable, "-P", "-c", _START, str(os.getpid()), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=_environment(self._devices[slot]),
            start_new_session=True,  # so that its own children end with it
        )
        theirs.close()
        running = _Running(task, process, Connection(ours.detach()), Records(task.loop, task.trial), first)
        with suppress(BrokenPipeError, ConnectionResetError):  # poll sees that it is gone
            running.connection.send(Job(task.loop, task.trial.eta, task.trial.seed, beat_seconds=BEAT_SECONDS))
        return running


def _end(running: _Running, patience: float) -> str:
    """End a training's process, after so many seconds, and what it has started; how it ended."""
    running.connection.close()
    until = time.monotonic() + patience
    while not _has_ended(running.process) and time.monotonic() < until:
        time.sleep(0.002)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(running.process.pid, signal.SIGKILL)
    return cause_of_end(running.process.wait())


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has, without taking note of it: until then nobody else gets its number, which is its group's too."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _why(last: Returned | Failure | None) -> str:
    return last.error if isinstance(last, Failure) else ""


def described(device: str) -> dict[str, str]:
    """Versions behind the numbers of a device, as far as they are known without importing anything."""
    found = {"device": device, "python": platform.python_version()}
    for package in ("torch", "numpy"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _environment(device: str) -> dict[str, str]:
    """What a process on this device sees."""
    environment = dict(os.environ)
    if device == "cpu":
        one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return environment | one | {"CUDA_VISIBLE_DEVICES": ""}
    number = int(device.rpartition(":")[2]) if ":" in device else 0
    visible = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return environment | {"CUDA_VISIBLE_DEVICES": visible[number] if number < len(visible) else str(number)}
