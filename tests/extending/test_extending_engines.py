"""An engine of another package: asked for by name, opened by the driver, reported where it cannot be loaded."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH
from other_package import install, run

SOURCE = '''
"""An engine that makes numbers up on devices of its own."""

from mlrtui.engines.fake import FakeEngine
from mlrtui.engines.registry import EngineSpec
from mlrtui.errors import BadInput


class Toy(FakeEngine):
    @property
    def devices(self):
        return ("toy:0",)


def resolve(text, useful, options):
    if text not in ("auto", "toy"):
        raise BadInput(f"--devices {text}: the toy engine has only the device toy")
    return ("toy:0",)


ENGINE = EngineSpec(lambda names, options: Toy(), resolve)
'''

SWEEP = "sweep.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / SWEEP).write_text(SMALL_SEARCH)
    return tmp_path


def test_a_sweep_runs_with_an_engine_of_another_package(folder: Path) -> None:
    install(folder, "toy_engine", SOURCE, "mlrtui.engines", "toy = toy_engine:ENGINE")
    done = run(folder, "run", SWEEP, "--engine", "toy", "--no-tui")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder / "mlrtui.db")) as store:
        assert store.execute("SELECT status FROM sweep").fetchall() == [("done",)]
        assert store.execute("SELECT DISTINCT device FROM attempt").fetchall() == [("toy:0",)]


def test_what_an_engine_refuses_is_bad_input(folder: Path) -> None:
    install(folder, "toy_engine", SOURCE, "mlrtui.engines", "toy = toy_engine:ENGINE")
    done = run(folder, "run", SWEEP, "--engine", "toy", "--devices", "cuda:0")
    assert (done.returncode, done.stderr) == (2, "mlrtui: --devices cuda:0: the toy engine has only the device toy\n")


def test_an_engine_that_cannot_be_loaded_is_named(folder: Path) -> None:
    install(folder, "toy_engine", "import no_such_module_anywhere\n", "mlrtui.engines", "toy = toy_engine:ENGINE")
    done = run(folder, "run", SWEEP, "--engine", "toy")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "mlrtui: --engine: engine 'toy' of toy_engine:ENGINE cannot be loaded: ModuleNotFound"
    )
    assert "Traceback" not in done.stderr


def test_an_unknown_engine_is_answered_by_the_known_ones(folder: Path) -> None:
    done = run(folder, "run", SWEEP, "--engine", "slurm")
    expected = "mlrtui: --engine: engine 'slurm' is not known; use one of local, fake, ray\n"
    assert (done.returncode, done.stderr) == (2, expected)
