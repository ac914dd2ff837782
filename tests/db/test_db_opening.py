"""What may be opened as a store, what is refused with which sentence, and that a refused path stays as it was."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db import _sqlite, errors, sqlite_version
from mlrtui_db._schema import APPLICATION_ID, SCHEMA_VERSION
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store, check


def other_database(path: Path, *pragmas: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")


def text_file(path: Path) -> None:
    path.write_text("name = 'not a store'\n" * 100)


def short_text_file(path: Path) -> None:
    path.write_text("x\n")


def binary_file(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 64)


def foreign(path: Path) -> None:
    other_database(path)


def foreign_with_log(path: Path) -> None:
    other_database(path, "journal_mode = WAL")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
        log = path.with_name(path.name + "-wal").read_bytes()
    path.with_name(path.name + "-wal").write_bytes(log)


def newer(path: Path) -> None:
    samples.filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP VIEW exponents")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def truncated(path: Path) -> None:
    samples.filled(path)
    os.truncate(path, path.stat().st_size // 2)


def truncated_by_a_byte(path: Path) -> None:
    samples.filled(path)
    os.truncate(path, path.stat().st_size - 1)


def truncated_to_its_header(path: Path) -> None:
    samples.filled(path)
    os.truncate(path, 100)


def without_a_table(path: Path) -> None:
    samples.filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE fit")


def without_version(path: Path) -> None:
    other_database(path, f"application_id = {APPLICATION_ID}")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


REFUSED: list[tuple[Callable[[Path], None], type[errors.StoreError], str]] = [
    (text_file, errors.StoreForeign, "not an SQLite database"),
    (short_text_file, errors.StoreForeign, "not an SQLite database"),
    (binary_file, errors.StoreForeign, "not an SQLite database"),
    (foreign, errors.StoreForeign, "database of another application"),
    (foreign_with_log, errors.StoreForeign, "database of another application"),
    (newer, errors.StoreNewer, f"schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}"),
    (truncated, errors.StoreDamaged, "damaged"),
    (truncated_by_a_byte, errors.StoreDamaged, "is truncated"),
    (truncated_to_its_header, errors.StoreDamaged, "is truncated"),
    (without_a_table, errors.StoreDamaged, "lacks fit"),
    (without_version, errors.StoreDamaged, "says no schema version"),
    (folder, errors.StoreForeign, "is a folder: name a file in it"),
    (pipe, errors.StoreForeign, "is a pipe or socket"),
]


def open_to_write(path: Path) -> None:
    Store.open(path).close()


def open_to_read(path: Path) -> None:
    Reader.open(path).close()


@pytest.mark.parametrize("use", [open_to_write, open_to_read, check])
@pytest.mark.parametrize(("make", "kind", "said"), REFUSED, ids=[make.__name__ for make, _, _ in REFUSED])
def test_refused_with_one_sentence_and_left_as_it_was(
    tmp_path: Path, make: Callable[[Path], None], kind: type[errors.StoreError], said: str, use: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.db"
    make(path)
    before, names = samples.listing(tmp_path), sorted(os.listdir(tmp_path))
    with pytest.raises(errors.StoreError, match=said) as caught:
        use(path)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert samples.listing(tmp_path) == before
    assert sorted(os.listdir(tmp_path)) == names


def test_device_is_refused() -> None:
    for use in (open_to_write, open_to_read, check):
        with pytest.raises(errors.StoreForeign, match="/dev/null is a device"):
            use(Path("/dev/null"))
    assert not Path("/dev/null.lock").exists()


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("missing/a.db", errors.StoreMissing, "missing does not exist"),
        ("file/a.db", errors.StoreUnwritable, "Not a directory"),
        ("x" * 300, errors.StoreUnwritable, "File name too long"),
        ("nul\0.db", errors.StoreUnwritable, "null byte"),
        ("loop", errors.StoreUnwritable, "cannot be reached"),
    ],
)
def test_paths_that_lead_nowhere(tmp_path: Path, name: str, kind: type[errors.StoreError], said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    names = sorted(os.listdir(tmp_path))
    for use in (open_to_write, open_to_read, check):
        with pytest.raises(errors.StoreError, match=said) as caught:
            use(tmp_path / name)
        assert type(caught.value) is kind
    assert sorted(os.listdir(tmp_path)) == names


def test_reader_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreMissing, match="there is no store"):
        Reader.open(tmp_path / "a.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(errors.StoreMissing, match="is empty"):
        Reader.open(tmp_path / "empty.db")
    assert samples.listing(tmp_path) == {"empty.db": b""}


@pytest.mark.parametrize("what", ["file", "folder"])
def test_read_only_by_permission(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    before = samples.listing(tmp_path)
    forbidden = path if what == "file" else tmp_path
    real = os.access

    # Permissions do not bind the superuser, who may well run this test.
    def access(place: Path, mode: int) -> bool:
        return not (mode & os.W_OK and Path(place) == forbidden) and real(place, mode)

    monkeypatch.setattr(os, "access", access)
    for use in (open_to_write, check):
        with pytest.raises(errors.StoreUnwritable, match="is read-only"):
            use(path)
    assert samples.listing(tmp_path) == before
    if what == "folder":
        with pytest.raises(errors.StoreUnwritable, match="is read-only"):
            Store.open(tmp_path / "new.db")


def test_unreadable_by_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    monkeypatch.setattr(os, "access", lambda place, mode: not mode & os.R_OK)
    for use in (open_to_write, open_to_read):
        with pytest.raises(errors.StoreUnwritable, match="may not be read by you"):
            use(path)


def test_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    assert not sqlite_version.sufficient()
    for use in (open_to_write, open_to_read, check):
        with pytest.raises(errors.StoreError, match=r"SQLite 3\.36\.0, but a store needs 3\.37"):
            use(tmp_path / "a.db")
    assert samples.listing(tmp_path) == {}


@pytest.mark.parametrize("name", ["a.db", "with space ?and#%41.db", "ümläut.db"])
def test_absent_and_empty_become_a_store(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    check(path)
    assert samples.listing(tmp_path) == {}
    for _ in range(2):
        with Store.open(path) as store:
            assert store.rev == 0
        assert list(samples.listing(tmp_path)) == [name]
        path.write_bytes(b"")


def test_new_store_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path, clock=lambda: 1_800_000_000.0).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert dict(connection.execute("SELECT key, value FROM meta")) == {
            "schema_version": str(SCHEMA_VERSION),
            "created_at": "2027-01-15T08:00:00Z",
        }


def test_a_link_to_a_store_that_is_not_there_yet_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "folder" / "real.db")
    Store.open(link).close()
    assert link.is_symlink()
    assert (tmp_path / "folder" / "real.db").stat().st_size > 0


@pytest.mark.parametrize("empty", [True, False])
def test_log_of_a_deleted_store_is_neither_replayed_nor_deleted(tmp_path: Path, empty: bool) -> None:
    path, log = tmp_path / "a.db", tmp_path / "a.db-wal"
    with Store.open(path) as store:
        with store.transaction():
            store.add_sweep(samples.sweep())
        kept = log.read_bytes()
    path.unlink()
    log.write_bytes(kept)
    if empty:
        path.touch()
    before = samples.listing(tmp_path)
    with pytest.raises(errors.StoreDamaged, match=r"its log a\.db-wal is still there"):
        Store.open(path)
    assert samples.listing(tmp_path) == before


def test_half_made_store_of_a_killed_process_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    (tmp_path / ".a.db.new").write_bytes(b"half")
    Store.open(path).close()
    assert list(samples.listing(tmp_path)) == ["a.db"]


def test_two_writers(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store:
        with pytest.raises(errors.StoreLocked, match=f"process {os.getpid()} on "):
            Store.open(path)
        with pytest.raises(errors.StoreLocked):
            check(path)
        with store.transaction():
            store.add_sweep(samples.sweep())
    Store.open(path).close()


def test_looking_at_a_store_keeps_this_process_s_own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """POSIX drops all of a process's locks on a file when any descriptor of it is closed; looking must not do that."""
    path = tmp_path / "a.db"
    samples.filled(path)
    monkeypatch.setattr(_sqlite, "_BUSY_MS", 50)
    monkeypatch.setattr(_sqlite, "_READER_BUSY_MS", 50)
    intrude = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
        "try:\n    connection.execute('BEGIN IMMEDIATE'); print('in')\n"
        "except sqlite3.OperationalError as error:\n    print(error)\n"
        "finally:\n    connection.close()\n"
    )

    def intruder() -> str:
        return subprocess.run(
            [sys.executable, "-c", intrude, str(path)], capture_output=True, text=True, check=True
        ).stdout

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        assert intruder() == "database is locked\n"
        for use in (check, open_to_read, open_to_write):
            with pytest.raises(errors.StoreBusy) if use is not check else nullcontext():
                use(path)
            assert intruder() == "database is locked\n"
        connection.execute("ROLLBACK")


