"""Curvature along a training's own directions, each from one Hessian-vector product."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

from torch import Tensor, nn

from mlrtui_trainer.gauge.closure import Closure, LossFunction, undisturbed
from mlrtui_trainer.gauge.critical import directions
from mlrtui_trainer.gauge.products import Products, joined, verified

__all__ = ["DirectionalSharpness", "directional_sharpness"]


@dataclass(frozen=True)
class DirectionalSharpness:
    """Curvature of one batch's loss along its gradient g and along an update d."""

    gradient: float
    """gᵀHg / gᵀg: one sample of batch sharpness (Andreyev and Beneventano 2025)."""

    update: float
    """dᵀHd / dᵀg: by a quadratic model the step θ − ηd raises the loss where this exceeds 2/η. NaN without descent."""

    numerator: float
    """gᵀHg, and ``denominator`` gᵀg: batch sharpness is the ratio of their means over batches."""

    denominator: float
    grad_norm: float
    cosine: float
    """Of ``expected`` and the gradient that was computed here; NaN where none was given, or one of them is zero."""

    products: int
    loss: float


def directional_sharpness(
    model: nn.Module,
    loss_fn: LossFunction,
    batch: Any,
    direction: Mapping[str, Tensor] | Iterable[Tensor] | None = None,
    *,
    expected: Iterable[Tensor | None] | None = None,
) -> DirectionalSharpness:
    """Measure curvature along the gradient, and along ``direction`` where one is given.

    Args:
        model, loss_fn, batch, direction: as for `critical_sharpness`.
        expected: the gradient that the training used, to compare ours with.

    Raises:
        MeasureError: as for `sharpness`.
    """
    with undisturbed(model):
        closure = Closure(model, loss_fn, batch)
        closure.check_reproducible()
        products = Products(closure)
        verified(closure, products)
        g = products.gradient
        cosine = nan
        if expected is not None:
            theirs = joined(directions(closure, expected)).to(g)
            cosine = float(theirs @ g / (theirs.norm() * g.norm()))
        squared = float(g @ g)
        curvature = float(g @ products.apply(g[None])[0])
        update = nan
        if direction is not None:
            d = joined(directions(closure, direction)).to(g)
            descent = float(d @ g)
            update = float(d @ products.apply(d[None])[0]) / descent if descent > 0.0 else nan
    return DirectionalSharpness(
        gradient=curvature / squared if squared else nan,
        update=update,
        numerator=curvature,
        denominator=squared,
        grad_norm=sqrt(squared),
        cosine=cosine,
        products=products.count,
        loss=products.loss,
    )
