"""The process between the driver and Ray: starts workers, passes tasks to them and their records back.

Ray may end it at any moment (its head is gone), or leave it hanging; the driver then starts another one. It ends when
the driver hangs up, with all that it has started.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from mlrtui.engines.deadlines import BEAT_SECONDS
from mlrtui.engines.ray import cluster, leftovers
from mlrtui.engines.ray.reasons import reason_of
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
from mlrtui.errors import BadInput
from mlrtui_trainer.remote import Description, RemoteWorker, kill_worker

__all__ = ["main"]

_LOOK_SECONDS = 0.1  # between looks whether there are new workers
_NODES_SECONDS = 2.0  # between looks at the cluster while a worker waits for a machine
_LEAVE_SECONDS = 10.0  # for Ray to say goodbye to a cluster that is not ours
_KIND = {"cpu": "CPU", "cuda": "GPU"}  # of a device → what Ray calls it


class _Asked(NamedTuple):
    """What a reference is the answer to: "describe", "run" or "take"."""

    what: str
    place: Place


@dataclass
class _Worker:
    """An actor and what is known of it."""

    handle: Any
    place: Place
    since: float
    found: Description | None = None
    known: frozenset[str] = frozenset()  # data sets that it has


class _Relay:
    """Everything behind the two threads: one waits for Ray, one for the driver. ``_turn`` guards what both touch."""

    def __init__(self, connection: "Connection[Any, Any]", job: Job) -> None:
        self._connection = connection
        self._job = job
        self._turn = threading.RLock()
        self._sending = threading.Lock()
        self._workers: dict[int, _Worker] = {}
        self._asked: dict[Any, _Asked] = {}
        self._data: dict[str, Any] = {}  # references
        self._told_of_slots = False

    def start(self) -> None:
        """Join, or start, the cluster, and a worker for each slot. Raises whatever Ray does."""
        if self._job.address is not None:
            cluster.join(self._job.address)
        else:
            kinds = self._job.devices
            cluster.start(Path(self._job.folder), max(kinds.count("cpu"), 1), kinds.count("cuda"))
        with self._turn:
            for slot in range(len(self._job.devices)):
                self._spawn(Place(slot, 1))

    def send(self, message: FromRelay) -> None:
        """To the driver. It may wait for a driver that waits for a disk."""
        with self._sending:
            self._connection.send(message)

    # --- from the driver ---------------------------------------------------------------------------------------

    def told(self, message: ToRelay) -> None:
        """Do what the driver says."""
        import ray

        with self._turn:
            if isinstance(message, Data):
                self._data[message.dataset.data_id] = ray.put(message.dataset)
            elif isinstance(message, Submit):
                self._submit(message)
            elif isinstance(message, Bury):
                self._end(message.place)
                if not message.last:
                    self._spawn(Place(message.place.slot, message.place.number + 1))

    def _submit(self, message: Submit) -> None:
        worker = self._workers.get(message.place.slot)
        if worker is None or worker.place != message.place:
            return  # its death is on its way
        data_id = message.work.task.data_id
        dataset = None if data_id in worker.known else self._data[data_id]
        worker.known |= {data_id}
        self._ask("run", worker, worker.handle.run.remote(message.work, dataset))

    def _spawn(self, place: Place) -> None:
        import ray

        kind = self._job.devices[place.slot]
        needs = {"num_cpus": 0, "num_gpus": 1} if kind == "cuda" else {"num_cpus": 1}
        # Ray restarts nothing: a trial's attempts are ours. Threads for `run` and `take`, which waits.
        actor = ray.remote(max_restarts=0, max_task_retries=0, max_concurrency=4, **needs)(RemoteWorker)
        worker = _Worker(actor.remote(kind), place, time.monotonic())
        self._workers[place.slot] = worker
        self._ask("describe", worker, worker.handle.describe.remote())

    def _ask(self, what: str, worker: _Worker, reference: Any) -> None:
        self._asked[reference] = _Asked(what, worker.place)

    def _end(self, place: Place) -> None:
        """Kill a worker for good: one that hangs takes no call, so its process is killed on its machine, too."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        worker = self._workers.get(place.slot)
        if worker is None or worker.place != place:
            return
        del self._workers[place.slot]
        self._asked = {reference: asked for reference, asked in self._asked.items() if asked.place != place}
        with suppress(Exception):  # it may be gone, or its machine
            ray.kill(worker.handle, no_restart=True)
        if worker.found is not None:
            with suppress(Exception):
                there = NodeAffinitySchedulingStrategy(worker.found.node, soft=False)
                kill = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(kill_worker)
                kill.remote(worker.found.pid)

    # --- from Ray ----------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Pass on what workers send, until the driver hangs up."""
        import ray

        beat = nodes = 0.0
        while True:
            with self._turn:
                waiting = list(self._asked)
            ready: list[Any] = []
            if waiting:
                ready, _ = ray.wait(waiting, num_returns=1, timeout=_LOOK_SECONDS)
            else:
                time.sleep(_LOOK_SECONDS)
            for reference in ready:
                self._answered(reference)
            now = time.monotonic()
            if now - beat >= BEAT_SECONDS / 2:
                beat = now
                self.send(None)
            if now - nodes >= _NODES_SECONDS:
                nodes = now
                self._look_at_nodes()

    def _answered(self, reference: Any) -> None:
        import ray

        with self._turn:
            asked = self._asked.pop(reference, None)
            worker = None if asked is None else self._workers.get(asked.place.slot)
        if asked is None or worker is None or worker.place != asked.place:
            return  # of a worker that was buried meanwhile
        try:
            answer = ray.get(reference)
        except Exception as error:  # died, unavailable, its data lost, ...: whatever it is, another worker starts
            self._died(worker, reason_of(error))
            return
        if asked.what == "describe":
            self._described(worker, answer)
        elif asked.what == "take":
            self.send(Sent(worker.place, answer))
            self._take(worker)

    def _described(self, worker: _Worker, found: Description) -> None:
        worker.found = found
        if found.error:
            self._died(worker, f"cannot start on {found.host}: {found.error}", hopeless=True)
            return
        self.send(Ready(worker.place, found))
        self._take(worker)

    def _take(self, worker: _Worker) -> None:
        with self._turn:
            if self._workers.get(worker.place.slot) is worker:
                self._ask("take", worker, worker.handle.take.remote(BEAT_SECONDS))

    def _died(self, worker: _Worker, detail: str, *, hopeless: bool = False) -> None:
        with self._turn:
            self._end(worker.place)
        self.send(Died(worker.place, detail, hopeless))

    def _look_at_nodes(self) -> None:
        """Give up workers for which no machine has space: Ray would let them wait for ever, and says nothing."""
        import ray

        now = time.monotonic()
        with self._turn:
            waiting = [one for one in self._workers.values() if one.found is None]
            waiting = [one for one in waiting if now - one.since > self._job.patience]
            working = sum(one.found is not None for one in self._workers.values())
        if not waiting:
            return
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        kind = _KIND[self._job.devices[0]]
        space = int(sum(node.get(kind, 0) for node in nodes))
        total = len(self._job.devices)
        missing = waiting[max(space - working, 0) :]
        if not missing:
            return
        if not self._told_of_slots:
            self._told_of_slots = True
            self.send(
                Note(f"{total - len(missing)} of {total} slots: Ray has {space} {kind}s on {len(nodes)} machines")
            )
        for worker in missing:
            self._died(worker, f"found no machine with a free {kind} in {self._job.patience:g} s", hopeless=True)


