"""Stores as earlier versions left them: brought up to date whole, whoever kills or reads meanwhile."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import FULL, file_size_limit
from db_versions import DUMPS, content, holds, number, restore, version

from mlrtui_db import migrations
from mlrtui_db._schema import SCHEMA_VERSION, schema_names, view_names
from mlrtui_db._sqlite import connect_writer
from mlrtui_db.copies import archive, back_up
from mlrtui_db.errors import StoreIOError, StoreNewer, StoreOlder
from mlrtui_db.invariants import check
from mlrtui_db.lock import is_held
from mlrtui_db.merging import merge
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store, bring_up_to_date

OLDEST = DUMPS[0]
(BEFORE_SCHEMA_4,) = (dump for dump in DUMPS if dump.stem == "3-first")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return restore(OLDEST, tmp_path / "a.db")


def shape(path: Path) -> dict[str, set[tuple[object, ...]]]:
    """Columns of every table and view, with type, whether they may be NULL, and their place in the key."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            name: {(*row[1:4], row[5]) for row in connection.execute(f"PRAGMA table_info({name})")}
            for name in schema_names()
        }


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_a_store_of_every_earlier_version_becomes_one_of_this(tmp_path: Path, dump: Path) -> None:
    path, fresh = restore(dump, tmp_path / "a.db"), tmp_path / "fresh.db"
    before = content(path)
    Store.open(fresh).close()
    copy = bring_up_to_date(path)
    assert copy == path.with_name(f"a.db.v{number(dump)}")
    assert content(copy) == before
    assert version(copy) == number(dump)
    assert version(path) == SCHEMA_VERSION
    assert shape(path) == shape(fresh)
    assert check(path) == []
    assert holds(path, before)
    with Reader.open(path) as reader:
        for view in view_names():
            columns, rows = reader.query(view)
            assert columns
            list(rows)
        assert f"the store as it was: {copy.name}" in " ".join(row.text for row in reader.log())
    assert bring_up_to_date(path) is None


@pytest.mark.parametrize("reached", range(1, SCHEMA_VERSION))
def test_a_store_goes_on_from_every_step(old: Path, reached: int) -> None:
    with closing(connect_writer(old)) as connection:
        migrations.migrate(connection, old, [step for step in migrations.MIGRATIONS if step.version <= reached])
    assert version(old) == reached
    before = content(old, ("trial", "step"))
    assert bring_up_to_date(old) == old.with_name(f"a.db.v{reached}")
    fresh = old.with_name("fresh.db")
    Store.open(fresh).close()
    assert shape(old) == shape(fresh)
    assert holds(old, before)
    assert check(old) == []


EDGES = {4: {3.0, 3.8}, 5: {0.0, 2.0}, 6: {0.0, 2.0}}


def answers(reader: Reader) -> dict[str, list[dict[str, object]]]:
    """What every view says."""
    found = {view: reader.query(view) for view in reader.views()}
    return {view: [dict(zip(names, row, strict=True)) for row in rows] for view, (names, rows) in found.items()}


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_a_reader_of_an_older_store_sees_what_it_will_be_and_changes_nothing(tmp_path: Path, dump: Path) -> None:
    old = restore(dump, tmp_path / "a.db")
    before = old.read_bytes()
    with Reader.open(old) as reader:
        seen, live = answers(reader), reader.live()
    assert old.read_bytes() == before
    assert len(seen["curves"]) > 0
    assert {row["edge"] for row in seen["curves"]} == EDGES.get(number(dump), {2.0})
    bring_up_to_date(old)
    with Reader.open(old) as reader:
        assert answers(reader) == seen
        after = reader.live()
    assert after is not None
    assert live is not None
    assert after.cells == live.cells


def test_copies_of_an_older_store_are_of_its_version(old: Path) -> None:
    back_up(old, old.with_name("copy.db"))
    archive(old, old.with_name("archive.db"))
    with pytest.raises(StoreOlder):
        merge(old.with_name("merged.db"), [old])
    assert not old.with_name("merged.db").exists()
    assert content(old.with_name("copy.db")) == content(old.with_name("archive.db")) == content(old)


def test_a_newer_store_is_not_merged(old: Path) -> None:
    Store.open(old).close()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreNewer, match="update mlrtui"):
        merge(old.with_name("merged.db"), [old])
    assert not old.with_name("merged.db").exists()


