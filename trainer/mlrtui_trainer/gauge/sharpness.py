"""λ_max of the Hessian of any loss, with its residual, how it was checked, and the edge of the optimizer beside it."""

from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.gauge.closure import Closure, LossFunction, undisturbed
from mlrtui_trainer.gauge.errors import WrongBatch
from mlrtui_trainer.gauge.optimizers import Preconditioner, Snapshot, preconditioner
from mlrtui_trainer.gauge.products import Products, verified

__all__ = ["Sharpness", "sharpness"]

MOST_PRODUCTS = 200
OPERATORS = ("hessian",)


@dataclass(frozen=True)
class Sharpness:
    """The largest eigenvalues of the Hessian of a batch's loss, and what they are worth."""

    value: float
    """λ, the largest eigenvalue (algebraically); of P^½ (H + W) P^½ where an optimizer preconditions."""

    residual: float
    """‖A v − λ v‖ / |λ| of its eigenvector v."""

    values: tuple[float, ...]
    """The ``top`` largest, falling. Repeated ones are found once."""

    residuals: tuple[float, ...]
    products: int
    """Hessian-vector products of the solve; the check costs two more, once for each model."""

    converged: bool
    """Whether the tolerance was met within the budget."""

    route: str
    """"double backward": exact second derivatives."""

    checked: str
    """How products were checked: by differences of gradients in double precision, or by symmetry alone."""

    operator: str
    mode: str
    """"train", "eval" or "mixed": λ of a model with BatchNorm or dropout depends on it."""

    loss: float
    """Of the batch, at these weights."""

    eta: float
    """Learning rate of the optimizer's first group; NaN without one."""

    edge: float
    """The value at which linear dynamics become unstable, such as 2/η; NaN: none, ``note`` says why."""

    note: str = ""
    vector: Tensor | None = None
    """Unit eigenvector [numbers of all trained parameters]: hand it to the next call as ``start``."""

    @property
    def ratio(self) -> float:
        """value / edge: above 1 linear dynamics are unstable; NaN without an edge."""
        return self.value / self.edge

    def __repr__(self) -> str:
        edge = f", edge={self.edge:.4g}" if isfinite(self.edge) else ""
        how = "" if self.converged else ", NOT CONVERGED"
        found = f"{self.value:.6g}, residual={self.residual:.1e}, products={self.products}{edge}, mode={self.mode}{how}"
        return f"Sharpness({found})"


def sharpness(
    model: nn.Module,
    loss_fn: LossFunction,
    batch: Any,
    *,
    optimizer: Optimizer | Snapshot | None = None,
    operator: str = "hessian",
    top: int = 1,
    tolerance: float = 1e-3,
    max_products: int = MOST_PRODUCTS,
    start: Tensor | None = None,
    seed: int = 0,
    verify: bool = True,
) -> Sharpness:
    """λ_max of the Hessian of ``loss_fn(model, batch)`` by the parameters that are trained.

        s = mlrtui.sharpness(model, lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]), (x, y))
        s.value, s.residual, s.products

    Nothing of the model, of its gradients, of the optimizer or of any random state is changed. Dropout keeps one mask
    for all products, BatchNorm its mode; fused attention is replaced by its formula while it is differentiated.

    Args:
        model: any module on one device; parameters may be tied, frozen or complex.
        loss_fn: from model and batch to a scalar tensor.
        batch: whatever ``loss_fn`` takes: tensors, dicts, tokens. Evaluated as a whole.
        optimizer: one of torch's: λ is then that of its preconditioned Hessian, with its edge. An optimizer without a
            linear edge (Muon, one of your own) leaves the raw λ and no edge. Or what it was at an earlier step
            (`gauge.optimizers.snapshot`).
        operator: "hessian".
        top: how many eigenvalues.
        tolerance: relative residual, and change in the last two products, at which a value counts as found.
        max_products: the budget; what has not converged by then says so.
        start: vector of an earlier call: along a training it saves most of the products.
        seed: of the random start without one.
        verify: check products once for each model (see `Sharpness.checked`).

    Raises:
        MeasureError: the number would be wrong: `NotTwiceDifferentiable`, `AsymmetricCurvature`, `NotReproducible`,
            `ShardedParameters`, `WrongBatch`.
        ValueError: a wrong argument.
    """
    if operator not in OPERATORS:
        raise ValueError(f"operator {operator!r} is not known: use one of {', '.join(OPERATORS)}")
    if top < 1 or max_products < 1 or not tolerance > 0.0:
        raise ValueError("top and max_products must be at least 1, and tolerance above 0")
    with undisturbed(model):
        closure = Closure(model, loss_fn, batch)
        closure.check_reproducible()
        products = Products(closure)
        checked = verified(closure, products) if verify else "not checked"
        how = None if optimizer is None else preconditioner(optimizer, closure)
        matrix = _Scaled(products, how)
        before = products.count
        first = _start(closure, products, start, seed)
        found = largest(matrix, first, tolerance, max_products, top=top, recurrence=True)
        values = tuple(float(value) for value in found.values[0])
    if not isfinite(values[0]):
        raise WrongBatch("a Hessian-vector product is not finite at these weights")
    return Sharpness(
        value=values[0],
        residual=float(found.residual[0]),
        values=values,
        residuals=tuple(float(one) for one in found.residuals[0]),
        products=products.count - before,
        converged=bool(found.converged[0]),
        route="double backward",
        checked=checked,
        operator=operator,
        mode=closure.mode,
        loss=products.loss,
        eta=nan if how is None else how.eta,
        edge=nan if how is None else how.edge,
        note="" if how is None else how.why,
        vector=found.vector[0],
    )


@dataclass(frozen=True)
class _Scaled:
    """P^½ (H + W) P^½ of one lane."""

    products: Products
    how: Preconditioner | None

    @property
    def lanes(self) -> int:
        return 1

    @property
    def size(self) -> int:
        return self.products.size

    def apply(self, v: Tensor) -> Tensor:
        if self.how is None or self.how.is_plain:
            return self.products.apply(v)
        root = 1.0 if self.how.diagonal is None else self.how.diagonal.to(v).sqrt()
        scaled = v * root
        out = self.products.apply(scaled)
        if self.how.decay is not None:
            out = out + self.how.decay.to(v) * scaled
        return out * root

    def select(self, keep: Tensor) -> "_Scaled":
        return replace(self)


def _start(closure: Closure, products: Products, given: Tensor | None, seed: int) -> Tensor:
    like = products.gradient
    if given is None:
        return start_vectors([seed], closure.size, like.dtype, str(like.device))
    if tuple(given.shape) != (closure.size,):
        raise ValueError(f"start has shape {list(given.shape)}, not [{closure.size}]: it is of another model")
    return given.detach().to(like)[None]
