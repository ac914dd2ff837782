"""Store paths that cannot be used: one sentence, exit code 3, nothing changed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, Mlrtui

WriteSweep = Callable[..., Path]


def _text(path: Path) -> None:
    path.write_text("this is a shopping list\n" * 100)


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipe (name TEXT)")
    connection.commit()
    connection.close()


def _truncated(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00" + b"\x10\x00")


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 0x6D6C7274")
    connection.execute("PRAGMA user_version = 9999")
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()


BAD: dict[str, Callable[[Path], None]] = {
    "folder": lambda path: path.mkdir(),
    "text": _text,
    "foreign": _foreign,
    "truncated": _truncated,
    "newer": _newer,
}


@pytest.mark.parametrize("command", [("run",), ("watch",), ("browse",), ("status",), ("export",)], ids=lambda c: c[0])
@pytest.mark.parametrize("kind", BAD)
def test_an_unusable_store(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, kind: str, command: tuple[str, ...]
) -> None:
    store = tmp_path / "bad.db"
    BAD[kind](store)
    files = [sweep_file(SMALL_SCAN)] if command == ("run",) else []
    before = sorted(tmp_path.iterdir()), store.read_bytes() if store.is_file() else b""
    done = mlrtui(*command, *files, "--store", store)
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(store) in done.stderr
    assert "Traceback" not in done.stderr
    assert (sorted(tmp_path.iterdir()), store.read_bytes() if store.is_file() else b"") == before


@pytest.mark.parametrize("command", ["watch", "browse", "status", "export"])
def test_no_store_there(mlrtui: Mlrtui, tmp_path: Path, command: str) -> None:
    done = mlrtui(command, "--store", tmp_path / "none.db")
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_not_a_store(mlrtui: Mlrtui, sweep_file: WriteSweep) -> None:
    done = mlrtui("run", sweep_file(SMALL_SCAN), "--store", "/dev/null")
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_is_not_there(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    done = mlrtui("run", sweep_file(SMALL_SCAN), "--store", tmp_path / "no" / "such" / "x.db")
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "no").exists()
