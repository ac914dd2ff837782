"""Losses, optimizers and schedules of the user's own code: by consent only, trained with, held to their source."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_SCAN, Mlrtui

CODE = """
from mlrtui_trainer.optimizers import Optimizer


def half(f, y):
    return 0.25 * (f - y).square().sum(-1)


def entries(f, y):
    return (f - y).square()


def late(warmup, steps, step):
    return 1.0 if step < 4 else 0.5


DOUBLE = Optimizer("w - 2 eta g", edge=lambda how: 1.0, step=lambda how, g, state, t: g.mul_(2.0))
"""

SWEEP = (
    SMALL_SCAN.replace("eta_lambda0 = [0.5, 2.6, 9.0]", "eta = [0.01]")
    .replace("steps = 60", "steps = 8")
    .replace("every = 5", "every = 2")
)
OWN = SWEEP.replace('loss = "mse"', 'loss = "mine:half"\noptimizer = "mine:DOUBLE"\nschedule = "mine:late"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "own.toml").write_text(OWN.replace("small scan", "own"))
    (tmp_path / "plain.toml").write_text(SWEEP)
    return tmp_path


def test_they_are_trained_with_and_held_to_their_source(mlrtui: Mlrtui, folder: Path) -> None:
    refused = mlrtui("run", "own.toml", "--no-tui")
    assert refused.returncode == 2
    told = "training.loss = 'mine:half': runs code of that module; if you trust it, add --allow-code"
    assert told in refused.stderr
    done = mlrtui("run", "own.toml", "plain.toml", "--no-tui", "--allow-code", "--devices", "cpu:1", "--store", "a.db")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder / "a.db")) as store:
        query = "SELECT loss, sharpness, step_eta FROM curves WHERE sweep = ? ORDER BY step"
        own, plain = (np.array(store.execute(query, (name,)).fetchall(), float) for name in ("own", "small scan"))
        (settings,) = store.execute("SELECT settings FROM cell WHERE loss = 'mine:half'").fetchone()
    assert own[:, 2].tolist() == [0.01] * 4 + [0.005] * 5
    # twice the step on half the loss, so that the first four steps are those of plain gradient descent
    np.testing.assert_allclose(2 * own[:5, 0], plain[:5, 0], rtol=1e-5)
    np.testing.assert_allclose(2 * own[0, 1], plain[0, 1], rtol=1e-3)
    assert own[-1, 0] * 2 > plain[-1, 0]  # the rate was halved then
    assert [name for name, _ in json.loads(settings)["code"]] == ["mine:half", "mine:DOUBLE", "mine:late"]
    (folder / "mine.py").write_text(CODE + "\n# another source\n")
    other = mlrtui("run", "own.toml", "--no-tui", "--allow-code", "--store", "a.db")
    assert other.returncode == 2, other.stdout
    assert "own" in other.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "mine:half",
            "mine:entries",
            "mine:entries: for outputs and targets [16, 1] it raised ValueError: a loss of f",
        ),
        ("mine:half", "mine:nothing", "mine.py has no thing 'nothing'"),
        ("mine:half", "nowhere:half", 'training.loss = "nowhere:half": no module nowhere in the folder'),
        ("mine:DOUBLE", "mine:late", "mine:late: a function, not an mlrtui_trainer.optimizers.Optimizer"),
    ],
)
def test_what_is_wrong_with_them_is_told_before_anything_is_trained(
    mlrtui: Mlrtui, folder: Path, old: str, new: str, told: str
) -> None:
    (folder / "own.toml").write_text(OWN.replace(old, new))
    refused = mlrtui("run", "own.toml", "--dry-run", "--allow-code")
    assert refused.returncode == 2
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
