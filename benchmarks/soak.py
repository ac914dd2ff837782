"""A driver under load for a long time: rows made up at a given rate, a live screen on a terminal, readers that look on.

    python -m benchmarks.soak                  # twenty minutes at 20 000 rows a second, a screen, two readers
    python -m benchmarks.soak --seconds 60 --rate 5000 --json soak.json

Ends with exit code 1 when the memory of driver or screen grew by more than a tenth after the first quarter, when the
write-ahead log passed 200 MB, when a row is missing, when the screen stood still or a reader met an error.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, save
from benchmarks.terminal import Screen
from mlrtui import data, planning
from mlrtui.config import AnySweep, parse_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.base import EngineEvent, FromWorker
from mlrtui.engines.fake import FakeEngine
from mlrtui_db import invariants
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_trainer.spec import StepBatch

MOST_GROWTH = 0.10
MOST_LOG = 200 << 20
LANES = 64
STEPS = 1000
SETTLED = 20_000  # bytes that the screen has sent when it has drawn all that it will draw again and again


@dataclass
class Memory:
    """Bytes that a process held: after a quarter of the time, at the last look, at most."""

    quarter: int = 0
    end: int = 0
    top: int = 0

    def look(self, pid: int | str, in_first_quarter: bool) -> None:
        """Read what the process holds now; one that has ended holds what it held last."""
        with suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            self.end = pages * os.sysconf("SC_PAGESIZE") or self.end
        self.top = max(self.top, self.end)
        if in_first_quarter or not self.quarter:
            self.quarter = self.end

    def growth(self) -> float:
        """By which part of itself it grew after the first quarter."""
        return self.end / self.quarter - 1


@dataclass(frozen=True)
class Soaked:
    """What came of it."""

    seconds: float
    rows: int
    stored: int
    driver: "Memory"
    screen: "Memory | None"
    screen_bytes: int  # sent to the terminal
    log_top: int
    looks: int
    trouble: tuple[str, ...]

    def faults(self) -> list[str]:
        """What is wrong; empty when the soak is passed."""
        found = list(self.trouble)
        for name, memory in (("driver", self.driver), ("screen", self.screen)):
            if memory is not None and memory.growth() > MOST_GROWTH:
                found.append(f"the {name}'s memory grew by {memory.growth():.0%} after the first quarter")
        if self.log_top > MOST_LOG:
            found.append(f"the write-ahead log grew to {self.log_top >> 20} MB")
        if self.stored != self.rows:
            found.append(f"{self.rows} rows were sent, {self.stored} are stored")
        return found


class SteadyEngine(FakeEngine):
    """The fake at ``rate`` rows a second in all; it counts the rows that it sent."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.sent = 0
        self._rate = rate
        self._begun = time.monotonic()

    def poll(self, timeout: float) -> list[EngineEvent]:
        """What the rate allows within the time."""
        until = time.monotonic() + timeout
        events = super().poll(0.0) if self.idle() else []
        while not self.idle() and time.monotonic() < until:
            if self.sent > self._rate * (time.monotonic() - self._begun):
                time.sleep(0.005)
                continue
            events += super().poll(0.0)
            if isinstance(event := events[-1], FromWorker) and isinstance(event.message, StepBatch):
                self.sent += len(event.message.step)
        return events


class LiveScreen:
    """`mlrtui watch` on a pseudo-terminal, whose bytes a thread takes and counts."""

    def __init__(self, store: Path) -> None:
        self._screen = Screen((120, 40), sys.executable, "-m", "mlrtui.cli", "watch", "--store", str(store))
        self.pid = self._screen.child.pid
        self.sent = 0
        self._over = threading.Event()
        self._taker = threading.Thread(target=self._take)
        self._taker.start()

    def settled(self) -> bool:
        """It has drawn its charts, or will not."""
        return self.sent >= SETTLED or self._screen.child.poll() is not None

    def leave(self) -> list[str]:
        """Press q; says what is wrong with how it left."""
        alive = self._screen.child.poll() is None
        with suppress(OSError):
            os.write(self._screen.master, b"q")
        with suppress(subprocess.TimeoutExpired):
            self._screen.child.wait(30)
        self._over.set()
        self._taker.join()
        code = self._screen.child.poll()
        self._screen.close()
        if not alive:
            return [f"the screen died with exit code {code}"]
        return [] if code == 0 else [f"the screen left with exit code {code}"]

    def _take(self) -> None:
        while not self._over.is_set():
            if self._screen.read(0.2):
                self.sent += len(self._screen.sent)
                self._screen.sent.clear()  # kept, they would count as this process's memory
                self._screen.times.clear()


