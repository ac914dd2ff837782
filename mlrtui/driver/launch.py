"""Start the driver in a process session of its own, find it, and stop it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlrtui.errors import EngineFailed, MlrtuiError, StoreTrouble
from mlrtui.stores import open_store
from mlrtui_db import lock
from mlrtui_db import store as stores
from mlrtui_db.reader import Reader

__all__ = ["DriverProcess", "last_words", "launch", "log_path", "stop"]


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


def last_words(store: Path) -> str:
    """What the driver wrote into its log when it ended by itself; "" when it had no time to."""
    with suppress(OSError), log_path(store).open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
        lines = log.read().decode(errors="replace").splitlines()
        _, ended, words = (lines[-1] if lines else "").partition(" ended: ")
        return words if ended else ""
    return ""


def stop(store: Path, *, now: bool = False, timeout: float = 60.0) -> str:
    """End the driver of a store; waits until it has ended.

    Asked, it finishes its commit first. ``now`` kills it with its workers: what is committed stays, trainings that are
    under way start again when the sweep is resumed.

    Raises:
        StoreTrouble: the driver is on another host or in another container, belongs to somebody else, or does not end.
    """
    holder = lock.holder(store)
    if holder is None:
        return f"no driver is running on {store}"
    if not holder.is_here():
        raise StoreTrouble(f"{store}: its driver runs elsewhere ({holder.place()}); stop it there")
    try:
        if now and os.getpgid(holder.pid) == holder.pid:
            os.killpg(holder.pid, signal.SIGKILL)  # a driver leads a group of its own, with its workers in it
        else:
            os.kill(holder.pid, signal.SIGKILL if now else signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise StoreTrouble(f"{store}: its driver (pid {holder.pid}) belongs to another user") from None
    deadline = time.monotonic() + timeout
    while (left := lock.holder(store)) is not None and left.pid == holder.pid:
        if time.monotonic() > deadline:
            raise StoreTrouble(
                f"{store}: the driver (pid {holder.pid}) did not end within {timeout:.0f} s: `mlrtui stop --now` "
                "kills it"
            )
        time.sleep(0.05)
    if now:
        _tidy(store)
    done = f"{'killed' if now else 'stopped'} the driver of {store} (pid {holder.pid})"
    return f"{done}; `mlrtui resume --store {store}` goes on"


def _tidy(store: Path) -> None:
    """After a kill: say in the store what has happened. Not needed for its soundness."""
    with open_store(store) as opened, Reader.open(store) as reader, opened.transaction():
        for sweep in reader.sweeps():
            if sweep.status == "open":
                opened.end_sweep(sweep.sweep_id, "stopped")
                opened.add_event(
                    "warning",
                    f"stopped {sweep.name!r} at once; {opened.recovered} trainings start again when it is resumed",
                    sweep.sweep_id,
                )
