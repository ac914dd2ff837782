"""A trial gives the same bits alone and in company: rows, sharpness and outcome (CPU, one thread)."""

from itertools import product

import pytest
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer.lanes import lanes_per_chunk
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

ETA = 0.02


def company(count: int):
    """Neighbours with other seeds, other rates, and rates that blow up at once."""
    return [trial(i, ETA * (1.0, 2.0, 0.5, 30.0, 1e3)[i % 5], seed=(1, 4, 5, 6)[i % 4]) for i in range(count)]


def compare(data, net, spec, counts, every, operator="gauss-newton", how=None):
    mine = trial(500, ETA)
    alone = run_trials(data, net, spec, [mine], every, operator, how).bits(500)
    for count in counts:
        others = company(count)
        trials = [*others[: count // 2], mine, *others[count // 2 :]]
        assert run_trials(data, net, spec, trials, every, operator, how).bits(500) == alone, f"beside {count}"


@pytest.mark.parametrize(
    ("activation", "loss", "full"), product(("relu", "tanh", "gelu", "linear"), ("ce", "mse"), (0, 1))
)
def test_bits_do_not_depend_on_company(activation, loss, full):
    data = digits(64, "classes" if loss == "ce" else "parity")
    net = NetSpec("mlp", 64, data.y.shape[1], 2, 16, activation)
    batch = 64 if full else 16
    assert lanes_per_chunk(Mlp.of(net), batch, 4, "cpu", own_inputs=not full) > 60
    compare(data, net, TrainSpec(loss, batch, 5, 64 // batch), (1, 7, 63), every=1)


@pytest.mark.parametrize(
    ("samples", "width", "inputs", "bias", "dtype", "operator"),
    [
        (50, 17, 64, True, "float32", "hessian"),  # nothing starts on a line: lanes run one by one
        (50, 16, 64, False, "float32", "gauss-newton"),  # steps together, samples one by one
        (64, 16, 64, True, "float64", "hessian"),
        (64, 24, 5, True, "float32", "gauss-newton"),
        (64, 128, 64, False, "float32", "hessian"),
    ],
)
@pytest.mark.parametrize("batch", [16, None])
def test_odd_shapes_biases_and_doubles(samples, width, inputs, bias, dtype, operator, batch):
    data = digits(samples)
    data = type(data)(data.data_id, data.kind, data.x[:, :inputs], data.y, data.labels)
    batch = batch or samples
    net = NetSpec("mlp", inputs, 10, 2, width, "relu", bias, layer_lr=(0.1, 1.0, 1.0))
    compare(data, net, TrainSpec("ce", batch, 6, samples // batch, dtype), (7,), every=2, operator=operator)


@pytest.mark.parametrize("batch", [16, 64])
@pytest.mark.parametrize(
    "how",
    [
        SharpnessSpec("hessian", 1, rest_every=6),
        SharpnessSpec("ntk", 1, others=("gauss-newton", "hessian"), top=3),
        SharpnessSpec("gauss-newton", 2, samples=24, rest_every=4, top=2),
        SharpnessSpec("hessian", 2, samples=27, exact=True),
    ],
    ids=["rest", "several", "probe", "exact"],
)
def test_every_way_of_measuring(batch, how):
    compare(digits(64), NetSpec("mlp", 64, 10, 2, 16), TrainSpec("ce", batch, 24, 64 // batch), (7,), 1, how=how)


def test_a_single_input_and_a_single_output():
    data = digits(16, "parity")
    data = type(data)(data.data_id, data.kind, data.x[:, 30:31], data.y, data.labels)
    compare(data, NetSpec("two-layer-linear", 1, 1, 1, 512, "linear"), TrainSpec("mse", 16, 6, 1), (1, 7), every=1)


def test_the_width_of_a_catapult():
    data = digits(128, "parity")
    compare(data, NetSpec("mlp", 64, 1, 1, 512), TrainSpec("mse", 128, 4, 1), (7,), every=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1792, 1797])  # many pieces, all alike or with a last one that runs lane by lane
def test_evaluation_in_many_pieces(samples, dtype):
    net, spec = NetSpec("mlp", 64, 10, 1, 16), TrainSpec("ce", 64, 8, 2, dtype)
    compare(digits(samples), net, spec, (1, 7, 31), every=0)
