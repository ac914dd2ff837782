"""Other models than the fully connected one, as a user starts them: data in files, code only when allowed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from conftest import Mlrtui
from sklearn.datasets import load_digits

from mlrtui.commands.resume import resume
from mlrtui.commands.run import RunOptions, run
from mlrtui.errors import BadInput
from mlrtui_db import invariants

pytestmark = pytest.mark.usefixtures("no_driver_left")

CNN = """
    [sweep]
    name = "small cnn"
    [data]
    name = "npz"
    path = "data/digits.npz"
    samples = 240
    validation = 0.2
    [model]
    kind = ["cnn", "transformer"]
    depth = 2
    width = 8
    [training]
    loss = "ce"
    batch = 32
    epochs = 6
    [search]
    on = "validation"
    threshold = 0.15
    tolerance = 1.0
    eta_min = 0.05
    eta_max = 20.0
    [sharpness]
    every = 9
"""
FACTORY = """
    [sweep]
    name = "own nets"
    [data]
    name = "digits"
    samples = 64
    [model]
    kind = ["own_nets:net", "own_nets:broken"]
    depth = 1
    width = 4
    [training]
    loss = "ce"
    batch = "full"
    steps = 4
    [scan]
    eta_lambda0 = [0.5, 1.5]
"""
OWN = """
    import sys
    from pathlib import Path

    from torch import nn

    Path(__file__).with_name("was-run").touch()

    def net(inputs, outputs, depth, width):
        return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))

    def broken(inputs, outputs, depth, width):  # where it is trained, not where it is looked at before
        if Path(sys.argv[0]).stem != "code_worker":
            raise ValueError("too\\nnarrow")
        return net(inputs, outputs, depth, width)
"""


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_search_over_image_models_judged_on_held_out_samples(mlrtui: Mlrtui, tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "data").mkdir(parents=True)
    images, labels = load_digits(return_X_y=True)
    np.savez(tmp_path / "sweeps" / "data" / "digits.npz", x=images.reshape(-1, 8, 8).astype(np.float32), y=labels)
    (tmp_path / "sweeps" / "cnn.toml").write_text(dedent(CNN))
    done = mlrtui("run", "sweeps/cnn.toml", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    found = rows(store, "SELECT model, activation, samples, eta_star, lambda0, lambda0_residual FROM eta_star")
    assert sorted({row[:3] for row in found}) == [("cnn", "relu", 192), ("transformer", "gelu", 192)]
    assert all(eta > 0 and lam > 0 and residual < 1e-2 for *_, eta, lam, residual in found)
    along = rows(store, "SELECT count(*) FROM curves WHERE step > 0 AND step % 9 = 0 AND sharpness > 0")
    assert along[0][0] >= 4
    assert rows(store, "SELECT DISTINCT accuracy_on FROM curves") == [("validation",)]
    held = {accuracy * 48 for (accuracy,) in rows(store, "SELECT accuracy FROM curves WHERE accuracy IS NOT NULL")}
    assert all(abs(count - round(count)) < 1e-9 for count in held)  # shares of 48 held-out samples
    assert invariants.check(store) == []


def test_code_is_run_only_when_that_is_allowed(mlrtui: Mlrtui, tmp_path: Path) -> None:
    sweep, mark, store = tmp_path / "own.toml", tmp_path / "was-run", tmp_path / "mlrtui.db"
    sweep.write_text(dedent(FACTORY))
    (tmp_path / "own_nets.py").write_text(dedent(OWN))
    refused = mlrtui("run", sweep)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "mlrtui: model.kind = 'own_nets:net': runs code of that module; if you trust it, add --allow-code"
    ]
    planned = mlrtui("run", sweep, "--dry-run", "--allow-code")
    assert planned.returncode == 0, planned.stderr
    assert "not foreseen" in planned.stdout
    assert "310 parameters" in planned.stdout
    assert mark.exists()  # to say what it makes
    assert not store.exists()
    mark.unlink()

    done = mlrtui("run", sweep, "--allow-code", "--devices", "cpu:1")
    assert done.returncode == 1, done.stderr + done.stdout  # one of the two factories is broken
    assert mark.exists()
    assert rows(store, "SELECT model, activation, phase FROM phases") == [("own_nets:net", "own", "stable")] * 2
    ((reason,),) = rows(store, "SELECT reason FROM net WHERE status = 'failed'")
    said = "own_nets:broken(inputs=64, outputs=10, depth=1, width=4) raised ValueError: too narrow"
    assert reason == f"FactoryError: {said}"
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr + (tmp_path / "mlrtui.db.log").read_text()

    mark.unlink()
    before = rows(store, "SELECT * FROM net")
    again = mlrtui("rerun", "--failed")
    assert (again.returncode, "--allow-code" in again.stderr) == (2, True)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sweep SET status = 'stopped', finished_at = NULL")
    with pytest.raises(BadInput, match="--allow-code"):
        resume((), RunOptions(store))
    (tmp_path / "own_nets.py").write_text(dedent(OWN) + "# changed\n")
    with pytest.raises(BadInput, match="is not the code that the sweep began with"):
        resume((), RunOptions(store, allow_code=True))
    with pytest.raises(BadInput, match=r"model\.code_hash"):
        run([sweep], RunOptions(store, allow_code=True))
    (tmp_path / "own_nets.py").unlink()
    with pytest.raises(BadInput, match="no module own_nets in the folder"):
        run([sweep], RunOptions(store, allow_code=True))
    assert rows(store, "SELECT * FROM net") == before
    assert not mark.exists()
