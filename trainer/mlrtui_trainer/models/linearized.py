"""A fully connected net's first-order expansion about its own initial weights: its tangent kernel never changes.

f(w) = f₀ + J₀ (w − w₀), written out layer by layer: h₀ is the initial net's layer, and the part that is linear in
w − w₀ follows it, ḣ ← φ'(z₀) · (scale · (W₀ ḣ + (W − W₀) h₀) + b − b₀).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from mlrtui_trainer.models.general import General, Network
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.models.mlp import draw as drawn
from mlrtui_trainer.spec import NetSpec

__all__ = ["linearized"]


def linearized(net: NetSpec, optimizer: str = "sgd") -> General:
    """The expansion of the mlp of a spec, which starts from the same weights, with its rates under an optimizer."""
    mlp = Mlp.of(replace(net, kind="mlp"), optimizer)
    names = [str(layer + 1) for layer in range(mlp.layers)]
    shapes: list[tuple[int, ...]] = list(mlp.shapes)
    if mlp.bias:  # behind the matrix of their layer
        names = [name for one in names for name in (one, f"{one} bias")]
        shapes = [shape for out, fan_in in mlp.shapes for shape in ((out, fan_in), (out,))]
    each = len(shapes) // mlp.layers

    def draw(seed: int) -> Sequence[npt.NDArray[np.float64]]:
        parts = [[w, np.zeros(w.shape[0])] for w in drawn(mlp, seed)]
        return [part for of_layer in parts for part in of_layer[:each]]

    of_net = _nets(mlp, each, draw)
    return General(
        of_net(0),
        tuple(shapes),
        tuple(rate for rate in mlp.rate for _ in range(each)),
        draw,
        units=2 * mlp.units,
        dies=False,
        layered=False,
        of_net=of_net,
        names=tuple(names),
    )


def _nets(mlp: Mlp, each: int, draw: Callable[[int], Sequence[npt.NDArray[np.float64]]]) -> Callable[[int], Network]:
    """Seed → the expansion about its initial weights."""
    starts: dict[tuple[int, torch.dtype, torch.device], list[Tensor]] = {}

    def of_net(seed: int) -> Network:
        def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
            key = (seed, x.dtype, x.device)
            if key not in starts:
                with torch.inference_mode(False):
                    starts[key] = [torch.from_numpy(part).to(x.dtype).to(x.device) for part in draw(seed)]
            f = _expanded(mlp, starts[key][::each], parameters, each, x)
            return f, f

        return network

    return of_net


def _expanded(mlp: Mlp, start: Sequence[Tensor], parameters: Sequence[Tensor], each: int, x: Tensor) -> Tensor:
    """Outputs [samples, outputs]; ``start`` has the initial matrices, the biases start at zero."""
    h, moved = x, None
    for layer, (w, scale) in enumerate(zip(start, mlp.scale, strict=True)):
        z = functional.linear(h, w) * scale  # [samples, out], of the initial net
        change = functional.linear(h, parameters[layer * each] - w)
        if moved is not None:
            change = change + functional.linear(moved, w)
        change = change * scale
        if mlp.bias:
            change = change + parameters[layer * each + 1]
        if layer == mlp.layers - 1:
            return z + change
        h = mlp.phi.value(z.clone())
        moved = change * mlp.phi.pull(torch.ones_like(h), h, z)
    raise ValueError("a net needs at least one weight layer")
