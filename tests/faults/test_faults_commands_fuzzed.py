"""Made-up and damaged files of every kind against every command: an answer or a sentence, within limits.

No traceback, no death by a signal, at most 5 s of CPU time and 1 GB of memory, no file changed by a command that reads
or refuses. Seeded; some cases of each kind by default, all commands and `MLRTUI_TEST_FULL` = 1: two hundred of each.
"""

import io
import json
import os
import pickle
import random
import select
import signal
import sqlite3
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FULL, SMALL_SCAN, SMALL_SEARCH
from faults_values import DEEP, NOT_UTF8, VALUES, columns, put

from mlrtui_db import lock

Made = Callable[..., Path]
pytestmark = pytest.mark.timeout(3600)

SEED = int(os.environ.get("MLRTUI_FUZZ_SEED", "16"))
CASES = 200 if FULL else 2  # of each kind
PATIENCE = 120.0  # seconds without an answer after which a command that uses no CPU time counts as hanging
SECONDS, DATA = 5, 1_000_000_000
DRIVERS_SECONDS = 30  # where a driver is started, which imports more than the commands do
DAMAGE = 16  # changes of a file at most


@dataclass(frozen=True)
class Command:
    """A command line, and what it may do: ``writes`` to the store when it succeeds, ``drives`` starts a driver."""

    words: tuple[str, ...]
    writes: bool = False
    drives: bool = False


READING = (
    *(Command(words) for words in (("status",), ("status", "--json"), ("watch",), ("browse",), ("browse", "--once"))),
    *(
        Command(("watch", "--once", "--screen", name))
        for name in ("live", "trial", "boundary", "exponents", "phases", "log")
    ),
    *(Command(("export", "--force", "--format", name)) for name in ("csv", "jsonl", "sqlite")),
    *(Command(words) for words in (("doctor", "mlrtui.db"), ("check-claims",), ("stop",), ("stop", "--now"))),
    *(Command(words) for words in (("merge", "copy.db", "mlrtui.db"), ("backup", "copy.db"))),
    Command(("archive", "mlrtui.db", "copy.db")),
)
WRITING = (
    Command(("prune", "small scan", "--yes"), writes=True),
    Command(("resume", "--devices", "fake"), writes=True, drives=True),
    Command(("rerun", "--failed", "--devices", "fake"), writes=True, drives=True),
    Command(("run", "small.toml", "--devices", "fake"), writes=True, drives=True),
)
OF_DATA = (
    Command(("run", "data.toml", "--dry-run")),
    Command(("run", "data.toml", "--devices", "fake", "--store", "other.db"), writes=True, drives=True),
)


class Commands:
    """The process that runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_so_far = 0
        program = Path(__file__).with_name("command_process.py")
        env = {name: value for name, value in os.environ.items() if name not in {"MLRTUI_STORE", "NO_COLOR"}}
        self.process = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env | {"OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def run(self, command: Command) -> dict[str, Any]:
        """What came of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        seconds = DRIVERS_SECONDS if command.drives else SECONDS
        job = {"folder": str(self.folder), "words": command.words, "seconds": seconds, "data": DATA}
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready, f"{command.words} hangs"
        self.run_so_far += 1
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def judge(self, command: Command, case: object) -> None:
        """Run one, and look at what it did."""
        for name in ("copy.db", "other.db"):
            (self.folder / name).unlink(missing_ok=True)
        before = contents(self.folder, command)
        done = self.run(command)
        said, where = done["out"] + done["err"], (case, command.words)
        assert done["code"] in (0, 1, 2, 3), (where, done["code"], said[-2000:])
        assert "Traceback" not in said, (where, said[-2000:])
        assert "this is a bug" not in said, (where, said[-2000:])
        assert not set(said) & set("\x1b\x07"), where
        assert done["memory"] <= DATA, (where, done["memory"])
        if done["code"] in (2, 3):
            assert done["err"].strip(), where
        if not command.writes or done["code"] == 2 or (done["code"] == 3 and not command.drives):
            # a driver goes on where only what is looked at beside it is unreadable
            after = contents(self.folder, command)
            changed = [name for name, content in before.items() if after.get(name) != content]
            assert changed == [], (where, said)
        assert not list(self.folder.rglob(".*.part")), where


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    made = Commands(tmp_path)
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(made.process.pid, signal.SIGKILL)
        made.process.communicate()


@pytest.fixture(autouse=True)
def _no_driver_left(no_driver_left: None) -> None:
    """Drivers that a case started are ended."""


def contents(folder: Path, command: Command) -> dict[str, object]:
    """Every file that is to stay as it is; of a store that the command may write to, its rows.

    What it makes itself is left out, and SQLite's shared memory.
    """
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.endswith("-shm") and path.parent.name != "mlrtui-export":
            found[path.name] = path.read_bytes()
    if command.writes:
        with suppress(sqlite3.Error, UnicodeDecodeError):  # one that cannot be read stays byte by byte
            found["mlrtui.db"] = _rows(folder / "mlrtui.db")
        for suffix in ("-wal", ".log", ".lock"):
            found.pop("mlrtui.db" + suffix, None)
    return found


