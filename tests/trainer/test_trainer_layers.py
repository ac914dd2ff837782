"""What is recorded of layers: the sizes by their definition, at which steps, the same bits in company."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer.layers import PROBE_SAMPLES, LayerCheck
from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.models.mlp import Mlp, Weights, initial_weights
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, StepBatch, TrainSpec


class LayerSizes(NamedTuple):
    layer: int
    activation: float
    effective: float
    propagating: float


def sizes_of(run: Run, trial_id: int) -> list[tuple[int, LayerSizes]]:
    """Step and sizes of what was recorded of one trial's layers."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for batch in run.messages:
        for segment in batch.segments if isinstance(batch, StepBatch) else ():
            for row, one in batch.measures if segment.trial_id == trial_id else ():
                if segment.start <= row < segment.stop and one.measure in LAYER_SIZES:
                    found.setdefault((int(batch.step[row]), int(one.part)), {})[one.measure] = one.value
    return [(step, LayerSizes(layer, *map(own.get, LAYER_SIZES))) for (step, layer), own in found.items()]


def rms(values: torch.Tensor) -> float:
    return values.square().mean().sqrt().item()


@pytest.mark.parametrize("kind", ["mlp", "two-layer-linear"])
def test_sizes_follow_their_definition(kind):
    bias = kind == "mlp"
    net = NetSpec(kind, 64, 10, 2, 17, "tanh", bias) if bias else NetSpec(kind, 64, 10, 1, 17, "linear")
    mlp = Mlp.of(net)
    gen = torch.Generator().manual_seed(0)
    start = initial_weights(mlp, [1, 2, 3], torch.float64, "cpu")
    check = LayerCheck(mlp, start, Samples.of(digits(100), torch.float64, "cpu"))
    now = Weights(
        tuple(w + 0.1 * torch.randn(w.shape, generator=gen, dtype=w.dtype) for w in start.w),
        tuple(b + 0.1 * torch.randn(b.shape, generator=gen, dtype=b.dtype) for b in start.b),
    )
    measured = check.measure(now)
    for lane in range(3):
        found = [
            LayerSizes(layer, *(measured[name][str(layer)][lane].item() for name in LAYER_SIZES))
            for layer in range(1, mlp.layers + 1)
        ]
        h0 = h = torch.from_numpy(digits(100).x[:PROBE_SAMPLES])
        for layer, sizes in enumerate(found):
            w0, w, scale = start.w[layer][lane], now.w[layer][lane], mlp.scale[layer]
            b0, b = (start.b[layer][lane], now.b[layer][lane]) if bias else (0.0, 0.0)
            z0, z = scale * h0 @ w0.T + b0, scale * h @ w.T + b
            effective = scale * h @ (w - w0).T + (b - b0)
            assert sizes.effective == pytest.approx(rms(effective), rel=1e-12)
            assert sizes.propagating == pytest.approx(rms(z - z0 - effective), rel=1e-12, abs=1e-13)
            h0, h = (torch.tanh(z0), torch.tanh(z)) if bias and layer < 2 else (z0, z)
            assert sizes.activation == pytest.approx(rms(h), rel=1e-12)
            assert sizes.layer == layer + 1
    chosen = check.select([2]).measure(now.lane(2))
    for name, layers in measured.items():
        assert [chosen[name][layer].item() for layer in layers] == [sizes[2].item() for sizes in layers.values()]


@pytest.mark.parametrize(("steps", "every"), [(25, 0), (7, 0), (7, 2)])
@pytest.mark.parametrize("batch", [16, 64])
def test_the_first_ten_steps_are_looked_at(steps, every, batch):
    data, net = digits(64), NetSpec("mlp", 64, 10, 2, 16)
    train = TrainSpec("ce", batch, steps, 64 // batch, record_layers=True)
    run = run_trials(data, net, train, [trial(0, 0.05), trial(1, 1e9)], every)
    seen = sizes_of(run, 0)
    assert [step for step, _ in seen] == [step for step in range(min(steps, 10) + 1) for _ in range(3)]
    assert [sizes.layer for _, sizes in seen[:3]] == [1, 2, 3]
    assert all(sizes.effective == sizes.propagating == 0.0 for _, sizes in seen[:3])
    assert all(sizes.effective > 0.0 for _, sizes in seen[3:])
    assert all((sizes.propagating > 0.0) == (sizes.layer > 1) for _, sizes in seen[3:])
    assert [step for step, sizes in sizes_of(run, 1) if sizes.layer == 1] == run.columns[1]["step"].tolist()
    plain = TrainSpec("ce", batch, steps, 64 // batch)
    assert run_trials(data, net, plain, [trial(0, 0.05)], every).bits(0) == run.bits(0)


@pytest.mark.parametrize(("samples", "width"), [(64, 16), (50, 17)])
def test_bits_do_not_depend_on_company(samples, width):
    data, net = digits(samples), NetSpec("mlp", 64, 10, 2, width)
    train = TrainSpec("ce", samples, 6, 1, record_layers=True)
    mine = trial(500, 0.05)
    alone = sizes_of(run_trials(data, net, train, [mine]), 500)
    others = [trial(i, 0.05 * (1.0, 3.0, 1e9)[i % 3], seed=(1, 4, 5)[i % 3]) for i in range(7)]
    together = sizes_of(run_trials(data, net, train, [*others[:3], mine, *others[3:]]), 500)
    assert together == alone
    assert len(alone) == 7 * 3
    assert np.isfinite([sizes.effective for _, sizes in alone]).all()
