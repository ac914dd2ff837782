"""SIGKILL at random moments of everything that writes, on a large store: nothing committed is lost, nothing is half.

    python -m benchmarks.kills                            # a million steps, 21 kills
    python -m benchmarks.kills --steps 100000 --kills 1 --works prune migration --json kills.json

Each work is done once undisturbed, which says how long it takes; then it is begun anew on a copy of the store and its
process group is killed at a random moment of that time. After each kill every invariant holds, what was committed is
there, and no half-written file has its final name; then the same work is done again, to its end. Exit code 1 otherwise.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe, save, table
from benchmarks.make_store import make
from mlrtui_db import invariants
from mlrtui_db._schema import APPLICATION_ID, SCHEMA_VERSION
from mlrtui_db.lock import is_held

__all__ = ["WORKS", "Campaign", "Killed", "main"]

SWEEP = "made for the screens"  # of `make_store`
OLDER = Path(__file__).parents[1] / "tests/db/versions/3-first.sql"
RUN = """
sweep = { name = "killed", seeds = 60 }
data = { name = "gaussian", samples = 64 }
model = { depth = [1, 2], width = [16, 32] }
training = { loss = "mse", batch = "full", steps = 100 }
scan = { eta = [0.01, 0.02, 0.05] }
sharpness = { every = 10 }
"""
OUTCOMES = (
    "SELECT trial_id, status, verdict, phase, attempt FROM trial WHERE status IN ('done', 'failed') ORDER BY trial_id",
    "SELECT net_id, status, eta_star, lambda0 FROM net WHERE status = 'done' ORDER BY net_id",
)
STEPS = "SELECT count(*), sum(step), total(loss) FROM step JOIN trial USING (trial_id) WHERE status = 'done'"
_MIGRATE = "import sys; from mlrtui_db.store import bring_up_to_date; bring_up_to_date(sys.argv[1])"


@dataclass(frozen=True)
class Killed:
    """One kill: of which work, after which part of the time that it takes alone, and what was wrong after it."""

    work: str
    after: float  # seconds
    of: float
    in_time: bool  # the process was still at work
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """Something that writes. ``words`` begin the process; ``out``: what it makes; the store is left alone."""

    words: Callable[[Path], list[str]]
    out: str = ""
    steps_go: bool = False
    older: bool = False


def _mlrtui(*words: str) -> Callable[[Path], list[str]]:
    return lambda folder: [sys.executable, "-P", "-m", "mlrtui.cli", *words]


WORKS = {
    "run": Work(_mlrtui("run", "run.toml", "--store", "big.db", "--devices", "fake")),
    "migration": Work(lambda folder: [sys.executable, "-P", "-c", _MIGRATE, str(folder / "older.db")], older=True),
    "merge": Work(_mlrtui("merge", "out.db", "big.db", "big.db"), out="out.db"),
    "prune": Work(_mlrtui("prune", SWEEP, "--yes", "--store", "big.db"), steps_go=True),
    "export": Work(_mlrtui("export", "--store", "big.db", "--format", "sqlite", "--out", "out"), out="out"),
    "backup": Work(_mlrtui("backup", "out.db", "--store", "big.db"), out="out.db"),
    "archive": Work(_mlrtui("archive", "big.db", "out.db"), out="out.db"),
}


class Campaign:
    """The stores of a folder, and the kills."""

    def __init__(self, folder: Path, steps: int, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.whole, self.older = folder / "whole.db", folder / "whole-older.db"
        (folder / "run.toml").write_text(RUN, encoding="utf-8")
        self.steps = make(self.whole, steps, min(100_000, steps // 10)).steps
        _older(self.older, steps)

    def kill(self, name: str, count: int) -> list[Killed]:
        """Kill a work so many times."""
        work = WORKS[name]
        self._fresh(work)
        begun = time.monotonic()
        assert self._begin(work).wait() in (0, 1), f"{name} does not work undisturbed"
        lasts = time.monotonic() - begun
        return [self._once(name, work, lasts) for _ in range(count)]

    def _once(self, name: str, work: Work, lasts: float) -> Killed:
        store = self._fresh(work)
        digest, before, steps = _digest(store), _read(store, *OUTCOMES), _read(store, STEPS)
        after = self.chance.uniform(0.0, lasts)
        process = self._begin(work)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        in_time = process.poll() is None
        _kill_all(process, self.folder)
        faults = [f"{store.name}: {text}" for text in _violations(store)]
        if work.out:
            faults += [] if _digest(store) == digest else ["the source has changed"]
            faults += self._half(work)
        else:
            there = _read(store, *OUTCOMES)
            faults += [f"{len(set(rows) - set(there[at]))} rows are gone" for at, rows in enumerate(before)
                       if not set(rows) <= set(there[at])]  # fmt: skip
            if not work.steps_go and name != "run" and _read(store, STEPS) != steps:
                faults.append("steps are gone")
        code = self._begin(work).wait()
        faults += [] if code in (0, 1) or (work.out and not in_time) else [f"done again, it ends with code {code}"]
        faults += [f"at the end, {text}" for text in _violations(store)]
        return Killed(name, after, lasts, in_time, tuple(faults))

    def _fresh(self, work: Work) -> Path:
        """The store as it was, and nothing else."""
        for pattern in ("big.db*", "older.db*", "out*", ".out*"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        source, name = (self.older, "older.db") if work.older else (self.whole, "big.db")
        return Path(shutil.copyfile(source, self.folder / name))

    def _begin(self, work: Work) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            work.words(self.folder),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _half(self, work: Work) -> list[str]:
        """What is wrong with what it has made."""
        faults: list[str] = []
        out = self.folder / work.out
        for path in sorted(out.rglob("*")) if out.is_dir() else [out]:
            if path.is_file() and not path.name.startswith("."):
                with closing(sqlite3.connect(path)) as connection:
                    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
                faults += [] if found == "ok" else [f"{path.name} is half: {found}"]
                if path.suffix == ".db" and work.out.endswith(".db"):
                    faults += [f"{path.name}: {text}" for text in invariants.check(path)]
                    faults += [] if _read(path, STEPS) == _read(self.whole, STEPS) else [f"{path.name} lacks steps"]
        if out.is_file():  # the same again needs the name
            out.unlink()
        return faults


def _older(path: Path, steps: int) -> None:
    """A store as version 3 left it, one of whose trials that are done goes on at its last loss for so many steps."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLDER.read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 3")
        connection.execute("PRAGMA journal_mode = WAL")
        trial, last, loss = connection.execute(
            "SELECT trial_id, last_step, last_loss FROM trial WHERE status = 'done' AND last_loss IS NOT NULL"
            " AND bad_step IS NULL LIMIT 1"
        ).fetchone()
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO step (trial_id, step, loss, flags) SELECT ?, ? + i, ?, 0 FROM n",
            (steps, trial, last, loss),
        )
        connection.execute(
            "UPDATE trial SET n_steps = n_steps + ?, last_step = last_step + ? WHERE trial_id = ?",
            (steps, steps, trial),
        )
        connection.commit()