def _rows(store: Path) -> list[object]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        kept = [name.decode() for (name,) in tables if not name.startswith(b"sqlite_")]  # these hold statistics
        return [connection.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall() for name in kept]


def damaged(chance: random.Random, whole: bytes) -> bytes:
    """A file with some bytes changed, taken out or put in, half of them near its ends; one in five is cut."""
    raw = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, DAMAGE))):
        near = chance.randrange(min(len(raw), 600)) if raw else 0
        at = chance.choice((chance.randrange(max(len(raw), 1)), near, max(len(raw) - 1 - near, 0)))
        match chance.choice("cccdi"):
            case "c" if raw:
                raw[at] = chance.choice((0, 255, raw[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
            case "d":
                del raw[at : at + chance.choice((1, 4, 512))]
            case _:
                raw[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
    return bytes(raw[: chance.randrange(len(raw) + 1)] if chance.random() < 0.2 else raw)


def text_of(chance: random.Random, text: str, words: tuple[str, ...]) -> str:
    """A text with some of its words replaced by others, left out, or doubled."""
    pieces = text.split(" ")
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(pieces))
        pieces[at : at + chance.choice((0, 1, 1, 2))] = chance.sample(words, chance.choice((0, 1, 1, 2)))
        pieces = pieces or [""]
    return " ".join(pieces)


def reopened(store: Path) -> None:
    """As if the driver had been stopped before it closed its nets: `resume` has something to do, and reads it all."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE sweep SET status = 'stopped', finished_at = NULL")
        connection.execute("UPDATE net SET status = 'open', eta_star = NULL, censored = NULL")
        connection.commit()


# What is tried: each changes the files of a folder, and says what it did ----------------------------------------------


def flipped(chance: random.Random, store: Path) -> object:
    store.write_bytes(damaged(chance, store.read_bytes()))
    return "bytes"


def typed(chance: random.Random, store: Path) -> object:
    place = chance.choice(columns(store))
    value = chance.choice((*VALUES, NOT_UTF8))
    return (*place, str(value)[:40], put(store, *place, value))


SQL = (
    *("SELECT", "FROM", "step", "trial", "JOIN", "UNION ALL", "WHERE", "GROUP BY 1", "(", ")", ",", "1", "NULL", "''"),
    *("CHECK (1)", "DEFAULT (hex(zeroblob(9)))", "GENERATED ALWAYS AS (1)", "TEXT", "BLOB", "STRICT", "WITHOUT ROWID"),
    *("CREATE TRIGGER x AFTER INSERT ON event BEGIN DELETE FROM step; END", "CREATE TABLE", "VIEW", "AS", "--", "/*"),
    *("randomblob(1000000000)", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"),
    *("load_extension('x')", "\x00", "é", '"', ";", "x" * 100_000, "(" * 2000),
)


def schema(chance: random.Random, store: Path) -> object:
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        rows = connection.execute("SELECT rowid, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        row, sql = chance.choice(rows)
        changed = text_of(chance, sql, SQL)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE rowid = ?", (changed, row))
    return changed[:300]


ODD = (1e300, -1, 0, 1, 2**63, -(2**70), 1.5, None, True, "", "x" * 9000, "\x1b]0;x\x07", [], {}, [[]], "NaN", 1e-320)


def locks(chance: random.Random, store: Path) -> object:
    record: dict[str, object] = {"pid": 1, "host": "here", "started_at": 1.0, "command": ["a"], "note": ""}
    real = store.with_name("real.db")
    real.write_bytes(store.read_bytes())
    with lock.acquire(real):
        record |= json.loads(lock.lock_path(real).read_text())
    for path in real.parent.glob("real.db*"):
        path.unlink()
    for _ in range(chance.choice((1, 2, 5))):
        record[chance.choice([*record, "more"])] = chance.choice(ODD)
    text = chance.choice((json.dumps(record), DEEP * 20, "[" * 8000, "nul\0l", "NaN", '{"pid": 1e999}', ""))
    content = damaged(chance, text.encode()) if chance.random() < 0.5 else text.encode()
    store.with_name(store.name + chance.choice((".lock", ".lock", ".log"))).write_bytes(content)
    return content[:200]


def beside(chance: random.Random, store: Path) -> object:
    real = store.with_name("real.db")
    real.write_bytes(store.read_bytes())
    with closing(sqlite3.connect(real)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO event (at, level, text) VALUES (1.0, 'info', 'more')")
        connection.commit()
        log = real.with_name(real.name + "-wal").read_bytes()
    for path in real.parent.glob("real.db*"):
        path.unlink()
    suffix = chance.choice(("-wal", "-wal", "-journal"))
    content = damaged(chance, log) if chance.random() < 0.7 else chance.randbytes(chance.choice((0, 20, 5000)))
    store.with_name(store.name + suffix).write_bytes(content)
    return suffix, len(content)


DATA_SWEEP = SMALL_SEARCH.replace("small search", "of data").replace('name = "digits"\nsamples = 256', "{data}")


def arrays(chance: random.Random, store: Path) -> object:
    held = io.BytesIO()
    x = np.arange(64 * 6, dtype=chance.choice(("<f8", ">f4", "u1", "i8"))).reshape(64, 6)
    (np.savez if chance.random() < 0.5 else np.savez_compressed)(held, x=x, y=np.arange(64) % 3)
    content = held.getvalue()
    if chance.random() < 0.4:  # its headers, at their old length
        word, other = chance.choice(
            ((b"(64, 6)", b"(99, 9)"), (b"<f8", b"|O8"), (b"False", b"Trueu"), (b"'<i8'", b"'<M8'"))
        )
        content = content.replace(word, other)
    store.with_name("data.npz").write_bytes(damaged(chance, content))
    text = DATA_SWEEP.replace("{data}", 'name = "npz"\npath = "data.npz"')
    store.with_name("data.toml").write_text(text)
    return "npz", len(content)


OPCODES = (
    *(
        b"cos\nsystem\n",
        b"cnumpy\nndarray\n",
        b"R",
        b"b",
        b"\x81",
        b"(",
        b"t",
        b"]",
        b"a",
        b"}",
        b"s",
        b"u",
        b"0",
        b"2",
    ),
    *(b"\x8b\xff\xff\xff\x7f", b"B\xff\xff\xff\x7f", b"h\x00", b"q\x00", b"N", b"\x8a\x08" + b"\xff" * 8, b"."),
)


def pickles(chance: random.Random, store: Path) -> object:
    folder = store.with_name("cifar-10-batches-py")
    folder.mkdir(exist_ok=True)
    rows = np.arange(40 * 3072, dtype=np.uint32).astype(np.uint8).reshape(40, 3072)
    batch = {b"labels": [at % 10 for at in range(40)], b"data": rows, b"batch_label": b"b", b"filenames": []}
    content = pickle.dumps(batch, protocol=chance.choice((2, 3, 4)))
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        raw = damaged(chance, content) if chance.random() < 0.5 else content
        if chance.random() < 0.3:
            at = chance.choice((2, chance.randrange(len(raw) + 1), max(len(raw) - 3, 0)))
            raw = raw[:at] + b"".join(chance.sample(OPCODES, chance.randrange(1, 6))) + raw[at:]
        (folder / name).write_bytes(raw)
    text = DATA_SWEEP.replace("{data}", 'name = "torchvision"\nwhich = "cifar10"\npath = "."\nsamples = 64')
    store.with_name("data.toml").write_text(text)
    return "pickle"


def sweeps(chance: random.Random, store: Path) -> object:
    words = ("nan", "-1", "1e999", "[", "]", '"', "'''", "\x00", "[[fit]]", "true", "[1, 2]", "=", "9" * 400, "{}")
    text = SMALL_SEARCH.replace("\n", " \n ")
    changed = text_of(chance, text, (*words, *string.ascii_letters))
    content = damaged(chance, changed.encode()) if chance.random() < 0.3 else changed.encode()
    store.with_name("data.toml").write_bytes(content)
    return content[:300]


KINDS = (flipped, typed, schema, locks, beside, arrays, pickles, sweeps)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_file_breaks_a_command(
    commands: Commands, made: Made, kind: Callable[[random.Random, Path], object], tmp_path: Path
) -> None:
    store = made(SMALL_SCAN, SMALL_SEARCH)
    whole, ours = store.read_bytes(), KINDS.index(kind) >= KINDS.index(arrays)
    for number in range(CASES):
        chance = random.Random(f"{SEED} {kind.__name__} {number}")
        for path in tmp_path.glob("mlrtui.db?*"):
            path.unlink()
        store.write_bytes(whole)
        (tmp_path / "small.toml").write_text(SMALL_SCAN)
        if number % 2 == 0:
            reopened(store)
        case = number, kind(chance, store)
        if ours:
            chosen = OF_DATA if FULL or number == 0 else OF_DATA[:1]
        else:
            chosen = (
                (*READING, *WRITING)
                if FULL
                else (*chance.sample(READING, 3), chance.choice(WRITING[: 1 + 3 * (number == 0)]))
            )
        damaged_store = {path.name: path.read_bytes() for path in tmp_path.glob("mlrtui.db*")}
        for command in chosen:
            if command.writes:  # each from the same start
                for path in tmp_path.glob("mlrtui.db?*"):
                    path.unlink()
                for name, content in damaged_store.items():
                    (tmp_path / name).write_bytes(content)
            commands.judge(command, case)
    assert commands.run_so_far >= CASES
