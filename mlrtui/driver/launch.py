"""Start the driver in a process session of its own, and learn how it ends."""

import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlrtui.driver.terms import Terms
from mlrtui.errors import DriverDied, MlrtuiError
from mlrtui_db import store as stores
from mlrtui_db.beside import open_beside
from mlrtui_db.processes import DRIVER

__all__ = ["DriverEnd", "DriverProcess", "launch", "log_path"]

_LONGEST_ANSWER = 1 << 16  # bytes


@dataclass(frozen=True)
class DriverEnd:
    """How a driver ended: its exit code (a death without a word included), and of what in one line, "" if well."""

    code: int
    words: str


@dataclass(frozen=True)
class DriverProcess:
    """A driver that said "ready"."""

    pid: int
    process: "subprocess.Popen[bytes]"
    answers: "_Answers"
    heard: list[DriverEnd] = field(default_factory=list)  # its end, once it was read

    def running(self) -> bool:
        """It has not ended yet."""
        return self.process.poll() is None

    def end(self) -> DriverEnd:
        """Wait for its end. What it says comes by the pipe, which needs no space on any disk."""
        code = self.process.wait()
        if not self.heard:
            reply = self.answers.following()
            self.answers.close()
            said = (DriverDied.exit_code, _without_a_word(code)) if reply is None else (reply["code"], reply["error"])
            self.heard.append(DriverEnd(int(str(said[0])), str(said[1])))
        return self.heard[0]


def log_path(store: Path) -> Path:
    """Where the driver and its workers print: beside the file itself, whatever links lead to it."""
    target = store.resolve()
    return target.with_name(target.name + ".log")


def launch(
    store: Path,
    specs: Sequence[str],
    devices: Sequence[str],
    engine: str = "local",
    *,
    options: Mapping[str, str] | None = None,
    shards: Sequence[str | None] = (),
    caller: int | None = None,
    terms: Terms | None = None,
) -> DriverProcess:
    """Start a driver and wait until it owns the store.

    Args:
        store: path of the store; it need not exist.
        specs: canonical JSON of each sweep, run in this order.
        devices: one device name per worker.
        engine: name of the engine that has them.
        options: of that engine, by their names.
        shards: of each sweep "1/4", to train that shard of it alone, or None; none at all: all sweeps whole.
        caller: a socket to the script that trains by itself, in place of an engine; the driver ends with it.
        terms: whether it ends with this process, when it stops by itself, where it backs up to; by default none of it.

    Raises:
        MlrtuiError: what the driver said instead of "ready", with its exit code.
        StoreError: the store cannot be used, or its log not be written; nothing was made beside it.
    """
    stores.check(store)
    log = open_beside(log_path(store), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    answer, theirs = os.pipe()
    terms = terms or Terms()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", DRIVER, str(theirs), *([str(os.getpid())] if terms.foreground else [])],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[theirs] if caller is None else [theirs, caller],
            start_new_session=not terms.foreground,  # a dead terminal must not reach it
        )
    finally:
        os.close(log)
        os.close(theirs)
    assert process.stdin is not None
    job: dict[str, object] = {
        "store": str(store.absolute()),
        "specs": list(specs),
        "devices": list(devices),
        "engine": engine,
        "options": dict(options or {}),
        "shards": list(shards) or [None] * len(specs),
        "caller": caller,
        "terms": terms.as_json(),
    }
    with suppress(BrokenPipeError):  # it died at once; the answer, or its absence, tells
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    answers = _Answers(answer)
    reply = answers.following()
    if reply is not None and reply.get("ready"):
        return DriverProcess(int(str(reply["pid"])), process, answers)
    answers.close()
    code = process.wait()
    if reply is None:
        raise DriverDied(f"the driver ended before it was ready: {_without_a_word(code)}; see {log_path(store)}")
    refused = MlrtuiError(str(reply["error"]))
    refused.exit_code = int(str(reply["code"]))
    if refused.exit_code == DriverDied.exit_code:
        refused = DriverDied(f"the driver died: {refused} (log: {log_path(store)})")
    raise refused


class _Answers:
    """What the driver says on the pipe, which is closed when nobody asks any more: some never wait for the end."""

    def __init__(self, descriptor: int) -> None:
        self._close = weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor
        self._read = b""

    def following(self) -> dict[str, object] | None:
        """The next line; None when the driver is gone without one."""
        while b"\n" not in self._read:
            some = os.read(self._descriptor, _LONGEST_ANSWER)
            if not some:
                return None
            self._read += some
        line, _, self._read = self._read.partition(b"\n")
        said: dict[str, object] = json.loads(line)
        return said

    def close(self) -> None:
        """Give the pipe back."""
        self._close()


def _without_a_word(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}{' (often by the kernel, out of memory)' if code == -signal.SIGKILL else ''}"
    return f"it ended without a word, with exit code {code}"