def soak(
    folder: Path, seconds: float, rate: float, readers: int, *, screen: bool, say: Callable[[str], None] = print
) -> Soaked:
    """Run for some seconds, stop the driver as `mlrtui stop` does, and look at what is there."""
    importlib.import_module("scipy.special")  # the first fit would bring it in, which is no growth
    store, engine = folder / "soak.db", SteadyEngine(rate)
    spec = spec_of(rate * seconds)
    Store.open(store).close()
    looking = [
        subprocess.Popen(
            [sys.executable, "-c", _READER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(readers)
    ]
    shown = LiveScreen(store) if screen else None
    watch = _Watch(store, seconds, shown, say)
    with Store.open(store) as opened:
        begun = time.monotonic()
        driver = Driver(opened, engine, driver_id="soak", should_stop=watch.over)
        driver.run_sweep(spec, planning.plan(spec, data.load))
        seconds = time.monotonic() - begun
    looks, trouble = 0, list[str]()
    if shown is not None:
        trouble += shown.leave()
        if shown.sent <= watch.drawn_half:
            trouble.append("the screen stood still")
    for process in looking:
        out, _ = process.communicate("")
        if not out.strip():
            trouble.append("a reader died")
            continue
        seen = json.loads(out.splitlines()[-1])
        looks += seen["looks"]
        trouble += seen["trouble"]
    with Reader.open(store) as reader:
        _, curves = reader.query("curves")
        stored = sum(1 for _ in curves)
    trouble += invariants.check(store)
    return Soaked(
        seconds=seconds,
        rows=engine.sent,
        stored=stored,
        driver=watch.driver,
        screen=watch.screen if screen else None,
        screen_bytes=shown.sent if shown is not None else 0,
        log_top=watch.log_top,
        looks=looks,
        trouble=tuple(trouble),
    )


class _Watch:
    """Looks at memory and log now and then, and says when the time is over."""

    def __init__(self, store: Path, seconds: float, shown: LiveScreen | None, say: Callable[[str], None]) -> None:
        self._log, self._seconds, self._shown, self._say = store.with_name(store.name + "-wal"), seconds, shown, say
        self._begun: float | None = None  # counted from when everything is loaded
        self._looked = self._said = 0.0
        self.driver, self.screen = Memory(), Memory()
        self.drawn_half = 0  # bytes that the screen had sent after half of the time
        self.log_top = 0

    def over(self) -> bool:
        now = time.monotonic()
        if self._begun is None:
            if self._shown is not None and not self._shown.settled():
                return False
            self._begun = now
        passed = now - self._begun
        if passed - self._looked >= 0.2:
            self._looked = passed
            self._look(passed)
        if passed - self._said >= 30:
            self._said = passed
            self._say(
                f"{passed:5.0f} s: {self.driver.end >> 20} MB of memory, the screen {self.screen.end >> 20} MB, "
                f"log at most {self.log_top >> 20} MB"
            )
        return passed >= self._seconds

    def _look(self, passed: float) -> None:
        early = passed <= self._seconds / 4
        self.driver.look("self", early)
        if self._shown is not None:
            self.screen.look(self._shown.pid, early)
            if passed <= self._seconds / 2:
                self.drawn_half = self._shown.sent
        if self._log.exists():
            self.log_top = max(self.log_top, self._log.stat().st_size)


_READER = """
import json, select, sys
from pathlib import Path
from mlrtui.tui.feed import Feed
from mlrtui.tui.ports import StoreSource
from mlrtui.tui.state import Wanted
from mlrtui_db.reader import Reader
path = Path(sys.argv[1])
readings, trouble = [], set()
source = StoreSource(path.name, lambda: Reader.open(path))
feed = Feed([source], lambda reading: readings.append(reading.trouble), Wanted())
looks = 0
while not select.select([sys.stdin], [], [], 0.1)[0]:
    feed.turn()
    looks += 1
    trouble.update(filter(None, readings))
    readings.clear()
feed.close()
print(json.dumps({"looks": looks, "trouble": sorted(trouble)}))
"""


def spec_of(rows: float) -> AnySweep:
    """A scan with more rows than will be sent: each cell is a round of its own."""
    cells = int(rows / (LANES * STEPS)) + 2
    widths = -(-cells // 20)
    document = {
        "sweep": {"name": "soak", "seeds": 1},
        "data": {"name": "gaussian", "samples": 64},
        "model": {"depth": list(range(1, 21)), "width": list(range(16, 16 + widths))},
        "training": {"loss": "mse", "batch": "full", "steps": STEPS},
        "scan": {"eta": [0.001 * (1 + at) for at in range(LANES)]},
        "sharpness": {"every": 10},
    }
    return parse_sweep(document, "soak")


def main() -> None:
    """Soak, print what came of it, and say whether it is passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200.0, help="how long (1200)")
    parser.add_argument("--rate", type=float, default=20_000.0, help="rows a second (20000)")
    parser.add_argument("--readers", type=int, default=2, help="programs that look on (2)")
    parser.add_argument("--no-screen", action="store_true", help="without a live screen")
    parser.add_argument("--folder", type=Path, help="where the store is made (the system's temporary folder)")
    parser.add_argument("--json", type=Path, help="write every number here")
    options = parser.parse_args()
    machine = describe()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=f"soak-{os.getpid()}-") as name:
        done = soak(Path(name), options.seconds, options.rate, options.readers, screen=not options.no_screen)
    print(
        f"{done.stored} rows in {done.seconds:.0f} s ({done.stored / done.seconds:.0f} a second), {done.looks} looks, "
        f"{done.screen_bytes / 1e6:.1f} MB drawn; log at most {done.log_top >> 20} MB"
    )
    for name, memory in (("driver", done.driver), ("screen", done.screen)):
        if memory is not None:
            print(
                f"memory of the {name}: {memory.quarter >> 20} MB after a quarter, {memory.end >> 20} MB at the end "
                f"({memory.growth():+.1%}), {memory.top >> 20} MB at most"
            )
    save(options.json, machine, [asdict(done)])
    for fault in done.faults():
        print(f"!! {fault}")
    sys.exit(1 if done.faults() else 0)


if __name__ == "__main__":
    main()
