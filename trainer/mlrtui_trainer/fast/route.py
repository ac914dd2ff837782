"""Takes λ of fully connected nets on a CPU to the compiled solver, where that is installed; else says that it cannot.

Which route a worker takes is a property of its machine, as its CPU is: answers agree to rounding, not to the bit.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
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

__all__ = ["ACTIVATIONS", "Solved", "follow", "solve", "version"]

SWITCH = "MLRTUI_FAST"
"""Environment variable: "0" takes the general route even where the compiled one is installed."""

ACTIVATIONS = ("relu", "linear", "tanh")
"""Those that are compiled, by their numbers there."""

_LOSSES = (LOSSES["ce"], LOSSES["mse"])

Known = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]
"""The lanes' last values, and which of them are audited: see `curvature.subspace.Last`."""

PIECE = 256
"""Samples that go through a product at a time, at most: more leave the cache between one layer and the next."""

LINE = 16  # basis vectors and buffers are padded to this many numbers


@dataclass(frozen=True)
class Solved:
    """What a solve found, as `curvature.lanczos.Eigen` has it."""

    values: npt.NDArray[np.float64]  # [lanes, top]
    residuals: npt.NDArray[np.float64]  # [lanes, top]
    space: Tensor  # [lanes, rows, size]
    products: npt.NDArray[np.int64]  # [lanes]
    rule: npt.NDArray[np.str_]  # [lanes]


def version() -> str:
    """The compiler's version, or "" where λ takes the general route."""
    kernels = _kernels()
    return "" if kernels is None else str(kernels.numba_version)


def solve(operator: Operator, start: Tensor, most: int, rules: tuple[float, int, float], rows: int) -> Solved | None:
    """`curvature.lanczos.largest` by the compiled route, with at most so many products; None where it does not apply.

    rules: tolerance, wanted values, and the part of the operator's norm below which β is rounding; rows: vectors that
    are kept.
    """
    parts = _parts(operator, start)
    if parts is None:
        return None
    return _joined([_solve(matrix, root, start[at], most, rules, rows) for matrix, root, at in parts])


def follow(
    operator: Operator, block: Tensor, most: int, rules: tuple[float, int, float], last: Known | None
) -> Solved | None:
    """`curvature.subspace.followed` by the compiled route, with at most so many products; None where it does not apply.

    rules: as for `solve`.
    """
    parts = _parts(operator, block)
    if parts is None:
        return None
    own = [
        (matrix, root, block[at], None if last is None else (last[0][at], last[1][at])) for matrix, root, at in parts
    ]
    return _joined([_follow(matrix, root, some, most, rules, known) for matrix, root, some, known in own])


def _parts(operator: Operator, start: Tensor) -> list[tuple[MlpCurvature, Tensor | None, slice]] | None:
    """What is solved at a time: matrices, roots of their scale, and their lanes; None where nothing is compiled."""
    inner, root = (operator.inner, operator.root) if isinstance(operator, Preconditioned) else (operator, None)
    if start.device.type != "cpu" or not isinstance(inner, (MlpCurvature, LaneByLane)) or _kernels() is None:
        return None
    matrix = inner.parts[0] if isinstance(inner, LaneByLane) else inner
    if matrix.loss not in _LOSSES:
        return None
    if isinstance(inner, MlpCurvature):
        return [(inner, root, slice(None))]
    roots = [root[i : i + 1] if root is not None and root.ndim == 2 else root for i in range(inner.lanes)]
    return [(part, roots[i], slice(i, i + 1)) for i, part in enumerate(inner.parts)]


@cache
def _kernels() -> ModuleType | None:
    """The compiled code; None where there is none, or it is off."""
    if os.environ.get(SWITCH) == "0" or find_spec("numba") is None:
        return None
    try:
        from mlrtui_trainer.fast import curvature
    except RuntimeError:  # nowhere to keep what was compiled
        return None
    return curvature


def _solve(
    matrix: MlpCurvature, root: Tensor | None, start: Tensor, most: int, rules: tuple[float, int, float], rows: int
) -> Solved:
    kernels = _kernels()
    assert kernels is not None
    setting = _Setting(matrix, root, most, rules, rows, len(start))
    how = (*setting.how, *rules)
    starts = start.contiguous().numpy()
    for i, fixed, found in setting.lanes():
        setting.answer(i, kernels.solve(*fixed, starts[i], how, *setting.space, *found))
    return setting.solved()