def main() -> None:
    """Entry point of the process: the socket to the driver is its first argument."""
    for number in (signal.SIGINT, signal.SIGUSR1):  # of a terminal's or a job's processes the driver's alone
        signal.signal(number, signal.SIG_IGN)
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        job: Job = connection.recv()
        relay = _Relay(connection, job)
    except (EOFError, OSError):
        return
    threading.Thread(target=_listen, args=(relay, connection, job), daemon=True).start()
    try:
        relay.start()
        signal.signal(signal.SIGTERM, lambda *_: _leave(job))  # Ray has put its own there
        _started.set()
        relay.watch()
    except OSError as error:
        if not isinstance(error, BrokenPipeError | ConnectionResetError):
            raise
        _leave(job)
    except Exception as error:
        text = str(error) if isinstance(error, BadInput) else f"Ray: {reason_of(error)}"
        if job.address is None:  # on a busy machine Ray's own processes may come too late for it: try again
            os.write(2, f"{text}\n".encode(errors="replace"))
            _leave(job, 1)
        with suppress(OSError):
            relay.send(Refused(text))
        _leave(job)


_started = threading.Event()


def _listen(relay: _Relay, connection: "Connection[Any, Any]", job: Job) -> None:
    """Do what the driver says until it hangs up, from the start: Ray's start takes its time."""
    with suppress(EOFError, OSError):
        while True:
            message: ToRelay = connection.recv()
            _started.wait()
            relay.told(message)
    _leave(job)


def _leave(job: Job, code: int = 0) -> None:
    """End at once, with all that was started here."""
    if job.address is None:
        leftovers.clear(Path(job.folder))
        if sys.platform.startswith("linux"):
            os._exit(code)
    threading.Timer(_LEAVE_SECONDS, os._exit, (1,)).start()
    ray = sys.modules.get("ray")
    if ray is not None:
        ray.shutdown()
    os._exit(code)
