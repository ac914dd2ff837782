"""`mlrtui.open`: what a script reads is what the store has, to the bit, with NULL apart from NaN, at flat memory."""

import json
import math
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui

import mlrtui as package
from mlrtui.reading.frames import package as imported
from mlrtui.reading.store import Store, _Given
from mlrtui.reading.table import Table
from mlrtui.reading.views import Views
from mlrtui_db._schema import view_names
from mlrtui_db.lock import acquire
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection
from mlrtui_db.view_columns import BY_STEP, Column, view_columns

Made = Callable[..., Path]
HARD = (5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1 / 3, -0.0, -2.5e-310, 9007199254740993.0, 3.0)
COLUMNS = tuple(Column(name, kind, "1", "made up") for name, kind in (("x", "REAL"), ("n", "INTEGER"), ("s", "TEXT")))
ROWS = (
    *((value, at, f"t{at % 2}") for at, value in enumerate(HARD)),
    (math.nan, 2**62 + 1, ""),
    (math.inf, -1, "é\n"),
    (-math.inf, None, None),
    (None, 0, "t0"),
)


@pytest.fixture
def store(made: Made) -> Iterator[Store]:
    with package.open(made(SMALL_SEARCH, SMALL_SCAN)) as found:
        yield found


def bits(values: Any) -> list[Any]:
    return [struct.pack("<d", value) if isinstance(value, float) else value for value in values]


def given() -> Table:
    return Table(_Given("made up", "nowhere", COLUMNS, ROWS))


def test_the_methods_are_the_views_and_give_their_rows(store: Store) -> None:
    assert {name for name in vars(Views) if not name.startswith("_")} == set(view_names())
    with Reader.open(store.path) as reader:
        for view in view_names():
            table = getattr(store, view)()
            names, rows = reader.query(view)
            assert table.columns == names
            wanted = list(rows)
            assert list(table.rows()) == wanted
            assert list(table) == [dict(zip(names, row, strict=True)) for row in wanted]
            assert table.count() == len(wanted)
            one = [row for row in wanted if row[0] == "small scan"]
            assert list(getattr(store["small scan"], view)().rows()) == one


def test_every_frame_has_every_value(store: Store) -> None:
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    for view in ("curves", "eta_star", "phases", "layers"):
        table = getattr(store, view)()
        rows = list(table.rows())
        columns = dict(zip(table.columns, zip(*rows, strict=True), strict=True)) if rows else {}
        arrays, frame, polar, arrow = table.to_numpy(), table.to_pandas(), table.to_polars(), table.to_arrow()
        for name, values in columns.items():
            assert bits(arrays[name].tolist()) == bits(values)
            assert bits(None if pd.isna(value) else value for value in frame[name]) == bits(values)
            assert bits(polar[name].to_list()) == bits(values)
            assert bits(arrow[name].to_pylist()) == bits(values)
            kinds = {"INTEGER": "Int64", "REAL": "Float64"}
            if table.types[name] in kinds:
                assert (str(frame[name].dtype), str(polar[name].dtype)) == (kinds[table.types[name]],) * 2
        assert frame.attrs["units"] == dict(table.units)
        assert [arrow.schema.field(name).metadata[b"unit"].decode() for name in arrow.column_names] == [
            *table.units.values()
        ]
        assert pl.DataFrame(table).equals(polar) or view in BY_STEP  # by Arrow's interface; categories differ in kind
        assert pa.table(table).equals(arrow)


