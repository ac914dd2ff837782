"""Takes λ of fully connected nets on a CPU to the compiled solver, where that is installed; else says that it cannot.

Which route a worker takes is a property of its machine, as its CPU is: answers agree to rounding, not to the bit.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.operators import LaneByLane, MlpCurvature, Operator, Preconditioned
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp

__all__ = ["Solved", "solve", "version"]

SWITCH = "MLRTUI_FAST"
"""Environment variable: "0" takes the general route even where the compiled one is installed."""

_LOSSES = (LOSSES["ce"], LOSSES["mse"])

Along = tuple[tuple[float, float, float, float], tuple[float, float, float, float], npt.NDArray[np.float64]]
"""How a solve along a training may end: see `curvature.lanczos.Along`; by the first, or below the floor [lanes] by
the second."""

NEVER = (0.0, 0.0, 0.0, 0.0)  # where the solve stands alone

LINE = 16  # basis vectors and buffers are padded to this many numbers


@dataclass(frozen=True)
class Solved:
    """What a solve found, as `curvature.lanczos.Eigen` has it."""

    values: npt.NDArray[np.float64]  # [lanes, top]
    residuals: npt.NDArray[np.float64]  # [lanes, top]
    vector: Tensor  # [lanes, size]
    blend: Tensor  # [lanes, size]
    products: npt.NDArray[np.int64]  # [lanes]
    rule: npt.NDArray[np.str_]  # [lanes]


def version() -> str:
    """The compiler's version, or "" where λ takes the general route."""
    kernels = _kernels()
    return "" if kernels is None else str(kernels.numba_version)


def solve(
    operator: Operator, start: Tensor, most: int, rules: tuple[float, int, float], along: Along | None
) -> Solved | None:
    """The largest eigenvalues by the compiled route, with at most so many products; None where it does not apply.

    rules: tolerance, wanted values, and the part of the operator's norm below which β is rounding.
    """
    inner, root = (operator.inner, operator.root) if isinstance(operator, Preconditioned) else (operator, None)
    if start.device.type != "cpu" or not isinstance(inner, (MlpCurvature, LaneByLane)) or _kernels() is None:
        return None
    matrix = inner.parts[0] if isinstance(inner, LaneByLane) else inner
    if matrix.loss not in _LOSSES:
        return None
    if isinstance(inner, LaneByLane):
        roots = [root[i : i + 1] if root is not None and root.ndim == 2 else root for i in range(inner.lanes)]
        own = [None if along is None else (*along[:2], along[2][i : i + 1]) for i in range(inner.lanes)]
        parts = enumerate(inner.parts)
        return _joined([_solve(part, roots[i], start[i : i + 1], most, rules, own[i]) for i, part in parts])
    return _solve(inner, root, start, most, rules, along)


