"""A training that is measured at every step ends with the bits of one that is not; each protection is needed."""

import random
from collections.abc import Callable
from typing import Any

import gauge_nets
import numpy as np
import pytest
import torch
from gauge_nets import Case, same
from torch import nn

from mlrtui_trainer.gauge import closure, critical_sharpness, sharpness

STEPS = 12

NETS: dict[str, Callable[[], Case]] = {
    "mlp": lambda: gauge_nets.mlp(1),
    "cnn": lambda: gauge_nets.cnn(2, train=True, dropout=0.3),
    "gpt": lambda: gauge_nets.gpt(4),
}


def trained(net: str, measured: bool, verify: bool = True) -> dict[str, Any]:
    """Everything that a training leaves behind, to the bit."""
    case = NETS[net]()
    model = case.model
    optimizer: torch.optim.Optimizer = {
        "mlp": lambda: torch.optim.RMSprop(model.parameters(), lr=1e-2),
        "cnn": lambda: torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9),
        "gpt": lambda: torch.optim.AdamW(model.parameters(), lr=1e-2),
    }[net]()
    torch.manual_seed(11)
    random.seed(12)
    np.random.seed(13)
    for step in range(STEPS):
        optimizer.zero_grad()
        if measured and step:
            sharpness(model, case.loss, case.batch, optimizer=optimizer, tolerance=0.1, max_products=4, verify=verify)
        case.loss(model, case.batch).backward()
        if measured:
            gradient = [p.grad for p in model.parameters()]
            sharpness(model, case.loss, case.batch, tolerance=0.1, max_products=4, verify=verify)
            critical_sharpness(model, case.loss, case.batch, [g for g in gradient if g is not None], max_forwards=6)
            assert all(p.grad is g for p, g in zip(model.parameters(), gradient, strict=True))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return {
        "weights": {name: t.clone() for name, t in model.state_dict().items()},
        "optimizer": optimizer.state_dict()["state"],
        "modes": [part.training for part in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1],
        "python": random.getstate(),
    }


@pytest.mark.parametrize("net", NETS)
def test_a_measured_training_has_the_same_bits(net: str) -> None:
    assert same(trained(net, False), trained(net, True))


@pytest.mark.parametrize("left_out", ["random states", "buffers"])
def test_without_a_protection_the_bits_differ(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = closure.ModelState.restore

    def without(saved: closure.ModelState, *, buffers: bool = True) -> None:
        state = torch.get_rng_state()
        whole(saved, buffers=buffers and left_out != "buffers")
        if left_out == "random states":
            torch.set_rng_state(state)

    undisturbed = trained("cnn", False)
    monkeypatch.setattr(closure.ModelState, "restore", without)
    monkeypatch.setattr(closure.Closure, "check_reproducible", lambda self, finite=True: self.value())
    assert not same(undisturbed, trained("cnn", True, verify=False))  # which would notice


def test_a_loss_that_replaces_buffers_and_modes_leaves_them() -> None:
    case = gauge_nets.cnn(2, train=True)
    norm = case.model[1]
    held = norm.running_mean

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        model[1].running_mean = torch.zeros(4)
        model.eval()
        random.random()
        np.random.rand()
        return case.loss(model, batch)

    before = held.clone()
    sharpness(case.model, loss, case.batch)
    assert norm.running_mean is held
    assert torch.equal(held, before)
    assert case.model.training
