"""A class for each token: a lane is a plain loop of the same language model, λ is that of the mean over all tokens."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo_modes
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from trainer_runs import train

from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.evaluation import evaluate
from mlrtui_trainer.facts import loss_of_constant, majority
from mlrtui_trainer.models.base import flatten
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.user_code import keyed, seeded
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import Dataset, NetSpec, TrainSpec

torch.set_num_threads(1)  # as in training
TOKENS, CLASSES, F64 = 6, 5, torch.float64


def text(samples: int) -> Dataset:
    """A walk over the classes, each character mostly the next class."""
    drawn = np.random.default_rng(3)
    steps = (drawn.random(samples * TOKENS + 1) < 0.8).astype(np.int64)
    walk = np.cumsum(steps) % CLASSES
    x, y = (part.reshape(samples, TOKENS) for part in (walk[:-1], walk[1:]))
    return Dataset("text", "tokens", x.astype(np.float64), np.zeros((samples, 0)), y, 0, CLASSES)


def net_of(name: str, mode: str = "function", width: int = 6) -> NetSpec:
    path = Path(zoo_modes.__file__)
    where = {"code_path": str(path.parent), "code_hash": sha256(path.read_bytes()).hexdigest()}
    return NetSpec(f"zoo_modes:{name}", TOKENS, CLASSES, 1, width, "own", **where, tokens=TOKENS, mode=mode)


def fresh(name: str, width: int = 6) -> nn.Module:
    with seeded(1):
        return getattr(zoo_modes, name)(TOKENS, CLASSES, 1, width)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "mode"), [("causal", "function"), ("causal_dropping", "train")])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_lane_is_a_plain_loop_of_the_same_language_model(name: str, mode: str, optimizer: str) -> None:
    data, eta = text(40), 0.3 if optimizer == "sgd" else 0.01
    spec = TrainSpec("ce", 16, 8, 2, optimizer=optimizer, clip=0.5)
    found = train(data, net_of(name, mode), spec, [eta])
    samples, module = Samples.of(data, torch.float32, "cpu"), fresh(name)
    batches = Batches(samples, [1], 16, 2)
    make = torch.optim.SGD if optimizer == "sgd" else torch.optim.AdamW
    decay = {} if optimizer == "sgd" else {"weight_decay": 0.0}
    steps = make(module.parameters(), lr=eta, **decay)
    losses, norms = [], []
    for step in range(8):
        x, _, labels = batches.at(step)
        with keyed(torch.device("cpu"), 1, step, 0):
            f = module(x[0].long())
        loss = nn.functional.cross_entropy(f.flatten(0, 1), labels[0, :, 0])
        losses.append(loss.item())
        steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norms.append(float(nn.utils.clip_grad_norm_(module.parameters(), 0.5)))
        steps.step()
    assert max(norms) > 0.5  # it was clipped
    columns = found.columns[0]
    inside = (columns["step"] % 2 == 1) | (columns["step"] == 0)
    np.testing.assert_allclose(columns["loss"][inside], np.array(losses)[columns["step"][inside]], rtol=3e-5)
    module.eval()
    f, labels = module(samples.x.long()).flatten(0, 1), samples.labels.flatten()
    assert found.outcomes[0].loss_final == pytest.approx(nn.functional.cross_entropy(f, labels).item(), rel=3e-5)
    assert found.outcomes[0].final_accuracy == pytest.approx(float((f.argmax(1) == labels).double().mean()), abs=1e-12)


def test_lambda_against_dense_double_precision() -> None:
    samples = Samples.of(text(4), F64, "cpu")
    model = build(net_of("causal", width=2), x=samples.x)
    weights, module = model.initial_weights([1], F64, "cpu"), fresh("causal", width=2).double()
    flat, named = flatten(weights)[0], dict(module.named_parameters())

    def outputs(flat: Tensor) -> Tensor:
        cut = torch.split(flat, [one.numel() for one in named.values()])
        given = {name: part.reshape(one.shape) for part, (name, one) in zip(cut, named.items(), strict=True)}
        f: Tensor = functional_call(module, given, (samples.x.long(),)).flatten(0, 1)
        return f

    def loss(flat: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs(flat), samples.labels.flatten())

    with sdpa_kernel(SDPBackend.MATH):
        dense = torch.autograd.functional.hessian(loss, flat)
        jacobian = torch.autograd.functional.jacobian(outputs, flat)  # [rows, classes, n_params]
    p = torch.softmax(outputs(flat), -1)
    newton = torch.einsum("rai,rab,rbj->ij", jacobian, torch.diag_embed(p) - p[:, :, None] * p[:, None], jacobian)
    for name, right in (("hessian", dense), ("gauss-newton", newton / len(p))):
        matrix = curvature(model, weights, samples.x, samples.y, "ce", name)
        found = torch.stack([matrix.apply(row[None])[0] for row in torch.eye(len(flat), dtype=F64)])
        torch.testing.assert_close(found, right, rtol=1e-8, atol=1e-11)


def test_what_a_net_that_has_learnt_nothing_gets() -> None:
    samples = Samples.of(text(40), torch.float32, "cpu")
    shares = np.bincount(samples.labels.flatten()) / samples.labels.numel()
    assert loss_of_constant(samples, "ce") == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-6)
    assert majority(samples) == pytest.approx(shares.max())


def test_bf16_trains_in_lower_precision_and_measures_lambda_in_full() -> None:
    samples = Samples.of(text(16), torch.float32, "cpu")
    full, low = (build(net_of("causal"), x=samples.x, precision=how) for how in ("", "bf16"))
    weights = full.initial_weights([1], torch.float32, "cpu")
    a, b = (evaluate(model, weights, samples, "ce").loss[0] for model in (full, low))
    assert a != b
    assert b == pytest.approx(a, rel=2e-2)
    with torch.autocast("cpu", torch.bfloat16):
        f = fresh("causal")(samples.x.long()).float()
    assert b == pytest.approx(nn.functional.cross_entropy(f.flatten(0, 1), samples.labels.flatten()).item(), rel=1e-3)
    v = torch.ones(1, full.n_params)
    products = [curvature(m, weights, samples.x, samples.y, "ce", "hessian").apply(v) for m in (full, low)]
    assert torch.equal(*products)
    spec = TrainSpec("ce", 8, 4, 2, precision="bf16")
    losses = train(text(16), net_of("causal"), spec, [0.3], every=2).columns[0]["loss"]
    np.testing.assert_allclose(losses, train(text(16), net_of("causal"), spec, [0.3]).columns[0]["loss"], rtol=1e-6)


def test_bf16_is_refused_where_derivatives_are_by_hand() -> None:
    with pytest.raises(ValueError, match="mlp: precision 'bf16' is for models that are differentiated automatically"):
        build(NetSpec("mlp", 4, 2, 1, 3), precision="bf16")