@cache
def _kernels() -> ModuleType | None:
    """The compiled code, with its BLAS held to one thread; None where there is none, or it is off."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        from threadpoolctl import threadpool_limits

        from mlrtui_trainer.fast import blas, curvature
    except (ImportError, RuntimeError):  # not there, or nowhere to keep what was compiled
        return None
    blas.gemm(double=False)  # loads the BLAS whose threads are counted next
    threadpool_limits(1, "blas")
    return curvature


def _solve(
    matrix: MlpCurvature,
    root: Tensor | None,
    start: Tensor,
    most: int,
    rules: tuple[float, int, float],
    along: Along | None,
) -> Solved:
    from mlrtui_trainer.fast import blas

    kernels = _kernels()
    assert kernels is not None
    lanes, size = start.shape
    top, dtype = rules[1], start.dtype
    layout, room = _layout(matrix.mlp, matrix.x.shape[1], bool(matrix.delta), bool(matrix.back))
    constants = _constants(matrix).numpy()
    samples = matrix.x.shape[1]
    padded = -(-size // LINE) * LINE
    basis = torch.empty(most + 2, padded, dtype=dtype).numpy()
    scratch = torch.empty(room, dtype=dtype).numpy()
    roots = (torch.empty(1, 0, dtype=dtype) if root is None else root.reshape(-1, size)).contiguous().numpy()
    values, residuals = np.full((lanes, top), np.nan), np.full((lanes, top), np.nan)
    vectors = torch.full((lanes, 1 if top == 1 else 2, size), torch.nan, dtype=dtype)
    products, rule = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    ce, gemm = matrix.loss is LOSSES["ce"], blas.gemm(double=dtype == torch.float64)
    scale = np.array(matrix.mlp.scale, dtype=scratch.dtype)
    steady, fallen, floor = along or (NEVER, NEVER, np.zeros(lanes))
    numbers = (rules[0], top, along is not None, rules[2])
    x, starts, written = matrix.x.reshape(-1).numpy(), start.contiguous().numpy(), vectors.numpy()
    for i in range(lanes):
        products[i], rule[i] = kernels.solve(
            layout, scale, samples, ce, constants[i], x, roots[i % len(roots)], starts[i], numbers, tuple(steady), tuple(fallen),
            floor[i], gemm, basis, scratch, values[i], residuals[i], written[i],
        )  # fmt: skip
    return Solved(values, residuals, vectors[:, 0], vectors[:, -1], products, np.array(kernels.RULES)[rule])


@lru_cache(maxsize=32)
def _layout(mlp: Mlp, samples: int, delta: bool, bend: bool) -> tuple[npt.NDArray[np.int64], int]:
    """Where everything of a net lies, by the columns of `fast.curvature`, and how large the scratch must be.

    The constants are in the order in which `_constants` joins them.
    """
    kernels = _kernels()
    assert kernels is not None
    table = np.full((mlp.layers, kernels.COLUMNS), -1, dtype=np.int64)
    in_vector = in_constants = in_scratch = 0
    for layer, (out, fan_in) in enumerate(mlp.shapes):
        row, hidden = table[layer], layer < mlp.layers - 1
        row[kernels.AT_OUT], row[kernels.AT_IN] = out, fan_in
        row[kernels.AT_V] = in_vector
        in_vector += out * fan_in
        if mlp.bias:
            row[kernels.AT_BIAS] = in_vector
            in_vector += out
        sections = [
            (kernels.AT_W, out * fan_in, layer > 0),
            (kernels.AT_H, samples * fan_in, layer > 0),
            (kernels.AT_SLOPE, samples * out, True),
            (kernels.AT_DELTA, samples * out, delta and layer > 0),
            (kernels.AT_BEND, samples * out, bend and hidden),
        ]
        for column, count, there in sections:
            if there:
                row[column] = in_constants
                in_constants += count
        row[kernels.AT_ZDOT] = row[kernels.AT_HDOT] = in_scratch
        in_scratch += samples * out
        if bend or not hidden:
            row[kernels.AT_HDOT] = in_scratch
            in_scratch += samples * (out if hidden else 2 * max(mlp.sizes))
    return table, in_scratch


def _constants(matrix: MlpCurvature) -> Tensor:
    """All that does not depend on the vector, [lanes, numbers]."""
    phi, parts = matrix.mlp.phi, list[Tensor]()
    for layer, w in enumerate(matrix.weights.w):
        if layer > 0:
            parts += [w, matrix.h[layer - 1]]
        if layer == matrix.mlp.layers - 1:
            parts.append(matrix.e.exp())
        else:
            h, z = matrix.h[layer], matrix.z[layer]
            parts.append(phi.pull(torch.ones_like(h), h, z))
        if matrix.delta and layer > 0:
            parts.append(matrix.delta[layer])
        if matrix.back and layer < matrix.mlp.layers - 1:
            assert phi.bend is not None
            parts.append(phi.bend(h, z) * matrix.back[layer])
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _joined(parts: Sequence[Solved]) -> Solved:
    """Lanes that were solved apart."""
    return Solved(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.residuals for part in parts]),
        torch.cat([part.vector for part in parts]),
        torch.cat([part.blend for part in parts]),
        np.concatenate([part.products for part in parts]),
        np.concatenate([part.rule for part in parts]),
    )
