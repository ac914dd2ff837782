"""Start the driver in a process session of its own, find it, and stop it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrtui.errors import EngineFailed, MlrtuiError, StoreTrouble
from mlrtui_db import lock
from mlrtui_db import store as stores

__all__ = ["DriverProcess", "launch", "log_path", "stop"]


@dataclass(frozen=True)
class DriverProcess:
    """A driver that said "ready"."""

    pid: int
    process: "subprocess.Popen[bytes]"

    def running(self) -> bool:
        """It has not ended yet."""
        return self.process.poll() is None


def log_path(store: Path) -> Path:
    """Where the driver and its workers print."""
    return store.with_name(store.name + ".log")


def launch(store: Path, specs: Sequence[str], devices: Sequence[str]) -> DriverProcess:
    """Start a driver and wait until it owns the store.

    Args:
        store: path of the store; it need not exist.
        specs: canonical JSON of each sweep, run in this order.
        devices: one device name per worker.

    Raises:
        MlrtuiError: what the driver said instead of "ready", with its exit code.
        StoreError: the store cannot be used; nothing was made beside it.
    """
    stores.check(store)
    answer, theirs = os.pipe()
    try:
        log = log_path(store).open("ab")
    except OSError as error:
        os.close(answer)
        os.close(theirs)
        raise StoreTrouble(f"{log_path(store)}: cannot write the log here ({error.strerror})") from None
    with log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlrtui.driver", str(theirs)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[theirs],
            start_new_session=True,  # a dead terminal must not reach it
        )
    os.close(theirs)
    assert process.stdin is not None
    job = {"store": str(store.absolute()), "specs": list(specs), "devices": list(devices)}
    try:
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # it died at once; the answer, or its absence, tells
    with os.fdopen(answer, "rb") as pipe:
        said = pipe.readline()
    if not said:
        raise EngineFailed(f"the driver ended before it was ready (exit code {process.wait()}); see {log_path(store)}")
    reply = json.loads(said)
    if not reply["ready"]:
        process.wait()
        refused = MlrtuiError(reply["error"])
        refused.exit_code = int(reply["code"])
        raise refused
    return DriverProcess(int(reply["pid"]), process)


def stop(store: Path, *, timeout: float = 60.0) -> str:
    """Ask the driver of a store to finish its commit and end; waits until it has.

    Raises:
        StoreTrouble: the driver is on another host, belongs to somebody else, or does not end.
    """
    holder = lock.holder(store)
    if holder is None:
        return f"no driver is running on {store}"
    if holder.host != os.uname().nodename:
        raise StoreTrouble(f"{store}: its driver runs on host {holder.host} (pid {holder.pid}); stop it there")
    try:
        os.kill(holder.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise StoreTrouble(f"{store}: its driver (pid {holder.pid}) belongs to another user") from None
    deadline = time.monotonic() + timeout
    while lock.holder(store) is not None:
        if time.monotonic() > deadline:
            raise StoreTrouble(f"{store}: the driver (pid {holder.pid}) did not end within {timeout:.0f} s")
        time.sleep(0.05)
    return f"stopped the driver of {store} (pid {holder.pid}); the same `mlrtui run` resumes"