def test_opening_a_finished_store_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    before = samples.listing(tmp_path)
    with Reader.open(path) as reader:
        version = reader.data_version()
        with Store.open(path) as store:
            assert store.recovered == 0
            with store.transaction():
                assert store.add_sweep(samples.sweep()) == 1
                assert not store.replace_fits(1, [samples.fit()])
                store.end_sweep(1, "done")
            assert store.wal_bytes() == 0
        assert reader.data_version() == version
    assert samples.listing(tmp_path)["a.db"] == before["a.db"]


READ_ONLY = """
import os, sys
from pathlib import Path
from mlrtui_db.errors import StoreUnwritable
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
folder = Path(sys.argv[1])
before = sorted(os.listdir(folder))
with Reader.open(folder / "a.db") as reader:
    print(reader.sweeps()[0].name)
for path in ("a.db", "new.db"):
    try:
        Store.open(folder / path)
    except StoreUnwritable as error:
        print(error)
try:
    Reader.open(folder / "logged.db")
except StoreUnwritable as error:
    print(error)
print(sorted(os.listdir(folder)) == before)
"""


def test_read_only_media(tmp_path: Path) -> None:
    """A store on read-only media can be read, unless a log that holds commits lies beside it."""
    samples.filled(tmp_path / "a.db")
    logged = tmp_path / "logged.db"
    with Store.open(logged) as store:
        with store.transaction():
            store.add_sweep(samples.sweep())
        log = (tmp_path / "logged.db-wal").read_bytes()
    (tmp_path / "logged.db-wal").write_bytes(log)
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"'
    unshare = ["unshare", "-rm", "sh", "-c"]
    try:
        possible = (
            subprocess.run([*unshare, mount, "sh", str(tmp_path)], capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("this machine lets us make no mount of our own")
    done = subprocess.run(
        [*unshare, f'{mount} && exec "$2" -c "$3" "$1"', "sh", str(tmp_path), sys.executable, READ_ONLY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "one"
    assert "a.db is read-only" in lines[1]
    assert "is read-only: choose another --store" in lines[2]
    assert "has a log that cannot be read on read-only media" in lines[3]
    assert lines[4] == "True"
