"""What the live screen costs on a real pseudo-terminal: first frame, bytes a tick, time from key to redraw, memory.

`mlrtui watch` runs as a user would run it, over a store of as many steps as asked for. Bytes are counted as they leave
the process; times are taken from outside, so they hold the terminal's side, too.
"""

import argparse
import contextlib
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

from benchmarks.machine import describe, spread, table
from benchmarks.make_store import Made, make, steps
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

SIZES = ((80, 24), (160, 48))
REFRESH = 2.0
STEPS_A_TICK = 40


class Screen:
    """A child on a pseudo-terminal and the bytes that it sent."""

    def __init__(self, size: tuple[int, int], *command: str) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
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
            raise SystemExit(f"key {key!r} changed nothing")
        while self.read(silence):
            pass
        return self.times[pieces][0] - pressed, self.times[-1][0] - pressed, len(self.sent) - before

    def memory(self) -> float:
        """The largest resident set so far, MiB."""
        status = Path(f"/proc/{self.child.pid}/status").read_text(encoding="utf-8")
        return float(status.split("VmHWM:")[1].split()[0]) / 1024

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the child."""
        self.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(5)
        self.child.kill()
        self.child.wait()
        os.close(self.master)


@contextlib.contextmanager
def watching(store: Path, size: tuple[int, int]) -> Iterator[Screen]:
    """`mlrtui watch` on a terminal of this size."""
    screen = Screen(size, sys.executable, "-m", "mlrtui.cli", "watch", "--store", str(store), "--refresh", str(REFRESH))
    try:
        yield screen
    finally:
        screen.close()


def interpreter() -> float:
    """Seconds that an interpreter takes to start and end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begun


