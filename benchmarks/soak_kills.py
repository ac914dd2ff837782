"""Load, readers and kills together: nothing that was committed is lost, and nothing grows.

    python -m benchmarks.soak_kills                       # ten minutes at 30 000 rows a second, twenty readers
    python -m benchmarks.soak_kills --seconds 180 --readers 8 --json soak.json

A driver stores made-up rows as fast as it is asked to, or can. Twenty readers look on; one of them stays in a read
transaction for ten seconds at a time. Drivers and readers are killed with SIGKILL at random moments and started anew,
and the driver's log is renamed now and then, as a rotating log is. Exit code 1 when a trial that was done is not after
a kill, an invariant does not hold, a reader meets an error, or when memory or descriptors of drivers and readers, or
the write-ahead log, are larger in the second half of the time than in the first by more than a quarter.
"""

import argparse
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.machine import describe, save, table
from benchmarks.soak import SteadyEngine, spec_of
from mlrtui import data, planning
from mlrtui.driver.loop import Driver
from mlrtui_db import invariants
from mlrtui_db.lock import is_held
from mlrtui_db.store import Store

__all__ = ["Series", "SoakKills", "main"]

GROWTH = 1.25  # of the second half over the first, at most
SMALL_LOG = 64 << 20  # bytes of a write-ahead log that nobody minds
DRIVER_LIVES, READER_LIVES, ROTATION = (5.0, 25.0), (2.0, 8.0), 20.0  # seconds
LOOK = 0.5
DONE = "SELECT trial_id, attempt, n_steps, verdict FROM trial WHERE status = 'done'"

_READER = """
import random, sqlite3, sys, time
from mlrtui_db.errors import StoreBusy
from mlrtui_db.reader import Reader
path, stuck = sys.argv[1], sys.argv[2] == "stuck"
while stuck:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM trial").fetchone()
    time.sleep(10)
    connection.close()
    time.sleep(1)
with Reader.open(path) as reader:
    while True:
        snapshot = reader.live()
        if snapshot is not None and snapshot.cells:
            reader.live(None, random.choice(snapshot.cells).cell_id)
        time.sleep(random.uniform(0.5, 1.5))
"""


@dataclass
class Series:
    """What was seen of one quantity, half by half."""

    halves: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    def add(self, value: float, *, second: bool) -> None:
        """One more value."""
        self.halves[second].append(value)

    @property
    def medians(self) -> tuple[float, float]:
        """Of both halves; NaN where nothing was seen."""
        first, second = (statistics.median(half) if half else float("nan") for half in self.halves)
        return first, second

    @property
    def tops(self) -> tuple[float, float]:
        """Largest values of both halves; 0 where nothing was seen."""
        first, second = (max(half, default=0.0) for half in self.halves)
        return first, second


class SoakKills:
    """The store, its driver and its readers, as long as it lasts."""

    def __init__(self, folder: Path, seconds: float, rate: float, readers: int, seed: int) -> None:
        self.store, self.seconds, self.rate = folder / "soak.db", seconds, rate
        self.chance = random.Random(seed)
        self.driver_memory, self.driver_files, self.reader_memory, self.log = Series(), Series(), Series(), Series()
        self.drivers_killed = self.readers_killed = self.rotations = 0
        self.faults: list[str] = []
        self.done: dict[object, tuple[object, ...]] = {}
        Store.open(self.store).close()
        self._driver = self._start_driver()
        self._readers = [self._start_reader(at == 0) for at in range(readers)]

    def run(self) -> None:
        """Until the time is over; then the driver ends cleanly."""
        begun = now = time.monotonic()
        reader_until, rotated = now + self.chance.uniform(*READER_LIVES), now
        driver_until: float | None = None  # counted from when it has stored something
        while (now := time.monotonic()) - begun < self.seconds:
            second = now - begun > self.seconds / 2
            self._look(second=second, at_work=driver_until is not None)
            if driver_until is None and self._at_work():
                driver_until = now + self.chance.uniform(*DRIVER_LIVES)
            if driver_until is not None and now >= driver_until:
                self._kill_driver()
                driver_until = None
            if now >= reader_until:
                at = self.chance.randrange(len(self._readers))
                self._ended_by_itself("a reader", self._readers[at])
                self._end(self._readers[at], signal.SIGKILL)
                self._readers[at] = self._start_reader(at == 0)
                self.readers_killed += 1
                reader_until = now + self.chance.uniform(*READER_LIVES)
            if now - rotated >= ROTATION:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))
                self._log_path.touch()
                self.rotations, rotated = self.rotations + 1, now
            time.sleep(LOOK)
        self.seconds = time.monotonic() - begun
        self._ended_by_itself("the driver", self._driver)
        while not self._at_work() and self._driver.poll() is None:
            time.sleep(0.1)  # it is only now being started
        self._end(self._driver, signal.SIGTERM)
        for reader in self._readers:
            self._ended_by_itself("a reader", reader)
            self._end(reader, signal.SIGKILL)
        self._compare()
        self.faults += invariants.check(self.store)
        with closing(sqlite3.connect(self.store)) as connection:
            (self.rows,) = connection.execute("SELECT count(*) FROM step").fetchone()
        for name, (first, last) in (
            ("memory of the driver", self.driver_memory.medians),
            ("descriptors of the driver", self.driver_files.medians),
            ("memory of the readers", self.reader_memory.medians),
        ):
            if last > GROWTH * first:
                self.faults.append(f"{name} grew from {first:.0f} to {last:.0f}")
        first, last = self.log.tops
        if last > max(GROWTH * first, SMALL_LOG):
            self.faults.append(f"the write-ahead log grew from {first / 1e6:.0f} to {last / 1e6:.0f} MB")

    @property
    def _log_path(self) -> Path:
        return self.store.with_name("soak.db.log")

    def _start_driver(self) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "benchmarks.soak_kills", "--drive", str(self.store)]
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            (self._rev,) = connection.execute("SELECT coalesce(max(rev), 0) FROM trial").fetchone()
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                [*words, "--rate", str(self.rate), "--seconds", str(self.seconds)], stdout=log, stderr=log
            )

    def _start_reader(self, stuck: bool) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-P", "-c", _READER, str(self.store), "stuck" if stuck else ""]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL)

    def _kill_driver(self) -> None:
        self._compare()
        self._ended_by_itself("the driver", self._driver)
        self._end(self._driver, signal.SIGKILL)
        while is_held(self.store):
            time.sleep(0.01)
        self._compare()
        self.drivers_killed += 1
        self._driver = self._start_driver()

    def _ended_by_itself(self, what: str, process: "subprocess.Popen[bytes]") -> None:
        if process.poll() is not None:
            self.faults.append(f"{what} ended by itself with code {process.returncode}")

    def _end(self, process: "subprocess.Popen[bytes]", number: int) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(number)
        process.wait()

    def _compare(self) -> None:
        """What is done stays done, and as it was."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            now = {trial: tuple(rest) for trial, *rest in connection.execute(DONE)}
        gone = sum(now.get(trial) != rest for trial, rest in self.done.items())
        if gone:
            self.faults.append(f"{gone} trials that were done are not, or not as they were")
        self.done = now

    def _at_work(self) -> bool:
        """Whether this driver has stored steps of its own."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            (rev,) = connection.execute("SELECT max(rev) FROM trial WHERE n_steps > 0").fetchone()
        return rev is not None and rev > self._rev

    def _look(self, *, second: bool, at_work: bool) -> None:
        found = _held_by(self._driver.pid)
        if found is not None and at_work:  # one that still starts says nothing
            self.driver_memory.add(found[0], second=second)
            self.driver_files.add(found[1], second=second)
        for reader in self._readers[1:]:
            found = _held_by(reader.pid)
            if found is not None:
                self.reader_memory.add(found[0], second=second)
        with suppress(OSError):
            self.log.add(self.store.with_name("soak.db-wal").stat().st_size, second=second)


