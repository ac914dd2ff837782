"""The activations of hidden layers, with what differentiating once and twice needs."""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import torch
from torch import Tensor

from mlrtui_trainer.models.parameters import GAINS

__all__ = ["ACTIVATIONS", "Activation"]


@dataclass(frozen=True)
class Activation:
    """h = φ(z) with its derivatives; ``z`` is the value before, ``h`` after, both [lanes, samples, units]."""

    value: Callable[[Tensor], Tensor]  # φ(z); may overwrite z unless keeps_z
    pull: Callable[[Tensor, Tensor, Tensor], Tensor]  # (δ, h, z) → δ φ'(z); z may be anything unless keeps_z
    bend: Callable[[Tensor, Tensor], Tensor] | None  # (h, z) → φ''(z); None: zero everywhere
    gain: float  # initial weights have variance gain / fan_in
    keeps_z: bool = False


def _relu_pull(delta: Tensor, h: Tensor, z: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(delta, h, 0)  # type: ignore[no-any-return]  # 0 at the kink


def _tanh_pull(delta: Tensor, h: Tensor, z: Tensor) -> Tensor:
    return (h * h).neg_().add_(1.0).mul_(delta)


def _tanh_bend(h: Tensor, z: Tensor) -> Tensor:
    return (h * h).sub_(1.0).mul_(h).mul_(2.0)  # -2 h (1 - h²)


def _normal_cdf(z: Tensor) -> Tensor:
    return torch.erf(z * sqrt(0.5)).add_(1.0).mul_(0.5)


def _normal_pdf(z: Tensor) -> Tensor:
    return (z * z).mul_(-0.5).exp_().mul_(1.0 / sqrt(2.0 * pi))


def _gelu(z: Tensor) -> Tensor:
    return _normal_cdf(z).mul_(z)


def _gelu_pull(delta: Tensor, h: Tensor, z: Tensor) -> Tensor:
    return _normal_pdf(z).mul_(z).add_(_normal_cdf(z)).mul_(delta)


def _gelu_bend(h: Tensor, z: Tensor) -> Tensor:
    return (z * z).neg_().add_(2.0).mul_(_normal_pdf(z))  # pdf(z) (2 - z²)


def _same(z: Tensor) -> Tensor:
    return z


def _linear_pull(delta: Tensor, h: Tensor, z: Tensor) -> Tensor:
    return delta


# Sums and products are separate operations throughout: a fused multiply-add would round differently in the scalar
# tail of a vectorised loop, and so by position in the batch.
ACTIVATIONS = {
    "relu": Activation(torch.relu_, _relu_pull, None, gain=GAINS["relu"]),
    "linear": Activation(_same, _linear_pull, None, gain=GAINS["linear"]),
    "tanh": Activation(torch.tanh_, _tanh_pull, _tanh_bend, gain=GAINS["tanh"]),
    "gelu": Activation(_gelu, _gelu_pull, _gelu_bend, gain=GAINS["gelu"], keeps_z=True),
}