def test_an_earlier_copy_is_never_replaced(old: Path) -> None:
    taken = old.with_name("a.db.v1")
    taken.write_text("of another store")
    assert bring_up_to_date(old) == old.with_name("a.db.v1-2")
    assert taken.read_text() == "of another store"


def test_a_reader_beside_a_migration_waits_for_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the store as it was while the step is under way, and as it is when it is done."""
    seen: list[dict[str, list[dict[str, object]]]] = []
    beside = Reader.open(old)

    def looked_at(connection: sqlite3.Connection) -> None:
        last.apply(connection)
        seen.append(answers(beside))
        with Reader.open(old) as reader:
            seen.append(answers(reader))

    *steps, last = migrations.MIGRATIONS
    steps.append(migrations.Migration(last.version, last.name, looked_at))
    monkeypatch.setattr(migrations.migrate, "__defaults__", (steps,))
    bring_up_to_date(old)
    assert len(seen) == 2
    with Reader.open(old) as reader:
        assert answers(reader) == seen[0] == seen[1]
        assert reader.sweeps()[0].name == "from long ago"
    with beside:
        beside.data_version()
        assert answers(beside) == seen[0]
    with closing(sqlite3.connect(old)) as writer, writer:
        writer.execute("UPDATE cell SET edge = 3.8")
    with Reader.open(old) as reader:
        assert {row["edge"] for row in answers(reader)["curves"]} == {3.8}


KILLED = """
import os, signal, sys
from mlrtui_db import migrations
from mlrtui_db.store import Store
step = migrations.MIGRATIONS[0]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def half(connection):
    step.apply(connection)
    connection.execute("DELETE FROM step")
    die()
steps = migrations.MIGRATIONS
if sys.argv[2] == "copying":
    os.replace = die
elif sys.argv[2] == "copied":
    migrations._apply = die
elif sys.argv[2] == "half way":
    steps = (migrations.Migration(step.version, step.name, half),)
else:
    steps = (step, migrations.Migration(step.version + 1, "next", half))
migrations.migrate.__defaults__ = (steps,)
Store.open(sys.argv[1])
"""


@pytest.mark.parametrize("moment", ["copying", "copied", "half way", "at the next step"])
def test_a_migration_that_is_killed_is_done_again(old: Path, moment: str) -> None:
    before = content(old)
    done = subprocess.run([sys.executable, "-c", KILLED, str(old), moment], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not is_held(old)
    assert holds(old, before)
    assert version(old) == (2 if moment == "at the next step" else 1)
    assert old.with_name("a.db.v1").exists() is (moment != "copying")
    left = version(old)
    with Store.open(old) as store:
        assert (store.copy_of_older is None) is (left == SCHEMA_VERSION)
    assert version(old) == SCHEMA_VERSION
    assert content(old.with_name("a.db.v1")) == before
    assert check(old) == []
    assert not [name for name in os.listdir(old.parent) if name.startswith(".")]


def no_room_for_the_copy(connection: sqlite3.Connection) -> None:
    raise AssertionError("the copy comes first")


def no_room_for_the_step(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    connection.execute("CREATE TABLE large AS SELECT a.*, randomblob(4000) FROM step a, step b")


@pytest.mark.parametrize("short", [no_room_for_the_copy, no_room_for_the_step])
def test_a_full_disk_leaves_the_store_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch, short: Callable[[sqlite3.Connection], None]
) -> None:
    before = content(old)
    steps = [migrations.Migration(SCHEMA_VERSION, "large", short)]
    monkeypatch.setattr(migrations.migrate, "__defaults__", (steps,))
    with file_size_limit(40_000 if short is no_room_for_the_copy else None), pytest.raises(StoreIOError):
        Store.open(old)
    copies = len(list(old.parent.glob("*.v1")))
    assert copies == (short is no_room_for_the_step)
    assert content(old) == before
    assert version(old) == 1
    assert not is_held(old)
    assert not [name for name in os.listdir(old.parent) if name.startswith(".")]


def test_verdicts_and_phases_of_earlier_versions_keep_their_meaning(tmp_path: Path) -> None:
    path = restore(BEFORE_SCHEMA_4, tmp_path / "a.db")
    old = {row["trial_id"]: row for row in content(path)["trial"]}
    slow = {at for at, row in old.items() if row["verdict"] == "too-slow"}
    assert slow
    with Reader.open(path) as reader:
        seen = answers(reader)
    bring_up_to_date(path)
    new = {row["trial_id"]: row for row in content(path)["trial"]}
    assert slow == {at for at, row in new.items() if row["verdict"] == "not-reached"}
    assert {row["trial_id"] for row in seen["boundaries"] if row["verdict"] == "not-reached"} == slow
    for at, row in new.items():
        assert row["phase"] == old[at]["phase"]
        assert row["phase_rule"] == (None if row["phase"] is None else 1)
        assert row["phase_reason"] == (None if row["phase"] is None else "named by the first edition of the rules")
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute("UPDATE trial SET verdict = 'too-slow'")
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute("UPDATE trial SET phase = 'unheard of'")


def test_no_step_is_lost_where_columns_of_trials_are_changed(tmp_path: Path) -> None:
    """Tables refer to trials with ON DELETE CASCADE: a trial table built anew would take their rows with it."""
    path = restore(BEFORE_SCHEMA_4, tmp_path / "a.db")
    before = content(path, ("attempt", "step"))
    assert before["step"]
    bring_up_to_date(path)
    before["step"] = [{**row, "eta": None} for row in before["step"]]  # a column that is new in schema 5
    assert content(path, ("attempt", "step")) == before


def said_by_itself(path: Path, view: str) -> list[str]:
    """The rows of a view that lies in the file, without anything of this version, in an order of their own."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(f"SELECT * FROM {view}")]
    return sorted(repr(sorted(row.items())) for row in rows)


