"""Takes λ of fully connected nets on a CPU to the compiled solver, where that is installed; else says that it cannot.

Which route a worker takes is a property of its machine, as its CPU is: answers agree to rounding, not to the bit.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.operators import (
    LARGE_OUTPUT,
    LaneByLane,
    MlpCurvature,
    Operator,
    Passes,
    Preconditioned,
)
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp

__all__ = ["ACTIVATIONS", "TURNED", "Solved", "solve", "version"]

SWITCH = "MLRTUI_FAST"
"""Environment variable: "0" takes the general route even where the compiled one is installed."""

ACTIVATIONS = ("relu", "linear", "tanh")
"""Those that are compiled, by their numbers there."""

_LOSSES = (LOSSES["ce"], LOSSES["mse"])

Ending = tuple[tuple[float, float, float, float], tuple[float, float, float, float], npt.NDArray[np.float64]]
"""How a solve along a training may end: see `curvature.lanczos.Along`; by the first, unless below the floor
[lanes] (NaN: always below)."""

NEVER = (0.0, 0.0, 0.0, 0.0)  # where the solve stands alone

TURNED = 4096
"""Numbers of a matrix up to which a copy as [in, out] gains in forward products: BLAS is quicker by it."""

PIECE = 256
"""Samples that go through a product at a time, at most: more leave the cache between one layer and the next."""

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
    operator: Operator, start: Tensor, most: int, rules: tuple[float, int, float], along: Ending | None
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
    along: Ending | None,
) -> Solved:
    from mlrtui_trainer.fast import blas

    kernels = _kernels()
    assert kernels is not None
    lanes, size = start.shape
    top, dtype = rules[1], start.dtype
    samples = matrix.x.shape[1]
    piece = piece_of(samples)
    layout, numbers, room = _layout(matrix.mlp, samples, piece, matrix.full)
    constants = torch.empty(numbers, dtype=dtype)
    basis = torch.empty(most + 2, -(-size // LINE) * LINE, dtype=dtype).numpy()
    scratch = torch.empty(room, dtype=dtype).numpy()
    roots = (torch.empty(1, 0, dtype=dtype) if root is None else root.reshape(-1, size)).contiguous().numpy()
    values, residuals = np.full((lanes, top), np.nan), np.full((lanes, top), np.nan)
    vectors = torch.full((lanes, 1 if top == 1 else 2, size), torch.nan, dtype=dtype)
    products, rule = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    gemm = blas.gemm(double=dtype == torch.float64)
    scale = np.array(matrix.mlp.scale, dtype=scratch.dtype)
    steady, fallen, floor = along or (NEVER, NEVER, np.zeros(lanes))
    how = (samples, piece, matrix.loss is LOSSES["ce"], rules[0], top, along is not None, rules[2])
    starts, written = start.contiguous().numpy(), vectors.numpy()
    fill = _Filling(matrix, layout, scale, constants, scratch, gemm)
    for i in range(lanes):
        fill.lane(i)
        products[i], rule[i] = kernels.solve(
            layout, fill.weights[i], scale, fill.constants, fill.x, roots[i % len(roots)], starts[i], how,
            tuple(steady), tuple(fallen), floor[i], gemm, basis, scratch, values[i], residuals[i], written[i],
        )  # fmt: skip
    return Solved(values, residuals, vectors[:, 0], vectors[:, -1], products, np.array(kernels.RULES)[rule])


class _Filling:
    """Writes what a lane's products share into one buffer, lane after lane."""

    def __init__(
        self,
        matrix: MlpCurvature,
        layout: npt.NDArray[np.int64],
        scale: npt.NDArray[Any],
        constants: Tensor,
        scratch: npt.NDArray[Any],
        gemm: int,
    ) -> None:
        from mlrtui_trainer.fast import constants as kernels

        self._matrix, self._buffer = matrix, constants
        self.constants, self.x = constants.numpy(), matrix.x.reshape(-1).numpy()
        self.weights, self._biases = matrix.weights.addresses()  # [lanes, layers]
        self._fill: Callable[[int], float] | None = None
        if matrix.mlp.activation in ACTIVATIONS:
            activation = ACTIVATIONS.index(matrix.mlp.activation)
            samples, y = matrix.x.shape[1], matrix.y.reshape(-1).numpy()
            rules = (samples, matrix.loss is LOSSES["ce"], matrix.full, piece_of(samples))
            self._fill = lambda i: kernels.fill(
                layout, self.weights[i], self._biases[i], scale, activation, rules, self.x, y, self.constants, scratch,
                gemm,
            )  # fmt: skip

    def lane(self, i: int) -> None:
        """This lane's; by the general way where that is not compiled, or needs double precision."""
        if self._fill is not None:
            largest = self._fill(i)
            if self._buffer.dtype == torch.float64 or not largest > LARGE_OUTPUT:
                return
        passes = self._matrix.passes.select(torch.tensor([i]))
        torch.cat([part.flatten() for part in _constants(self._matrix, i, passes)], out=self._buffer)


