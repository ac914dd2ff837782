"""Parametrizations and layer sizes of convolutional nets and transformers, by their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer.layers import PROBE_SAMPLES, LayerCheck
from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.general import General
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, StepBatch, TrainSpec

CNN = NetSpec("cnn", 64, 10, 2, 8, "relu", shape=(1, 8, 8))
TRANSFORMER = NetSpec("transformer", 64, 10, 1, 32, "gelu", shape=(1, 8, 8))
KINDS = {"cnn": CNN, "transformer": TRANSFORMER}
POWERS = {  # of width / base width: rates of input, hidden and output layers, deviation of the output layer
    "ntk": (0.0, -1.0, -1.0, 0.0),
    "mup": (1.0, 0.0, -1.0, -0.5),
    "sp-full-align": (0.5, -0.5, -1.0, 0.0),
}
ROLES = {
    "cnn": ("input", "hidden", "output"),
    "transformer": ("input", "input", "hidden", "hidden", "hidden", "hidden", "output"),
}


def made(net: NetSpec, optimizer: str = "sgd") -> General:
    model = build(net, optimizer)
    assert isinstance(model, General)
    return model


def rms(values: Tensor) -> float:
    return values.square().mean().sqrt().item()


@pytest.mark.parametrize("name", POWERS)
@pytest.mark.parametrize("kind", KINDS)
def test_rates_and_deviations_follow_the_table(kind: str, name: str) -> None:
    net = replace(KINDS[kind], parametrization=name, base_width=KINDS[kind].width // 4, layer_lr=(0.5, 2.0, 3.0))
    into, hidden, out, deviation = POWERS[name]
    rates = {"input": 0.5 * 4**into, "hidden": 2.0 * 4**hidden, "output": 3.0 * 4**out}
    model, plain = made(net), made(replace(net, parametrization="sp"))
    assert model.rate == tuple(rates[role] for role in ROLES[kind])
    *below, top = zip(model.draw(5), plain.draw(5), strict=True)
    assert all((one == other).all() for one, other in below)
    assert top[0] == pytest.approx(top[1] * 4**deviation, rel=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_all_are_the_same_net_at_the_base_width(kind: str) -> None:
    data, how, net = digits(32), TrainSpec("ce", 8, 4, 4), replace(KINDS[kind], base_width=KINDS[kind].width)
    runs = [run_trials(data, replace(net, parametrization=one), how, [trial(0, 0.05)], 2) for one in ("sp", *POWERS)]
    assert all(run.bits(0) == runs[0].bits(0) for run in runs)


def test_rates_under_adam_are_adams() -> None:
    net = replace(CNN, parametrization="mup", base_width=2)
    assert made(net, "adam").rate == (1.0, 0.25, 0.25)
    with pytest.raises(ValueError, match="no rates under adam"):
        made(replace(net, parametrization="ntk"), "adam")


def by_hand(net: NetSpec, w: list[Tensor], x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Input and output of every layer, the activation of a cnn in the output."""
    if net.kind == "cnn":
        step = 2 if net.bias else 1
        kernels, biases = w[::step], w[1::2] if net.bias else [None] * len(w)
        h0 = x.view(-1, 1, 8, 8)
        h1 = functional.conv2d(h0, kernels[0], biases[0], padding=1).relu()
        h2 = functional.conv2d(h1, kernels[1], biases[1], stride=2, padding=1).relu()
        pooled = h2.mean((2, 3))
        return [(h0, h1), (h1, h2), (pooled, functional.linear(pooled, kernels[2], biases[2]))]
    embedding, positions, qkv, out, up, down, head = w
    tokens = x.view(-1, 8, 8)
    h = tokens @ embedding.T + positions
    normed = functional.layer_norm(h, (32,))
    q, k, v = (normed @ qkv.T).chunk(3, -1)
    mixed = torch.softmax(q @ k.mT / 32**0.5, -1) @ v
    h2 = h + mixed @ out.T
    normed2 = functional.layer_norm(h2, (32,))
    wide = functional.gelu(normed2 @ up.T)
    pooled = functional.layer_norm(h2 + wide @ down.T, (32,)).mean(1)
    return [
        (tokens, h), (normed, normed @ qkv.T), (mixed, mixed @ out.T), (normed2, wide), (wide, wide @ down.T),
        (pooled, pooled @ head.T),
    ]  # fmt: skip


