"""Users' own nets: λ is verified or refused by name, and what is trained is what the factory returned."""

import random
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo_refused
import zoo_right
import zoo_wrong
from torch import Tensor
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.curvature.verification import verdict
from mlrtui_trainer.inspection import inspect
from mlrtui_trainer.models.base import Weights, flatten
from mlrtui_trainer.models.factory import FactoryError, from_factory
from mlrtui_trainer.models.general import General
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import SAME_NETS, Dataset, LambdaAtInit, NetSpec, Probe, SharpnessSpec, TrainSpec
from mlrtui_trainer.worker import run_task

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # torch.compile imports it

DATA = digits(96)
F32, F64 = torch.float32, torch.float64


def net_of(name: str, inputs: int = 64, width: int = 8) -> NetSpec:
    zoo = next(one for one in (zoo_wrong, zoo_refused, zoo_right) if hasattr(one, name))
    path = Path(str(zoo.__file__))
    code_hash = sha256(path.read_bytes()).hexdigest()
    return NetSpec(f"{path.stem}:{name}", inputs, 10, 2, width, "own", code_path=str(path.parent), code_hash=code_hash)


def samples(data: Dataset = DATA, dtype: torch.dtype = F32) -> Samples:
    return Samples.of(data, dtype, "cpu")


def model_of(name: str, given: Samples | None = None, width: int = 8) -> General:
    given = given or samples()
    return from_factory(net_of(name, given.x.shape[1], width), given.x)


@pytest.mark.parametrize("name", zoo_right.RIGHT)
def test_a_right_net_is_taken_and_its_lambda_believed(name: str) -> None:
    model, given = model_of(name), samples()
    weights = model.initial_weights([1], F32, "cpu")
    for operator in ("gauss-newton", "hessian"):
        found = verdict(model, weights, given, "ce", operator)
        assert found.refused == ""
        assert found.how == ("symmetry only" if name == "single_inside" else "differences in double precision")
        assert 0.0 < found.error < 1e-5  # right nets differ by 4e-8, wrong ones by 5e-3


@pytest.mark.parametrize("name", zoo_wrong.WRONG)
def test_a_wrong_second_derivative_is_refused_by_name(name: str) -> None:
    model, given = model_of(name), samples()
    weights = model.initial_weights([1], F32, "cpu")
    for operator, said in zip(("hessian", "gauss-newton"), zoo_wrong.WRONG[name], strict=True):
        found = verdict(model, weights, given, "mse", operator)
        assert said in found.refused if said else found.refused == "", found


@pytest.mark.parametrize("name", zoo_refused.REFUSED)
def test_what_is_no_function_of_weights_and_sample_is_refused_by_name(name: str) -> None:
    with pytest.raises(FactoryError) as refused:
        model_of(name)
    assert zoo_refused.REFUSED[name] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["normed", "normed_as_before", "normed_by_hand"])
def test_products_are_those_of_differences_of_gradients(name: str) -> None:
    given = samples(digits(24), F64)
    model = model_of(name, given, width=3)
    weights = model.initial_weights([1], F64, "cpu")
    flat, h = flatten(weights), 1e-5

    def gradient(at: Tensor) -> Tensor:
        moved = Weights(tuple(model._parts(at)), nets=weights.nets)
        trace = model.forward(moved, given.x[None])
        return flatten(model.gradient(moved, trace, (torch.softmax(trace.f, -1) - given.y) / given.count))

    hessian = curvature(model, weights, given.x, given.y, "ce", "hessian")
    vectors = torch.randn(4, 1, model.n_params, generator=torch.Generator().manual_seed(2), dtype=F64)
    products = [hessian.apply(v) for v in vectors]
    for v, product in zip(vectors, products, strict=True):
        difference = (gradient(flat + h * v) - gradient(flat - h * v)) / (2 * h)
        assert float((product - difference).norm() / product.norm()) < 1e-6
    asymmetry = (vectors[0] * products[1]).sum() - (vectors[1] * products[0]).sum()
    assert abs(float(asymmetry)) < 1e-10


