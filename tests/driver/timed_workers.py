"""Several workers that train nothing, on a clock of their own: what a schedule takes, to the last digit."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui.engines.fake import FakeEngine
from mlrtui_trainer.models.kinds import forward_work
from mlrtui_trainer.spec import Message, Probe, Task, TaskDone, TrialSpec

PROBE = 8.0
"""What a net's probe takes, in trainings of the same net."""


class TimedWorkers(FakeEngine):
    """Slots on which a training takes as long as its net has multiplications, and lanes follow one another.

    ``together``: all outcomes of a round come at its end. ``seconds`` is the time now; ``tasks`` what was handed out:
    (time, slot, task).
    """

    def __init__(self, devices: Sequence[str], *, together: bool = False) -> None:
        super().__init__()
        self.seconds = 0.0
        self.tasks: list[tuple[float, int, Task]] = []
        self._names = devices
        self._together = together
        self._numbers = count()
        self._busy: set[int] = set()
        self._coming: list[tuple[float, int, int, list[EngineEvent]]] = []
        self._events.clear()
        self._events += [WorkerReady(slot) for slot in range(len(devices))]

    @property
    def devices(self) -> Sequence[str]:
        return self._names

    def idle(self) -> Sequence[int]:
        return [slot for slot in range(len(self._names)) if slot not in self._busy]

    def submit(self, slot: int, task: Task) -> None:
        self._busy.add(slot)
        self.tasks.append((self.seconds, slot, task))
        at, waiting = self.seconds, list[EngineEvent]()
        for seconds, messages in self._parts(task):
            at += seconds
            waiting += [FromWorker(slot, message) for message in messages]
            if not self._together:
                self._send(at, slot, waiting)
                waiting = []
        self._send(at, slot, [*waiting, FromWorker(slot, TaskDone(task.task_id, at - self.seconds))])

    def poll(self, timeout: float) -> list[EngineEvent]:
        if not self._events and self._coming:
            self.seconds, _, slot, events = heapq.heappop(self._coming)
            self._events += events
            if any(isinstance(event, FromWorker) and isinstance(event.message, TaskDone) for event in events):
                self._busy.discard(slot)
        events = list(self._events)
        self._events.clear()
        return events

    def _send(self, at: float, slot: int, events: list[EngineEvent]) -> None:
        heapq.heappush(self._coming, (at, next(self._numbers), slot, events))

    def _parts(self, task: Task) -> Iterator[tuple[float, list[Message]]]:
        """Lane by lane: what it takes and what it says."""
        one: Task
        for lane in task.nets if isinstance(task, Probe) else task.trials:
            one = replace(task, trials=(lane,)) if isinstance(lane, TrialSpec) else replace(task, nets=(lane,))  # type: ignore[call-arg]
            seconds = forward_work(task.net) * (PROBE if isinstance(task, Probe) else 1.0)
            yield seconds, [message for message in self.answer(one) if not isinstance(message, TaskDone)]
