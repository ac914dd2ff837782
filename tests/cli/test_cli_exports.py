"""Exports: every view, every number to the bit, in every format; text that is no formula; memory that stays flat."""

import csv
import json
import math
import random
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui

from mlrtui.commands.export import FORMATS
from mlrtui_db.errors import StoreError
from mlrtui_db.lock import acquire
from mlrtui_db.reader import Reader

Rows = list[tuple[Any, ...]]
ODD = (5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e22, 1e16, 3.0, -2.5e-310, 2.0**53 + 2, 1 / 3)


@pytest.fixture
def store(made: Callable[..., Path]) -> Path:
    """Two sweeps whose numbers are doubles of any size, and whose λ is measured late: NULL in the first rows."""
    path = made(SMALL_SEARCH, SMALL_SCAN)
    rng = random.Random(7)

    def double(*_: object) -> float:
        while True:
            (value,) = struct.unpack("<d", rng.randbytes(8))
            if math.isfinite(value):
                return float(rng.choice([value, *ODD]))

    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("double", -1, double)
        connection.execute("UPDATE step SET loss = double(step), accuracy = double(step), sharpness = NULL")
        connection.execute("UPDATE step SET sharpness = double(step), sharpness_residual = double(step) WHERE step > 9")
        connection.execute("UPDATE net SET lambda0 = double(seed), eta_area = double(seed) WHERE seed > 0")
        connection.execute(
            "UPDATE trial SET peak_ratio = double(eta), final_sharpness = double(eta) WHERE trial_id > 3"
        )
        (trial,) = connection.execute("SELECT min(trial_id) FROM trial WHERE n_steps > 3").fetchone()
        names = [("activation_rms", 1), ("effective_rms", 1), ("propagating_rms", 1), ("spectrum hessian", 2)]
        connection.executemany("INSERT INTO series (measure, part) VALUES (?, ?)", names)
        for step in range(3):
            connection.execute(
                "INSERT INTO measure (trial_id, step, series_id, value)"
                " SELECT ?, ?, series_id, CASE measure WHEN 'activation_rms' THEN NULL ELSE double(1) END FROM series",
                (trial, step),
            )
        connection.commit()
    return path


def stored(path: Path) -> dict[str, tuple[tuple[str, ...], Rows]]:
    with Reader.open(path) as reader:
        queries = {view: reader.query(view) for view in reader.views()}
        return {view: (names, list(rows)) for view, (names, rows) in queries.items()}


def bits(rows: Rows) -> Rows:
    """The same rows, a double as its eight bytes."""
    return [tuple(struct.pack("<d", v) if isinstance(v, float) else v for v in row) for row in rows]


def as_stored(name: str, value: Any) -> Any:
    """A value of JSON as the store has it: what is JSON there is a text."""
    return json.dumps(value) if name in ("own", "excluded") and value is not None else value


def exported(folder: Path, file_format: str, views: dict[str, tuple[tuple[str, ...], Rows]]) -> dict[str, Rows]:
    if file_format == "sqlite":
        with closing(sqlite3.connect(folder / "mlrtui-export.sqlite")) as connection:
            return {view: connection.execute(f"SELECT * FROM {view} ORDER BY rowid").fetchall() for view in views}
    found: dict[str, Rows] = {}
    for view, (names, rows) in views.items():
        path = folder / f"{view}.{file_format}"
        if file_format == "parquet":
            read = pytest.importorskip("pyarrow.parquet").read_table(path)
            assert tuple(read.column_names) == names
            found[view] = list(zip(*(read[name].to_pylist() for name in names), strict=True))
            continue
        text = path.read_text(encoding="utf-8")
        if "json" in file_format or file_format == "ndjson":
            objects = json.loads(text)["rows"] if file_format == "json" else map(json.loads, text.splitlines())
            found[view] = [tuple(as_stored(name, one[name]) for name in names) for one in objects]
            continue
        header, *lines = csv.reader(text.splitlines(), delimiter="\t" if file_format == "tsv" else ",")
        assert tuple(header) == names
        found[view] = [  # CSV has no types: each cell is read as the store's value is
            tuple(None if cell == "" and v is None else type(v)(cell) for cell, v in zip(line, row, strict=True))
            for line, row in zip(lines, rows, strict=True)
        ]
    return found


ROWS_IN = [name for name in FORMATS if name != "datasette"]


@pytest.mark.parametrize("file_format", ROWS_IN)
def test_every_view_and_every_number_to_the_bit(mlrtui: Mlrtui, store: Path, tmp_path: Path, file_format: str) -> None:
    views = stored(store)
    assert len(views["layers"][1]) == len(views["spectra"][1]) == 3
    assert mlrtui("export", "--format", file_format, "--out", "out").returncode == 0
    found = exported(tmp_path / "out", file_format, views)
    assert {view: bits(rows) for view, rows in found.items()} == {view: bits(rows) for view, (_, rows) in views.items()}
    doubles = {v for _, rows in views.values() for row in rows for v in row if isinstance(v, float)}
    assert len(doubles) > 500
    assert not list((tmp_path / "out").glob(".*"))


