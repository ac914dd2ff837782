"""The refined coordinate check of Haas, Bordt, von Luxburg and Vankadara (2025): how layers have moved, and by what.

On a fixed batch, against the initial net: W_t h_t − W_0 h_0 = (W_t − W_0) h_t + W_0 (h_t − h_0), with h the layer's
input. The first part is the layer's own, the effective update; the second is passed on from the layers below.
"""

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.gemm import matmul
from mlrtui_trainer.models.mlp import Mlp, forward
from mlrtui_trainer.samples import Samples

__all__ = ["PROBE_SAMPLES", "LayerCheck"]

PROBE_SAMPLES = 64
"""The first so many training samples are the fixed batch."""


class LayerCheck:
    """Sizes of activations and updates of some lanes. Lanes are numbered as the weights stack them."""

    def __init__(self, mlp: Mlp, initial: Weights, samples: Samples) -> None:
        self._mlp = mlp
        self._x = samples.first(PROBE_SAMPLES).x[None]  # [1, samples, inputs]
        self._initial = Weights(tuple(w.clone() for w in initial.w), tuple(b.clone() for b in initial.b))

    @torch.inference_mode()
    def measure(self, weights: Weights) -> dict[str, dict[str, Tensor]]:
        """By the names of `LAYER_SIZES`: by weight layer, from the input layer "1" on, the size, [lanes]."""
        together = self._x.device.type != "cpu" or self._mlp.runs_together(self._x.shape[1], self._x.element_size())
        pairs = [(weights.lane(i), self._initial.lane(i)) for i in range(weights.lanes)] if not together else []
        parts = [self._sizes(now, start) for now, start in pairs or [(weights, self._initial)]]
        numbers = torch.cat(parts, dim=2)  # [layers, 3, lanes]
        return {
            name: {str(layer): sizes[k] for layer, sizes in enumerate(numbers, 1)} for k, name in enumerate(LAYER_SIZES)
        }

    def select(self, keep: Sequence[int]) -> "LayerCheck":
        """The check of the lanes with these numbers."""
        part = copy(self)
        part._initial = self._initial.select(torch.tensor(keep, dtype=torch.int64, device=self._x.device))
        return part

    def _sizes(self, weights: Weights, initial: Weights) -> Tensor:
        """RMS over samples and units of activation, effective and propagating update, [layers, 3, lanes]."""
        mlp, now, start = self._mlp, forward(self._mlp, weights, self._x), forward(self._mlp, initial, self._x)
        outputs = (*now.h[1:], now.f)
        found = []
        for layer in range(mlp.layers):
            effective = matmul(now.h[layer], (weights.w[layer] - initial.w[layer]).mT) * mlp.scale[layer]
            if mlp.bias:
                effective += weights.b[layer] - initial.b[layer]
            propagating = matmul(now.h[layer] - start.h[layer], initial.w[layer].mT) * mlp.scale[layer]
            found.append(torch.stack([_rms(outputs[layer]), _rms(effective), _rms(propagating)]))
        return torch.stack(found)


def _rms(values: Tensor) -> Tensor:
    """Root mean square over samples and units: [lanes, samples, units] → [lanes], summed in double precision."""
    return (values * values).sum((1, 2), dtype=torch.float64).div_(values[0].numel()).sqrt_()
