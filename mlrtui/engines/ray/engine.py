"""The driver's side of the engine of Ray. It never imports Ray; `relay` does, in a process that may die."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from mlrtui.engines.base import EngineEvent, EngineNote, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.deadlines import Deadlines, Silence, hangs
from mlrtui.engines.ends import MAX_DEATHS, MAX_STARTS, after, cause_of_end
from mlrtui.engines.links import HUNG_UP, MESSAGES_PER_POLL, ROWS_PER_POLL, arrivals, post, socket_pair
from mlrtui.engines.ray import leftovers
from mlrtui.engines.ray.differences import differences
from mlrtui.engines.ray.records import (
    Bury,
    Data,
    Died,
    FromRelay,
    Job,
    Note,
    Place,
    Ready,
    Refused,
    Sent,
    Submit,
    ToRelay,
)
from mlrtui.errors import EngineFailed
from mlrtui_trainer.identity import sources_digest
from mlrtui_trainer.remote import Description, Work
from mlrtui_trainer.shipped import TooLargeError, packed
from mlrtui_trainer.spec import Dataset, LoopRound, Message, Task, TaskDone, TaskFailed

__all__ = ["RayEngine"]

# By -c and in a folder of its own: Ray puts the script's folder and the working folder on the import path of workers.
_START = "from mlrtui.engines.ray import relay; relay.main()"
_MAX_RELAYS = 3  # in a row without a finished task: this cluster cannot be used
_LEAVE_SECONDS = 20.0  # for a relay to end by itself
PATIENCE = 60.0
"""Seconds in which machines may join before slots are given up for which there is none."""


@dataclass
class _Slot:
    """What the driver's side knows of a slot's worker."""

    kind: str
    device: str
    place: Place
    ready: bool = False
    busy: bool = False
    dead: bool = False
    starts: int = 1  # in a row without a word
    deaths: int = 0  # in a row without a finished task
    host: str = ""
    pid: int = 0
    silence: Silence = field(default_factory=Silence)


class RayEngine:
    """Slots on the machines of a Ray cluster.

    Args:
        devices: "cpu" or "cuda" for each slot, all alike. A slot takes one CPU, or one GPU, of the cluster.
        address: "auto" or "HOST:PORT" of a cluster that this machine is part of; None: one of our own on this machine.
        deadlines: after which a worker counts as hanging.
        patience: seconds in which machines may join.
    """

    def __init__(
        self,
        devices: Sequence[str],
        address: str | None = None,
        deadlines: Deadlines | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._address, self._patience = address, patience
        self._datasets: dict[str, Dataset] = {}
        self._slots = [_Slot(device, device, Place(slot, 1)) for slot, device in enumerate(devices)]
        self._events: list[EngineEvent] = []
        self._said: set[str] = set()
        self._first: Description | None = None
        self._relays = 0
        self._open()

    @property
    def devices(self) -> Sequence[str]:
        """Device of every slot; a GPU has its number on its machine once its worker is ready."""
        return [slot.device for slot in self._slots]

    @property
    def pids(self) -> Sequence[int]:
        """Process of every slot's worker on its machine; 0 before it is ready."""
        return [slot.pid for slot in self._slots]

    @property
    def relay(self) -> "subprocess.Popen[bytes]":
        """The process that uses Ray."""
        return self._process

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Make data sets known; each goes to the cluster once, and to a worker with its first task."""
        self._datasets.update(datasets)

    def idle(self) -> Sequence[int]:
        """Slots that are ready and wait for a task."""
        return [at for at, slot in enumerate(self._slots) if slot.ready and not slot.busy and not slot.dead]

    def submit(self, slot: int, task: Task) -> None:
        """Send a task, with the sources of the user's that it names."""
        assert not isinstance(task, LoopRound)  # refused before a driver starts
        one = self._slots[slot]
        one.busy = True
        one.silence.heard(record=True)  # its time starts now
        try:
            files = packed(task)
        except TooLargeError as error:
            one.busy = False
            self._events.append(FromWorker(slot, TaskFailed(task.task_id, str(error), out_of_memory=False)))
            return
        if task.data_id not in self._sent:
            self._sent.add(task.data_id)
            self._send(Data(self._datasets[task.data_id]))
        self._send(Submit(one.place, Work(task, files)))

    def poll(self, timeout: float) -> list[EngineEvent]:
        """Messages in order of arrival per worker; deaths after the worker's last message.

        Raises:
            EngineFailed: there is no cluster, or it cannot be used.
        """
        events, self._events = self._events, []
        if wait([self._connection], 0.0 if events else timeout):
            events += self._drain()
        self._silence.look()
        limit = self._deadlines.beat if self._joined else self._deadlines.start
        if self._silence.beat > limit:
            events += self._relay_ended(after("gave no sign of life", limit))
        for one in self._slots:
            one.silence.look()
            reason = None if one.dead else hangs(one.silence, self._deadlines, ready=one.ready, busy=one.busy)
            if reason is not None and self._joined:
                events.append(self._bury(one, reason))
        return events

    def close(self) -> None:
        """End all workers, and a cluster of ours with its folder."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE_SECONDS)
        self._clear()

    # --- the relay ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.folder = leftovers.new_folder()
        """Of the present relay, and of a cluster of ours."""
        self._sent: set[str] = set()
        self._joined = False
        self._silence = Silence()
        connection, theirs = socket_pair(self._deadlines.beat)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=self.folder,
            env=os.environ | {leftovers.MARK: str(self.folder)},
            start_new_session=True,
        )
        theirs.close()
        self._connection: Connection[ToRelay, FromRelay] = connection
        kinds = tuple(slot.kind for slot in self._slots)
        self._send(Job(kinds, self._address, str(self.folder), self._patience))

    def _send(self, message: ToRelay) -> None:
        post(self._process, self._connection, message)

    def _drain(self) -> list[EngineEvent]:
        events: list[EngineEvent] = []
        rows = 0
        for message in arrivals(self._connection):
            if message is HUNG_UP:
                return events + self._relay_ended("")
            self._silence.heard(record=True)
            self._joined |= not isinstance(message, Refused)
            fresh = self._received(message)
            rows += sum(event.rows for event in fresh if isinstance(event, FromWorker))
            events += fresh
            if len(events) >= MESSAGES_PER_POLL or rows >= ROWS_PER_POLL:
                break
        return events

    def _received(self, message: FromRelay) -> list[EngineEvent]:
        match message:
            case Refused(text):
                raise EngineFailed(text)
            case Note(text):
                return self._note(text)
            case Ready(place, found) if (one := self._present(place)) is not None:
                return self._started(one, found)
            case Sent(place, messages) if (one := self._present(place)) is not None:
                one.silence.heard(record=bool(messages))
                return [self._record(one, record) for record in messages]
            case Died(place, detail, hopeless) if (one := self._present(place)) is not None:
                return [self._bury(one, detail, hopeless=hopeless)]
        return []

    def _relay_ended(self, reason: str) -> list[EngineEvent]:
        """Ray has ended its process, or it hangs: with it all workers are gone, and another one starts them anew."""
        self._connection.close()
        self._process.kill()
        detail = f"Ray's process {reason or cause_of_end(self._process.wait())}"
        self._clear()
        self._relays += 1
        if self._relays >= _MAX_RELAYS:
            raise EngineFailed(f"{detail}, {_MAX_RELAYS} times without a finished task")
        events: list[EngineEvent] = []
        for one in self._slots:
            if not one.dead:
                events.append(WorkerDied(one.place.slot, detail, final=False))
            one.place, one.ready, one.busy, one.silence = Place(one.place.slot, 1), False, False, Silence()
        self._open()
        for one in self._slots:
            if one.dead:
                self._send(Bury(one.place, last=True))
        return events

    def _clear(self) -> None:
        self._process.kill()
        self._process.wait()
        leftovers.clear(self.folder)

    # --- workers -----------------------------------------------------------------------------------------------

    def _present(self, place: Place) -> _Slot | None:
        """The slot of a worker that has not been buried."""
        one = self._slots[place.slot]
        return one if one.place == place and not one.dead else None

    def _started(self, one: _Slot, found: Description) -> list[EngineEvent]:
        if found.code != sources_digest():
            return [self._bury(one, f"on {found.host} runs other code of mlrtui_trainer", hopeless=True)]
        one.ready, one.starts, one.device = True, 0, found.device
        one.host, one.pid = found.host, found.pid
        one.silence.heard(record=True)
        self._first = self._first or found
        events: list[EngineEvent] = [WorkerReady(one.place.slot, found.env | {"host": found.host})]
        return events + [note for text in differences(found, self._first) for note in self._note(text)]

    def _record(self, one: _Slot, record: Message) -> FromWorker:
        if isinstance(record, TaskDone | TaskFailed):
            one.busy = False
            one.deaths = self._relays = 0
        return FromWorker(one.place.slot, record)

    def _note(self, text: str) -> list[EngineEvent]:
        """Once: every worker would say the same."""
        if text in self._said:
            return []
        self._said.add(text)
        return [EngineNote(text)]

    def _bury(self, one: _Slot, detail: str, *, hopeless: bool = False) -> WorkerDied:
        """Report a worker that is dead, or hangs; the relay starts the next one, unless they keep dying."""
        one.dead = hopeless or one.starts >= MAX_STARTS or one.deaths >= MAX_DEATHS
        self._send(Bury(one.place, last=one.dead))
        where = f"on {one.host} " if one.host and not detail.startswith("on ") else ""
        one.place = Place(one.place.slot, one.place.number + 1)
        one.ready, one.busy, one.silence = False, False, Silence()
        one.starts, one.deaths = one.starts + 1, one.deaths + 1
        return WorkerDied(one.place.slot, f"{where}{detail}", final=one.dead)
