"""λ of a plain PyTorch model at fixed weights, as people find it today: loops of products, and other projects.

Each takes the same model, samples and cross-entropy. A project is used only where it is installed.
"""

import importlib.util
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import LinearOperator, eigsh, lobpcg
from torch import Tensor, nn

__all__ = ["METHODS", "Problem", "installed"]

PRODUCTS = 20


@dataclass(frozen=True)
class Problem:
    """A model at its weights, what it is trained on, and the top eigenvector one step before ([n_params])."""

    model: nn.Module  # its outputs and labels fit `nn.CrossEntropyLoss`
    x: Tensor  # [samples, inputs], or tokens
    labels: Tensor  # [samples]
    before: Tensor
    value_before: float

    @property
    def parameters(self) -> list[nn.Parameter]:
        """In the order of a flat vector."""
        return list(self.model.parameters())

    def loss(self) -> Tensor:
        """Mean cross-entropy."""
        return nn.functional.cross_entropy(self.model(self.x), self.labels)

    def gradients(self) -> Sequence[Tensor]:
        """By parameter, with their graph."""
        return torch.autograd.grad(self.loss(), self.parameters, create_graph=True)


def _products(problem: Problem, gradients: Sequence[Tensor], v: Sequence[Tensor], *, keep: bool) -> Sequence[Tensor]:
    return torch.autograd.grad(gradients, problem.parameters, v, retain_graph=keep)


def _power(problem: Problem, graph: Callable[[], Sequence[Tensor]], *, keep: bool) -> float:
    """`PRODUCTS` power iterations from a random vector; the last Rayleigh quotient."""
    v: Sequence[Tensor] = [torch.randn_like(p) for p in problem.parameters]
    value = math.nan
    for _ in range(PRODUCTS):
        norm = math.sqrt(sum(float((part * part).sum()) for part in v))
        v = [part / norm for part in v]
        image = _products(problem, graph(), v, keep=keep)
        value = sum(float((a * b).sum()) for a, b in zip(image, v, strict=True))
        v = image
    return value


def products_anew(problem: Problem) -> float:
    """Every product does its own forward pass and gradient, as in a function ``hvp(v)`` that a person writes."""
    return _power(problem, problem.gradients, keep=False)


def products_kept(problem: Problem) -> float:
    """The same, with one graph for all products."""
    gradients = problem.gradients()
    return _power(problem, lambda: gradients, keep=True)


def pyhessian(problem: Problem) -> float:
    """PyHessian's ``hessian(...).eigenvalues()``, all defaults: power iteration to 1e-3, at most 100."""
    from pyhessian import hessian

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its backward(create_graph=True) is warned about at every call
        found = hessian(problem.model, nn.CrossEntropyLoss(), data=(problem.x, problem.labels), cuda=False)
        values, _ = found.eigenvalues()
    for parameter in problem.parameters:
        parameter.grad = None  # it leaves gradients with their graphs behind
    return float(values[0])


def curvlinops_eigsh(problem: Problem) -> float:
    """curvlinops' Hessian in SciPy's ``eigsh``, largest algebraic, tolerance 1e-3."""
    from curvlinops import HessianLinearOperator

    data = [(problem.x, problem.labels)]
    matrix = HessianLinearOperator(
        problem.model, nn.CrossEntropyLoss(), problem.parameters, data, check_deterministic=False
    )
    return float(eigsh(matrix.to_scipy(), k=1, which="LA", tol=1e-3, return_eigenvectors=False)[0])


def eigenthings_recipe(problem: Problem) -> float:
    """hessian-eigenthings' defaults: power iteration, at most 20 steps, until λ changes by less than 1e-4 of itself.

    Every product does its own forward pass and gradient, as there. Written from its description.
    """
    v: Sequence[Tensor] = [torch.randn_like(p) for p in problem.parameters]
    value = math.nan
    for _ in range(PRODUCTS):
        norm = math.sqrt(sum(float((part * part).sum()) for part in v))
        v = [part / norm for part in v]
        image = _products(problem, problem.gradients(), v, keep=False)
        last, value = value, sum(float((a * b).sum()) for a, b in zip(image, v, strict=True))
        v = image
        if abs(last - value) < 1e-4 * abs(value):
            break
    return value


def lobpcg_recipe(problem: Problem) -> float:
    """LOBPCG from the last step's eigenvector, at most 100 iterations, to a residual of 10 n (‖Av‖ + λ) 1e-10.

    The recipe of the central-flows code (Cohen et al. 2025), with SciPy's LOBPCG, one eigenvalue, and the exact
    eigenvector of the step before: a kinder start than a run of it would have.
    """
    gradients, parameters = problem.gradients(), problem.parameters
    sizes = [p.numel() for p in parameters]
    n = sum(sizes)

    def apply(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        parts = torch.split(torch.from_numpy(v.reshape(n)).float(), sizes)
        shaped = [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]
        image = _products(problem, gradients, shaped, keep=True)
        flat: npt.NDArray[np.float64] = torch.cat([part.flatten() for part in image]).double().numpy()
        return flat

    matrix = LinearOperator((n, n), matvec=apply, dtype=np.float64)
    start = problem.before.double().numpy()[:, None]
    tolerance = 10 * n * 2 * abs(problem.value_before) * 1e-10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where float32 products do not let it converge
        values, _ = lobpcg(matrix, start, largest=True, maxiter=100, tol=tolerance)
    return float(values[0])


METHODS: dict[str, Callable[[Problem], float]] = {
    f"{PRODUCTS} products": products_anew,
    f"{PRODUCTS} products, graph kept": products_kept,
    "hessian-eigenthings recipe": eigenthings_recipe,
    "PyHessian 0.1": pyhessian,
    "curvlinops + eigsh": curvlinops_eigsh,
    "LOBPCG recipe": lobpcg_recipe,
}
"""The first is the loop that the others' ratios stand beside."""

_NEEDS = {"PyHessian 0.1": "pyhessian", "curvlinops + eigsh": "curvlinops"}


def installed() -> list[str]:
    """The methods that can be tried here."""
    return [name for name in METHODS if name not in _NEEDS or importlib.util.find_spec(_NEEDS[name]) is not None]
