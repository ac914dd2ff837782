"""Steps from one schema version to the next."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db._schema import SCHEMA_VERSION
from mlrtui_db._sqlite import connect_writer
from mlrtui_db.errors import StoreError
from mlrtui_db.migrations import MIGRATIONS, Migration, migrate
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store


def add_note(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE step ADD COLUMN note TEXT")
    connection.execute("UPDATE trial SET error = 'seen by the second version'")


def rename_note(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE step RENAME COLUMN note TO remark")


def break_half_way(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE trial SET error = 'half'")
    connection.execute("DELETE FROM step")
    connection.execute("ALTER TABLE no_such_table ADD COLUMN x")


def raise_half_way(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM step")
    raise KeyboardInterrupt


SECOND = Migration(SCHEMA_VERSION + 1, "add_note", add_note)
THIRD = Migration(SCHEMA_VERSION + 2, "rename_note", rename_note)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    samples.filled(tmp_path / "a.db")
    return tmp_path / "a.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_writer(path)) as connection:
        yield connection


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def content(connection: sqlite3.Connection) -> list[str]:
    return list(connection.iterdump())


def test_the_shipped_steps_lead_to_the_shipped_schema() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))


def first_version(path: Path) -> None:
    """Make this store what the first version of the schema would have made."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (view,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
            connection.execute(f"DROP VIEW {view}")
        connection.execute("ALTER TABLE cell DROP COLUMN edge")
        connection.execute("ALTER TABLE cell DROP COLUMN accuracy_on")
        connection.execute("DROP TABLE layer")
        connection.execute("PRAGMA user_version = 1")


def shapes(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's and view's columns."""
    with closing(sqlite3.connect(path)) as connection:
        found = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
        names = [row[0] for row in connection.execute(found)]
        return {name: sorted(row[1:] for row in connection.execute(f'PRAGMA table_info("{name}")')) for name in names}


def answers(reader: Reader) -> dict[str, list[dict[str, object]]]:
    """What every view says."""
    found = {view: reader.query(view) for view in reader.views()}
    return {view: [dict(zip(names, row, strict=True)) for row in rows] for view, (names, rows) in found.items()}


def test_a_store_of_the_first_version_becomes_one_of_this(path: Path, tmp_path: Path) -> None:
    Store.open(tmp_path / "fresh.db").close()
    first_version(path)
    before = samples.listing(tmp_path)["a.db"]
    with Reader.open(path) as reader:  # which cannot write: what is missing is stood in for
        seen, live = answers(reader), reader.live()
    assert samples.listing(tmp_path)["a.db"] == before
    Store.open(path).close()
    assert shapes(path) == shapes(tmp_path / "fresh.db")
    with Reader.open(path) as reader:
        assert answers(reader) == seen
        assert reader.live() == live
    assert {row["edge"] for row in seen["curves"]} == {2.0}
    assert seen["layers"] == []
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(tmp_path / "fresh.db")) as fresh:
        documents = "SELECT * FROM column_doc ORDER BY tbl, col"
        assert connection.execute(documents).fetchall() == fresh.execute(documents).fetchall()


def test_nothing_due_nothing_done(path: Path, connection: sqlite3.Connection) -> None:
    assert migrate(connection, path) is None
    assert migrate(connection, path, [Migration(1, "long_ago", break_half_way)]) is None
    assert not list(path.parent.glob("*.v1"))


def test_all_due_steps_are_applied_in_order_after_one_copy(path: Path, connection: sqlite3.Connection) -> None:
    before = content(connection)
    backup = migrate(connection, path, [SECOND, THIRD])
    assert backup == path.with_name(f"a.db.v{SCHEMA_VERSION}")
    assert version(connection) == SCHEMA_VERSION + 2
    stored = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    assert stored == (str(SCHEMA_VERSION + 2),)
    assert connection.execute("SELECT DISTINCT remark FROM step").fetchall() == [(None,)]
    (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'step'").fetchone()
    assert made.endswith("STRICT, WITHOUT ROWID")
    with closing(sqlite3.connect(backup)) as old:
        assert version(old) == SCHEMA_VERSION
        assert content(old) == before
    with Reader.open(backup) as reader:
        assert reader.sweeps()[0].name == "one"
    assert migrate(connection, path, [SECOND, THIRD]) is None


def test_a_step_that_fails_half_way_is_rolled_back(path: Path, connection: sqlite3.Connection) -> None:
    before = content(connection)
    with pytest.raises(StoreError, match=r"could not be updated \(step broken: no such table: no_such_table\)"):
        migrate(connection, path, [Migration(SCHEMA_VERSION + 1, "broken", break_half_way)])
    assert version(connection) == SCHEMA_VERSION
    assert content(connection) == before
    assert not connection.in_transaction


def test_steps_before_the_failing_one_stay(path: Path, connection: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match="step broken"):
        migrate(connection, path, [SECOND, Migration(SCHEMA_VERSION + 2, "broken", break_half_way)])
    assert version(connection) == SCHEMA_VERSION + 1
    assert connection.execute("SELECT DISTINCT error FROM trial").fetchall() == [("seen by the second version",)]
    assert migrate(connection, path, [SECOND, THIRD]) == path.with_name(f"a.db.v{SCHEMA_VERSION + 1}")
    assert version(connection) == SCHEMA_VERSION + 2


def test_an_interrupted_step_is_rolled_back(path: Path, connection: sqlite3.Connection) -> None:
    before = content(connection)
    with pytest.raises(KeyboardInterrupt):
        migrate(connection, path, [Migration(SCHEMA_VERSION + 1, "interrupted", raise_half_way)])
    assert version(connection) == SCHEMA_VERSION
    assert content(connection) == before


def test_a_newer_store_can_be_read_while_its_views_are_there(path: Path, connection: sqlite3.Connection) -> None:
    migrate(connection, path, [SECOND])
    with Reader.open(path) as reader:
        assert reader.live() is not None
