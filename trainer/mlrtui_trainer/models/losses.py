"""The losses, as means over samples: mse is ½ the sum over outputs of squared residuals, ce the cross-entropy.

So gradient descent on a linear model under mse is stable exactly below 2/λ. mse-softmax is mse on the outputs' softmax
(Haas et al. 2025, who take the mean over outputs and no ½: 2/outputs times ours). Each loss starts from one tensor that
its value, gradient and curvature share, called ``e`` here: the residuals (mse), the log-probabilities (ce), or the
probabilities followed by their residuals (mse-softmax).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mlrtui_trainer.losses import LOSS_KINDS, LossKind

__all__ = ["LOSSES", "Loss", "accuracy", "differentiated", "mean_loss"]


@dataclass(frozen=True)
class Loss:
    """A loss per sample. f and y are [lanes, samples, outputs]; labels [lanes, samples, 1] (class numbers)."""

    start: Callable[[Tensor, Tensor], Tensor]  # (f, y) → e [lanes, samples, outputs], or twice as many
    per_sample: Callable[[Tensor, Tensor], Tensor]  # (e, labels) → [lanes, samples]
    signal: Callable[[Tensor, Tensor], Tensor]  # (e, y) → d loss / d f
    curve: Callable[[Tensor, Tensor], Tensor]  # (e, u) → (d² loss / d f²) u
    bounded: bool  # whether the signal is, whatever f: a softmax's, which does not see what outputs of a sample share


def _ce_start(f: Tensor, y: Tensor) -> Tensor:
    # over the middle axis, which vectorises: over the few outputs of a row it does not, and takes several times as long
    return torch.log_softmax(f.mT.contiguous(), dim=1).mT.contiguous()


def _ce_per_sample(e: Tensor, labels: Tensor) -> Tensor:
    return e.gather(-1, labels.expand(e.shape[0], -1, -1)).squeeze(-1).neg()


def _ce_signal(e: Tensor, y: Tensor) -> Tensor:
    return torch.exp(e).sub_(y)


def _ce_curve(e: Tensor, u: Tensor) -> Tensor:
    return _softmax_slope(torch.exp(e), u)


def _softmax_slope(p: Tensor, u: Tensor) -> Tensor:
    """(diag p − p pᵀ) u."""
    pu = p * _moved(p, u)
    return pu - p * pu.sum(-1, keepdim=True)


def _moved(p: Tensor, u: Tensor) -> Tensor:
    """u less its entry at the likeliest class, which changes no derivative of the softmax.

    Nothing of the size of 1 then cancels where that p is nearly 1, and the tiny curvature of samples that are fitted
    well keeps its digits.
    """
    return u - u.gather(-1, p.argmax(-1, keepdim=True))


def _mse_start(f: Tensor, y: Tensor) -> Tensor:
    return f - y


def _mse_per_sample(e: Tensor, labels: Tensor) -> Tensor:
    return (e * e).sum(-1).mul_(0.5)


def _mse_signal(e: Tensor, y: Tensor) -> Tensor:
    return e


def _mse_curve(e: Tensor, u: Tensor) -> Tensor:
    return u


def _softmax_start(f: Tensor, y: Tensor) -> Tensor:
    p = torch.exp(_ce_start(f, y))
    others = p * (1.0 - y)
    # the residual of the right class as the sum of the others': 1 - p has no digits left where p is nearly 1
    return torch.cat([p, others - y * others.sum(-1, keepdim=True)], dim=-1)


def _softmax_per_sample(e: Tensor, labels: Tensor) -> Tensor:
    _, r = e.chunk(2, dim=-1)
    return (r * r).sum(-1).mul_(0.5)


def _softmax_signal(e: Tensor, y: Tensor) -> Tensor:
    return _softmax_slope(*e.chunk(2, dim=-1))


def _softmax_curve(e: Tensor, u: Tensor) -> Tensor:
    p, r = e.chunk(2, dim=-1)
    r, p_dot = _moved(p, r), _softmax_slope(p, u)
    bent = p_dot * (r - (p * r).sum(-1, keepdim=True)) - p * (p_dot * r).sum(-1, keepdim=True)
    return bent + _softmax_slope(p, p_dot)  # what comes from the softmax's own curvature can be negative


Function = Callable[[Tensor, Tensor], Tensor]


def differentiated(function: Function, *, bounded: bool = False) -> Loss:
    """A loss of (f, y) [samples, outputs] → [samples], with its derivatives by automatic differentiation.

    Lanes are done one after the other, each in memory of its own, so that a lane's bits are those it would get alone.

    >>> half = differentiated(lambda f, y: 0.5 * (f - y).square().sum(-1))
    >>> f, y = torch.tensor([[[3.0, 1.0]]]), torch.tensor([[[1.0, 1.0]]])
    >>> half.signal(half.start(f, y), y).tolist()
    [[[2.0, 0.0]]]
    """

    def start(f: Tensor, y: Tensor) -> Tensor:
        return torch.cat([f, y.expand_as(f)], dim=-1)

    def per_sample(e: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([_checked(function, *lane.chunk(2, dim=-1)) for lane in e])

    def signal(e: Tensor, y: Tensor) -> Tensor:
        return _by_lane(partial(_gradient, function), e)

    def curve(e: Tensor, u: Tensor) -> Tensor:
        lanes = [_by_lane(partial(_bent, function, u=v), lane[None]) for lane, v in zip(e, u, strict=True)]
        return torch.cat(lanes)

    return Loss(start, per_sample, signal, curve, bounded)


def _by_lane(of: Function, e: Tensor) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        parts = [lane.clone().chunk(2, dim=-1) for lane in e.detach()]
        return torch.stack([of(f.clone().requires_grad_(), y) for f, y in parts])


def _gradient(function: Function, f: Tensor, y: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(_checked(function, f, y).sum(), f, materialize_grads=True)
    return found


def _bent(function: Function, f: Tensor, y: Tensor, u: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(_checked(function, f, y).sum(), f, create_graph=True, materialize_grads=True)
    if not slope.requires_grad:
        return torch.zeros_like(f)
    (found,) = torch.autograd.grad(slope, f, u.clone(), materialize_grads=True)
    return found


def _checked(function: Function, f: Tensor, y: Tensor) -> Tensor:
    value = function(f, y)
    if not isinstance(value, Tensor) or value.shape != f.shape[:1]:
        got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"a loss of f {list(f.shape)} gave {got}, not one number a sample, [{f.shape[0]}]")
    return value


_BY_HAND = {
    "ce": Loss(_ce_start, _ce_per_sample, _ce_signal, _ce_curve, bounded=True),
    "mse": Loss(_mse_start, _mse_per_sample, _mse_signal, _mse_curve, bounded=False),
    "mse-softmax": Loss(_softmax_start, _softmax_per_sample, _softmax_signal, _softmax_curve, bounded=True),
}


class _Losses(Mapping[str, Loss]):
    """The losses of `LOSS_KINDS` as functions of tensors, each made once."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[LossKind, Loss]] = {}

    def __getitem__(self, name: str) -> Loss:
        """Raises UnknownNameError for a loss that is not known, ValueError for one that has no function."""
        if name in _BY_HAND:
            return _BY_HAND[name]
        kind = LOSS_KINDS[name]
        if name not in self._made or self._made[name][0] is not kind:
            if kind.function is None:
                raise ValueError(f"loss {name!r} has no function")
            self._made[name] = kind, differentiated(kind.function, bounded=kind.bounded)
        return self._made[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(LOSS_KINDS)

    def __len__(self) -> int:
        return len(LOSS_KINDS)


LOSSES = _Losses()
"""All losses by name."""


def mean_loss(per_sample: Tensor) -> Tensor:
    """[lanes, samples] → [lanes], summed in double precision."""
    return per_sample.sum(1, dtype=torch.float64).div_(per_sample.shape[1])


def accuracy(f: Tensor, y: Tensor, labels: Tensor, kind: str) -> Tensor:
    """Share of right answers per lane, [lanes]: by the kind of the data ("classes", "tokens", "sign"; else NaN).

    A sample whose outputs are not all finite counts as wrong: argmax would call a NaN a class.
    """
    finite = (f - f).sum(-1) == 0.0  # [lanes, samples]; NaN where an output is NaN or infinite
    if kind in ("classes", "tokens"):
        right = (f.argmax(-1) == labels.squeeze(-1)) & finite
    elif kind == "sign":
        right = (f.sign() == y).all(-1) & finite
    else:
        return torch.full((f.shape[0],), torch.nan, dtype=torch.float64, device=f.device)
    return right.sum(1).to(torch.float64).div_(f.shape[1])
