"""Engines whose time is the CPU time of the work: one that trains and records what each net took, one that replays it.

A recording holds, for each net's λ₀ and each training, the records that came of it and the CPU time between them. So
another order of work, and another estimate of the time left, can be tried in seconds, on exactly the same trainings.
"""

import heapq
import math
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerReady
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    LoopRound,
    Message,
    Outcome,
    Probe,
    Round,
    Rounds,
    Segment,
    StepBatch,
    Task,
    TaskDone,
    TaskFailed,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

__all__ = ["CpuTimeEngine", "Recording", "ReplayEngine"]

Key = tuple[str, int, float, float]  # the cell in words, seed, rate, rate of its base


class Piece(NamedTuple):
    """Part of a training: CPU seconds, and the step to which it came."""

    seconds: float
    step: int


@dataclass
class Training:
    """What a training took, and how it ended."""

    pieces: list[Piece] = field(default_factory=list)
    outcome: Outcome | None = None


@dataclass
class Recording:
    """All that came of one sweep's tasks."""

    measured: dict[Key, tuple[float, LambdaAtInit]] = field(default_factory=dict)
    trainings: dict[Key, Training] = field(default_factory=dict)
    together: dict[str, int] = field(default_factory=dict)  # trainings that were seen side by side, by cell

    def save(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read it from a file of ours: it runs what the file says."""
        found = pickle.loads(path.read_bytes())
        assert isinstance(found, cls)
        return found

    def add(self, task: Task, timed: Sequence[tuple[float, Message]]) -> None:
        """Take what came of a task: CPU seconds since the record before, and the record."""
        if isinstance(task, Probe):
            whole = sum(seconds for seconds, _ in timed) / len(task.nets)
            for (_, seed), base in zip(task.nets, task.base_etas or (0.0,) * len(task.nets), strict=True):
                found = next(m for _, m in timed if isinstance(m, LambdaAtInit) and dict(task.nets)[m.net_id] == seed)
                self.measured[_cell(task), seed, 0.0, base] = whole, found
            return
        trials = {trial.trial_id: (part, trial) for part in _parts(task) for trial in part.trials}
        waiting = 0.0  # of records that belong to no training
        for seconds, message in timed:
            waiting += seconds
            if isinstance(message, StepBatch):
                came = {one: int(message.step[one.stop - 1]) for one in message.segments}
                before = {one: self._step(*trials[one.trial_id]) for one in message.segments}
                steps = {one: max(came[one] - before[one], 0) + 1 for one in message.segments}
                for one in message.segments:
                    share = waiting * steps[one] / sum(steps.values())
                    self._training(*trials[one.trial_id]).pieces.append(Piece(share, came[one]))
                cell = _cell(trials[message.segments[0].trial_id][0])
                self.together[cell] = max(self.together.get(cell, 1), len(message.segments))
                waiting = 0.0
            elif isinstance(message, Outcome):
                ended = self._training(*trials[message.trial_id])
                ended.outcome = message
                ended.pieces.append(Piece(waiting, ended.pieces[-1].step if ended.pieces else 0))
                waiting = 0.0

    def _training(self, part: Round, trial: TrialSpec) -> Training:
        return self.trainings.setdefault(_key(part, trial), Training())

    def _step(self, part: Round, trial: TrialSpec) -> int:
        pieces = self._training(part, trial).pieces
        return pieces[-1].step if pieces else 0

    def training(self, part: Round, trial: TrialSpec) -> Training:
        """That of this trial, or of the rate nearest to its own where another order of work made it ask for others."""
        cell, seed, eta, base = _key(part, trial)
        if (found := self.trainings.get((cell, seed, eta, base))) is not None:
            return found
        others = [key for key in self.trainings if key[:2] == (cell, seed)]
        return self.trainings[min(others, key=lambda key: abs(math.log(key[2] / eta)))]


class _Simulated(ABC):
    """Slots that do their tasks one after another, each on a clock of its own."""

    def __init__(self, slots: int) -> None:
        self.now = 0.0
        self._datasets: dict[str, Dataset] = {}
        self._busy = [False] * slots
        self._events: list[tuple[float, int, EngineEvent]] = []
        self._count = self._ready = 0
        for slot in range(slots):
            self._put(0.0, WorkerReady(slot, {"device": "cpu"}))

    @property
    def devices(self) -> Sequence[str]:
        """All CPU workers."""
        return ["cpu"] * len(self._busy)

    def clock(self) -> float:
        """The time that the driver sees."""
        return self.now

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Make data sets known."""
        self._datasets.update(datasets)

    def idle(self) -> Sequence[int]:
        """Slots that wait for a task."""
        return [slot for slot in range(self._ready) if not self._busy[slot]]

    def submit(self, slot: int, task: Task) -> None:
        """Do a task at once; what comes of it waits for its time."""
        self._busy[slot] = True
        at = self.now
        for seconds, message in self._done(task):
            at += seconds
            self._put(at, FromWorker(slot, message))

    @abstractmethod
    def _done(self, task: Task) -> Iterable[tuple[float, Message]]:
        """CPU seconds since the record before, and the record."""

    def poll(self, timeout: float) -> list[EngineEvent]:
        """What comes first, if it comes in time; else the time passes."""
        if not self._events or self._events[0][0] > self.now + timeout:
            self.now += timeout
            return []
        self.now = max(self.now, self._events[0][0])
        return list(self._due())

    def close(self) -> None:
        """Leave out what has not come yet."""
        self._events.clear()

    def _due(self) -> Iterator[EngineEvent]:
        while self._events and self._events[0][0] <= self.now:
            event = heapq.heappop(self._events)[2]
            if isinstance(event, WorkerReady):
                self._ready += 1
            elif isinstance(event, FromWorker) and isinstance(event.message, TaskDone | TaskFailed):
                self._busy[event.slot] = False
            yield event

    def _put(self, at: float, event: EngineEvent) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, event))


