"""A store works with the sqlite-utils command line."""

import json
import subprocess
import sys
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db._schema import schema_names
from mlrtui_db.column_docs import TABLES
from mlrtui_db.reader import Reader


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "a.db"
    samples.filled(path)
    return path


def sqlite_utils(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "sqlite_utils", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tables(store: Path) -> None:
    counted = {row["table"]: row["count"] for row in json.loads(sqlite_utils("tables", store, "--counts"))}
    assert set(TABLES) <= set(counted)
    assert (counted["sweep"], counted["net"], counted["trial"], counted["step"]) == (1, 4, 8, 24)


def test_rows_of_a_view(store: Path) -> None:
    rows = json.loads(sqlite_utils("rows", store, "eta_star"))
    with Reader.open(store) as reader:
        columns, expected = reader.query("eta_star")
        assert rows == [dict(zip(columns, row, strict=True)) for row in expected]


def test_query(store: Path) -> None:
    question = "SELECT cell, max(loss) AS peak FROM curves WHERE loss_state = 'finite' GROUP BY cell ORDER BY cell"
    assert json.loads(sqlite_utils("query", store, question)) == [
        {"cell": "2x64 0", "peak": 2.5},
        {"cell": "4x64 1", "peak": 2.5},
    ]


def test_schema(store: Path) -> None:
    script = sqlite_utils("schema", store)
    for name in schema_names():
        assert f"CREATE {'TABLE' if name in TABLES else 'VIEW'} {name} " in script
