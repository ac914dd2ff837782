"""Every column is explained, and the page about the store is current."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mlrtui_db._schema import schema_names, schema_script
from mlrtui_db._sqlite import columns
from mlrtui_db._store_page import store_page
from mlrtui_db.column_docs import TABLES, VIEWS
from mlrtui_db.store import Store

PAGE = Path(__file__).parents[2] / "docs" / "store.md"


@pytest.mark.parametrize("name", schema_names())
def test_every_column_is_explained_and_none_that_is_not_there(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema_script())
        assert sorted({**TABLES, **VIEWS}[name]) == sorted(columns(connection, name))


def test_no_table_is_explained_that_is_not_there() -> None:
    assert sorted([*TABLES, *VIEWS]) == sorted(schema_names())


def test_texts_are_sentences() -> None:
    for docs in (*TABLES.values(), *VIEWS.values()):
        for unit, text in docs.values():
            assert unit
            assert text.endswith(".")
            assert "\n" not in text


def test_a_store_explains_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        stored = set(connection.execute("SELECT tbl, col FROM column_doc"))
        there = {(name, column) for name in schema_names() for column in columns(connection, name)}
    assert stored == there


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == store_page(), "run: python -m mlrtui_db._store_page > docs/store.md"


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_a_view_that_refers_to_the_settings_has_all_of_them(view: str) -> None:
    """The page says each view's settings in one line."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema_script())
        own, settings = set(columns(connection, view)), set(columns(connection, "axes"))
    section = store_page().split(f"### `{view}`\n")[1].split("\n### ")[0].split("\n## ")[0]
    said = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert ("columns of [`axes`]" in section) == (said != own)
    assert said == own or said | settings == own


def test_the_page_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlrtui_db._store_page"],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "utf-8", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.decode() == store_page()