def _kill_all(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """The process, and a driver that it has started, which has a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    lock = folder / "big.db.lock"
    with suppress(OSError, ValueError, KeyError):
        pid = int(json.loads(lock.read_text(encoding="utf-8"))["pid"])
        if b"mlrtui.driver" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    while lock.exists() and is_held(folder / "big.db"):
        time.sleep(0.02)


def _violations(store: Path) -> list[str]:
    """What no committed state may be; an older store is only looked at for damage."""
    with closing(sqlite3.connect(store)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        return [str(found)]
    return invariants.check(store) if version == SCHEMA_VERSION else []


def _read(store: Path, *queries: str) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return [connection.execute(query).fetchall() for query in queries]


def _digest(store: Path) -> str:
    with store.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lines(killed: Sequence[Killed]) -> list[list[str]]:
    """The kills as lines of a table, one for each work."""
    found = []
    for name in dict.fromkeys(one.work for one in killed):
        ours = [one for one in killed if one.work == name]
        moments = ", ".join(f"{one.after:.2f}" + ("" if one.in_time else " (done)") for one in ours)
        found.append([name, f"{ours[0].of:.1f}", str(len(ours)), moments, str(sum(len(one.faults) for one in ours))])
    return found


def main() -> None:
    """Kill, print what came of it, and say whether it is passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps of the store (1000000)")
    parser.add_argument("--kills", type=int, default=3, help="of each work (3)")
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS), help="what is killed (all)")
    parser.add_argument("--seed", type=int, default=16, help="where the dice start (16)")
    parser.add_argument("--folder", type=Path, help="where the stores are made (the system's temporary folder)")
    parser.add_argument("--json", type=Path, help="write every number here")
    options = parser.parse_args()
    machine = describe()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n", flush=True)
    killed: list[Killed] = []
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="kills-") as name:
        campaign = Campaign(Path(name), options.steps, random.Random(options.seed))
        for work in options.works:
            killed += campaign.kill(work, options.kills)
            print(*lines(killed)[-1], sep="  ", flush=True)
    print("\n" + table(["work", "s alone", "kills", "after s", "faults"], lines(killed)))
    save(options.json, machine, [asdict(one) for one in killed])
    faults = [f"{one.work} killed after {one.after:.2f} s: {text}" for one in killed for text in one.faults]
    print(*(f"!! {fault}" for fault in faults), sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
