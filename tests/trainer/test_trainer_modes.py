"""Nets in training mode: a lane is a plain PyTorch loop, its masks are its own, λ is that of what its steps descend."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo_modes
from torch import Tensor, nn
from torch.func import functional_call
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.evaluation import in_training
from mlrtui_trainer.inspection import inspect
from mlrtui_trainer.models.base import flatten
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.factory import FactoryError
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.modes import InTraining
from mlrtui_trainer.models.user_code import keyed, seeded
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

DATA = digits(96)
torch.set_num_threads(1)  # as in training
CPU, F64 = torch.device("cpu"), torch.float64


def net_of(name: str, width: int = 6, mode: str = "train") -> NetSpec:
    path = Path(zoo_modes.__file__)
    code_hash = sha256(path.read_bytes()).hexdigest()
    where = {"code_path": str(path.parent), "code_hash": code_hash}
    return NetSpec(f"zoo_modes:{name}", 64, 10, 2, width, "own", **where, mode=mode)


def moded(name: str, samples: Samples, batch: int, width: int = 6) -> InTraining:
    model = build(net_of(name, width), x=samples.x, batch=batch)
    assert isinstance(model, InTraining)
    return model


def fresh(name: str, seed: int, width: int = 6) -> nn.Module:
    """The module of a seed as its factory returns it."""
    with seeded(seed):
        return getattr(zoo_modes, name)(inputs=64, outputs=10, depth=2, width=width)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["residual", "dropping", "both"])
@pytest.mark.parametrize("batch", [32, 96])
def test_a_lane_is_a_plain_loop_of_the_same_net(name: str, batch: int) -> None:
    """The loop as PyTorch's pages write it: train(), backward, step; eval() at the ends of epochs."""
    seed, eta, epochs = 1, 0.3, 3
    samples = Samples.of(DATA, torch.float32, "cpu")
    spec = TrainSpec("ce", batch, epochs * (96 // batch), 96 // batch)
    found = train(DATA, net_of(name), spec, [eta])
    module, batches = fresh(name, seed), Batches(samples, [seed], batch, 96 // batch)
    sgd = torch.optim.SGD(module.parameters(), lr=eta)
    losses, shares = [], []

    def accuracy() -> float:
        module.eval()
        with torch.no_grad():
            right = (module(samples.x).argmax(1) == samples.labels[:, 0]).double().mean().item()
        module.train()
        return float(right)

    for step in range(spec.max_steps):
        if step % spec.steps_per_epoch == 0:
            shares.append(accuracy())
        x, _, labels = batches.at(step)
        with keyed(CPU, seed, step, 0):
            loss = nn.functional.cross_entropy(module(x[0]), labels[0, :, 0])
        losses.append(loss.item())
        sgd.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        sgd.step()
    shares.append(accuracy())
    columns = found.columns[0]
    of_batches = [i for i, step in enumerate(columns["step"]) if batch == 96 or step % spec.steps_per_epoch]
    ours = columns["loss"][of_batches[: spec.max_steps]]
    at = columns["step"][of_batches[: spec.max_steps]]
    np.testing.assert_allclose(ours[at < spec.max_steps], np.array(losses)[at[at < spec.max_steps]], rtol=2e-5)
    measured = columns["accuracy"][~np.isnan(columns["accuracy"])]
    np.testing.assert_allclose(measured[-len(shares) :] if batch == 32 else measured, shares, atol=1e-12)
    module.eval()
    final = nn.functional.cross_entropy(module(samples.x), samples.labels[:, 0]).item()
    assert found.outcomes[0].loss_final == pytest.approx(final, rel=2e-5)


def test_what_lanes_carry_is_what_the_module_has_after_its_steps() -> None:
    samples = Samples.of(DATA, torch.float32, "cpu")
    model = moded("both", samples, 32)
    weights, module = model.initial_weights([1], torch.float32, "cpu"), fresh("both", 1)
    for step in range(2):
        x = samples.x[32 * step : 32 * step + 32]
        model.advance_(weights, model.forward(weights, x[None]))
        with keyed(CPU, 1, step, 0):
            module(x)
    clock, *state = weights.state
    assert clock.tolist() == [2]
    assert [int(one) for one in state if one.dtype == torch.int64] == [2]
    for ours, theirs in zip(state, module.buffers(), strict=True):
        torch.testing.assert_close(ours[0], theirs)


@pytest.mark.parametrize("name", ["both", "dropping"])
def test_a_trial_is_the_same_alone_and_in_company(name: str) -> None:
    spec, how = TrainSpec("ce", 32, 6, 3), SharpnessSpec(every=2)
    alone = run_trials(DATA, net_of(name), spec, [trial(1, 0.2)], how=how)
    beside = run_trials(DATA, net_of(name), spec, [trial(0, 0.4), trial(1, 0.2), trial(2, 0.1, seed=2)], how=how)
    assert alone.bits(1) == beside.bits(1)
    assert beside.bits(1) != beside.bits(2)


class Dense:
    """The loss in training mode as a function of a flat vector, written without anything of ours but the keys."""

    def __init__(self, module: nn.Module, samples: Samples, batch: int, step: int, seed: int = 1) -> None:
        self.module, self.samples, self.batch, self.step, self.seed = module.double(), samples, batch, step, seed
        self.named = dict(module.named_parameters())

    def outputs(self, flat: Tensor) -> list[Tensor]:
        at, given = 0, {}
        for name, one in self.named.items():
            given[name] = flat[at : at + one.numel()].reshape(one.shape)
            at += one.numel()
        buffers = {name: one.clone() for name, one in self.module.named_buffers()}
        found = []
        for part, first in enumerate(range(0, self.samples.count - self.batch + 1, self.batch)):
            with keyed(CPU, self.seed, self.step, part):
                found.append(
                    functional_call(self.module, given | buffers, (self.samples.x[first : first + self.batch],))
                )
        return found

    def __call__(self, flat: Tensor) -> Tensor:
        total = torch.zeros((), dtype=F64)
        for part, f in enumerate(self.outputs(flat)):
            rows = slice(part * self.batch, (part + 1) * self.batch)
            total = total + nn.functional.cross_entropy(f, self.samples.labels[rows, 0])
        return total / (self.samples.count // self.batch)


@pytest.mark.parametrize(("batch", "count"), [(12, 12), (6, 14)])
def test_lambda_in_training_mode_against_dense_double_precision(batch: int, count: int) -> None:
    samples = Samples.of(digits(count), F64, "cpu")
    model = moded("both", samples, batch, width=2)
    weights = model.initial_weights([1], F64, "cpu")
    for _ in range(3):
        model.advance_(weights, model.forward(weights, samples.x[None, :batch]))
    flat, loss = flatten(weights)[0], Dense(fresh("both", 1, width=2), samples, batch, 3)
    dense = torch.autograd.functional.hessian(loss, flat)
    jacobian = torch.autograd.functional.jacobian(lambda v: torch.cat(loss.outputs(v)), flat)  # [rows, 10, n_params]
    p = torch.softmax(torch.cat(loss.outputs(flat)), -1)  # [rows, 10]
    bend = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    newton = torch.einsum("rai,rab,rbj->ij", jacobian, bend, jacobian) / len(p)
    for name, right in (("hessian", dense), ("gauss-newton", newton)):
        matrix = curvature(model, weights, samples.x, samples.y, "ce", name)
        found = torch.stack([matrix.apply(row[None])[0] for row in torch.eye(len(flat), dtype=F64)])
        torch.testing.assert_close(found, right, rtol=1e-8, atol=1e-10)
    assert in_training(model, weights, samples, "ce")[0] == pytest.approx(float(loss(flat)), rel=1e-10)


def test_lambda_of_a_full_batch_is_of_the_loss_that_the_step_descends() -> None:
    """The same masks: a step's gradient is the derivative of the loss whose second derivative λ is of."""
    samples = Samples.of(digits(24), F64, "cpu")
    model = moded("both", samples, 24)
    weights, loss = model.initial_weights([1], F64, "cpu"), LOSSES["ce"]
    for step in range(2):
        trace, flat = model.forward(weights, samples.x[None]), flatten(weights)[0]
        signal = loss.signal(loss.start(trace.f, samples.y[None]), samples.y[None]) / 24
        right = torch.autograd.functional.jacobian(Dense(fresh("both", 1), samples, 24, step), flat)
        torch.testing.assert_close(flatten(model.gradient(weights, trace, signal))[0], right, rtol=1e-9, atol=1e-12)
        other = torch.autograd.functional.jacobian(Dense(fresh("both", 1), samples, 24, step + 1), flat)
        assert float((other - right).norm()) > 0.1 * float(right.norm())  # another step has another mask
        model.advance_(weights, trace)


@pytest.mark.parametrize("name", zoo_modes.REFUSED)
def test_what_a_lane_cannot_carry_is_refused_by_name(name: str) -> None:
    samples = Samples.of(DATA, torch.float32, "cpu")
    with pytest.raises(FactoryError) as refused:
        build(net_of(name), x=samples.x, batch=32)
    assert zoo_modes.REFUSED[name] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_the_mode_such_nets_are_refused_and_told_of_it() -> None:
    samples = Samples.of(DATA, torch.float32, "cpu")
    for name, where in (("residual", "BatchNorm2d"), ("dropping", "Dropout")):
        with pytest.raises(FactoryError, match=where) as refused:
            build(net_of(name, mode="function"), x=samples.x)
        assert 'or set model.mode = "train"' in str(refused.value)


def test_the_dry_run_checks_lambda_in_training_mode() -> None:
    spec = TrainSpec("ce", 32, 6, 3)
    seen = inspect(net_of("both"), spec, SharpnessSpec(operator="hessian"), DATA, 1, "cpu", timed=True)
    assert seen.refused == ()
    assert any("checked by differences in double precision" in line for line in seen.lines)
    assert any("in training mode" in line and "32" in line for line in seen.lines)
