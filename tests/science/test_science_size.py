"""λ₀ against depth × width on raw digits: a power law where width ≫ depth and the input layer stands still."""

from collections.abc import Mapping
from math import log

import pytest

from mlrtui.analysis.fits import CellPoint, FitResult, FitSpec, fit
from mlrtui.data import DataSpec, load
from mlrtui_trainer.spec import LambdaAtInit, NetSpec, Probe, SharpnessSpec, TrainSpec
from mlrtui_trainer.worker import run_task

DATA = load(DataSpec("digits", 128, "parity", "none"))
SEEDS = ((1, 731), (2, 732))
FROZEN, TRAINED = 0.0, 1.0
Size = tuple[int, int]  # depth, width


@pytest.fixture(scope="module")
def lambdas() -> dict[float, dict[Size, tuple[float, ...]]]:
    """λ₀ with the layers' rates applied, by the input layer's rate and the size, of both seeds."""
    sizes = [(depth, width) for depth in (1, 2, 4, 8) for width in (16, 32, 64, 128, 256) if depth * width <= 1024]
    return {rate: {size: _lambdas(*size, rate) for size in sizes} for rate in (FROZEN, TRAINED)}


def _lambdas(depth: int, width: int, input_lr: float) -> tuple[float, ...]:
    net = NetSpec("mlp", 64, 1, depth, width, layer_lr=(input_lr, 1.0, 1.0))
    task = Probe(1, DATA.data_id, net, TrainSpec("mse", 128, 1, 1), SharpnessSpec(), SEEDS)
    return tuple(one.preconditioned for one in run_task(task, DATA, "cpu") if isinstance(one, LambdaAtInit))


def law(found: Mapping[Size, tuple[float, ...]], wide: int = 0) -> FitResult:
    points = [
        CellPoint(f"{depth}x{width}", {"depth": depth, "width": width}, tuple(map(log, values)))
        for (depth, width), values in found.items()
        if width >= wide * depth
    ]
    return fit(points, FitSpec("lambda0_preconditioned", ("depth*width",)))


def test_it_is_a_power_of_the_product_where_width_is_much_larger_than_depth(lambdas) -> None:  # type: ignore[no-untyped-def]
    everywhere, wide = law(lambdas[FROZEN]), law(lambdas[FROZEN], wide=16)
    assert 0.83 <= wide.terms[0].exponent <= 1.03
    assert wide.r2 >= 0.95
    assert wide.r2 >= everywhere.r2 + 0.02


def test_an_input_layer_that_learns_flattens_it(lambdas) -> None:  # type: ignore[no-untyped-def]
    frozen, trained = (law(lambdas[rate], wide=32).terms[0].exponent for rate in (FROZEN, TRAINED))
    assert 0.6 <= trained <= 0.85
    assert frozen - trained >= 0.08