def _follow(
    matrix: MlpCurvature,
    root: Tensor | None,
    block: Tensor,
    most: int,
    rules: tuple[float, int, float],
    last: Known | None,
) -> Solved:
    from mlrtui_trainer.curvature.stopping import AUDITED, FALL, FALLEN, RULES
    from mlrtui_trainer.fast import subspace as kernels

    setting = _Setting(matrix, root, most, rules, block.shape[1], len(block))
    how = (*setting.how, *rules[:2], last is not None, rules[2])
    table = np.array(RULES)
    value, audits = last or (np.full(len(block), np.nan), np.zeros(len(block), np.bool_))
    blocks = block.contiguous().numpy()
    pulled = torch.empty(most, setting.padded, dtype=block.dtype).numpy()
    basis, *others = setting.space
    for i, fixed, found in setting.lanes():
        known = (float(value[i]), bool(audits[i]), FALL, FALLEN, AUDITED)
        setting.answer(i, kernels.follow(*fixed, blocks[i], how, table, known, basis, pulled, *others, *found))
    return setting.solved()


class _Setting:
    """Buffers of one solve after another, and the answers."""

    def __init__(
        self,
        matrix: MlpCurvature,
        root: Tensor | None,
        most: int,
        rules: tuple[float, int, float],
        rows: int,
        lanes: int,
    ) -> None:
        from mlrtui_trainer.fast import tiles

        size, top, dtype = matrix.size, rules[1], matrix.x.dtype
        samples = matrix.x.shape[1]
        self._plan = _plan(matrix.mlp, samples, piece_of(samples), matrix.full, dtype)
        self.padded = -(-size // LINE) * LINE
        basis = torch.empty(most + 2, self.padded, dtype=dtype).numpy()
        scratch = torch.empty(self._plan.scratch, dtype=dtype).numpy()
        address = tiles.multiply_at(double=dtype == torch.float64)
        self.space = (basis, scratch, self._plan.spare, address)
        self.how = (samples, self._plan.piece, matrix.loss is LOSSES["ce"])
        self._roots = (torch.empty(1, 0, dtype=dtype) if root is None else root.reshape(-1, size)).contiguous().numpy()
        self._values, self._residuals = np.full((lanes, top), np.nan), np.full((lanes, top), np.nan)
        self._vectors = torch.full((lanes, rows, size), torch.nan, dtype=dtype)
        self._products, self._rule = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
        self._scale = np.array(matrix.mlp.scale, dtype=scratch.dtype)
        self._fill = _Filling(matrix, self._plan, self._scale, scratch, address)

    def lanes(self) -> Iterator[tuple[int, tuple[Any, ...], tuple[Any, ...]]]:
        """Every lane's number, what a solve takes first, and where it writes."""
        written = self._vectors.numpy()
        for i in range(len(written)):
            self._fill.lane(i)
            fixed = (self._plan.layout, self._fill.weights[i], self._scale, self._fill.constants)
            yield i, (*fixed, self._roots[i % len(self._roots)]), (self._values[i], self._residuals[i], written[i])

    def answer(self, i: int, answer: tuple[int, int]) -> None:
        """Take a lane's number of products and rule."""
        self._products[i], self._rule[i] = answer

    def solved(self) -> Solved:
        """All lanes' answers."""
        kernels = _kernels()
        assert kernels is not None
        rule = np.array(kernels.RULES)[self._rule]
        return Solved(self._values, self._residuals, self._vectors, self._products, rule)


@dataclass(frozen=True)
class _Plan:
    """Where everything of a net lies, by the columns of `fast.constants`."""

    layout: npt.NDArray[np.int64]  # [layers, columns]
    spare: npt.NDArray[np.int64]  # places in the scratch
    piece: int  # samples that go through a product at a time
    inputs: int  # numbers of the constants that all lanes share, the first ones
    constants: int  # numbers of a lane's constants and of those
    scratch: int


class _Filling:
    """Writes what a lane's products share into one buffer, lane after lane."""

    def __init__(
        self, matrix: MlpCurvature, plan: _Plan, scale: npt.NDArray[Any], scratch: npt.NDArray[Any], address: int
    ) -> None:
        from mlrtui_trainer.fast import constants as kernels

        self._matrix, self._plan = matrix, plan
        self._buffer = torch.empty(plan.constants, dtype=matrix.x.dtype)
        self.constants = self._buffer.numpy()
        self.weights, self._biases = matrix.weights.addresses()  # [lanes, layers]
        self._fill: Callable[[int], float] | None = None
        samples = matrix.x.shape[1]
        kernels.arrange(plan.layout, samples, plan.piece, matrix.x.reshape(-1).numpy(), self.constants)
        if matrix.mlp.activation in ACTIVATIONS:
            activation, y = ACTIVATIONS.index(matrix.mlp.activation), matrix.y.reshape(-1).numpy()
            rules = (samples, matrix.loss is LOSSES["ce"], matrix.full, plan.piece)
            self._fill = lambda i: kernels.fill(
                plan.layout, self.weights[i], self._biases[i], scale, activation, rules, y, self.constants, scratch,
                plan.spare, address,
            )  # fmt: skip

    def lane(self, i: int) -> None:
        """This lane's; by the general way where that is not compiled, or needs double precision."""
        if self._fill is not None:
            largest = self._fill(i)
            if self._buffer.dtype == torch.float64 or not largest > LARGE_OUTPUT:
                return
        passes = self._matrix.passes.select(torch.tensor([i]))
        torch.cat(list(_constants(self._matrix, self._plan, passes)), out=self._buffer[self._plan.inputs :])


def piece_of(samples: int) -> int:
    """How many samples go through a product at a time: equal parts, but for the last."""
    return -(-samples // -(-samples // PIECE))


@lru_cache(maxsize=32)
def _plan(mlp: Mlp, samples: int, piece: int, full: bool, dtype: torch.dtype) -> _Plan:
    """The constants are in the order in which `_constants` has them, after the inputs."""
    from mlrtui_trainer.fast import constants as at
    from mlrtui_trainer.fast import losses
    from mlrtui_trainer.fast.tiles import VECTOR, stride

    item = dtype.itemsize
    line = stride(piece, item)  # of [units, samples]
    all_samples = -(-samples // piece) * line
    table = np.full((mlp.layers, at.COLUMNS), -1, dtype=np.int64)
    bend = full and mlp.phi.bend is not None
    in_vector = in_constants = in_scratch = inputs = 0
    for layer, (out, fan_in) in enumerate(mlp.shapes):
        row, hidden = table[layer], layer < mlp.layers - 1
        row[at.AT_OUT], row[at.AT_IN] = out, fan_in
        row[at.AT_V] = in_vector
        in_vector += out * fan_in
        if mlp.bias:
            row[at.AT_BIAS] = in_vector
            in_vector += out
        sections = [
            (at.AT_H, all_samples * fan_in, True),
            (at.AT_UNITS, samples * stride(fan_in, item), True),
            (at.AT_SLOPE, all_samples * out, True),
            (at.AT_DELTA, all_samples * out, full and layer > 0),
            (at.AT_BEND, all_samples * out, bend and hidden),
        ]
        for column, count, there in sections:
            if there:
                row[column] = in_constants
                in_constants += count
            if layer == 0 and column == at.AT_UNITS:
                inputs = in_constants
        row[at.AT_ZDOT] = row[at.AT_HDOT] = in_scratch
        in_scratch += line * out
        if bend or not hidden:
            row[at.AT_HDOT] = in_scratch
            in_scratch += line * out if hidden else 2 * line * max(mlp.sizes)
    widest = max(mlp.sizes)
    rooms = {at.UNITS: piece * stride(widest, item), at.EDGE: widest * (VECTOR // item), at.ROOM: losses.ROOM * line}
    spare = np.zeros(at.SPARE, np.int64)
    for place, count in rooms.items():
        spare[place] = in_scratch
        in_scratch += count
    return _Plan(table, spare, piece, inputs, in_constants, in_scratch)


def _constants(matrix: MlpCurvature, plan: _Plan, passes: Passes) -> Iterator[Tensor]:
    """All that does not depend on the vector but the inputs, of one lane, flat; ``passes``: of it alone."""
    phi, piece = matrix.mlp.phi, plan.piece
    for layer in range(matrix.mlp.layers):
        if layer > 0:
            yield _columns(passes.h[layer - 1], piece)
            yield _rows(passes.h[layer - 1])
        if layer == matrix.mlp.layers - 1:
            yield _columns(passes.e.exp(), piece)
        else:
            h, z = passes.h[layer], passes.z[layer]
            yield _columns(phi.pull(torch.ones_like(h), h, z), piece)
        if passes.delta and layer > 0:
            yield _columns(passes.delta[layer], piece)
        if passes.back and layer < matrix.mlp.layers - 1:
            assert phi.bend is not None
            yield _columns(phi.bend(h, z) * passes.back[layer], piece)


def _rows(part: Tensor) -> Tensor:
    """[1, samples, units] with a row every stride of the units, flat."""
    from mlrtui_trainer.fast.tiles import stride

    _, samples, units = part.shape
    rows = part.new_zeros(samples, stride(units, part.element_size()))
    rows[:, :units] = part[0]
    return rows.flatten()


def _columns(part: Tensor, piece: int) -> Tensor:
    """[1, samples, units] as [units, samples] of each piece of samples, with a row every stride of a piece, flat."""
    from mlrtui_trainer.fast.tiles import stride

    pieces = torch.split(part[0], piece)
    columns = part.new_zeros(len(pieces), part.shape[2], stride(piece, part.element_size()))
    for i, some in enumerate(pieces):
        columns[i, :, : len(some)] = some.T
    return columns.flatten()


def _joined(parts: Sequence[Solved]) -> Solved:
    """Lanes that were solved apart."""
    if len(parts) == 1:
        return parts[0]
    return Solved(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.residuals for part in parts]),
        torch.cat([part.space for part in parts]),
        np.concatenate([part.products for part in parts]),
        np.concatenate([part.rule for part in parts]),
    )