@pytest.mark.parametrize("net", [CNN, replace(CNN, bias=True), TRANSFORMER], ids=["cnn", "cnn, biases", "transformer"])
def test_layer_sizes_follow_their_definition(net: NetSpec) -> None:
    model, gen = made(net), torch.Generator().manual_seed(0)
    start = model.initial_weights([1, 2], torch.float64, "cpu")
    now = Weights(tuple(w + 0.1 * torch.randn(w.shape, generator=gen, dtype=w.dtype) for w in start.w))
    measured = LayerCheck(model, start, Samples.of(digits(100), torch.float64, "cpu")).measure(now)
    x = torch.from_numpy(digits(100).x[:PROBE_SAMPLES])
    step = 2 if net.bias else 1
    for lane in range(2):
        w0, w = ([one[lane] for one in weights.w] for weights in (start, now))
        matrices = [0, *range(2, 7)] if net.kind == "transformer" else list(range(0, 3 * step, step))
        pairs = list(zip(matrices, by_hand(net, w, x), by_hand(net, w0, x), strict=True))
        assert list(measured["effective_rms"]) == [str(layer) for layer in range(1, len(pairs) + 1)]
        for layer, (place, (h, output), (h0, _)) in enumerate(pairs):

            def applied(into: Tensor, weights: Tensor, layer: int = layer) -> Tensor:
                if net.kind == "cnn" and layer < 2:
                    return functional.conv2d(into, weights, stride=1 + layer, padding=1)
                return into @ weights.T

            effective, extra = applied(h, w[place] - w0[place]), Tensor()
            if net.bias:
                extra = (w[place + 1] - w0[place + 1]).view(-1, *([1, 1] if layer < 2 else []))
            elif net.kind == "transformer" and layer == 0:
                extra = w[1] - w0[1]
            expected = (output, effective + extra if extra.numel() else effective, applied(h - h0, w0[place]))
            found = [measured[name][str(layer + 1)][lane].item() for name in LAYER_SIZES]
            assert found == pytest.approx([rms(one) for one in expected], rel=1e-9, abs=1e-12)


def moved(net: NetSpec) -> float:
    """RMS change of the outputs after one small step of the layers' rates along a fixed signal, mean over 4 nets."""
    x = torch.from_numpy(digits(64).x)[None]
    y = functional.one_hot(torch.from_numpy(digits(64).y).argmax(-1), 10).double()[None]
    model = made(net)
    weights = model.initial_weights([0, 1, 2, 3], torch.float64, "cpu")
    before = model.forward(weights, x)
    model.descend_(weights, before, y.expand(4, -1, -1) * (1e-6 / 64))
    return rms(model.forward(weights, x).f - before.f)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_moves_the_outputs_with_the_right_power_of_the_width(kind: str) -> None:
    widths = [32, 64, 128] if kind == "transformer" else [16, 32, 64, 128]
    for name, slope, slack in (("sp", 1.0, 0.2), ("ntk", 0.0, 0.2), ("mup", 0.0, 0.3)):
        nets = [replace(KINDS[kind], width=width, parametrization=name, base_width=16) for width in widths]
        found = np.polyfit(np.log(widths), np.log([moved(net) for net in nets]), 1)[0]
        assert found == pytest.approx(slope, abs=slack), name


def test_layers_of_a_training_are_recorded_and_change_no_bit_of_it() -> None:
    data = digits(32)
    plain = run_trials(data, CNN, TrainSpec("ce", 8, 3, 4), [trial(0, 0.05)], 2)
    looked = run_trials(data, CNN, replace(TrainSpec("ce", 8, 3, 4), record_layers=True), [trial(0, 0.05)], 2)
    assert looked.bits(0) == plain.bits(0)
    batches = [one for one in looked.messages if isinstance(one, StepBatch)]
    assert set(LAYER_SIZES) <= {one.measure for batch in batches for _, one in batch.measures}
