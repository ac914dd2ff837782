"""λ₀ of wide ReLU nets against the infinite-width kernel, on real digits."""

from statistics import fmean

import numpy as np
import pytest

from mlrtui.data import DataSpec, load
from mlrtui_trainer import theory
from mlrtui_trainer.spec import LambdaAtInit, NetSpec, Probe, SharpnessSpec, TrainSpec
from mlrtui_trainer.worker import run_task

DATA = load(DataSpec("digits", 64, "parity"))


@pytest.mark.parametrize("input_lr", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_diagonal_is_the_known_one(depth, input_lr):
    one = DATA.x[:1]
    expected = theory.infinite_width_lambda0(float(np.mean(one**2)), depth, 128, 64, input_lr)
    assert theory.arc_cosine_lambda0(one, depth, 128, input_lr) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("depth", "input_lr"), [(1, 1.0), (1, 0.0), (2, 1.0), (3, 0.1)])
def test_wide_nets_have_its_largest_eigenvalue(depth, input_lr):
    net = NetSpec("mlp", 64, 1, depth, 512, layer_lr=(input_lr, 1.0, 1.0))
    task = Probe(
        1, DATA.data_id, net, TrainSpec("mse", 64, 1, 1), SharpnessSpec(), tuple((i, 101 + i) for i in range(6))
    )
    found = [message.preconditioned for message in run_task(task, DATA, "cpu") if isinstance(message, LambdaAtInit)]
    assert len(found) == 6
    assert fmean(found) / theory.arc_cosine_lambda0(DATA.x, depth, 512, input_lr) == pytest.approx(1.0, abs=0.06)
