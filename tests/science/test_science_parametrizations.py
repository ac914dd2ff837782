"""Parametrizations: initial deviations and rates by layer role, and what a step then does at any width."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mlrtui_trainer.models.mlp import Mlp, descend_, forward, initial_weights
from mlrtui_trainer.models.parametrizations import PARAMETRIZATIONS
from mlrtui_trainer.spec import NetSpec

BASE = 64
POWERS = {  # of width / base width: rates of input, hidden and output layer, deviation of the output layer
    "sp": (0.0, 0.0, 0.0, 0.0),
    "ntk": (0.0, -1.0, -1.0, 0.0),
    "mup": (1.0, 0.0, -1.0, -0.5),
    "sp-full-align": (0.5, -0.5, -1.0, 0.0),
}


UNDER_ADAM = {  # the rates' powers where they differ from those
    "sp": (0.0, 0.0, 0.0),
    "mup": (0.0, -1.0, -1.0),
    "sp-full-align": (0.0, -1.0, -1.0),
}


def net(parametrization, width, depth=3, layer_lr=(1.0, 1.0, 1.0), optimizer="sgd"):
    return Mlp.of(NetSpec("mlp", 64, 10, depth, width, parametrization=parametrization, layer_lr=layer_lr), optimizer)


@pytest.mark.parametrize("name", POWERS)
@pytest.mark.parametrize("width", [64, 256, 512])
def test_deviations_and_rates_follow_the_table(name, width):
    assert set(POWERS) == set(PARAMETRIZATIONS)
    into, hidden, out, deviation = POWERS[name]
    ratio = width / BASE
    mlp = net(name, width, layer_lr=(0.5, 2.0, 3.0))
    assert mlp.rate == pytest.approx((0.5 * ratio**into, 2 * ratio**hidden, 2 * ratio**hidden, 3 * ratio**out))
    weights = initial_weights(mlp, [0, 1, 2, 3], torch.float64, "cpu")
    fan_in = (64, width, width, width)
    expected = [np.sqrt(2 / n) for n in fan_in]
    expected[-1] *= ratio**deviation
    for w, std in zip(weights.w, expected, strict=True):
        spread = 1 / np.sqrt(2 * w.numel())  # of a measured deviation, relative
        assert float(w.std()) == pytest.approx(std, rel=5 * spread)


@pytest.mark.parametrize("name", UNDER_ADAM)
def test_rates_under_other_optimizers(name):
    ratio = 256 / BASE
    into, hidden, out = UNDER_ADAM[name]
    adam = net(name, 256, layer_lr=(0.5, 2.0, 3.0), optimizer="adam")
    assert adam.rate == pytest.approx((0.5 * ratio**into, 2 * ratio**hidden, 2 * ratio**hidden, 3 * ratio**out))
    assert adam.std == net(name, 256).std
    assert net(name, 256, optimizer="momentum") == net(name, 256)


def test_ntk_has_no_rates_under_adam():
    with pytest.raises(ValueError, match="no rates under adam"):
        net("ntk", 256, optimizer="adam")


def test_a_parametrization_can_be_written_out():
    written = net("width^(1, 0, -1; -0.5)", 256, layer_lr=(0.5, 2.0, 3.0))
    assert written == net("mup", 256, layer_lr=(0.5, 2.0, 3.0))
    assert net("width^(0, -1, -1; -0.5)", 256, optimizer="adam") == net("mup", 256, optimizer="adam")
    assert net("width^(0.5, -0.25, -1)", 256).rate == (2.0, 4**-0.25, 4**-0.25, 0.25)
    for wrong in ("width^(0.50, 0, -1)", "width^(0, 0)", "width^(0,0,0)", "width^(99, 0, 0)", "width^(0, 0, 0; 0)"):
        assert wrong not in PARAMETRIZATIONS
        with pytest.raises(ValueError, match="is not built"):
            net(wrong, 256)


def test_all_are_the_same_net_at_the_base_width():
    standard = net("sp", BASE)
    for name in POWERS:
        assert net(name, BASE) == standard


def response(name, width):
    """RMS change of the outputs after one full-batch step at a small rate towards the targets, mean over 4 nets.

    The signal is that of outputs at zero, so that only the step itself depends on the width.
    """
    digits = load_digits()
    x = torch.from_numpy((digits.data[:128] - digits.data.mean(0)) / digits.data.std())[None]  # [1, samples, pixels]
    y = torch.nn.functional.one_hot(torch.from_numpy(digits.target[:128]), 10).double()[None]
    mlp = net(name, width)
    weights = initial_weights(mlp, [0, 1, 2, 3], torch.float64, "cpu")
    before = forward(mlp, weights, x)
    f0 = before.f.clone()
    descend_(mlp, weights, before, y.expand(4, -1, -1) * (1e-6 / 128))
    change = forward(mlp, weights, x).f - f0  # [lanes, samples, outputs]
    return float((change**2).mean().sqrt())


@pytest.mark.parametrize(("name", "slope", "slack"), [("sp", 1.0, 0.15), ("ntk", 0.0, 0.15), ("mup", 0.0, 0.25)])
def test_a_step_moves_the_outputs_with_the_right_power_of_the_width(name, slope, slack):
    widths = [128, 256, 512, 1024]
    moved = [response(name, width) for width in widths]
    measured = np.polyfit(np.log(widths), np.log(moved), 1)[0]
    assert measured == pytest.approx(slope, abs=slack)
