"""What λ, critical and directional sharpness of any model cost, in training steps, beside other projects.

    python -m benchmarks.gauge_cost --rounds 3 --json out.json

Three nets are trained for some steps. At two moments every method finds λ of the same weights and batch, by turns in
one process and on one thread; costs are CPU times over that of a training step in the same turn. Errors are
relative to λ in double precision by SciPy's ``eigsh``. The net is in eval mode, which PyHessian puts it into, and
attention is by its formula for all, since others would fail at the fused kernel. Our check of second derivatives
is made once in the life of a model and is a line of its own. Last, the recorder runs with a budget beside the
same training without it.
"""

import argparse
import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import mlrtui
from benchmarks.gauge_nets import NETS, Trained, loss_fn
from benchmarks.machine import describe, save, spread, table
from benchmarks.peers import METHODS, Problem, installed

MOMENTS = (10, 40)  # steps of training
REFERENCE = 1e-7  # tolerance of eigsh in double precision
STEPS_TIMED = 5
TOLERANCES = (0.1, 1e-2, 1e-3, 1e-4)
OVERHEAD = 0.1


def double_value(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[float, Tensor]:
    """λ and its eigenvector in double precision, by SciPy and plain double backward."""
    model = copy.deepcopy(model).double()
    x = batch[0].double() if batch[0].is_floating_point() else batch[0]
    parameters = list(model.parameters())
    with sdpa_kernel(SDPBackend.MATH):
        gradients = torch.autograd.grad(loss_fn(model, (x, batch[1])), parameters, create_graph=True)
    n = sum(p.numel() for p in parameters)

    def apply(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        parts = torch.split(torch.from_numpy(np.ascontiguousarray(v).reshape(n)), [p.numel() for p in parameters])
        shaped = [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]
        image = torch.autograd.grad(gradients, parameters, shaped, retain_graph=True)
        found: npt.NDArray[np.float64] = torch.cat([part.flatten() for part in image]).numpy()
        return found

    matrix = LinearOperator((n, n), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n)
    values, vectors = eigsh(matrix, k=1, which="LA", tol=REFERENCE, v0=start)
    return float(values[0]), torch.from_numpy(vectors[:, 0])


def ours(trained: Trained, batch: tuple[Tensor, Tensor], before: Tensor) -> dict[str, Callable[[], tuple[float, int]]]:
    """What mlrtui measures, by the name of its line; each gives λ or NaN, and its products."""
    model = trained.model
    gradient = torch.autograd.grad(loss_fn(model, batch), list(model.parameters()))
    start = mlrtui.critical_sharpness(model, loss_fn, batch, gradient, start=0.1).eta_high

    def solved(**how: Any) -> tuple[float, int]:
        found = mlrtui.sharpness(model, loss_fn, batch, **how)
        return found.value, found.products

    def critical() -> tuple[float, int]:
        mlrtui.critical_sharpness(model, loss_fn, batch, gradient, start=start)
        return math.nan, 0

    def directional() -> tuple[float, int]:
        return math.nan, mlrtui.directional_sharpness(model, loss_fn, batch, gradient).products

    def checked() -> tuple[float, int]:
        found = mlrtui.sharpness(copy.deepcopy(model), loss_fn, batch, max_products=1)
        return math.nan, found.products

    cold = {f"mlrtui, tolerance {how:g}": partial(solved, tolerance=how) for how in TOLERANCES}
    warm = {
        f"mlrtui, tolerance {how:g}, from the last step": partial(solved, tolerance=how, start=before)
        for how in TOLERANCES
    }
    return {
        **cold,
        **warm,
        "mlrtui, critical sharpness": critical,
        "mlrtui, directional sharpness": directional,
        "mlrtui, one product and the check of a new model": checked,
    }


def measured(name: str, rounds: int, moments: Sequence[int]) -> list[dict[str, Any]]:
    """Every method at every moment of one training."""
    torch.manual_seed(0)
    trained, found = NETS[name](), []
    before, value_before = None, math.nan
    for step in range(max(moments) + 1):
        if step in moments or step + 1 in moments:
            trained.model.eval()
            batch = trained.batch_at(0)  # the same at all moments, as along a training
            true, vector = double_value(trained.model, batch)
            if step in moments and before is not None:
                found.append(_moment(trained, step, batch, (before.float(), value_before), true, rounds))
            before, value_before = vector, true
            trained.model.train()
        trained.step(trained.batch_at(step))
    return found


def _moment(
    trained: Trained, step: int, batch: tuple[Tensor, Tensor], before: tuple[Tensor, float], true: float, rounds: int
) -> dict[str, Any]:
    problem = Problem(trained.model, *batch, *before)
    methods: dict[str, Callable[[], tuple[float, int]]] = dict(ours(trained, batch, before[0]))
    methods |= {one: _peer(METHODS[one], problem) for one in installed()}
    stepped = copy.deepcopy(trained)
    stepped.model.train()
    steps: list[float] = []
    seconds: dict[str, list[float]] = {one: [] for one in methods}
    values: dict[str, tuple[float, int]] = {}
    for turn in range(rounds + 1):  # the first is thrown away
        start = time.process_time()
        for _ in range(STEPS_TIMED):
            stepped.step(batch)
        steps.append((time.process_time() - start) / STEPS_TIMED)
        for one, run in methods.items():
            torch.manual_seed(turn)
            start = time.process_time()
            values[one] = run()
            seconds[one].append(time.process_time() - start)
    costs = {one: [t / s for t, s in zip(seconds[one][1:], steps[1:], strict=True)] for one in methods}
    return {
        "step": step,
        "true": true,
        "step_ms": [1e3 * s for s in steps[1:]],
        "cost": costs,  # in training steps
        "error": {one: abs(value / true - 1.0) for one, (value, _) in values.items()},  # NaN: another quantity
        "products": {one: count for one, (_, count) in values.items()},
    }


def _peer(method: Callable[[Problem], float], problem: Problem) -> Callable[[], tuple[float, int]]:
    def run() -> tuple[float, int]:
        with sdpa_kernel(SDPBackend.MATH):
            return method(problem), 0

    return run


def overhead_of(name: str, steps: int) -> dict[str, float]:
    """The recorder's share of the training's time, by its own account and beside a training without it."""
    torch.manual_seed(0)
    plain, recorded = NETS[name](), NETS[name]()
    recorded.model.load_state_dict(plain.model.state_dict())
    half = steps // 2

    def trained(first: int, last: int) -> float:
        start = time.perf_counter()
        for step in range(first, last):
            plain.step(plain.batch_at(step))
        return time.perf_counter() - start

    before = trained(0, half)
    with mlrtui.record(recorded.model, recorded.optimizer, loss_fn, overhead=OVERHEAD, strict=True) as rec:
        start = time.perf_counter()
        for step in range(steps):
            batch = recorded.batch_at(step)
            rec.step(recorded.step(batch), batch)
        spent = time.perf_counter() - start
    without = before + trained(half, steps)
    return {
        "told": rec.spent_seconds / rec.trained_seconds,
        "cold_steps": rec.cold_seconds * steps / without,
        "beside": (spent - rec.cold_seconds) / without - 1.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gauge_cost", description=__doc__)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS), help="of these alone (all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns at each moment (3)")
    parser.add_argument("--moments", type=int, nargs="+", default=list(MOMENTS), help="steps of training (10 40)")
    parser.add_argument("--steps", type=int, default=2000, help="of the recorder with a budget (2000); 0: none")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases: list[dict[str, Any]] = []
    for name in options.nets:
        found = measured(name, options.rounds, options.moments)
        recorder = overhead_of(name, options.steps) if options.steps else None
        cases.append({"net": name, "moments": found, "recorder": recorder})
        print("\n" + table(*_page(name, found)), flush=True)
        if recorder is not None:
            words = f"recorder, overhead={OVERHEAD} over {options.steps} steps of {name}: {recorder['told']:.3f} of the"
            words += f" training's time, {recorder['beside']:.3f} beside the training without it;"
            print(f"\n{words} first measurements {recorder['cold_steps']:.0f} steps", flush=True)
    save(options.json, describe("cpu"), cases)


def _page(name: str, found: Sequence[dict[str, Any]]) -> tuple[Sequence[str], list[list[str]]]:
    head = [name, "cost, steps", "products", "worst error"]
    rows = []
    for one in found[0]["cost"]:
        costs = [cost for moment in found for cost in moment["cost"][one]]
        counts = [moment["products"][one] for moment in found]
        errors = [moment["error"][one] for moment in found]
        worst = f"{max(errors):.0e}" if all(map(math.isfinite, errors)) else ""
        products = f"{statistics.median(counts):.0f}" if any(counts) else ""
        rows.append([one, spread(costs, 1), products, worst])
    return head, rows


if __name__ == "__main__":
    main()