@pytest.mark.parametrize("dump", [dump for dump in DUMPS if number(dump) in (2, 3, 4, 5)], ids=lambda dump: dump.stem)
def test_views_of_measures_keep_their_rows_to_the_bit(tmp_path: Path, dump: Path) -> None:
    """Tables of eigenvalues and layers are gone since schema 6: what their views gave before they went, they give."""
    path = restore(dump, tmp_path / "a.db")
    views = [view for view in ("spectra", "layers", "measures") if view != "measures" or number(dump) == 5]
    before = {view: said_by_itself(path, view) for view in views}
    if number(dump) == 5:
        assert {view: len(rows) for view, rows in before.items()} == {"spectra": 112, "layers": 65, "measures": 37}
    with closing(sqlite3.connect(path)) as connection:
        names = {view: [row[1] for row in connection.execute(f"PRAGMA table_info({view})")] for view in views}
    for brought_up in (False, True):
        if brought_up:
            bring_up_to_date(path)
        with Reader.open(path) as reader:
            seen = answers(reader)
        for view in views:
            kept = [{name: row[name] for name in names[view]} for row in seen[view]]
            assert sorted(repr(sorted(row.items())) for row in kept) == before[view]


KILLED_AT = """
import os, signal, sys
from mlrtui_db import migrations
from mlrtui_db.store import Store
step, at = migrations.MIGRATIONS[-1], int(sys.argv[2])
def apply(connection):
    class Counted:
        count = 0
        def execute(self, *args):
            if Counted.count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            Counted.count += 1
            return connection.execute(*args)
    step.apply(Counted())
    if Counted.count == at:
        os.kill(os.getpid(), signal.SIGKILL)
steps = (*migrations.MIGRATIONS[:-1], migrations.Migration(step.version, step.name, apply))
migrations.migrate.__defaults__ = (steps,)
Store.open(sys.argv[1])
"""


def test_a_kill_between_any_two_statements_of_the_newest_step_changes_nothing(tmp_path: Path) -> None:
    path = restore(DUMPS[-1], tmp_path / "a.db")
    before, views = content(path), {view: said_by_itself(path, view) for view in ("spectra", "layers", "measures")}
    for at in range(0, 100, 1 if FULL else 4):
        words = [sys.executable, "-c", KILLED_AT, str(path), str(at)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert version(path) == SCHEMA_VERSION - 1
        assert holds(path, before)
        assert {view: said_by_itself(path, view) for view in views} == views
    assert at > 1  # the step has statements
    assert version(path) == SCHEMA_VERSION
    assert holds(path, before)
    assert check(path) == []
