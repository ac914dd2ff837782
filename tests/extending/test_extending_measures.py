"""A measure of another package: asked for in a sweep file, computed by the worker, stored and read by its name."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

from conftest import SMALL_SCAN
from other_package import install, run

from mlrtui_db.reader import Reader

SOURCE = '''
"""How far the weights are from where they started, in units of the distance that they started from zero."""

from mlrtui_trainer.measures import Measure


def distance(moment):
    return (moment.weights - moment.initial).norm(dim=1) / moment.initial.norm(dim=1)


MEASURE = Measure("1", "Relative distance from the initial weights.", distance, lambda train, eta: 1.0)
'''


def run_with(folder: Path, *names: str) -> "CompletedProcess[str]":
    """Train a small scan, measured by these every third step."""
    (folder / "sweep.toml").write_text(f"{SMALL_SCAN}\n[measures]\nnames = {json.dumps(names)}\nevery = 3\n")
    return run(folder, "run", "sweep.toml", "--no-tui", "--devices", "cpu")


def test_a_sweep_is_measured_by_a_measure_of_another_package(tmp_path: Path) -> None:
    install(tmp_path, "toy_measure", SOURCE, "mlrtui.measures", "distance = toy_measure:MEASURE")
    done = run_with(tmp_path, "distance", "grad_norm")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "mlrtui.db")) as store:
        found = store.execute(
            "SELECT measure, count(*), min(step), max(step % 3), min(value), min(edge), max(edge)"
            " FROM measures GROUP BY measure ORDER BY measure"
        ).fetchall()
    (distance, n, *of_distance), (norm, m, *of_norm) = found
    assert (distance, norm, n) == ("distance", "grad_norm", m)
    assert of_distance == [0, 0, 0.0, 1.0, 1.0]
    assert of_norm[-2:] == [None, None]
    with Reader.open(tmp_path / "mlrtui.db") as reader:
        assert reader.measures(1) == ("distance", "grad_norm")
        assert reader.measure_curve(1, "distance").parts[""].value[0] == 0.0


WITH_PARTS = '''
"""How far the weights of each tensor are from where they started."""

from mlrtui_trainer.measures import Measure


def moved(moment):
    change = moment.weights - moment.initial
    return {name: change[:, place].norm(dim=1) for name, place in moment.tensors.items()}


MEASURE = Measure("1", "Distance of each tensor from its start.", moved, log=False, last_step=6)
'''


def test_a_measure_of_another_package_has_parts(tmp_path: Path) -> None:
    """Its one file is all that there is of it: its parts are stored, and read and drawn by their names."""
    install(tmp_path, "toy_parts", WITH_PARTS, "mlrtui.measures", "moved = toy_parts:MEASURE")
    done = run_with(tmp_path, "moved")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "mlrtui.db")) as store:
        query = "SELECT part, count(*), min(step), max(step), min(value), max(value) > 0 FROM measures GROUP BY part"
        found = store.execute(f"{query} ORDER BY part").fetchall()
        trials = store.execute("SELECT count(*) FROM trial").fetchone()[0]
    assert found == [(part, 3 * trials - 1, 0, 6, 0.0, 1) for part in ("1", "2")]  # one diverges before step 6
    with Reader.open(tmp_path / "mlrtui.db") as reader:
        assert reader.measures(1) == ("moved",)
        parts = reader.measure_curve(1, "moved").parts
    assert [(name, list(part.step)) for name, part in parts.items()] == [("1", [0, 3, 6]), ("2", [0, 3, 6])]
    exported = run(tmp_path, "export", "--view", "measures", "--out", "out")
    assert exported.returncode == 0, exported.stderr


def test_a_measure_that_another_key_asks_for_is_named_with_the_key(tmp_path: Path) -> None:
    done = run_with(tmp_path, "activation_rms")
    assert done.returncode == 2
    told = 'measures.names = "activation_rms": is stored by record.layers; write that instead'
    assert done.stderr == f"mlrtui: sweep.toml: {told}\n"


def test_a_measure_that_nobody_has_is_named(tmp_path: Path) -> None:
    done = run_with(tmp_path, "distance")
    assert done.returncode == 2
    told = "measures.names = \"distance\": measure 'distance' is not known; use one of grad_norm"
    assert done.stderr == f"mlrtui: sweep.toml: {told}\n"
    assert not (tmp_path / "mlrtui.db").exists()
