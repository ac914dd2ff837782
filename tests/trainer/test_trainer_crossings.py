"""λ along trainings in which eigenvalues cross: narrow nets, far beyond the edge of stability."""

import pytest
import torch
from trainer_runs import digits

from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.curvature.tracker import Tracker
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp, descend_, forward, initial_weights
from mlrtui_trainer.spec import NetSpec


@torch.no_grad()
def test_where_eigenvalues_cross_in_a_narrow_net_the_larger_one_is_found() -> None:
    """From the last eigenvector alone, the second one was followed at step 24: 0.381 for 0.448, residual 0.008."""
    data, seeds, rates = digits(128), [2, 3, 0, 1], torch.tensor([4.0, 4.0, 6.0, 8.0], dtype=torch.float64)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    mlp, loss = Mlp.of(NetSpec("mlp", 64, 10, 2, 8, "tanh")), LOSSES["mse-softmax"]
    weights = initial_weights(mlp, seeds, torch.float64, "cpu")
    tracker = Tracker(seeds, mlp.n_params, 1e-3, torch.float64, "cpu")
    cold = start_vectors([99] * len(seeds), mlp.n_params, torch.float64, "cpu")
    scale = torch.zeros(0)
    for step in range(26):
        operator = curvature(mlp, weights, x, y, "mse-softmax", "hessian")
        found = tracker.measure(operator)
        if step == 0:
            scale = -rates / torch.from_numpy(found.value) / len(x)
        true = largest(operator, cold, 1e-8, 200).value
        assert found.value == pytest.approx(true, rel=1e-3), step
        trace = forward(mlp, weights, x.expand(len(seeds), -1, -1))
        descend_(mlp, weights, trace, loss.signal(loss.start(trace.f, y), y) * scale[:, None, None])