class CpuTimeEngine(_Simulated):
    """Trains in this process, and records it."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.recording = Recording()

    def _done(self, task: Task) -> Iterable[tuple[float, Message]]:
        assert not isinstance(task, LoopRound)
        timed = []
        at = time.process_time()
        for message in run_task(task, self._datasets[task.data_id], "cpu"):
            now = time.process_time()
            timed.append((now - at, message))
            at = now
        if not isinstance(timed[-1][1], TaskFailed):
            self.recording.add(task, timed)
        return timed


class ReplayEngine(_Simulated):
    """Does what a recording says, in the order of work of today's driver."""

    def __init__(self, slots: int, recording: Recording) -> None:
        super().__init__(slots)
        self._recording = recording
        self.elsewhere = 0  # trainings at other rates than those that were recorded

    def _done(self, task: Task) -> Iterator[tuple[float, Message]]:
        if isinstance(task, Probe):
            yield from self._measured(task)
        else:
            for part in _parts(task):
                size = self._recording.together.get(_cell(part), 1)
                for first in range(0, len(part.trials), size):
                    yield from self._trained(part, part.trials[first : first + size])
        yield 0.0, TaskDone(task.task_id, 0.0)

    def _measured(self, task: Probe) -> Iterator[tuple[float, Message]]:
        keys = [
            (_cell(task), seed, 0.0, base)
            for (_, seed), base in zip(task.nets, task.base_etas or (0.0,) * len(task.nets), strict=True)
        ]
        found = [self._recording.measured[key] for key in keys]
        waits = sum(seconds for seconds, _ in found)  # they come all at once
        for (net, _), (_, one) in zip(task.nets, found, strict=True):
            yield waits, replace(one, net_id=net)
            waits = 0.0

    def _trained(self, part: Round, trials: Sequence[TrialSpec]) -> Iterator[tuple[float, Message]]:
        found = {trial: self._recording.training(part, trial) for trial in trials}
        self.elsewhere += sum(_key(part, trial) not in self._recording.trainings for trial in trials)
        order = sorted(
            ((piece.step, n, trial, piece) for trial, one in found.items() for n, piece in enumerate(one.pieces)),
            key=lambda item: item[:2],
        )
        for step, n, trial, piece in order:
            one = found[trial]
            if n < len(one.pieces) - 1:
                yield piece.seconds, _row(trial, n, step)
            elif one.outcome is not None:
                yield piece.seconds, replace(one.outcome, trial_id=trial.trial_id, attempt=trial.attempt, seq=n)


def _row(trial: TrialSpec, seq: int, step: int) -> StepBatch:
    nothing = np.full(1, math.nan)
    segment = Segment(trial.trial_id, trial.attempt, seq, 0, 1)
    zero = np.zeros(1, dtype=np.int64)
    return StepBatch((segment,), np.array([step]), np.ones(1), nothing, nothing, nothing, zero, zero)


def _parts(task: Task) -> tuple[Round, ...]:
    assert isinstance(task, Round | Rounds)
    return task.rounds if isinstance(task, Rounds) else (task,)


def _cell(part: Round | Probe) -> str:
    net, train = replace(part.net, code_path=""), replace(part.train, code_path="")  # wherever the examples lie
    return repr((net, train, part.sharpness, part.fork, part.data_id))


def _key(part: Round, trial: TrialSpec) -> Key:
    return _cell(part), trial.seed, trial.eta, 0.0 if math.isnan(trial.base_eta) else trial.base_eta
