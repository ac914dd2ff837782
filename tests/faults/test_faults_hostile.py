"""Stores and sweep files from strangers: text stays text, nothing is run, files get the user's umask."""

import ast
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from conftest import FULL, SMALL_SCAN, SMALL_SEARCH, Mlrtui
from faults_tools import drive

from mlrtui.engines.fake import FakeEngine
from mlrtui.text.escape import one_line

ROOT = Path(__file__).resolve().parents[2]
WriteSweep = Callable[..., Path]

EVIL = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\nmlrtui: all is well\u202e[red]x[/red]"
FORBIDDEN = "\x1b\x07\x9b\r\u202e\u2066"


@pytest.fixture
def evil_store(sweep_file: WriteSweep, tmp_path: Path) -> Path:
    """Every text that a store may hold, made hostile."""
    store = tmp_path / "mlrtui.db"
    drive(store, sweep_file(SMALL_SEARCH, "a.toml"), FakeEngine())
    drive(store, sweep_file(SMALL_SCAN, "b.toml"), FakeEngine())
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for table, column in (
            *(("cell", name) for name in ("label", "data", "model", "loss", "dtype")),
            *(("net", name) for name in ("operator", "loss_convention")),
            *(("trial", name) for name in ("error", "verdict", "phase", "bad_kind")),
            *(("fit", name) for name in ("term", "method", "warnings", "where_expr")),
            *(("event", "text"), ("event", "host"), ("sweep", "code_id")),
        ):
            connection.execute(f"UPDATE {table} SET {column} = {column} || ?", (EVIL,))
        connection.execute("UPDATE net SET censored = 'at_max', reason = ?", (EVIL,))
        connection.execute("UPDATE sweep SET name = name || ?, status = 'open', finished_at = NULL", (EVIL,))
        connection.execute("UPDATE fit SET excluded = ?", (json.dumps([EVIL]),))
        connection.commit()
    return store


def test_one_line_leaves_nothing_that_moves_a_cursor() -> None:
    shown = one_line(EVIL)
    assert not set(shown) & {*FORBIDDEN, "\n"}
    assert shown.startswith("a\\x1b]0;owned")
    assert one_line("η* ∝ (depth·width)^−0.7") == "η* ∝ (depth·width)^−0.7"


def test_no_command_prints_what_a_store_wants_printed(
    mlrtui: Mlrtui, evil_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlrtui.commands.doctor.machine", tuple)  # what is said of this machine is not from the store
    for command in (
        ["status"],
        ["watch"],
        ["watch", "--once"],
        ["browse"],
        ["resume"],
        ["resume", "no such"],
        ["rerun", "--failed"],
        ["prune", "no such", "--yes"],
        ["export", "--sweep", "no such"],
        ["doctor", "mlrtui.db"],
        ["merge", "out.db", "mlrtui.db", "mlrtui.db"],
    ):
        done = mlrtui(*command)
        said = done.stdout + done.stderr
        assert said, command
        assert not set(said) & set(FORBIDDEN), command
        assert "\nmlrtui: all is well" not in said, command
        assert "Traceback" not in said, command
        assert "this is a bug" not in said, command


def test_progress_and_results_of_a_hostile_sweep_name(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    """A name that TOML can hold, from the sweep file to the log."""
    name = json.dumps("x\u202e\u0007 [bold]")
    sweep = sweep_file(SMALL_SEARCH.replace('"small search"', name))
    done = mlrtui("run", sweep, "--devices", "fake")
    said = done.stdout + done.stderr
    assert done.returncode in (0, 2)
    assert said
    assert not set(said) & set(FORBIDDEN)


@cache
def sources() -> list[tuple[Path, ast.AST]]:
    return [
        (path, node)
        for room in ("mlrtui", "trainer", "db")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_no_code_is_made_from_data() -> None:
    """No eval, no exec, no pickle or the like; torch.load would be one, too.

    NumPy's arrays and CIFAR-10's batches are read by readers of our own, which tests/data tries with hostile ones.
    """
    called, imported = set(), set()
    for path, node in sources():
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            owner = getattr(getattr(node.func, "value", None), "id", "")
            called.add(f"{owner}.{name}" if owner else name)
        elif isinstance(node, ast.Import):
            imported |= {(path.name, alias.name.partition(".")[0]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add((path.name, node.module.partition(".")[0]))
    assert "len" in called
    assert not called & {"eval", "exec", "compile", "__import__", "torch.load", "numpy.load", "np.load", "yaml.load"}
    assert "json" in {name for _, name in imported}
    by_itself = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
    assert {(file, name) for file, name in imported if name in by_itself} == set()


def test_no_socket_has_a_name() -> None:
    """Workers are reached through unnamed pairs: nothing on disk or on the network to connect to."""
    bound = [
        path.name for path, node in sources() if isinstance(node, ast.Attribute) and node.attr in ("bind", "listen")
    ]
    assert bound == []


@pytest.mark.parametrize("mask", [0o077, 0o007] if FULL else [0o007])
def test_files_get_the_users_umask(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, mask: int) -> None:
    sweep, before = sweep_file(SMALL_SCAN), set(tmp_path.iterdir())
    earlier = os.umask(mask)
    try:
        for command in (
            ["run", sweep, "--devices", "fake", "--store", "s.db"],
            ["backup", "backup.db", "--store", "s.db"],
            ["archive", "s.db", "archive.db"],
            ["merge", "merged.db", "s.db", "archive.db"],
            ["export", "--store", "s.db", "--out", "out"],
        ):
            done = mlrtui(*command)
            assert done.returncode == 0, done.stderr
    finally:
        os.umask(earlier)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path not in before]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    assert {"s.db", "s.db.log", "backup.db", "archive.db", "merged.db", "eta_star.csv"} <= set(modes)
    assert set(modes.values()) == {0o666 & ~mask}
