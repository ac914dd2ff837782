"""A process that runs one training of the user's: imports the function, calls it, sends what it reports.

It is given a socket, on which it gets a `Job` and sends: None (a sign of life), `STARTED`, lists of `Reported`, an
`Ending`, and last a `Returned` or a `Failure`. What the training prints goes wherever the process's output goes.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from mlrtui_trainer.loops.code import called_with, imported
from mlrtui_trainer.loops.reports import LoopError, LoopSpec, Reported, Reports
from mlrtui_trainer.raised import is_out_of_memory, said_in_short

__all__ = ["STARTED", "Difference", "Failure", "Job", "Line", "Returned", "failure", "main"]

STARTED = "started"
"""The function is imported, and the training begins."""

SEND_SECONDS = 0.1


class Job(NamedTuple):
    """One training."""

    loop: LoopSpec
    lr: float
    seed: int
    check: bool = False  # run it a second time, which sends nothing but a `Difference`; only of a script
    beat_seconds: float = 2.0


class Returned(NamedTuple):
    """The training has returned."""

    seconds: float


class Difference(NamedTuple):
    """What a second time has shown; "" where the same was reported."""

    text: str


class Failure(NamedTuple):
    """What the training raised: one line, and whether memory ran out."""

    error: str
    out_of_memory: bool


class Line:
    """The socket on which a training's reports are sent, by itself and by a thread that also says that we live."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self._connection = connection
        self._turn = threading.Lock()
        self._run: Reports | None = None
        self._lr = 0.0
        self._sent_at = 0.0
        self._sent: list[Reported] | None = None  # where they are kept

    def send(self, message: object) -> None:
        """Send something besides reports."""
        with self._turn:
            self._connection.send(message)

    def begin(self, loop: LoopSpec, lr: float, sent: list[Reported] | None = None) -> Reports:
        """Reports of this training are sent from now on, and put into ``sent``, if that is there."""
        self._run, self._lr, self._sent_at, self._sent = Reports(loop), lr, 0.0, sent
        return self._run

    def report(self, step: int, loss: Any, accuracy: Any = None) -> bool:
        """The training's report: False when it is decided, and then its ending is sent at once."""
        with self._turn:
            if self._run is None:
                return False
            if not self._run(step, loss, accuracy):
                self._end()
                return False
            if time.monotonic() - self._sent_at >= SEND_SECONDS:
                self._flush()
            return True

    def end(self) -> None:
        """The training has returned: send what is left of it, and its ending.

        Raises:
            LoopError: it reported too little to say that.
        """
        with self._turn:
            self._end()

    def beat(self, seconds: float) -> None:
        """Send a sign of life so often, and reports that wait, until the other end hangs up."""
        with suppress(OSError):
            while True:
                time.sleep(seconds)
                with self._turn:
                    self._flush()
                    self._connection.send(None)

    def _end(self) -> None:
        if self._run is None:
            return  # decided before
        run, self._run = self._run, None
        self._send(run.take(all_of_it=True))
        self._connection.send(run.ending(self._lr))

    def _flush(self) -> None:
        if self._run is not None:
            self._send(self._run.take())

    def _send(self, rows: list[Reported]) -> None:
        if rows:
            self._sent_at = time.monotonic()
            if self._sent is not None:
                self._sent += rows
            self._connection.send(rows)


def failure(error: BaseException) -> Failure:
    """What a training raised, as it is sent."""
    words = str(error) if isinstance(error, LoopError) else f"the training raised {said_in_short(error)}"
    return Failure(" ".join(words.split()), is_out_of_memory(error))


def main() -> None:
    """Entry point of the process, whose last argument is the number of the socket."""
    for number in (signal.SIGINT, signal.SIGUSR1):  # meant for the driver
        signal.signal(number, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nothing of ours is wanted any more
        _serve(Connection(int(sys.argv[1])))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)  # whatever threads and handlers the training has left behind


def _serve(connection: "Connection[object, object]") -> None:
    job = connection.recv()
    assert isinstance(job, Job)
    line, begun = Line(connection), time.monotonic()
    threading.Thread(target=line.beat, args=(job.beat_seconds,), daemon=True).start()
    try:
        train = called_with(imported(job.loop), dict(job.loop.arguments))
        line.send(STARTED)
        line.begin(job.loop, job.lr)
        train(job.lr, line.report, job.seed)
        line.end()
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: nothing of the user's code ends us unheard
        line.send(failure(error))
    else:
        line.send(Returned(time.monotonic() - begun))
