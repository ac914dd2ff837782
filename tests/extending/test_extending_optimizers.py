"""An optimizer and a schedule of another package: in the sweep file, trained with, their edge and ratios stored."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH
from other_package import install, run

SOURCE = '''
"""Gradient descent with twice the rate, whose edge is therefore at half of it."""

from mlrtui_trainer.optimizers import Optimizer

TWICE = Optimizer(
    text="w - 2 eta g",
    edge=lambda how: 1.0,
    step=lambda how, g, state, t: g.mul_(2.0),
    transient=lambda beta: 1.0,
)
'''

HALF = """
from mlrtui_trainer.schedules import Schedule

HALF = Schedule("eta, then half of it", lambda warmup, steps, step: 1.0 if step < 4 else 0.5, warms=False)
"""

SWEEP = "sweep.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = SMALL_SEARCH.replace("depth = [1, 2]", "depth = 1").replace("width = [16, 32]", "width = 16")
    text = text.replace('loss = "ce"', 'loss = "ce"\noptimizer = ["sgd", "twice"]').replace("every = 0", "every = 4")
    (tmp_path / SWEEP).write_text(text.replace("seeds = 2", "seeds = 1"))
    return tmp_path


def test_an_optimizer_of_another_package_is_trained_with(folder: Path) -> None:
    install(folder, "toy_optimizer", SOURCE, "mlrtui.optimizers", "twice = toy_optimizer:TWICE")
    done = run(folder, "run", SWEEP, "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder / "mlrtui.db")) as store:
        stars = dict(store.execute("SELECT optimizer, eta_star FROM eta_star").fetchall())
        edges = dict(store.execute("SELECT optimizer, max(edge) FROM curves GROUP BY optimizer").fetchall())
    assert edges == {"sgd": 2.0, "twice": 1.0}
    assert stars["sgd"] / stars["twice"] == pytest.approx(2.0, rel=0.3)  # to the lattice of rates


def test_one_that_cannot_be_loaded_is_named_and_stops_no_other_sweep(folder: Path) -> None:
    install(folder, "toy_optimizer", "import no_such_module\n", "mlrtui.optimizers", "twice = toy_optimizer:TWICE")
    done = run(folder, "run", SWEEP, "--dry-run")
    assert done.returncode == 2
    assert "training.optimizer = \"twice\": optimizer 'twice' of toy_optimizer:TWICE cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr
    done = run(folder, "run", SWEEP, "--dry-run", "--set", "training.optimizer=sgd")
    assert done.returncode == 0, done.stderr


def test_an_unknown_optimizer_is_answered_by_the_known_ones(folder: Path) -> None:
    done = run(folder, "run", SWEEP, "--dry-run")
    assert done.returncode == 2
    assert 'training.optimizer = "twice": must be "sgd", "momentum", "adam"' in done.stderr


def test_a_schedule_of_another_package_is_trained_with(folder: Path) -> None:
    install(folder, "toy_schedule", HALF, "mlrtui.schedules", "half = toy_schedule:HALF")
    text = (folder / SWEEP).read_text().replace('optimizer = ["sgd", "twice"]', 'schedule = "half"')
    (folder / SWEEP).write_text(text)
    done = run(folder, "run", SWEEP, "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder / "mlrtui.db")) as store:
        query = "SELECT step < 4, schedule, min(step_eta / eta), max(step_eta / eta) FROM curves GROUP BY 1, 2"
        assert set(store.execute(query)) == {(1, "half", 1.0, 1.0), (0, "half", 0.5, 0.5)}
