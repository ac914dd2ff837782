"""A worker process: reads tasks from the driver's socket, sends records back, ends when the socket closes.

Started by `mlrtui.engines.local`, which ties it to its driver first: a worker whose driver dies ends with it.
"""

import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

from mlrtui.engines.deadlines import BEAT_SECONDS
from mlrtui_trainer.spec import Dataset, Probe, Round, Rounds

__all__ = ["serve"]


class _Line:
    """The socket to the driver, shared by the thread that works and the one that only says that we live."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self._connection = connection
        self._turn = threading.Lock()

    def send(self, message: object) -> None:
        with self._turn:
            self._connection.send(message)

    def beat(self) -> None:
        """Send None every few seconds until the driver hangs up."""
        with suppress(OSError):
            while True:
                time.sleep(BEAT_SECONDS)
                self.send(None)


def serve(connection: "Connection[object, object]", device: str) -> None:
    """Answer the driver until it hangs up."""
    from mlrtui_trainer import worker
    from mlrtui_trainer.load import LoadMeter

    line, load = _Line(connection), LoadMeter(device)
    line.send(worker.describe(device))
    threading.Thread(target=line.beat, daemon=True).start()
    datasets: dict[str, Dataset] = {}
    while True:
        received = connection.recv()
        if isinstance(received, Dataset):
            datasets[received.data_id] = received
            continue
        task: Round | Rounds | Probe = received  # type: ignore[assignment]
        for message in load.among(worker.run_task(task, datasets[task.data_id], device)):
            line.send(message)


def main() -> None:
    """Entry point of the process."""
    for number in (signal.SIGINT, signal.SIGUSR1):  # of a terminal's or a job's processes the driver's alone
        signal.signal(number, signal.SIG_IGN)
    try:
        serve(Connection(int(sys.argv[1])), sys.argv[2])
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the driver is gone: nothing of ours is wanted any more
