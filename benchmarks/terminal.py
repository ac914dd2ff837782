"""A program on a pseudo-terminal: what it sends, when, what it answers to keys, its memory and CPU time."""

import contextlib
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

__all__ = ["SIZES", "Screen", "milliseconds"]

SIZES = ((80, 24), (160, 48))


class Screen:
    """A child on a pseudo-terminal and the bytes that it sent."""

    def __init__(self, size: tuple[int, int], *command: str, more: Mapping[str, str] | None = None) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        environment |= more or {}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second start finds everything compiled
        self.begun = time.perf_counter()
        self.child = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.sent = bytearray()
        self.times: list[tuple[float, int]] = []  # (seconds since the start, bytes of the piece)

    def read(self, seconds: float) -> bool:
        """Take what comes within the time; whether anything came."""
        ready, _, _ = select.select([self.master], [], [], max(seconds, 0.0))
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the child closed its side
            return False
        self.sent += data
        self.times.append((time.perf_counter() - self.begun, len(data)))
        return bool(data)

    def wait_for(self, words: bytes, after: int = 0, patience: float = 60.0) -> float:
        """Seconds from the start until the words have been sent."""
        end = time.perf_counter() + patience
        while words not in self.sent[after:]:
            if time.perf_counter() > end:
                raise SystemExit(f"{words!r} never came; the screen sent {len(self.sent)} bytes")
            self.read(0.2)
        return time.perf_counter() - self.begun

    def quiet(self, seconds: float) -> None:
        """Read until nothing has come for so long."""
        while self.read(seconds):
            pass

    def key(self, key: bytes, silence: float = 0.15) -> tuple[float, float, int]:
        """Press a key: seconds to the first byte, to the last one before a silence, and the bytes."""
        before, pieces = len(self.sent), len(self.times)
        pressed = time.perf_counter() - self.begun
        os.write(self.master, key)
        if not self.read(2.0):
            raise SystemExit(f"key {key!r} changed nothing after {len(self.sent)} bytes: {bytes(self.sent[-300:])!r}")
        while self.read(silence):
            pass
        return self.times[pieces][0] - pressed, self.times[-1][0] - pressed, len(self.sent) - before

    def listen(self, seconds: float) -> int:
        """Read for so long; the bytes that came."""
        before, end = len(self.sent), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)
        return len(self.sent) - before

    def memory(self) -> float:
        """The largest resident sets so far of the child and all below it, MiB."""
        sizes = (Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in self._tree())
        return sum(float(status.split("VmHWM:")[1].split()[0]) for status in sizes) / 1024

    def cpu(self) -> float:
        """CPU seconds so far, of the child and all below it."""
        return sum(int(ticks) for pid in self._tree() for ticks in _stat(pid)[11:13]) / os.sysconf("SC_CLK_TCK")

    def _tree(self) -> list[int]:
        """The processes of the child's session: it was started in one of its own."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # ended meanwhile
                if int(_stat(int(place.name))[3]) == self.child.pid:
                    found.append(int(place.name))
        return found

    def close(self) -> None:
        """End the child, and what it started in its session."""
        started = [pid for pid in self._tree() if pid != self.child.pid]
        self.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(5)
        self.child.kill()
        self.child.wait()
        for pid in started:
            with contextlib.suppress(ProcessLookupError):  # it ended with the child
                os.kill(pid, signal.SIGKILL)
        os.close(self.master)


def milliseconds(seconds: Sequence[float]) -> str:
    """Median and 95 % of some times, in milliseconds."""
    ordered = sorted(1000 * value for value in seconds)
    return f"{statistics.median(ordered):.0f} / {ordered[int(0.95 * (len(ordered) - 1))]:.0f}"


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