def piece_of(samples: int) -> int:
    """How many samples go through a product at a time: equal parts, but for the last."""
    return -(-samples // -(-samples // PIECE))


@lru_cache(maxsize=32)
def _layout(mlp: Mlp, samples: int, piece: int, full: bool) -> tuple[npt.NDArray[np.int64], int, int]:
    """Where everything of a net lies, by the columns of `fast.constants`; how many constants, and how large a scratch.

    The constants are in the order in which `_constants` has them.
    """
    from mlrtui_trainer.fast import constants as at

    table = np.full((mlp.layers, at.COLUMNS), -1, dtype=np.int64)
    bend = full and mlp.phi.bend is not None
    in_vector = in_constants = in_scratch = 0
    for layer, (out, fan_in) in enumerate(mlp.shapes):
        row, hidden = table[layer], layer < mlp.layers - 1
        row[at.AT_OUT], row[at.AT_IN] = out, fan_in
        row[at.AT_V] = in_vector
        in_vector += out * fan_in
        if mlp.bias:
            row[at.AT_BIAS] = in_vector
            in_vector += out
        sections = [
            (at.AT_TURNED, out * fan_in, out * fan_in <= TURNED),
            (at.AT_H, samples * fan_in, layer > 0),
            (at.AT_SLOPE, samples * out, True),
            (at.AT_DELTA, samples * out, full and layer > 0),
            (at.AT_BEND, samples * out, bend and hidden),
        ]
        for column, count, there in sections:
            if there:
                row[column] = in_constants
                in_constants += count
        row[at.AT_ZDOT] = row[at.AT_HDOT] = in_scratch
        in_scratch += piece * out
        if bend or not hidden:
            row[at.AT_HDOT] = in_scratch
            in_scratch += piece * out if hidden else 2 * piece * max(mlp.sizes)
        if out * fan_in <= TURNED:
            row[at.AT_TURNED_V] = in_scratch
            in_scratch += out * fan_in
    return table, in_constants, in_scratch


def _constants(matrix: MlpCurvature, lane: int, passes: Passes) -> Iterator[Tensor]:
    """All that does not depend on the vector, of one lane; ``passes``: of it alone."""
    phi = matrix.mlp.phi
    for layer, w in enumerate(matrix.weights.w):
        if w[lane].numel() <= TURNED:
            yield w[lane].T
        if layer > 0:
            yield passes.h[layer - 1]
        if layer == matrix.mlp.layers - 1:
            yield passes.e.exp()
        else:
            h, z = passes.h[layer], passes.z[layer]
            yield phi.pull(torch.ones_like(h), h, z)
        if passes.delta and layer > 0:
            yield passes.delta[layer]
        if passes.back and layer < matrix.mlp.layers - 1:
            assert phi.bend is not None
            yield phi.bend(h, z) * passes.back[layer]


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
