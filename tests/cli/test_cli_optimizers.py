"""A search over optimizers from its file to the views: real driver, real training."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

from mlrtui_db import invariants

pytestmark = pytest.mark.usefixtures("no_driver_left")

SWEEP = (
    SMALL_SEARCH.replace("depth = [1, 2]", "depth = 2")
    .replace("width = [16, 32]", "width = 32")
    .replace('loss = "ce"', 'loss = ["ce", "mse-softmax"]\noptimizer = ["sgd", "momentum", "adam"]')
    .replace("every = 0", "every = 4")
    .replace("seeds = 2", "seeds = 1")
) + "[record]\nlayers = true\n"


def test_every_optimizer_and_loss_has_its_eta_star_and_its_edge(
    mlrtui: Mlrtui, sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    done = mlrtui("run", sweep_file(SWEEP), "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    assert invariants.check(store) == []
    with closing(sqlite3.connect(store)) as connection:
        found = connection.execute("SELECT optimizer, training_loss, eta_star, censored FROM eta_star").fetchall()
        ratios = connection.execute(
            "SELECT optimizer, edge, max(abs(sharpness * eta / edge - sharpness_ratio)), min(step),"
            " max(sharpness_ratio) FROM curves WHERE sharpness IS NOT NULL GROUP BY optimizer ORDER BY optimizer"
        ).fetchall()
        layers = connection.execute("SELECT count(*), min(effective_rms) FROM layers WHERE step = 1").fetchone()
    assert sorted({row[:2] for row in found}) == [
        (optimizer, loss) for optimizer in ("adam", "momentum", "sgd") for loss in ("ce", "mse-softmax")
    ]
    assert len(found) == 6
    assert all(eta_star > 0 and censored is None for _, _, eta_star, censored in found)
    mean = {name: sum(row[2] for row in found if row[0] == name) / 2 for name in ("adam", "momentum", "sgd")}
    assert mean["adam"] < mean["momentum"] < mean["sgd"]
    assert [(name, edge) for name, edge, *_ in ratios] == [
        ("adam", pytest.approx(38.0)),
        ("momentum", pytest.approx(3.8)),
        ("sgd", 2.0),
    ]
    assert [first for *_, first, _ in ratios] == [4, 0, 0]  # Adam has no second moment before its first step
    assert all(wrong < 1e-12 * largest for _, _, wrong, _, largest in ratios)
    assert layers[0] % 3 == 0
    assert layers[1] >= 0


LATER = (
    SMALL_SEARCH.replace("depth = [1, 2]", "depth = 1")
    .replace("width = [16, 32]", "width = 16")
    .replace('loss = "ce"', 'loss = "ce"\noptimizer = ["nesterov", "adamw", "rmsprop", "muon"]\nweight_decay = 0.001')
    .replace("every = 0", "every = 4")
    .replace("seeds = 2", "seeds = 1")
)


@pytest.mark.parametrize("schedule", ["", '\nschedule = "cosine"\nwarmup_steps = 3'])
def test_optimizers_with_decay_and_schedules(
    schedule: str, mlrtui: Mlrtui, sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    sweep = LATER.replace("weight_decay = 0.001", f"weight_decay = 0.001{schedule}")
    done = mlrtui("run", sweep_file(sweep), "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    assert invariants.check(store) == []
    with closing(sqlite3.connect(store)) as connection:
        found = connection.execute("SELECT optimizer, eta_star > 0 FROM eta_star ORDER BY optimizer").fetchall()
        measured = connection.execute(
            "SELECT optimizer, max(sharpness > 0), max(sharpness_ratio IS NOT NULL), max(edge) FROM curves"
            " GROUP BY optimizer ORDER BY optimizer"
        ).fetchall()
        rates = connection.execute(
            "SELECT step, step_eta / eta FROM curves WHERE step IN (0, 2) GROUP BY step"
        ).fetchall()
        ratios = dict(connection.execute("SELECT optimizer, max(ratio_first > 0) FROM phases GROUP BY 1").fetchall())
    names = ["adamw", "muon", "nesterov", "rmsprop"]
    assert found == [(name, 1) for name in names]
    edges = [38.0, 0.0, 3.8 / 2.8, 2.0]
    assert [(name, positive, known) for name, positive, known, _ in measured] == [
        (name, 1, int(edge > 0)) for name, edge in zip(names, edges, strict=True)
    ]
    assert [edge for *_, edge in measured] == pytest.approx(edges)
    expected = [(0, 1 / 3), (2, 1.0)] if schedule else [(0, 1.0), (2, 1.0)]  # of three steps of warm-up
    assert rates == [(step, pytest.approx(share)) for step, share in expected]
    assert ratios == {"adamw": 1, "muon": None, "nesterov": 1, "rmsprop": 1}  # with the rate of each step