def test_null_is_no_nan_and_hard_numbers_are_themselves() -> None:
    pytest.importorskip("pandas")
    table = given()
    wanted = [bits(values) for values in zip(*ROWS, strict=True)]
    arrays = table.to_numpy()
    assert [bits(arrays[name].tolist()) for name in table.columns] == wanted
    frame = table.to_pandas()
    assert [bool(missing) for missing in frame["x"].array._mask] == [row[0] is None for row in ROWS]
    assert bits(frame["x"].array._data.tolist()[:-1]) == wanted[0][:-1]
    assert frame["n"].tolist()[8] == 2**62 + 1
    polar = table.to_polars()
    assert polar["x"].is_null().to_list() == [row[0] is None for row in ROWS]
    assert polar["x"].is_nan().to_list()[8] is True
    assert bits(table.to_arrow()["x"].to_pylist()) == wanted[0]
    assert bits(table["x"].tolist()) == wanted[0]


def test_columns_and_conditions(store: Store) -> None:
    table = store.curves(columns=["loss", "width", "step"], where="step % 20 = 0 AND eta > 1 -- late")
    rows = list(table.rows())
    assert table.columns == ("loss", "width", "step")
    assert {row[2] % 20 for row in rows} == {0}
    everything = [row for row in store.curves() if row["step"] % 20 == 0 and row["eta"] > 1]
    assert rows == [(row["loss"], row["width"], row["step"]) for row in everything]
    lost = "trial_id IN (SELECT trial_id FROM phases WHERE phase = 'divergent')"
    divergent = [row for row in store.phases() if row["phase"] == "divergent"]
    assert list(store.phases(where=lost)) == divergent != []
    assert list(store.curves(columns=["width"], where="step = 0").rows()) == [
        (row["width"],) for row in store.curves() if row["step"] == 0
    ]
    for bad, message in (
        ("breadth > 1", "no such column: breadth"),
        ("step; DROP TABLE step", "condition"),
        ("?", "condition"),
    ):
        with pytest.raises(package.BadInput, match=message):
            store.curves(where=bad)
    with pytest.raises(package.BadInput, match="no column 'breadth': it has sweep"):
        store.grid(columns=["breadth"])


def test_a_curve_and_a_fit(store: Store, mlrtui: Mlrtui) -> None:
    trial = next(iter(store["small scan"].phases()))["trial_id"]
    curve = store.curve(trial)
    assert curve.columns[:2] == ("step", "loss")
    assert curve["step"].tolist() == list(range(61))
    with pytest.raises(package.BadInput, match="trial 99999: not in"):
        store.curve(99999)
    (row,) = store["small search"].fit(x="width", where="depth == 1")
    (printed,) = json.loads(mlrtui("fit", "small search", "--x", "width", "--where", "depth == 1", "--json").stdout)[
        "fits"
    ]
    assert row["exponent"] == printed["terms"][0]["exponent"]
    assert (row["cells"], row["warnings"]) == (printed["cells"], "; ".join(printed["warnings"]))
    with pytest.raises(package.BadInput, match=r"^x 'breadth'"):
        store.fit(x="breadth")


def test_a_prediction_is_that_of_the_command(made: Made, mlrtui: Mlrtui) -> None:
    with package.open(made(SMALL_SEARCH.replace("depth = [1, 2]", "depth = [1, 2, 3]"))) as store:
        (row,) = store.sweeps[0].predict(depth=2, width=48)
        said = mlrtui("predict", "--depth", 2, "--width", 48, "--store", store.path, "--json")
        (printed,) = json.loads(said.stdout)["predictions"]
        for name in ("sweep", "group", "eta_star", "low", "high", "level", "cells", "spread_of_nets", "refused"):
            assert row[name] == printed[name]
        (refused,) = store.predict(depth=2, width=4096)
        assert refused["eta_star"] is None
        assert "octaves outside" in refused["refused"]
        assert store.predict(depth=2, width=48, where="width < 20")["refused"].mask.tolist() == [False]
        for wrong, words in (({"width": 0}, "width= 0"), ({"level": 2.0}, "level="), ({"where": "colour"}, "colour")):
            with pytest.raises(package.BadInput, match=words):
                store.predict(**{"depth": 2, "width": 48, **wrong})


