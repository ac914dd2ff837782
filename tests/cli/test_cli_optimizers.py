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
