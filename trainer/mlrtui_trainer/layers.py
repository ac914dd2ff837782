"""The refined coordinate check of Haas, Bordt, von Luxburg and Vankadara (2025): how layers have moved, and by what.

On a fixed batch, against the initial net: W_t h_t − W_0 h_0 = (W_t − W_0) h_t + W_0 (h_t − h_0), with h the layer's
input. The first part is the layer's own, the effective update; the second is passed on from the layers below.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import TypeGuard

import torch
from torch import Tensor

from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.gemm import matmul
from mlrtui_trainer.models.general import General, Layers, recordable
from mlrtui_trainer.models.mlp import Mlp, forward
from mlrtui_trainer.samples import Samples

__all__ = ["PROBE_SAMPLES", "LayerCheck", "knows_layers"]

PROBE_SAMPLES = 64
"""The first so many training samples are the fixed batch."""


class LayerCheck:
    """Sizes of activations and updates of some lanes. Lanes are numbered as the weights stack them."""

    def __init__(self, model: Mlp | General, initial: Weights, samples: Samples) -> None:
        """``model``: one whose layers are known, see `knows_layers`."""
        self._model = model
        self._x = samples.first(PROBE_SAMPLES).x[None]  # [1, samples, inputs]
        self._initial = initial.clone()

    @torch.inference_mode()
    def measure(self, weights: Weights) -> dict[str, dict[str, Tensor]]:
        """By the names of `LAYER_SIZES`: by weight layer, from the input layer "1" on, the size, [lanes]."""
        model, x = self._model, self._x
        if isinstance(model, Mlp) and (x.device.type != "cpu" or model.runs_together(x.shape[1], x.element_size())):
            pairs = [(weights, self._initial)]
        else:
            pairs = [(weights.lane(i), self._initial.lane(i)) for i in range(weights.lanes)]
        parts = [
            _sizes(model, *pair, x) if isinstance(model, Mlp) else _general_sizes(model, *pair, x[0]) for pair in pairs
        ]
        numbers = torch.cat(parts, dim=2)  # [layers, 3, lanes]
        return {
            name: {str(layer): sizes[k] for layer, sizes in enumerate(numbers, 1)} for k, name in enumerate(LAYER_SIZES)
        }

    def select(self, keep: Sequence[int]) -> "LayerCheck":
        """The check of the lanes with these numbers."""
        part = copy(self)
        part._initial = self._initial.select(torch.tensor(keep, dtype=torch.int64, device=self._x.device))
        return part


def knows_layers(model: object) -> TypeGuard[Mlp | General]:
    """Whether the layers of a model can be looked at."""
    return isinstance(model, Mlp) or (isinstance(model, General) and (model.layers or model.layers_of) is not None)


def _sizes(mlp: Mlp, weights: Weights, initial: Weights, x: Tensor) -> Tensor:
    """RMS over samples and units of activation, effective and propagating update, [layers, 3, lanes]."""
    now, start = forward(mlp, weights, x), forward(mlp, initial, x)
    outputs = (*now.h[1:], now.f)
    found = []
    for layer in range(mlp.layers):
        effective = matmul(now.h[layer], (weights.w[layer] - initial.w[layer]).mT) * mlp.scale[layer]
        if mlp.bias:
            effective += weights.b[layer] - initial.b[layer]
        propagating = matmul(now.h[layer] - start.h[layer], initial.w[layer].mT) * mlp.scale[layer]
        found.append(torch.stack([_rms(outputs[layer]), _rms(effective), _rms(propagating)]))
    return torch.stack(found)


def _general_sizes(model: General, weights: Weights, initial: Weights, x: Tensor) -> Tensor:
    """The same of one lane, for x [samples, inputs]; over the places where a layer is applied, too: [layers, 3, 1]."""
    if model.layers_of is None:
        assert model.layers is not None
        now, start = [w[0] for w in weights.w], [w[0] for w in initial.w]
        layers = _moved(model.layers, now, start, x)
        return torch.stack([torch.stack([_rms(one[None]) for one in of_layer]) for of_layer in layers])
    with torch.inference_mode(False), torch.enable_grad():  # as a user's nets run
        now, start = ([recordable(w[0]) for w in given.w] for given in (weights, initial))
        layers = model.layers_of(weights.nets[0])(now, start, recordable(x))
        return torch.stack([torch.stack([_rms(one[None]) for one in of_layer]) for of_layer in layers])


def _moved(
    layers: Layers, now: Sequence[Tensor], start: Sequence[Tensor], x: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The `Moved` of a net of ours."""
    moved = [after - before for after, before in zip(now, start, strict=True)]
    pairs = zip(layers.passed(now, x), layers.passed(start, x), strict=True)
    for layer, ((h, output), (h_start, _)) in enumerate(pairs):
        yield output, layers.apply(layer, h, moved, True), layers.apply(layer, h - h_start, start, False)


def _rms(values: Tensor) -> Tensor:
    """Root mean square over samples and units: [lanes, samples, ...] → [lanes], summed in double precision."""
    if values.is_complex():
        values = values.abs()
    return (values * values).sum(tuple(range(1, values.dim())), dtype=torch.float64).div_(values[0].numel()).sqrt_()
