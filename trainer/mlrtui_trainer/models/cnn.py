"""A small convolutional network: 3×3 convolutions of one width, the mean over the image, a linear head.

After the first convolution each has stride 2 while the image has more than 4 rows or columns, so depth 3 or 4 brings
8×8, 28×28 and 32×32 images to about 4×4.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mlrtui_trainer.models.general import General, Layers, general
from mlrtui_trainer.models.parameters import cnn_parameters, cnn_strides
from mlrtui_trainer.spec import NetSpec

__all__ = ["cnn"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "linear": lambda z: z,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
}


def cnn(net: NetSpec, optimizer: str = "sgd") -> General:
    """The convolutional network of a spec whose ``shape`` is (channels, rows, columns).

    Its rates are those under an optimizer.
    """
    table = cnn_parameters(net)
    strides, phi, step = cnn_strides(net), ACTIVATIONS[net.activation], 2 if net.bias else 1

    def apply(layer: int, h: Tensor, parameters: Sequence[Tensor], biased: bool = True) -> Tensor:
        w, b = parameters[layer * step], parameters[layer * step + 1] if net.bias and biased else None
        if layer == net.depth:
            return functional.linear(h, w, b)
        return functional.conv2d(h, w, b, stride=strides[layer], padding=1)  # [samples, width, rows, columns]

    def layers(parameters: Sequence[Tensor], x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Input and output of every layer, the head's last."""
        h = x.reshape(-1, *net.shape)  # [samples, channels, rows, columns]
        for layer in range(net.depth):
            into, h = h, phi(apply(layer, h, parameters))
            yield into, h
        pooled = h.mean((2, 3))  # [samples, width]
        yield pooled, apply(net.depth, pooled, parameters)

    def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        pooled, f = deque(layers(parameters, x), maxlen=1)[0]
        return f, pooled

    known = Layers(lambda parameters, x: list(layers(parameters, x)), apply)
    return general(net, network, table, known, optimizer, dies=net.activation == "relu")