def test_complex_parameters_are_pairs_of_real_ones() -> None:
    given = samples(dtype=F64)
    pairs, split = model_of("spectrum", given), model_of("spectrum_split", given)
    assert pairs.n_params == split.n_params == 2 * 33 + 64 * 10 + 10
    weights = pairs.initial_weights([1], F64, "cpu")
    assert torch.equal(flatten(weights), flatten(split.initial_weights([1], F64, "cpu")))
    for optimizer in ("sgd", "momentum", "adam"):
        spec = TrainSpec("ce", 32, 6, 3, "float64", optimizer)
        runs = [train(DATA, net_of(name), spec, [0.05], every=2) for name in ("spectrum", "spectrum_split")]
        for column in ("loss", "sharpness"):
            a, b = (run.columns[0][column] for run in runs)
            assert a == pytest.approx(b, rel=1e-9, nan_ok=True)
    module = zoo_right.spectrum(64, 10, 2, 8)
    own = dict(module.named_parameters())
    with torch.no_grad():
        for key, w in zip(own, weights.w, strict=True):
            own[key].copy_(torch.complex(w[0, 0], w[0, 1]) if own[key].is_complex() else w[0])
    optimizer_of_torch = torch.optim.Adam(own.values(), lr=0.05)
    losses = []
    for _ in range(6):
        optimizer_of_torch.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(given.x.float()), given.labels[:, 0])
        losses.append(loss.item())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer_of_torch.step()
    run = train(DATA, net_of("spectrum"), TrainSpec("ce", 96, 5, 1, "float64", "adam"), [0.05])
    assert run.columns[0]["loss"] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("held", ["in_buffer", "in_tensor", "in_list"])
def test_each_seed_has_what_its_module_holds(held: str) -> None:
    how = SharpnessSpec("hessian", 2, others=("gauss-newton",))
    spec = TrainSpec("ce", 32, 4, 3)
    trials = [trial(seed, 0.2, seed=seed) for seed in (0, 1, 2)]
    runs = [run_trials(DATA, net_of(name), spec, trials, how=how) for name in (held, "in_parameter")]
    for seed in (0, 1, 2):
        a, b = (run.columns[seed] for run in runs)
        assert a["loss"].tolist() == b["loss"].tolist()
        assert a["sharpness"][0] == b["sharpness"][0] > 0
    assert len({run.columns[seed]["sharpness"][0] for run in runs for seed in (0, 1, 2)}) == 3


def test_lanes_of_several_nets_run_as_one_program_each() -> None:
    model, given = model_of("in_buffer"), samples()
    weights = model.initial_weights([2, 1, 2, 0], F32, "cpu")
    x = given.x[None]
    alone = model.forward(weights, x).f
    together, _ = model._together(weights.w, x, weights.nets)
    torch.testing.assert_close(together, alone)
    own = torch.stack([given.x[i : i + 20] for i in range(4)])
    torch.testing.assert_close(model._together(weights.w, own, weights.nets)[0], model.forward(weights, own).f)


def test_a_first_look_at_the_data_is_part_of_the_initial_net() -> None:
    given = samples()
    module = zoo_right.by_data(64, 10, 2, 8)
    for name, w in zip(
        dict(module.named_parameters()), model_of("by_data").initial_weights([1], F32, "cpu").w, strict=True
    ):
        if name == "first.weight":
            first = w[0]
        elif name == "first.bias":
            bias = w[0]
        elif name == "gain":
            gain = w[0]
    torch.testing.assert_close(gain, 1 / (given.x @ first.T + bias).std(0))
    lazy = model_of("lazy")
    assert [w.shape[1:] for w in lazy.initial_weights([1], F32, "cpu").w] == [(8, 64), (8,), (10, 8), (10,)]


