"""Workers that send faster than they are read: they wait where they are, little is held, and no row is lost."""

import os
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest

from mlrtui.engines import local
from mlrtui.engines.base import EngineEvent, FromWorker
from mlrtui.engines.links import socket_pair
from mlrtui.engines.local import LocalEngine
from mlrtui_trainer.spec import Segment, StepBatch, TaskDone

ROWS, MESSAGES = 100, 200  # of each message, of each worker
MOST = 1000


def batch(trial: int, seq: int) -> StepBatch:
    step = np.arange(seq * ROWS, (seq + 1) * ROWS, dtype=np.int64)
    nothing, none = np.full(ROWS, np.nan), np.zeros(ROWS, dtype=np.int64)
    loss = step.astype(np.float64)
    return StepBatch((Segment(trial, 1, seq, 0, ROWS),), step, loss, nothing, nothing, nothing, none, none)


class Flood(threading.Thread):
    """Plays a worker behind a real socket: it sends as fast as it may."""

    def __init__(self, trial: int, line: socket.socket) -> None:
        super().__init__(daemon=True)
        self.trial, self.sent = trial, 0
        self.socket = line
        self.line: Connection[Any, Any] = Connection(os.dup(line.fileno()))

    def run(self) -> None:
        for seq in range(MESSAGES):
            self.line.send(batch(self.trial, seq))
            self.sent = seq + 1
        self.line.send(TaskDone(self.trial, 0.0))

    @property
    def waits(self) -> bool:
        """Whether its socket takes nothing more."""
        return not select.select([], [self.socket], [], 0)[1]


@pytest.fixture(params=[1, 64])
def flooded(request: pytest.FixtureRequest) -> Iterator[tuple[LocalEngine, list[Flood]]]:
    """The local engine with so many workers that flood it."""
    engine, floods = LocalEngine([]), []
    for trial in range(1, request.param + 1):
        ours, theirs = socket_pair(20.0)
        process = subprocess.Popen(["sleep", "600"])  # the engine ends it
        engine._workers.append(local._Worker("cpu", process, ours, ready=True, busy=True))
        floods.append(Flood(trial, theirs))
    for flood in floods:
        flood.start()
    yield engine, floods
    engine.close()
    for flood in floods:
        flood.join(60)
        flood.line.close()
        flood.socket.close()


def test_they_wait_for_the_driver_and_lose_nothing(
    flooded: tuple[LocalEngine, list[Flood]], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, floods = flooded
    monkeypatch.setattr(local, "ROWS_PER_POLL", MOST)
    waiting = threading.Event()
    for flood in floods:
        while not flood.waits:
            waiting.wait(0.01)  # until its socket is full
        assert flood.sent < MESSAGES / 2
    found: dict[int, list[float]] = {flood.trial: [] for flood in floods}
    ended, polls = 0, 0
    while ended < len(floods):
        events: list[EngineEvent] = engine.poll(10.0)
        messages = [one.message for one in events if isinstance(one, FromWorker)]
        assert len(messages) == len(events)  # none is taken for dead
        batches = [one for one in messages if isinstance(one, StepBatch)]
        assert sum(len(one.step) for one in batches) < 2 * MOST
        for one in batches:
            found[one.segments[0].trial_id] += one.loss.tolist()
        ended += sum(isinstance(one, TaskDone) for one in messages)
        polls += 1
    assert polls >= len(floods) * MESSAGES * ROWS / (2 * MOST)
    everything = [float(step) for step in range(MESSAGES * ROWS)]
    assert all(losses == everything for losses in found.values())
