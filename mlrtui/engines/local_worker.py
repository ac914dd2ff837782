"""A worker process: reads tasks from the driver's socket, sends records back, ends when the socket closes.

Started by `mlrtui.engines.local` as ``python -P -m mlrtui.engines.local_worker FD DEVICE``.
"""

import signal
import sys
from multiprocessing.connection import Connection

from mlrtui_trainer.spec import Dataset, Task

__all__ = ["serve"]


def serve(connection: "Connection[object, object]", device: str) -> None:
    """Answer the driver until it hangs up."""
    from mlrtui_trainer import worker

    connection.send(worker.describe(device))
    datasets: dict[str, Dataset] = {}
    while True:
        received = connection.recv()
        if isinstance(received, Dataset):
            datasets[received.data_id] = received
            continue
        task: Task = received  # type: ignore[assignment]
        for message in worker.run_task(task, datasets[task.data_id], device):
            connection.send(message)


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(Connection(int(sys.argv[1])), sys.argv[2])
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the driver is gone: nothing of ours is wanted any more


if __name__ == "__main__":
    main()
