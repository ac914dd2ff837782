"""A loss, a kind of model and a parametrization of another package: named in a sweep file, trained with, measured."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_SCAN
from other_package import install, run

HALF = '''
"""Half of the squared loss, by a function of outputs and targets."""

from mlrtui_trainer.losses import LossKind


def half(f, y):
    return 0.25 * (f - y).square().sum(-1)


HALF = LossKind("half of mse", half, start=4.0)
'''

NET = '''
"""Two layers with a skip between the input and the output."""

from torch import nn

from mlrtui_trainer.models.kinds import ModelKind


class Skip(nn.Module):
    def __init__(self, inputs, outputs, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))
        self.skip = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.body(x) + self.skip(x)


SKIP = ModelKind("a net with a skip", make=lambda *, inputs, outputs, depth, width: Skip(inputs, outputs, width))
'''

DOUBLE = """
from mlrtui_trainer.models.parametrizations import Parametrization

DOUBLE = Parametrization("double", output_std=-1.0, powers=(1.0, 0.0, 0.0))
"""


def scan(**changes: str) -> str:
    text = SMALL_SCAN
    for old, new in changes.items():
        assert f"{old} = " in text
        text = "\n".join(f"{old} = {new}" if line.startswith(f"{old} = ") else line for line in text.splitlines())
    return text


def test_a_loss_of_another_package_is_trained_with_and_its_lambda_is_half(tmp_path: Path) -> None:
    install(tmp_path, "toy_loss", HALF, "mlrtui.losses", "half = toy_loss:HALF")
    (tmp_path / "sweep.toml").write_text(scan(loss='["mse", "half"]'))
    done = run(tmp_path, "run", "sweep.toml", "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "mlrtui.db")) as store:
        query = "SELECT loss, sharpness FROM curves WHERE training_loss = ? AND eta_lambda0 < 1 ORDER BY step"
        curves = {loss: np.array(store.execute(query, (loss,)).fetchall(), float) for loss in ("half", "mse")}
        told = "SELECT c.loss, n.loss_convention FROM net n JOIN cell c USING (cell_id)"
        conventions = dict(store.execute(told))
    assert len(curves["mse"]) > 50
    np.testing.assert_allclose(2 * curves["half"], curves["mse"], rtol=1e-3)  # its rates are twice as large
    assert conventions == {"half": "mean over samples", "mse": "1/(2N) sum_i |f_i - y_i|^2"}


def test_a_kind_of_model_of_another_package_is_tried_and_trained(tmp_path: Path) -> None:
    install(tmp_path, "toy_net", NET, "mlrtui.models", "skip = toy_net:SKIP")
    (tmp_path / "sweep.toml").write_text(scan(kind='"skip"'))
    dry = run(tmp_path, "run", "sweep.toml", "--dry-run")  # it is installed: no --allow-code
    assert dry.returncode == 0, dry.stderr
    assert "4290 parameters" in dry.stdout
    done = run(tmp_path, "run", "sweep.toml", "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "mlrtui.db")) as store:
        assert set(store.execute("SELECT model, activation FROM cell")) == {("skip", "own")}
        (first, last) = store.execute("SELECT loss_initial, loss_final FROM trial ORDER BY eta LIMIT 1").fetchone()
    assert last < first


def test_a_parametrization_of_another_package_has_its_own_powers(tmp_path: Path) -> None:
    install(tmp_path, "toy_scaling", DOUBLE, "mlrtui.parametrizations", "double = toy_scaling:DOUBLE")
    text = scan(width='128\nparametrization = ["sp", "double"]', every="0")
    (tmp_path / "sweep.toml").write_text(text)
    done = run(tmp_path, "run", "sweep.toml", "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "mlrtui.db")) as store:
        query = "SELECT parametrization, lambda0_mean, lambda0_preconditioned_mean FROM grid"
        rows = {name: (plain, rated) for name, plain, rated in store.execute(query)}
    assert rows["sp"][0] == rows["sp"][1]
    plain, rated = rows["double"]
    assert plain < rated < 2 * plain  # the input layer's rate is doubled, the output weights are halved
    assert plain < rows["sp"][0]


@pytest.mark.parametrize(
    ("key", "old", "told"),
    [
        ("loss", "mse", 'training.loss = "nobodys": must be "ce", "mse", "mse-softmax" or "package.module:thing"'),
        (
            "kind",
            "mlp",
            'model.kind = "nobodys": must be "mlp", "two-layer-linear", "mlp-linearized", "cnn", "transformer" or',
        ),
    ],
)
def test_what_nobody_has_is_answered_by_what_there_is(tmp_path: Path, key: str, old: str, told: str) -> None:
    (tmp_path / "sweep.toml").write_text(SMALL_SCAN.replace(f'{key} = "{old}"', f'{key} = "nobodys"'))
    done = run(tmp_path, "run", "sweep.toml", "--dry-run")
    assert done.returncode == 2
    assert told in done.stderr