def _held_by(pid: int) -> tuple[int, int] | None:
    """Bytes of memory and descriptors of a process; None where it is none, or no longer."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return (pages * os.sysconf("SC_PAGESIZE"), len(os.listdir(f"/proc/{pid}/fd"))) if pages else None
    except (OSError, IndexError):
        return None


def drive(store: Path, rate: float, seconds: float) -> None:
    """The driver's process: the sweep from where it is, until SIGTERM."""
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    spec = spec_of(rate * seconds)
    with Store.open(store) as opened:
        driver = Driver(
            opened, SteadyEngine(rate), driver_id="soak", should_stop=lambda: stopped, say=lambda text: print(text)
        )
        driver.run_sweep(spec, planning.plan(spec, data.load))


def rows(done: SoakKills) -> list[Sequence[str]]:
    """What was seen, as lines of a table."""
    return [
        (name, *(f"{value / unit:.0f}" for value in (*seen.medians, max(seen.tops))))
        for name, seen, unit in (
            ("driver, MB", done.driver_memory, 1e6),
            ("driver, descriptors", done.driver_files, 1),
            ("a reader, MB", done.reader_memory, 1e6),
            ("write-ahead log, MB", done.log, 1e6),
        )
    ]


def main() -> None:
    """Soak and kill, print what came of it, and say whether it is passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_kills", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (600)")
    parser.add_argument("--rate", type=float, default=30_000.0, help="rows a second at most (30000)")
    parser.add_argument("--readers", type=int, default=20, help="programs that look on (20)")
    parser.add_argument("--seed", type=int, default=16, help="where the dice start (16)")
    parser.add_argument("--folder", type=Path, help="where the store is made (the system's temporary folder)")
    parser.add_argument("--json", type=Path, help="write every number here")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive is not None:
        drive(options.drive, options.rate, options.seconds)
        return
    machine = describe()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="soak-kills-") as name:
        done = SoakKills(Path(name), options.seconds, options.rate, options.readers, options.seed)
        done.run()
    print(
        f"{done.rows} rows stored in {done.seconds:.0f} s ({done.rows / done.seconds:.0f} a second), {len(done.done)} "
        f"trials done; {done.drivers_killed} drivers and {done.readers_killed} readers killed, {done.rotations} logs\n"
    )
    print(table(["", "median, first half", "median, second half", "at most"], rows(done)))
    numbers = {name: asdict(getattr(done, name)) for name in ("driver_memory", "driver_files", "reader_memory", "log")}
    counts = {name: getattr(done, name) for name in ("rows", "seconds", "drivers_killed", "readers_killed", "faults")}
    save(options.json, machine, [counts | numbers])
    print(*(f"!! {fault}" for fault in done.faults), sep="\n")
    sys.exit(1 if done.faults else 0)


if __name__ == "__main__":
    main()