def first_frame(store: Path, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Seconds to the frame and to the data of the followed trial, each less the interpreter's own; its work; MiB."""
    own = interpreter()
    with watching(store, size) as screen:
        frame = screen.wait_for(b"mlrtui")
        data = screen.wait_for(b"peak ")
        work = screen.cpu()
        screen.quiet(0.5)
        return frame - own, data - own, work, screen.memory()


def ticks(store: Path, made: Made, size: tuple[int, int], count: int) -> tuple[list[float], float, int]:
    """Bytes of each tick with one live trial, the share of a core, and the bytes of three silent ticks before."""
    trial, start = made.running_trial, 2_000
    with Store.open(store) as writer, contextlib.ExitStack() as stack:
        with writer.transaction():  # opening a store ends the attempt that was left running
            writer.open_attempts([trial], "benchmark", "none", {})
        (sweep,) = _sweeps(store)
        attempt = next(row.attempt for row in writer.sweep_state(sweep).trials if row.trial_id == trial)
        _append(writer, trial, 0, 0, start, attempt)
        seq = 1
        screen = stack.enter_context(watching(store, size))
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        before = len(screen.sent)
        screen.quiet(3 * REFRESH)
        silent = len(screen.sent) - before
        found = []
        begun, spent = time.perf_counter(), screen.cpu()
        for _ in range(count):
            _append(writer, trial, seq, start, STEPS_A_TICK, attempt)
            seq, start = seq + 1, start + STEPS_A_TICK
            before, end = len(screen.sent), time.perf_counter() + REFRESH
            while (left := end - time.perf_counter()) > 0:
                screen.read(left)
            found.append(float(len(screen.sent) - before))
        return found, (screen.cpu() - spent) / (time.perf_counter() - begun), silent


def keys(store: Path, size: tuple[int, int], count: int) -> tuple[list[tuple[float, float, int]], float]:
    """Times and bytes of keys on the chart of the long trial, and the processor's seconds for one key."""
    with watching(store, size) as screen:
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        before = len(screen.sent)
        screen.read(0)
        os.write(screen.master, b"[")  # from the running trial to the long one
        screen.wait_for(b"61.8", after=before)
        screen.quiet(REFRESH + 0.5)
        spent = screen.cpu()
        found = [screen.key(key) for key in (b"x", b"y", b"v") for _ in range(count)]
        return found, (screen.cpu() - spent) / len(found)


def drill_down(store: Path, size: tuple[int, int], count: int) -> list[float]:
    """Seconds from `[` or `]` to the curve of a neighbouring trial that was not read before."""
    with watching(store, size) as screen:
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        screen.key(b"[")
        screen.key(b"[")
        return [screen.key(b"[")[1] for _ in range(count)]


def pages(store: Path, size: tuple[int, int]) -> list[tuple[str, float, int]]:
    """Seconds from the key to the last byte, and the bytes, for each screen that reads views."""
    with watching(store, size) as screen:
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        found = []
        for name, key in (("Exponents", b"2"), ("Phases", b"6"), ("Log", b"5"), ("Browse", b"3"), ("Live", b"1")):
            _, last, sent = screen.key(key, 0.6)
            found.append((name, last, sent))
        return found


def _sweeps(store: Path) -> list[int]:
    with Reader.open(store) as reader:
        return [sweep.sweep_id for sweep in reader.sweeps()]


def _append(writer: Store, trial: int, seq: int, start: int, count: int, attempt: int) -> None:
    with writer.transaction():
        writer.append_steps(steps(trial, seq, start, count, attempt=attempt))


def _milliseconds(seconds: list[float]) -> str:
    ordered = sorted(1000 * value for value in seconds)
    return f"{statistics.median(ordered):.0f} / {ordered[int(0.95 * (len(ordered) - 1))]:.0f}"


def _report(store: Path, made: Made, rounds: int, print_: Callable[[str], None]) -> None:
    rows = []
    for size in SIZES:
        frames = [first_frame(store, size) for _ in range(rounds)]
        live, core, silent = ticks(store, made, size, 15)
        every, work = keys(store, size, 30)
        drilled = drill_down(store, size, 6)
        rows += [
            [f"{size[0]}x{size[1]}", "first frame, s", spread([frame for frame, _, _, _ in frames])],
            ["", "data of the followed trial, s", spread([data for _, data, _, _ in frames])],
            ["", "processor time until then, s", spread([spent for _, _, spent, _ in frames])],
            ["", "resident, MiB", spread([memory for _, _, _, memory in frames], 0)],
            ["", "bytes a tick, one live trial", spread(live, 0)],
            ["", "share of a core meanwhile, %", f"{100 * core:.1f}"],
            ["", "bytes of three ticks without news", str(silent)],
            ["", "key to first byte, ms (median / 95 %)", _milliseconds([first for first, _, _ in every])],
            ["", "key to last byte, ms (median / 95 %)", _milliseconds([last for _, last, _ in every])],
            ["", "processor time a key, ms", f"{1000 * work:.1f}"],
            ["", "bytes a key", spread([float(sent) for _, _, sent in every], 0)],
            ["", "to a neighbouring trial, ms (median / 95 %)", _milliseconds(drilled)],
        ]
        rows += [["", f"to {name}, ms", f"{1000 * last:.0f} ({sent} bytes)"] for name, last, sent in pages(store, size)]
    print_(table(("size", "measure", "value"), rows))


def main() -> None:
    """Make the store, measure at both sizes, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screen_bytes", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps in the store (1000000)")
    parser.add_argument("--rounds", type=int, default=5, help="starts of the screen at each size (5)")
    parser.add_argument("--folder", type=Path, help="where the store is made (the system's temporary folder)")
    options = parser.parse_args()
    print(*(f"{name}: {value}" for name, value in describe().items()), sep="\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="screens-") as folder:
        path = Path(folder) / "made.db"
        made = make(path, options.steps)
        print(f"steps: {made.steps}, store: {path.stat().st_size / 2**20:.0f} MiB", end="\n\n", flush=True)
        _report(path, made, options.rounds, print)


if __name__ == "__main__":
    main()
