"""Closed forms to draw beside measured curves and to test against.

Loss: mean over samples of ½ Σ over outputs (f − y)². λ: top eigenvalue of the named operator of that loss.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

__all__ = [
    "TwoLayerCurve",
    "arc_cosine_lambda0",
    "catapult_edges",
    "infinite_width_lambda0",
    "scalar_chain_hessian_top",
    "two_layer_curve",
    "two_layer_hessian_top",
    "two_layer_ntk",
    "two_layer_output",
    "two_layer_step",
]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TwoLayerCurve:
    """Gradient descent on the solvable model, before update t for t = 0 … steps. Non-finite once it has overflowed."""

    output: _Floats  # [steps + 1], f
    loss: _Floats  # [steps + 1], (f − y)² / 2
    ntk: _Floats  # [steps + 1], λ of the NTK, which is that of Gauss-Newton
    hessian: _Floats  # [steps + 1], λ of the Hessian


def two_layer_output(u: _Floats, v: _Floats, x: float = 1.0) -> float:
    """The solvable model f = n^(−½) v·u x with u, v of shape [width] and one real input (Lewkowycz et al. 2020)."""
    return float(v @ u) * x / sqrt(len(u))


def two_layer_ntk(u: _Floats, v: _Floats, x: float = 1.0) -> float:
    """λ = x² (‖u‖² + ‖v‖²) / n, the only eigenvalue of the model's NTK on its one sample."""
    return x * x * float(u @ u + v @ v) / len(u)


def two_layer_step(f: float, lam: float, eta: float, width: int, x: float = 1.0, y: float = 0.0) -> tuple[float, float]:
    """One update of (f, λ) by gradient descent on ½ (f − y)²: exact at every width, without the weights.

    Both follow from the old f and λ: f′ = f (1 + η²χ²x²/n) − ηλχ and λ′ = λ + (ηχx²/n)(ηχλ − 4f) with χ = f − y.
    For y = 0 and x = 1 this is Lewkowycz et al. 2020, equations of section 2.
    """
    chi = f - y
    pull = eta * chi
    scale = x * x / width
    return f * (1.0 + pull * pull * scale) - pull * lam, lam + pull * scale * (pull * lam - 4.0 * f)


def two_layer_hessian_top(f: float, lam: float, width: int, x: float = 1.0, y: float = 0.0) -> float:
    """Largest eigenvalue of the loss Hessian over all 2·width weights, from f and the NTK λ alone.

    On span{u+v, u−v} the Hessian is [[κ+A, √(AB)], [√(AB), B−κ]] with κ = (f−y)x/√n and A, B = (λ ± 2fx/√n)/2; on the
    rest of the space it is ±κ.
    """
    root = x / sqrt(width)
    kappa = (f - y) * root
    half_gap = kappa + f * root  # half the difference of the diagonal
    product = max(0.25 * lam * lam - f * f * root * root, 0.0)  # AB; zero for parallel u and v, up to rounding
    top = 0.5 * lam + sqrt(half_gap * half_gap + product)
    return max(top, abs(kappa)) if width > 1 else top


def two_layer_curve(
    f: float, lam: float, eta: float, width: int, steps: int, x: float = 1.0, y: float = 0.0
) -> TwoLayerCurve:
    """Run the recursion for ``steps`` updates from (f, λ)."""
    rows = np.empty((steps + 1, 4))
    for t in range(steps + 1):
        rows[t] = f, 0.5 * (f - y) * (f - y), lam, two_layer_hessian_top(f, lam, width, x, y)
        f, lam = two_layer_step(f, lam, eta, width, x, y)
    return TwoLayerCurve(*rows.T.copy())


def catapult_edges(lambda0: float) -> tuple[float, float]:
    """Learning rates 2/λ₀ and 4/λ₀: lazy below the first, divergent from the second, catapult between.

    Exact for the solvable model at every width (Lewkowycz et al. 2020); for other nets only the first edge is general.
    """
    return 2.0 / lambda0, 4.0 / lambda0


def infinite_width_lambda0(q: float, depth: int, width: int, inputs: int, input_lr: float = 1.0) -> float:
    """Mean NTK diagonal q (L n + ρ d) of a bias-free ReLU net, He initialisation everywhere, one output.

    q = ‖x‖²/d averaged over samples, L = ``depth`` hidden layers of ``width`` n, d = ``inputs``, ρ = ``input_lr`` the
    input layer's rate multiplier. Exact in expectation as n grows (sum over layers of the NTK recursion of Jacot et al.
    2018, with the output layer's variance 2/n). λ₀ is a nearly constant part of it, 0.6 or so on real images.
    """
    return q * (depth * width + input_lr * inputs)


def arc_cosine_lambda0(x: _Floats, depth: int, width: int, input_lr: float = 1.0) -> float:
    """λ₀ of a bias-free ReLU net with one output as its width n grows, He initialisation everywhere, mse.

    ``x`` [samples, inputs]. The top eigenvalue of Θ/N, Θ the tangent kernel of Jacot et al. 2018 with the arc-cosine
    kernels of Cho and Saul 2009: with Σ¹ = 2 x·x′/d, Σˡ⁺¹ = √(Σˡ Σˡ′) (sin θ + (π − θ) cos θ)/π and θ the angle of Σˡ,
    Θ = Σ over l = 2 … L+1 of n Σˡ/2 · Π over k = l … L of (π − θₖ)/π, and ρ x·x′ · Π over k = 1 … L of the same.
    """
    samples, inputs = x.shape
    gram = x @ x.T  # [samples, samples]
    sigma, theta = 2.0 * gram / inputs, input_lr * gram
    scale = np.sqrt(np.outer(np.diag(sigma), np.diag(sigma)))  # the same in every layer
    for _ in range(depth):
        angle = np.arccos(np.clip(sigma / scale, -1.0, 1.0))
        sigma = scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
        theta = theta * (np.pi - angle) / np.pi + 0.5 * width * sigma
    return float(np.linalg.eigvalsh(theta / samples)[-1])


def scalar_chain_hessian_top(weight: float, layers: int, y: float = 0.0) -> float:
    """Largest Hessian eigenvalue of ½ (w₁ ⋯ w_L − y)² where all L weights are equal, one sample x = 1.

    The symmetric direction has L w^(2L−2) + (L−1) χ w^(L−2) with χ = w^L − y; all others have −χ w^(L−2).
    """
    if layers == 1:
        return 1.0
    bend = (weight**layers - y) * weight ** (layers - 2)
    return max(layers * weight ** (2 * layers - 2) + (layers - 1) * bend, -bend)
