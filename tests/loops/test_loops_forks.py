"""η* from a snapshot of a training: closed forms, at step 0 the search itself, and afterwards all is as it was."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import mlrtui

CURVATURE = 4.0
STEPS = 150


class Bowl(nn.Module):
    """A loss of ``CURVATURE`` / 2 · w², beside a flat direction."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))

    def forward(self) -> torch.Tensor:
        return 0.5 * CURVATURE * self.w[0] ** 2 + 0.01 * self.w[1] ** 2


Fork = Callable[[float, Any], None]


def bowl(steps: int, **settings: float) -> tuple[nn.Module, torch.optim.Optimizer, Fork, float]:
    """Trained for some steps at a gentle rate; with what goes on from there, and the loss before."""
    model = Bowl()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, **settings)
    begun = float(model().detach())

    def step() -> float:
        optimizer.zero_grad()
        loss = model()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    for _ in range(steps):
        step()

    def fork(lr: float, report: Any) -> None:
        assert optimizer.param_groups[0]["lr"] == pytest.approx(lr)
        for number in range(STEPS):
            if not report(number, step()):
                return

    return model, optimizer, fork, begun


@pytest.mark.parametrize("steps", [0, 3, 20])
@pytest.mark.parametrize(("beta", "edge"), [(0.0, 2.0 / CURVATURE), (0.5, 3.0 / CURVATURE)])
def test_the_edge_of_a_quadratic_is_the_same_at_every_step(steps: int, beta: float, edge: float) -> None:
    model, optimizer, fork, begun = bowl(steps, momentum=beta)
    snapshot = mlrtui.Snapshot(model, optimizer, loss_initial=begun)
    found = mlrtui.find_max_lr(fork, at=snapshot, tolerance=0.02)
    assert found.eta_star == pytest.approx(edge, rel=0.03)
    assert found.repeatable
    assert all(trial.loss_initial == begun for trial in found.trials)


def test_before_the_first_step_it_is_the_search_itself() -> None:
    model, optimizer, fork, begun = bowl(0, momentum=0.9)

    def whole(lr: float, report: Any) -> None:
        _, optimizer, again, _ = bowl(0, momentum=0.9)
        optimizer.param_groups[0]["lr"] = lr
        again(lr, report)

    at = mlrtui.find_max_lr(fork, at=mlrtui.Snapshot(model, optimizer, loss_initial=begun))
    searched = mlrtui.find_max_lr(whole, start=0.02)
    assert at.eta_star == searched.eta_star
    assert at.trials == searched.trials


def test_the_training_goes_on_as_if_nothing_had_been() -> None:
    model, optimizer, fork, begun = bowl(5, momentum=0.9)
    _, _, plain_fork, _ = bowl(5, momentum=0.9)
    mlrtui.find_max_lr(fork, at=mlrtui.Snapshot(model, optimizer, loss_initial=begun))
    assert optimizer.param_groups[0]["lr"] == 0.02
    losses: tuple[list[float], list[float]] = ([], [])
    for run, kept in ((fork, losses[0]), (plain_fork, losses[1])):
        run(0.02, lambda step, loss, kept=kept: kept.append(loss) or True)
    assert losses[0] == losses[1]


def test_also_where_a_fork_fails() -> None:
    model, optimizer, fork, _ = bowl(5)
    before = [p.detach().clone() for p in model.parameters()]

    def breaks(lr: float, report: Any) -> None:
        fork(lr, report)
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        mlrtui.find_max_lr(breaks, at=mlrtui.Snapshot(model, optimizer))
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_a_velocity_that_is_kept_is_another_question() -> None:
    ends: list[dict[float, float]] = []
    for state in ("keep", "fresh"):
        model, optimizer, fork, _ = bowl(3, momentum=0.9)
        at = mlrtui.Snapshot(model, optimizer)
        found = mlrtui.find_max_lr(fork, at=at, optimizer_state=state)  # type: ignore[arg-type]
        ends.append({trial.lr: trial.loss_final for trial in found.trials})
    both = ends[0].keys() & ends[1].keys()
    assert both
    assert all(ends[0][lr] != ends[1][lr] for lr in both)


def test_a_fitted_net_is_refused_and_a_nearly_fitted_one_noted() -> None:
    model, optimizer, fork, _ = bowl(20)
    with pytest.raises(mlrtui.BadInput, match=r"the net is fitted \(loss .*, at the start 1e\+06\)"):
        mlrtui.find_max_lr(fork, at=mlrtui.Snapshot(model, optimizer, loss_initial=1e6))
    found = mlrtui.find_max_lr(fork, at=mlrtui.Snapshot(model, optimizer, loss_initial=1e3), check=False)
    assert found.note.startswith("nearly fitted")
    assert "nearly fitted" in repr(found)


def test_what_does_not_belong_together_is_one_line(tmp_path: Any) -> None:
    model, optimizer, fork, _ = bowl(0)
    at = mlrtui.Snapshot(model, optimizer)
    for options, message in (
        ({"at": at, "seeds": 2}, "at is a snapshot: its training has one seed"),
        ({"at": at, "store": tmp_path / "a.db"}, "at is a snapshot"),
        ({"optimizer_state": "fresh"}, "it is of a snapshot; add at="),
        ({"at": at, "optimizer_state": "new"}, "optimizer_state is 'new': use"),
        ({"at": at, "start": -1.0}, "start is -1.0: use a positive learning rate"),
    ):
        with pytest.raises(mlrtui.BadInput, match=message):
            mlrtui.find_max_lr(fork, **options)  # type: ignore[arg-type]


def test_a_net_that_died_has_not_survived_though_its_loss_fell() -> None:
    """All units of a small ReLU net are zero after a large step, and the loss is that of an output of 0."""
    torch.manual_seed(0)
    x = torch.rand(32, 64)  # all positive: one large step along their mean takes all units below 0
    y = torch.sign(torch.randn(32, 1))
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU(), nn.Linear(64, 1, bias=False))
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, std=(2.0 / layer.in_features) ** 0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def loss_of() -> torch.Tensor:
        return 0.5 * (model(x) - y).square().mean()

    def fork(lr: float, report: Any) -> None:
        for step in range(100):
            optimizer.zero_grad()
            loss = loss_of()
            if not report(step, loss):
                return
            loss.backward()
            optimizer.step()

    begun = float(loss_of().detach())
    constant = 0.5 * float(y.var(unbiased=False))
    assert constant < begun  # so that the loss of a dead net is an improvement
    at = mlrtui.Snapshot(model, optimizer, loss_initial=begun, loss_constant=constant)
    found = mlrtui.find_max_lr(fork, at=at, tolerance=0.1, check=False)
    dead = [trial for trial in found.trials if trial.verdict == "dead"]
    assert dead
    assert all(trial.loss_final < begun and not trial.success for trial in dead)
    assert found.eta_star < max(trial.lr for trial in dead)
