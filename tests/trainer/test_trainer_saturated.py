"""λ of nets whose softmax is saturated: all of it lies in the few samples between two classes."""

import pytest
import torch
from trainer_runs import digits

from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import LARGE_OUTPUT, curvature
from mlrtui_trainer.models.mlp import Mlp, Weights, forward, initial_weights
from mlrtui_trainer.spec import NetSpec

MLP, DATA = Mlp.of(NetSpec("mlp", 64, 10, 1, 32)), digits(64)


def sharpness(weights: Weights, operator: str) -> torch.Tensor:
    dtype = weights.w[0].dtype
    x, y = torch.from_numpy(DATA.x).float().to(dtype), torch.from_numpy(DATA.y).to(dtype)
    matrix = curvature(MLP, weights, x, y, "ce", operator)
    start = start_vectors([1] * weights.lanes, MLP.n_params, dtype, "cpu")
    return torch.from_numpy(largest(matrix, start, 1e-5, 200).value)


@pytest.mark.parametrize("operator", ["gauss-newton", "hessian"])
def test_single_precision_agrees_with_double_on_the_same_weights(operator: str) -> None:
    weights = initial_weights(MLP, [0, 1, 2], torch.float32, "cpu")
    for lane, scale in enumerate([1.0, 60.0, 150.0]):
        weights.w[0][lane] *= scale
        weights.w[1][lane] *= scale
    f = forward(MLP, weights, torch.from_numpy(DATA.x).float()[None]).f
    assert (f.abs().amax((1, 2)) > LARGE_OUTPUT).tolist() == [False, True, True]
    single, double = sharpness(weights, operator), sharpness(weights.to(torch.float64), operator)
    assert (single / double - 1.0).abs().max() < 1e-5


def test_a_lane_that_is_not_saturated_keeps_its_bits_beside_one_that_is() -> None:
    weights = initial_weights(MLP, [0, 1], torch.float32, "cpu")
    alone = sharpness(weights.lane(0), "hessian")
    weights.w[0][1] *= 300.0
    weights.w[1][1] *= 300.0
    assert sharpness(weights, "hessian")[0] == alone[0]
