"""Stores with made-up values and flipped bytes against the commands that read: a sentence or an answer, never a fault.

Seeded. `MLRTUI_TEST_FULL=1` tries every kind of value in every column, and a thousand damaged files.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import FULL, SMALL_SCAN, SMALL_SEARCH, Mlrtui
from faults_values import DEEP, HUGE, NOT_UTF8, VALUES, columns, put

Made = Callable[..., Path]

SEED = 16
READERS = (
    ("status",),
    ("status", "--json"),
    ("watch",),
    ("browse",),
    ("browse", "--once"),
    ("export", "--force", "--format", "jsonl"),
    ("doctor", "mlrtui.db"),
    ("check-claims",),
    ("merge", "merged.db", "mlrtui.db"),
    *(("watch", "--once", "--screen", name) for name in ("live", "trial", "boundary", "exponents", "phases", "log")),
    ("watch", "--json", "--screen", "phases"),
)
EXPONENTS = ("watch", "--once", "--screen", "exponents")


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlrtui.commands.doctor.machine", tuple)  # it has nothing to do with stores


def judged(mlrtui: Mlrtui, store: Path, command: tuple[str, ...], case: object) -> None:
    before = store.read_bytes()
    store.with_name("merged.db").unlink(missing_ok=True)
    done = mlrtui(*command)
    said = done.stdout + done.stderr
    assert "this is a bug" not in said, (case, command, done.stderr)
    assert "Traceback" not in said, (case, command)
    assert done.returncode in (0, 1, 2, 3, 4), (case, command)
    assert not set(said) & set("\x1b\x07"), (case, command)
    if done.returncode == 3:
        assert len(done.stderr.splitlines()) == 1, (case, command, done.stderr)
    assert store.read_bytes() == before, (case, command)


def cases(store: Path) -> Iterator[tuple[str, str, object]]:
    chance = random.Random(SEED)
    every = [(*place, value) for place in columns(store) for value in (*VALUES, NOT_UTF8)]
    yield from every if FULL else chance.sample(every, 12)


def test_any_value_in_any_column(mlrtui: Mlrtui, made: Made) -> None:
    chance = random.Random(SEED)
    store = made(SMALL_SCAN, SMALL_SEARCH)
    whole, tried = store.read_bytes(), 0
    for case in cases(store):
        store.write_bytes(whole)
        if put(store, *case):
            tried += 1
            for command in READERS if FULL else chance.sample(READERS, 3):
                judged(mlrtui, store, command, case)
    assert tried > 3


KNOWN: tuple[tuple[str, str, object], ...] = (
    ("sweep", "created_at", 1e300),
    ("sweep", "spec", "notjson"),
    ("sweep", "spec", DEEP),
    ("fit", "excluded", "notjson"),
    ("event", "text", HUGE),
    ("cell", "label", NOT_UTF8),
    ("cell", "width", b"\xff"),
    ("trial", "eta", float("inf")),
    ("net", "status", "lost"),
    ("attempt", "bars", DEEP),
    ("fit", "term", "no_such_name"),
    ("fit", "where_expr", "width >"),
)


@pytest.mark.parametrize(("table", "column", "value"), KNOWN, ids=lambda value: str(value)[:12])
def test_values_that_once_broke_a_command(mlrtui: Mlrtui, made: Made, table: str, column: str, value: object) -> None:
    store = made(SMALL_SCAN, SMALL_SEARCH)
    assert put(store, table, column, value)
    for command in READERS if FULL else (READERS[0], READERS[2], READERS[4], READERS[6], READERS[8], EXPONENTS):
        judged(mlrtui, store, command, (table, column))


def test_flipped_bytes_and_cut_files(mlrtui: Mlrtui, made: Made) -> None:
    chance = random.Random(SEED)
    store = made(SMALL_SCAN, SMALL_SEARCH)
    whole = store.read_bytes()
    for case in range(1000 if FULL else 12):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 8, 100))):
            # half of them near the head, where the schema is
            damaged[chance.randrange(chance.choice((len(damaged), 20_000)))] ^= 1 << chance.randrange(8)
        store.write_bytes(damaged[: chance.randrange(len(damaged))] if case % 6 == 5 else damaged)
        for command in READERS if FULL else chance.sample(READERS, 2):
            judged(mlrtui, store, command, case)