@pytest.mark.parametrize("name", ["by_numpy", "by_python", "tanh"])
def test_every_generator_is_seeded_and_put_back(name: str) -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    model = model_of(name)
    one, again, other = (model.initial_weights([seed], F64, "cpu").w[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]


def test_a_net_that_is_the_same_for_every_seed_is_reported() -> None:
    task = SharpnessSpec(), TrainSpec("ce", 96, 5, 1)
    for name, same in (("zero_all", True), ("tanh", False)):
        (measured, _) = run_task(Probe(1, "digits", net_of(name), task[1], task[0], ((1, 1),)), DATA, "cpu")
        assert isinstance(measured, LambdaAtInit)
        assert (SAME_NETS in measured.remarks) == same


def tokens(largest: int = 16) -> Dataset:
    drawn = np.random.RandomState(0)
    x, labels = drawn.randint(0, largest + 1, (60, 12)).astype(np.float64), drawn.randint(0, 10, 60)
    return Dataset("tokens", "classes", x, np.eye(10)[labels], labels.astype(np.int64))


def test_whole_numbers_reach_a_net_that_wants_them() -> None:
    given = samples(tokens())
    model = model_of("embedded", given)
    assert model.made is not None
    assert model.made.integers
    weights = model.initial_weights([1], F32, "cpu")
    table, w, bias = (one[0] for one in weights.w)
    expected = table[given.x.long()].flatten(1) @ w.T + bias
    torch.testing.assert_close(model.forward(weights, given.x[None]).f[0], expected)
    assert verdict(model, weights, given, "ce", "hessian").refused == ""
    shifted = samples(Dataset("real", "classes", tokens().x - 0.5, tokens().y, tokens().labels))
    with pytest.raises(FactoryError, match="forward raised RuntimeError"):
        model_of("embedded", shifted)
    with pytest.raises(FactoryError, match="not all exact in float32"):
        model_of("huge_tokens", samples(tokens(1 << 25)))


def test_training_goes_on_where_lambda_is_refused() -> None:
    spec, how = TrainSpec("ce", 96, 5, 1), SharpnessSpec("hessian", 1, others=("gauss-newton",))
    bad, good = (run_trials(DATA, net_of(name), spec, [trial(0, 0.5)], how=how) for name in ("saved", "silu"))
    assert bad.columns[0]["loss"] == pytest.approx(good.columns[0]["loss"], rel=1e-5)
    assert np.isnan(bad.columns[0]["sharpness"]).all()
    assert not bad.columns[0]["products"].any()
    assert not bad.columns[0]["flags"].any() or set(bad.columns[0]["flags"].tolist()) <= {0, 128}
    assert {operator for _, operator, *_ in bad.beside[0]} == {"gauss-newton"}
    values = [[value for *_, value, _ in run.beside[0]] for run in (bad, good)]
    assert values[0] == pytest.approx(values[1], rel=5e-3)
    nothing = run_trials(DATA, net_of("once"), spec, [trial(0, 0.5)], how=how)
    assert nothing.beside[0] == []
    assert np.isnan(nothing.columns[0]["sharpness"]).all()
    assert nothing.columns[0]["loss"] == pytest.approx(good.columns[0]["loss"], rel=1e-5)


def test_lambda_at_initialisation_is_missing_where_it_is_refused_and_only_there() -> None:
    task = Probe(1, "digits", net_of("saved"), TrainSpec("ce", 96, 5, 1), SharpnessSpec(), ((7, 1), (8, 2)))
    *measured, _ = run_task(task, DATA, "cpu")
    right, *_ = run_task(Probe(1, "digits", net_of("silu"), task.train, task.sharpness, task.nets), DATA, "cpu")
    assert isinstance(right, LambdaAtInit)
    for one in measured:
        assert isinstance(one, LambdaAtInit)
        assert np.isnan(one.hessian)
        assert [operator for operator, _ in one.refused] == ["hessian"]
    assert isinstance(measured[0], LambdaAtInit)
    assert measured[0].main == pytest.approx(right.main, rel=2e-3)
    assert measured[0].preconditioned == measured[0].gauss_newton == measured[0].main


def test_an_inspection_tells_what_will_be_trained() -> None:
    train_spec, how = TrainSpec("ce", 32, 5, 3), SharpnessSpec("gauss-newton", 1, others=("hessian",))
    seen = inspect(net_of("saved"), train_spec, how, DATA, 1, "cpu", timed=True)
    text = "\n".join(seen.lines)
    n = 64 * 8 + 8 + 8 * 8 + 8 + 8 * 10 + 10
    assert f"{n} parameters" in text
    assert "x [samples, 64] float32, from " in text
    assert "λ (gauss-newton): checked by differences in double precision" in text
    assert "λ (hessian): refused: derivatives of autograd.Function Saved in Act '1'" in text
    assert "a step " in text
    assert [operator for operator, _ in seen.refused] == ["hessian"]
