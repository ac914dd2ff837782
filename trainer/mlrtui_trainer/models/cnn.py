"""A small convolutional network: 3×3 convolutions of one width, the mean over the image, a linear head.

After the first convolution each has stride 2 while the image has more than 4 rows or columns, so depth 3 or 4 brings
8×8, 28×28 and 32×32 images to about 4×4.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mlrtui_trainer.models.general import General, general
from mlrtui_trainer.models.parameters import cnn_parameters, cnn_strides
from mlrtui_trainer.spec import NetSpec

__all__ = ["cnn"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "linear": lambda z: z,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
}


def cnn(net: NetSpec) -> General:
    """The convolutional network of a spec whose ``shape`` is (channels, rows, columns)."""
    table = cnn_parameters(net)
    strides, phi, step = cnn_strides(net), ACTIVATIONS[net.activation], 2 if net.bias else 1

    def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        h = x.reshape(-1, *net.shape)  # [samples, channels, rows, columns]
        biases = parameters[1::2] if net.bias else [None] * len(parameters)
        *layers, head = zip(parameters[::step], biases, strict=True)
        for (w, b), stride in zip(layers, strides, strict=True):
            h = phi(functional.conv2d(h, w, b, stride=stride, padding=1))  # [samples, width, rows, columns]
        pooled = h.mean((2, 3))  # [samples, width]
        return functional.linear(pooled, *head), pooled

    return general(net, network, table, dies=net.activation == "relu")
