"""Stores whose schema is not ours, files beside a store that are not SQLite's: refused by name, left as they were."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, Mlrtui

from mlrtui_db import _guard, _shape
from mlrtui_db._known import missing_lines
from mlrtui_db._schema import SCHEMA_VERSION
from mlrtui_db._sqlite import connect_reader, translated
from mlrtui_db.errors import StoreAltered, StoreDamaged, StoreError
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

Made = Callable[..., Path]

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
ALTERED = {
    "trigger": "CREATE TRIGGER 'my trigger' AFTER INSERT ON event BEGIN DELETE FROM step; END",
    "trigger of a view": "CREATE TRIGGER v INSTEAD OF INSERT ON grid BEGIN DELETE FROM step; END",
    "trigger of another table": "CREATE TABLE notes (a);"
    " CREATE TRIGGER t AFTER DELETE ON notes BEGIN DELETE FROM step; END",
    "endless view": f"DROP VIEW axes; CREATE VIEW axes AS {ENDLESS}",
    "changed view": "DROP VIEW exponents; CREATE VIEW exponents AS SELECT name AS sweep FROM sweep",
    "virtual table": "CREATE VIRTUAL TABLE found USING fts5(text)",
    "computed column": "CREATE TABLE notes (a, b AS (hex(zeroblob(a))))",
    "index on an expression": "CREATE INDEX slow ON event(hex(text))",
    "partial index": "CREATE INDEX part ON event(text) WHERE length(text) > 3",
    "unique index": "CREATE UNIQUE INDEX one ON fit(y)",
    "another column": "ALTER TABLE trial ADD COLUMN mine TEXT DEFAULT 'x'",
    "a table as a view": "ALTER TABLE measure RENAME TO hidden; CREATE VIEW measure AS SELECT * FROM hidden",
    "a condition": "PRAGMA writable_schema = ON;"
    " UPDATE sqlite_master SET sql = replace(sql, 'CHECK (eta > 0', 'CHECK (eta > 1')",
    "a reference": "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, ' ON DELETE CASCADE', '')"
    " WHERE name = 'step'",
    "a kind that lies": "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('view', 'note', 'note', 0,"
    " 'CREATE TRIGGER note AFTER INSERT ON event BEGIN DELETE FROM step; END')",
    "a name that lies": "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('view', 'note', 'note', 0,"
    " 'CREATE VIEW other AS SELECT 1')",
}
COMMANDS = {
    "status": ["status"],
    "watch": ["watch"],
    "browse": ["browse", "--once"],
    "export": ["export"],
    "doctor": ["doctor", "mlrtui.db"],
    "backup": ["backup", "copy.db"],
    "archive": ["archive", "mlrtui.db", "copy.db"],
    "merge": ["merge", "copy.db", "mlrtui.db"],
    "resume": ["resume", "--devices", "fake"],
    "rerun": ["rerun", "--failed", "--devices", "fake"],
    "prune": ["prune", "small scan", "--yes"],
    "check-claims": ["check-claims"],
}


def change(store: Path, script: str) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.executescript(script)
        connection.commit()


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlrtui.commands.doctor.machine", tuple)  # it has nothing to do with stores


@pytest.mark.parametrize("script", ALTERED.values(), ids=ALTERED)
def test_a_schema_that_is_not_ours_is_refused(made: Made, script: str) -> None:
    store = made(SMALL_SCAN)
    change(store, script)
    before = store.read_bytes()
    for opened in (Reader.open, Store.open):
        with pytest.raises((StoreAltered, StoreDamaged)):  # SQLite itself finds some of them malformed
            opened(store)
    assert store.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_names_what_it_refuses(mlrtui: Mlrtui, made: Made, command: list[str]) -> None:
    store = made(SMALL_SCAN)
    change(store, ALTERED["trigger"])
    before = store.read_bytes()
    done = mlrtui(*command)
    assert done.returncode == 3
    assert "trigger 'my trigger'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert store.read_bytes() == before
    assert not store.with_name("copy.db").exists()


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 3))
def test_no_version_lets_a_view_run(mlrtui: Mlrtui, made: Made, version: int) -> None:
    store = made(SMALL_SCAN)
    change(store, f"{ALTERED['endless view']}; PRAGMA user_version = {version}")
    done = mlrtui("browse", "--once")
    if version > SCHEMA_VERSION:  # its views are not ours to know, and not read
        assert done.returncode == 0
        assert "small scan" in done.stdout
    else:
        assert done.returncode == 3


def test_a_newer_store_whose_tables_do_not_fit_our_views_is_refused(mlrtui: Mlrtui, made: Made) -> None:
    store = made(SMALL_SCAN)
    change(store, f"ALTER TABLE net RENAME COLUMN successes TO wins; PRAGMA user_version = {SCHEMA_VERSION + 1}")
    done = mlrtui("status")
    assert done.returncode == 3
    assert "newer mlrtui" in done.stderr


def test_what_other_tools_add_is_left_alone_and_reported(mlrtui: Mlrtui, made: Made, tmp_path: Path) -> None:
    store = made(SMALL_SCAN)
    change(
        store,
        "CREATE TABLE [my notes] (id INTEGER PRIMARY KEY, trial INTEGER REFERENCES trial(trial_id), text TEXT);"
        "INSERT INTO [my notes] (text) VALUES ('kept'); CREATE INDEX by_text ON [my notes](text);"
        "CREATE INDEX event_host ON event(host); ANALYZE;"
        f"CREATE VIEW mine AS {ENDLESS}",
    )
    assert mlrtui("status").returncode == 0
    assert mlrtui("resume", "--devices", "fake").returncode == 0
    done = mlrtui("doctor", store)
    assert "table 'my notes'" in done.stdout
    assert "view 'mine'" in done.stdout
    assert "index 'event_host'" in done.stdout
    assert done.returncode == 0, done.stdout
    assert mlrtui("archive", store, "copy.db").returncode == 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("SELECT text FROM [my notes]").fetchall() == [("kept",)]


def test_the_list_of_known_schemas_is_complete() -> None:
    """After a change of schema.sql or views.sql: `python -m mlrtui_db._known >> db/mlrtui_db/known_schemas.txt`."""
    assert list(missing_lines()) == []
    assert ("trial", "0" * 24) not in _shape.known(SCHEMA_VERSION)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_files_beside_a_store_are_plain(mlrtui: Mlrtui, made: Made, tmp_path: Path, suffix: str, kind: str) -> None:
    store = made(SMALL_SCAN)
    beside, victim = store.with_name(store.name + suffix), tmp_path / "victim"
    if kind == "pipe":
        os.mkfifo(beside)
    else:
        beside.symlink_to(victim)
    if kind == "link":
        victim.write_text("mine")
    for command in (["status"], ["prune", "small scan", "--yes"]):
        done = mlrtui(*command)
        assert done.returncode == 3
        assert beside.name in done.stderr
    assert victim.exists() == (kind == "link")
    if kind == "link":
        assert victim.read_text() == "mine"


def test_a_journal_that_names_another_file_is_not_obeyed(mlrtui: Mlrtui, made: Made, tmp_path: Path) -> None:
    """SQLite would roll it back and delete the file that it names."""
    store, victim = made(SMALL_SCAN), tmp_path / "victim"
    victim.write_text("mine")
    name = os.fsencode(victim)
    lock_page = (1 << 30) // 4096 + 1
    end = lock_page.to_bytes(4, "big") + name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big")
    magic = bytes.fromhex("d9d505f920a163d7")
    header = magic + (0).to_bytes(4, "big") * 2 + (10).to_bytes(4, "big") + (512).to_bytes(4, "big")
    store.with_name(store.name + "-journal").write_bytes(
        (header + (4096).to_bytes(4, "big")).ljust(512, b"\0") + end + magic
    )
    before = store.read_bytes()
    for command in (["status"], ["prune", "small scan", "--yes"], ["resume", "--devices", "fake"]):
        done = mlrtui(*command)
        assert done.returncode == 3
        assert "journal" in done.stderr
    assert victim.read_text() == "mine"
    assert store.read_bytes() == before


def test_a_query_without_end_is_stopped(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    store = made(SMALL_SCAN)
    monkeypatch.setattr(_guard, "_MOST_LOOKS", 3)
    with closing(connect_reader(store)) as connection, translated(store):
        with pytest.raises(StoreError, match="took too long"), translated(store):
            connection.execute(f"SELECT max(i) FROM ({ENDLESS})")
        assert connection.execute("SELECT count(*) FROM sweep").fetchone() == (1,)


def test_control_c_ends_a_query(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    store, looked = made(SMALL_SCAN), []

    def interrupted(budget: object) -> bool:
        looked.append(budget)
        os.kill(os.getpid(), signal.SIGINT)
        return False

    monkeypatch.setattr(_guard._Budget, "look", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with closing(connect_reader(store)) as connection, pytest.raises(KeyboardInterrupt), translated(store):
            connection.execute(f"SELECT max(i) FROM ({ENDLESS})")
    finally:
        signal.signal(signal.SIGINT, before)
    assert looked
