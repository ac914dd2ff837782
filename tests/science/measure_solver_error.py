"""Prints errors of λ by precision and tolerance (docs/numerics.md has some), in clustered spectra and at kinks.

Run as: python tests/science/measure_solver_error.py
"""

import numpy as np
import torch
from measure_sharpness_error import Referee, digits

from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.curvature.subspace import Last, followed
from mlrtui_trainer.curvature.tracker import Tracker
from mlrtui_trainer.meter import Meter
from mlrtui_trainer.models.mlp import Mlp, Weights, flatten, initial_weights, unflatten
from mlrtui_trainer.spec import LambdaAtInit, NetSpec, Probe, Round, SharpnessSpec, TrainSpec, TrialSpec
from mlrtui_trainer.worker import run_task

NET = NetSpec("mlp", 64, 10, 3, 64)
RATES = (0.5, 1.5, 2.5, 4.0)


def precision() -> None:
    """λ along 20 steps by precision, tolerance and start."""
    data = digits(128, "classes")
    own_solve, own_measure = Meter._solved, Tracker.measure

    def cold(tracker, operator, lanes=None):  # type: ignore[no-untyped-def]
        tracker._space = None
        return own_measure(tracker, operator, lanes)

    print("dtype, tolerance, start | values | products each | not converged | median | 99 % | worst")
    for name, dtype, how, measure in (
        ("float32, 1e-2, warm", "float32", SharpnessSpec("hessian", 1, 1e-2), own_measure),
        ("float32, 1e-3, warm", "float32", SharpnessSpec("hessian", 1, 1e-3), own_measure),
        ("float32, 1e-4, warm", "float32", SharpnessSpec("hessian", 1, 1e-4), own_measure),
        ("float32, 1e-3, cold", "float32", SharpnessSpec("hessian", 1, 1e-3), cold),
        ("float64, 1e-3, warm", "float64", SharpnessSpec("hessian", 1, 1e-3), own_measure),
        ("float32, exact", "float32", SharpnessSpec("hessian", 1, exact=True), own_measure),
    ):
        spec = TrainSpec("ce", 128, 20, 1, dtype)
        referee = Referee(NET, data, "ce", "hessian")
        if dtype == "float32":
            referee.samples = referee.samples.to(torch.float32).to(torch.float64)
        probe = Probe(1, "digits", NET, spec, SharpnessSpec("hessian"), ((0, 0),))
        lam0 = {m.net_id: m.preconditioned for m in run_task(probe, data, "cpu") if isinstance(m, LambdaAtInit)}
        trials = tuple(TrialSpec(10 * s + i, 1, s, c / lam0[s], lam0[s]) for s in lam0 for i, c in enumerate(RATES))
        Meter._solved, Tracker.measure = referee.wrap(own_solve), measure  # type: ignore[method-assign]
        list(run_task(Round(2, "digits", NET, spec, how, trials), data, "cpu"))
        Meter._solved, Tracker.measure = own_solve, own_measure  # type: ignore[method-assign]
        errors = np.array(referee.errors)
        print(
            f"{name} | {len(errors)} | {np.mean(referee.products):.1f} | {referee.missed} | "
            f"{np.median(errors):.0e} | {np.quantile(errors, 0.99):.0e} | {errors.max():.0e}"
        )


class Diagonal:
    """Diagonal matrices [lanes, size]."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values
        self.lanes, self.size = values.shape

    def apply(self, v: torch.Tensor) -> torch.Tensor:
        """A v per lane."""
        return self.values * v

    def select(self, keep: torch.Tensor) -> "Diagonal":
        """Fewer lanes."""
        return Diagonal(self.values[keep])


def clusters() -> None:
    """A second value just below the first, the others uniform in [0, ½]: 64 cold starts each, 4000 parameters."""
    print("\ngap | products: alone, along a training | worst error: alone, along a training")
    for gap in (1e-1, 1e-2, 1e-3, 1e-4):
        values = torch.linspace(0.0, 0.5, 4000)
        values[0], values[1] = 1.0, 1.0 - gap
        operator = Diagonal(values.repeat(64, 1))
        start, other = (start_vectors(list(range(64)), 4000, torch.float32, "cpu", draw) for draw in (0, 1))
        audit = Last(np.full(64, np.nan), np.ones(64, dtype=np.bool_))
        found = [
            largest(operator, start, 1e-3, 60),
            followed(operator, torch.stack([start, other], dim=1), 1e-3, 60, last=audit),
        ]
        counts = ", ".join(f"{one.products.mean():.1f}" for one in found)
        print(f"{gap:.0e} | {counts} | {', '.join(f'{np.abs(one.value - 1.0).max():.0e}' for one in found)}")


def kinks() -> None:
    """Hessian products by central differences of the gradient against exact ones, in double precision."""
    data = digits(128, "classes")
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    print("\nactivation | relative error of λ by step of the difference: 1e-1, 1e-2, 1e-3, 1e-5")
    for activation in ("relu", "gelu"):
        mlp = Mlp.of(NetSpec("mlp", 64, 10, 3, 64, activation))
        weights = initial_weights(mlp, [0], torch.float64, "cpu")
        exact = curvature(mlp, weights, x, y, "ce", "hessian")
        top = largest(exact, start_vectors([1], mlp.n_params, torch.float64, "cpu"), 1e-9, 200)
        errors = []
        for step in (1e-1, 1e-2, 1e-3, 1e-5):
            ahead, behind = (gradient(mlp, flatten(weights) + sign * step * top.vector, x, y) for sign in (1, -1))
            rayleigh = float((top.vector * (ahead - behind)).sum()) / (2 * step)
            errors.append(f"{abs(rayleigh / top.value[0] - 1.0):.0e}")
        print(f"{activation} | {', '.join(errors)}")


def gradient(mlp: Mlp, flat: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Of the cross-entropy, by autograd."""
    flat = flat.clone().requires_grad_()
    weights: Weights = unflatten(mlp, flat)
    h = x
    for layer, w in enumerate(weights.w):
        h = h @ w[0].T
        if layer < mlp.layers - 1:
            h = torch.relu(h) if mlp.activation == "relu" else torch.nn.functional.gelu(h)
    (found,) = torch.autograd.grad(torch.nn.functional.cross_entropy(h, y), flat)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    clusters()
    kinks()
    print()
    precision()