def test_what_is_shared_by_the_rows_of_a_trial_is(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE step SET eta = 0.1 * step")
        for view in BY_STEP:
            for column in view_columns(view):
                counted = connection.execute(f'SELECT count(DISTINCT "{column.name}") FROM {view} GROUP BY trial_id')
                assert not column.is_of_trial or all(number <= 1 for (number,) in counted), column


def test_errors_are_clear(store: Store, tmp_path: Path) -> None:
    with pytest.raises(package.StoreError, match=r"nothing\.db"):
        package.open(tmp_path / "nothing.db")
    with pytest.raises(package.BadInput, match=r"'x': no sweep of this name in .*; it contains 'small"):
        store["x"]
    assert "x" not in store
    table = store.grid()
    store.close()
    with pytest.raises(package.BadInput, match="is closed: open it again"):
        list(table)
    with pytest.raises(package.BadInput, match=r"X needs no_such_package.*mlrtui\[frames\]") as caught:
        imported("no_such_package", "X")
    assert isinstance(caught.value, ImportError)


def test_it_reads_beside_a_writer_that_commits_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlrtui_db.rows._WINDOW", 7)
    with acquire(store.path), closing(sqlite3.connect(store.path)) as writer:
        rows = store.curves().rows()
        phases = store.phases().rows()
        seen = [next(rows), next(phases)]
        writer.execute("UPDATE meta SET value = value")  # fails if a reader held the file
        writer.commit()
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0  # no reader is in a transaction
        assert len([*seen, *rows, *phases]) == store.curves().count() + store.phases().count()


def test_pages_for_notebooks_are_safe(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE sweep SET name = '<script>alert(1)</script>' WHERE name = 'small scan'")
        connection.commit()
    for page in (store._repr_html_(), store.grid()._repr_html_()):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    assert "first 10 rows" in store.curves()._repr_html_()
    assert repr(store["small search"]).startswith("<Sweep 'small search': search, done, ")
    assert repr(store.grid()).startswith("<Table grid of ")


PROGRAM = """
import resource, sys
import mlrtui
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
store = mlrtui.open(sys.argv[1])
list(store.grid().numpy_batches())
before = peak()
total = sum(len(batch["loss"]) for batch in store.curves().numpy_batches())
print(total, peak() - before, *sorted({"torch", "textual", "pydantic", "pandas", "pyarrow"} & set(sys.modules)))
"""


def test_long_trials_are_streamed_and_nothing_heavy_is_loaded(made: Made) -> None:
    path, steps = made(SMALL_SCAN), 150_000
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM step WHERE trial_id = 1")
        values = ((1, step, 1 / (1 + step)) for step in range(steps))
        connection.executemany("INSERT INTO step (trial_id, step, loss) VALUES (?, ?, ?)", values)
        connection.execute("UPDATE trial SET n_steps = ? WHERE trial_id = 1", (steps,))
        connection.commit()
        (wanted,) = connection.execute("SELECT count(*) FROM step").fetchone()
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True)
    rows, grown, *heavy = done.stdout.split()
    assert int(rows) == wanted > steps
    assert float(grown) < 60  # all at once: 48 columns of 150,000 rows take some 60 MB more than that
    assert heavy == []


def test_large_views_of_one_moment_wait_in_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(store.phases().rows())
    monkeypatch.setattr("mlrtui_db.rows._WINDOW", 5)
    assert list(store.phases().rows()) == whole
    assert len(whole) > 15
    assert len(list(store.phases().batches())) == -(-len(whole) // 5)


def test_declared_types_hold(store: Store) -> None:
    kinds = {"INTEGER": {int}, "REAL": {float}, "TEXT": {str}}
    for view in view_names():
        table = store.table(Selection(view))
        for row in table.rows():
            for (name, kind), value in zip(table.types.items(), row, strict=True):
                assert value is None or type(value) in kinds[kind], (view, name, value)
    assert np.ma.isMaskedArray(store.grid()["width"])
