"""A snapshot gives the same bits again, whatever the training consists of; what it cannot save it refuses."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from mlrtui_trainer.gauge import MeasureError, Snapshot

Parts = tuple[nn.Module, list[Any], Callable[[], float]]


class Attention(nn.Module):
    """A causal block with dropout, tied weights and a buffer outside ``state_dict``."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.2, batch_first=True)
        self.head = nn.Linear(16, 11, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        self.seen = self.seen + 1.0  # replaced, not changed in place
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.head(self.block(self.embedding(tokens) * (1.0 + 0.01 * self.seen), src_mask=mask))


def gpt() -> Parts:
    torch.manual_seed(0)
    model, generator, numpy_generator = Attention(), torch.Generator().manual_seed(1), np.random.default_rng(2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 30))

    def step() -> float:
        tokens = torch.randint(0, 11, (4, 9), generator=generator)
        weight = float(numpy_generator.random()) + np.random.random() + random.random()
        loss = weight * nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warmup.step()
        return float(loss.detach())

    return model, [optimizer, warmup, generator, numpy_generator], step


class Turn:
    """A count of steps that a training keeps by itself."""

    def __init__(self) -> None:
        self.turn = 0

    def state_dict(self) -> dict[str, int]:
        return {"turn": self.turn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.turn = state["turn"]


def normalised() -> Parts:
    """BatchNorm in training mode, weight norm, gradients that are summed over two steps, two optimizers."""
    torch.manual_seed(3)
    model = nn.Sequential(weight_norm(nn.Linear(6, 8)), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    momentum = torch.optim.SGD(model[0].parameters(), lr=0.1, momentum=0.9)
    newton = torch.optim.LBFGS(model[3].parameters(), lr=0.1, max_iter=2, history_size=3)
    count = Turn()

    def step() -> float:
        x = torch.randn(12, 6)
        loss = model(x).square().mean()
        loss.backward()
        if count.turn % 2:
            momentum.step()
            momentum.zero_grad()
            newton.step(lambda: model(x).square().mean())
        count.turn += 1
        return float(loss.detach())

    return model, [momentum, newton, count], step


@pytest.mark.parametrize("training", [gpt, normalised])
def test_the_same_bits_again_and_again(training: Callable[[], Parts]) -> None:
    model, parts, step = training()
    for _ in range(7):  # odd: a gradient waits for its second half
        step()
    snapshot = Snapshot(model, *parts)
    expected = [step() for _ in range(20)]
    weights = [p.detach().clone() for p in model.parameters()]
    for _ in range(2):  # the first must not have trained what the second begins from
        snapshot.restore()
        assert [step() for _ in range(20)] == expected
    assert all(torch.equal(one, other) for one, other in zip(weights, model.parameters(), strict=True))


@pytest.mark.parametrize("left_out", [1, 2, 3])
def test_what_is_not_given_is_not_saved(left_out: int) -> None:
    """So that the test above can fail: each part matters."""
    model, parts, step = gpt()
    for _ in range(7):
        step()
    snapshot = Snapshot(model, *parts[:left_out], *parts[left_out + 1 :])
    expected = [step() for _ in range(20)]
    snapshot.restore()
    assert [step() for _ in range(20)] != expected


def test_taking_one_changes_nothing() -> None:
    losses = []
    for taken in (False, True):
        model, parts, step = gpt()
        random.seed(5)
        np.random.seed(6)
        losses.append([(Snapshot(model, *parts) if taken else None, step())[1] for _ in range(10)])
    assert losses[0] == losses[1]


def test_all_rates_keep_their_ratio() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1].parameters(), "lr": 0.4}], lr=0.1
    )
    other = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.2))
    snapshot = Snapshot(model, optimizer, other)
    assert snapshot.lr == 0.1
    optimizer.param_groups[0]["lr"] = 7.0
    optimizer.param_groups[0]["momentum"] = 0.5
    snapshot.restore(lr=0.3)
    rates = [float(group["lr"]) for one in (optimizer, other) for group in one.param_groups]
    assert rates == pytest.approx([0.3, 1.2, 0.6])
    assert isinstance(other.param_groups[0]["lr"], Tensor)
    assert optimizer.param_groups[0]["momentum"] == 0
    snapshot.restore()
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.4]


def test_a_fresh_optimizer_knows_nothing() -> None:
    model, parts, step = gpt()
    for _ in range(3):
        step()
    snapshot = Snapshot(model, *parts)
    snapshot.restore(fresh=True)
    assert not parts[0].state
    snapshot.restore()
    assert {float(state["step"]) for state in parts[0].state.values()} == {3.0}


def test_moments_of_another_type_keep_their_bits() -> None:
    """`load_state_dict` would cast them to the type of the parameter."""
    model = nn.Linear(3, 1).to(torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    held = torch.full_like(model.weight, 1.0 / 3.0, dtype=torch.float32)
    optimizer.state[model.weight]["mine"] = held
    snapshot = Snapshot(model, optimizer)
    optimizer.state.clear()
    snapshot.restore()
    assert torch.equal(optimizer.state[model.weight]["mine"], held)


@pytest.mark.parametrize(
    ("parts", "loss_initial", "message"),
    [
        ((), 1.0, "a snapshot needs the optimizer"),
        (("sgd", 3.0), 1.0, "a float cannot be saved: give optimizers"),
        (("sgd",), 0.0, "loss_initial is 0.0: use a positive loss"),
        (("sgd",), float("inf"), "loss_initial is inf"),
        (("still",), 1.0, "the optimizer's learning rate is 0.0"),
    ],
)
def test_what_cannot_be_saved_is_refused(parts: tuple[Any, ...], loss_initial: float, message: str) -> None:
    model = nn.Linear(2, 1)
    made = {"sgd": torch.optim.SGD(model.parameters(), lr=0.1), "still": torch.optim.SGD(model.parameters(), lr=0.0)}
    with pytest.raises(MeasureError, match=message):
        Snapshot(model, *(made.get(one, one) for one in parts), loss_initial=loss_initial)


def test_a_net_whose_units_are_all_zero_is_dead() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    snapshot = Snapshot(model, torch.optim.SGD(model.parameters(), lr=0.1))
    assert not snapshot.dead()  # no gradient yet
    x, y = torch.randn(10, 3), torch.randn(10, 1)
    for bias, dead in ((0.0, False), (-1e3, True)):
        nn.init.constant_(model[0].bias, bias)
        model.zero_grad()
        (model(x) - y).square().mean().backward()
        assert snapshot.dead() is dead
    assert model[2].bias.grad is not None
    assert float(model[2].bias.grad) != 0.0


def test_gradients_that_a_training_sets_to_zero_after_each_step_show_nothing() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 3)).square().mean().backward()
    optimizer.zero_grad(set_to_none=False)
    snapshot = Snapshot(model, optimizer)
    assert not snapshot.dead()
