"""The plug-in of sqlite-utils with the real program, and the metadata for Datasette with the real one."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_SEARCH, Mlrtui

from mlrtui_db.reader import Reader
from mlrtui_db.view_columns import view_columns

Made = Callable[..., Path]

if not any(entry.name == "mlrtui" for entry in entry_points(group="sqlite_utils")):
    pytest.skip("mlrtui was installed before it had this plug-in; install it again", allow_module_level=True)


def ran(*words: object) -> str:
    done = subprocess.run([sys.executable, "-P", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def query(store: Path, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ran("-m", "sqlite_utils", "query", store, sql))
    return found


def test_functions(made: Made) -> None:
    store = made(SMALL_SEARCH)
    with Reader.open(store) as reader:
        columns, rows = reader.query("eta_star")
        nets = [dict(zip(columns, row, strict=True)) for row in rows]
    wanted = {}
    for width in (16, 32):
        logs = [math.log(net["eta_star"]) for net in nets if net["width"] == width and net["eta_star"]]
        wanted[width] = math.exp(sum(logs) / len(logs))
    found = query(store, "SELECT width, geometric_mean(eta_star) AS mean FROM eta_star GROUP BY width")
    assert {row["width"]: row["mean"] for row in found} == pytest.approx(wanted, rel=1e-12)
    (row,) = query(
        store,
        "SELECT slope(ln(y), ln(x)) AS power, slope(1, 1) AS flat, ln(0) AS lost, exp(ln(2)) AS two,"
        " log10(1000) AS three FROM (SELECT 2.0 * width * width AS y, width AS x FROM grid)",
    )
    assert row == {"power": pytest.approx(2.0), "flat": None, "lost": None, "two": 2.0, "three": pytest.approx(3.0)}
    assert query(store, "SELECT geometric_mean(x) AS g FROM (SELECT 1 AS x UNION SELECT -1)") == [{"g": None}]


def test_the_command_explains_columns(made: Made) -> None:
    store = made(SMALL_SEARCH)
    rows = json.loads(ran("-m", "sqlite_utils", "mlrtui", store, "grid", "--json"))
    assert [row["column"] for row in rows] == [column.name for column in view_columns("grid")]
    assert "width" in ran("-m", "sqlite_utils", "mlrtui", store)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sqlite_utils", "mlrtui", str(store), "step"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "the store has no view 'step'" in done.stderr) == (2, True)


def test_datasette_shows_what_columns_mean(made: Made, mlrtui: Mlrtui, tmp_path: Path) -> None:
    store = made(SMALL_SEARCH)
    assert mlrtui("export", "--format", "datasette", "--out", "out").returncode == 0
    metadata = tmp_path / "out" / "metadata.json"
    database = json.loads(metadata.read_text())["databases"]["mlrtui"]
    assert set(database["tables"]["grid"]["columns"]) == {column.name for column in view_columns("grid")}
    for named in database["queries"].values():
        assert isinstance(query(store, named["sql"]), list)
    if find_spec("datasette") is None:
        pytest.skip("datasette is not installed: its pages were not read")
    shown = ran("-W", "ignore", "-m", "datasette", store, "--metadata", metadata, "--get", "/mlrtui/grid?_dl=on")
    assert "Units of each hidden layer." in shown
    cells = json.loads(
        ran(
            "-W",
            "ignore",
            "-m",
            "datasette",
            store,
            "--metadata",
            metadata,
            "--get",
            "/mlrtui/eta_star_by_cell.json?_shape=array",
        )
    )
    assert len(cells) == 4