def test_tables_have_the_types_of_the_views(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    assert mlrtui("export", "--format", "sqlite", "--out", "out").returncode == 0
    with closing(sqlite3.connect(tmp_path / "out" / "mlrtui-export.sqlite")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        types = {
            f"{table}.{row[1]}": row[2] for table in tables for row in connection.execute(f"PRAGMA table_info({table})")
        }
        assert set(types.values()) == {"REAL", "INTEGER", "TEXT"}
        for column in ("sharpness", "sharpness_ratio", "sharpness_residual", "eta_lambda0", "loss"):
            assert types[f"curves.{column}"] == "REAL"
        assert types["layers.activation_rms"] == "REAL"  # NULL in every row
        assert connection.execute("SELECT unit FROM column_doc WHERE tbl = 'curves' AND col = 'loss'").fetchone()
        assert (types["curves.loss_state"], types["layers.role"]) == ("TEXT", "TEXT")
        assert (types["curves.sharpness_not_converged"], types["grid.nets"]) == ("INTEGER", "INTEGER")
        for column, declared in types.items():
            table, name = column.split(".")
            kinds = {kind for (kind,) in connection.execute(f"SELECT DISTINCT typeof({name}) FROM {table}")}
            assert kinds <= {declared.lower(), "null"}, column


def test_an_export_beside_a_driver_is_the_same(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    """Then the rows are read in short transactions, so that the log does not grow."""
    with acquire(store):
        assert mlrtui("export", "--format", "sqlite", "--out", "held").returncode == 0
    assert mlrtui("export", "--format", "sqlite", "--out", "free").returncode == 0
    texts = []
    for folder in ("held", "free"):
        with closing(sqlite3.connect(tmp_path / folder / "mlrtui-export.sqlite")) as connection:
            texts.append(list(connection.iterdump()))
    assert texts[0] == texts[1]
    assert len(texts[0]) > 1000


def test_text_that_a_spreadsheet_would_compute_is_plain(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    names = ["=cmd|'/c calc'!A1", "+1", "-2", "@sum(1)", "\tx", "＝1", "plain", "x=1"]
    views = stored(store)["exponents"]
    with closing(sqlite3.connect(store)) as connection:
        for number, name in enumerate(names):
            connection.execute(
                "INSERT INTO sweep (sweep_key, name, spec, mode, code_id, created_at)"
                " VALUES (?, ?, '{}', 'scan', '', 0)",
                (f"{number:064}", name),
            )
            connection.execute(
                "INSERT INTO fit (sweep_id, fit, term, y, exponent, cells, decades, method)"
                " SELECT sweep_id, 'f', ?1, 'y', -1.5, 2, -0.25, 'm' FROM sweep WHERE name = ?1",
                (name,),
            )
        connection.commit()
    assert mlrtui("export", "--view", "exponents", "--out", "out").returncode == 0
    header, *lines = csv.reader((tmp_path / "out" / "exponents.csv").read_text().splitlines())
    assert len(lines) == len(views[1]) + len(names)
    cells = [dict(zip(header, line, strict=True)) for line in lines]
    mine = {cell["sweep"]: cell for cell in cells if cell["fit"] == "f"}
    assert set(mine) == {"'" + name for name in names[:6]} | set(names[6:])
    assert all(cell["term"] == sweep for sweep, cell in mine.items())
    assert {(cell["exponent"], cell["decades"]) for cell in mine.values()} == {
        ("-1.5", "-0.25")
    }  # numbers are as they are
    assert mlrtui("export", "--view", "exponents", "--out", "out", "--format", "jsonl").returncode == 0
    texts = [json.loads(line)["sweep"] for line in (tmp_path / "out" / "exponents.jsonl").read_text().splitlines()]
    assert set(names) <= set(texts)


def test_numbers_beyond_doubles_are_still_json(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE trial SET final_sharpness = 1e308, eta = 1e3 + trial_id")
        connection.commit()
    assert mlrtui("export", "--view", "phases", "--format", "jsonl", "--out", "out").returncode == 0
    lines = (tmp_path / "out" / "phases.jsonl").read_text().splitlines()
    assert all("Infinity" not in line for line in lines)
    assert {json.loads(line)["eta_final_sharpness"] for line in lines} == {math.inf}


PROGRAM = """
import resource, sys
from pathlib import Path
from mlrtui.commands.export import Asked, export
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def exported(view):
    store, folder = map(Path, sys.argv[1:3])
    return export(store, folder, Asked((view,)), file_format=sys.argv[3], force=True)
exported("grid")
before = peak()
((_, rows),) = exported("curves")
print(rows, peak() - before)
"""


@pytest.mark.parametrize("file_format", ROWS_IN)
def test_memory_stays_flat_on_a_long_trial(made: Callable[..., Path], tmp_path: Path, file_format: str) -> None:
    """120,000 steps in one trial: as many rows in memory at once take 150 MB, those of some windows a few."""
    path, steps = made(SMALL_SCAN), 120_000
    with closing(sqlite3.connect(path)) as connection:
        (trial,) = connection.execute("SELECT max(trial_id) FROM trial").fetchone()
        connection.execute("DELETE FROM step WHERE trial_id = ?", (trial,))
        connection.executemany(
            "INSERT INTO step (trial_id, step, loss, sharpness) VALUES (?, ?, ?, ?)",
            ((trial, step, 1 / (1 + step), 1.5 + step) for step in range(steps)),
        )
        connection.execute("UPDATE trial SET n_steps = ? WHERE trial_id = ?", (steps, trial))
        connection.commit()
        (wanted,) = connection.execute("SELECT count(*) FROM step").fetchone()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "out"), file_format],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, grown = done.stdout.split()
    assert int(rows) == wanted > steps
    assert float(grown) < 90


def test_steps_that_go_while_they_are_read_are_told(made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that starts again must not be half of one attempt and half of another."""
    monkeypatch.setattr("mlrtui_db.rows._WINDOW", 10)
    path = made(SMALL_SCAN)
    with Reader.open(path) as reader, closing(sqlite3.connect(path)) as writer:
        whole = list(reader.query("curves")[1])
        assert [row[8] for row in whole[:61]] == list(range(len(whole[:61])))
        rows = reader.query("curves")[1]
        assert [next(rows) for _ in range(15)] == whole[:15]
        writer.execute("UPDATE trial SET attempt = attempt + 1")
        writer.commit()
        with pytest.raises(StoreError, match="replaced or deleted while they were read: try again"):
            list(rows)


def test_one_view_on_standard_output(mlrtui: Mlrtui, store: Path, tmp_path: Path) -> None:
    done = mlrtui("export", "--view", "grid", "--columns", "width,depth", "--where", "width > 20", "-o", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "width,depth\n64,1\n32,1\n32,2\n"
    assert not list(tmp_path.glob("-*"))
    for words, message in (
        (("-o", "-"), "standard output takes one view"),
        (("--view", "grid", "--format", "sqlite", "-o", "-"), "sqlite needs a file"),
        (("--view", "grid", "--columns", "breadth"), "--columns: view 'grid' has no column 'breadth'"),
        (("--view", "grid", "--where", "breadth = 1"), "--where: 'breadth = 1': not a condition of SQL on grid"),
    ):
        done = mlrtui("export", *words)
        assert (done.returncode, message in done.stderr, len(done.stderr.splitlines())) == (2, True, 1), done.stderr
    assert not (tmp_path / "mlrtui-export").exists()


def test_hard_numbers_and_null_in_every_text(tmp_path: Path) -> None:
    """Rows that no view has: NaN beside NULL, infinities, empty text."""
    from mlrtui.reading import files
    from mlrtui.reading.store import _Given
    from mlrtui.reading.table import Table
    from mlrtui_db.view_columns import Column

    columns = (Column("x", "REAL", "1", ""), Column("s", "TEXT", "text", ""))
    numbers = [math.nan, math.inf, -math.inf, None, *ODD, -0.0]
    rows = tuple(zip(numbers, ["", None, 'a,"b"', "%s", *(["100 %"] * 10)], strict=True))
    table = Table(_Given("odd", "nowhere", columns, rows))
    with (tmp_path / "odd.csv").open("wb") as file:
        files.write_csv(table, file)
    text = (tmp_path / "odd.csv").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[1:5] == ['nan,""', "inf,", '-inf,"a,""b"""', ",%s"]
    assert bits([(float(line.split(",")[0]),) for line in lines[5:]]) == bits([(x,) for x in numbers[4:]])
    with (tmp_path / "odd.jsonl").open("wb") as file:
        files.write_json_lines(table, file)
    objects = [json.loads(line) for line in (tmp_path / "odd.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["x"] for one in objects[:4]] == ["NaN", math.inf, -math.inf, None]
    assert [one["s"] for one in objects] == [row[1] for row in rows]
    assert bits([(one["x"],) for one in objects[4:]]) == bits([(x,) for x in numbers[4:]])
    with (tmp_path / "odd.parquet").open("wb") as file:
        pytest.importorskip("pyarrow")
        files.write_parquet(table, file)
    read = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "odd.parquet")
    assert bits([(x,) for x in read["x"].to_pylist()]) == bits([(x,) for x in numbers])


@pytest.mark.parametrize("file_format", ROWS_IN)
def test_a_killed_export_leaves_nothing_under_the_final_name(
    made: Callable[..., Path], tmp_path: Path, file_format: str
) -> None:
    """A real process, killed while it writes its draft."""
    path = made(SMALL_SCAN)
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nimport mlrtui.commands.export as e\n"
        "e._to_disk = lambda draft: os.kill(os.getpid(), signal.SIGKILL)\n"
        "e.export(Path(sys.argv[1]), Path(sys.argv[2]), e.Asked(('curves',)), file_format=sys.argv[3])"
    )
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", program, str(path), str(out), file_format], check=False)
    assert done.returncode == -9
    assert [name for name in out.iterdir() if not name.name.startswith(".")] == []
    assert len(list(out.iterdir())) >= 1
