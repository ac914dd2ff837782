"""The losses, as means over samples: mse is ½ the sum over outputs of squared residuals, ce the cross-entropy.

So gradient descent on a linear model under mse is stable exactly below 2/λ. mse-softmax is mse on the outputs' softmax
(Haas et al. 2025, who take the mean over outputs and no ½: 2/outputs times ours). Each loss starts from one tensor that
its value, gradient and curvature share, called ``e`` here: the residuals (mse), the log-probabilities (ce), or the
probabilities followed by their residuals (mse-softmax).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LOSSES", "Loss", "accuracy", "mean_loss"]


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


LOSSES = {
    "ce": Loss(_ce_start, _ce_per_sample, _ce_signal, _ce_curve, bounded=True),
    "mse": Loss(_mse_start, _mse_per_sample, _mse_signal, _mse_curve, bounded=False),
    "mse-softmax": Loss(_softmax_start, _softmax_per_sample, _softmax_signal, _softmax_curve, bounded=True),
}


def mean_loss(per_sample: Tensor) -> Tensor:
    """[lanes, samples] → [lanes], summed in double precision."""
    return per_sample.sum(1, dtype=torch.float64).div_(per_sample.shape[1])


def accuracy(f: Tensor, y: Tensor, labels: Tensor, kind: str) -> Tensor:
    """Share of right answers per lane, [lanes]: by the kind of the data ("classes", "sign"; else NaN).

    A sample whose outputs are not all finite counts as wrong: argmax would call a NaN a class.
    """
    finite = (f - f).sum(-1) == 0.0  # [lanes, samples]; NaN where an output is NaN or infinite
    if kind == "classes":
        right = (f.argmax(-1) == labels.squeeze(-1)) & finite
    elif kind == "sign":
        right = (f.sign() == y).all(-1) & finite
    else:
        return torch.full((f.shape[0],), torch.nan, dtype=torch.float64, device=f.device)
    return right.sum(1).to(torch.float64).div_(f.shape[1])
