"""Takes λ of fully connected nets on a CPU to the compiled solver, where that is installed; else says that it cannot.

Which route a worker takes is a property of its machine, as its CPU is: answers agree to rounding, not to the bit.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

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
from mlrtui_trainer.curvature.stopping import AUDITED, FALL, FALLEN, RULES, Last
from mlrtui_trainer.fast.records import Answers, Basis, Before, Signals, Stopping
from mlrtui_trainer.fast.records import Operator as CompiledOperator
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp

__all__ = ["ACTIVATIONS", "Solved", "follow", "solve", "version"]

SWITCH = "MLRTUI_FAST"
"""Environment variable: "0" takes the general route even where the compiled one is installed."""

ACTIVATIONS = ("relu", "linear", "tanh")
"""Those that are compiled, by their numbers there."""

_LOSSES = (LOSSES["ce"], LOSSES["mse"])

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


def solve(operator: Operator, start: Tensor, most: int, stopping: Stopping, rows: int) -> Solved | None:
    """`curvature.lanczos.largest` by the compiled route, with at most so many products; None where it does not apply.

    rows: vectors that are kept.
    """
    parts = _parts(operator, start)
    if parts is None:
        return None
    return _joined([_solve(matrix, root, start[at], most, stopping, rows) for matrix, root, at in parts])


def follow(operator: Operator, block: Tensor, most: int, stopping: Stopping, last: Last | None) -> Solved | None:
    """`curvature.subspace.followed` by the compiled route, with at most so many products; None where it does not apply.

    last: of all lanes.
    """
    parts = _parts(operator, block)
    if parts is None:
        return None
    solved = []
    for matrix, root, at in parts:
        known = None if last is None else Last(last.value[at], last.audits[at])
        solved.append(_follow(matrix, root, block[at], most, stopping, known))
    return _joined(solved)


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
    matrix: MlpCurvature, root: Tensor | None, start: Tensor, most: int, stopping: Stopping, rows: int
) -> Solved:
    kernels = _kernels()
    assert kernels is not None
    buffers = _Buffers(matrix, root, most, stopping, rows, len(start))
    starts = start.contiguous().numpy()
    for i, lane in buffers.lanes():
        buffers.answer(i, kernels.solve(lane.operator, lane.root, starts[i], stopping, buffers.basis, lane.answers))
    return buffers.solved()


def _follow(
    matrix: MlpCurvature, root: Tensor | None, block: Tensor, most: int, stopping: Stopping, last: Last | None
) -> Solved:
    from mlrtui_trainer.fast import subspace as kernels

    buffers = _Buffers(matrix, root, most, stopping, block.shape[1], len(block))
    table = np.array(RULES)
    known = last or Last(np.full(len(block), np.nan), np.zeros(len(block), np.bool_))
    blocks = block.contiguous().numpy()
    space = Basis(buffers.basis, torch.empty(most, buffers.basis.shape[1], dtype=block.dtype).numpy())
    for i, lane in buffers.lanes():
        value, audit = float(known.value[i]), bool(known.audits[i])
        before = Before(last is not None, value, audit, FALL, FALLEN, AUDITED)
        answer = kernels.follow(lane.operator, lane.root, blocks[i], stopping, table, before, space, lane.answers)
        buffers.answer(i, answer)
    return buffers.solved()


class _Lane(NamedTuple):
    """What a solve of one lane takes."""

    operator: CompiledOperator
    root: npt.NDArray[Any]  # [size] or [0]
    answers: Answers


class _Buffers:
    """Memory of one solve after another, and the answers."""

    def __init__(
        self,
        matrix: MlpCurvature,
        root: Tensor | None,
        most: int,
        stopping: Stopping,
        rows: int,
        lanes: int,
    ) -> None:
        size, top, dtype = matrix.size, stopping.wanted, matrix.x.dtype
        samples = matrix.x.shape[1]
        plan = _plan(matrix.mlp, samples, piece_of(samples), matrix.full, dtype)
        self.basis = torch.empty(most + 2, -(-size // LINE) * LINE, dtype=dtype).numpy()
        self._roots = (torch.empty(1, 0, dtype=dtype) if root is None else root.reshape(-1, size)).contiguous().numpy()
        self._values, self._residuals = np.full((lanes, top), np.nan), np.full((lanes, top), np.nan)
        self._vectors = torch.full((lanes, rows, size), torch.nan, dtype=dtype)
        self._products, self._rule = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
        self._fill = _Filling(matrix, plan)

    def lanes(self) -> Iterator[tuple[int, _Lane]]:
        """Every lane by its number."""
        written = self._vectors.numpy()
        for i in range(len(written)):
            answers = Answers(self._values[i], self._residuals[i], written[i])
            yield i, _Lane(self._fill.lane(i), self._roots[i % len(self._roots)], answers)

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

    def __init__(self, matrix: MlpCurvature, plan: _Plan) -> None:
        from mlrtui_trainer.fast import constants as kernels
        from mlrtui_trainer.fast.tiles import multiply_at

        self._matrix, self._plan, self._kernels = matrix, plan, kernels
        samples, dtype = matrix.x.shape[1], matrix.x.dtype
        self._buffer = torch.empty(plan.constants, dtype=dtype)
        self._weights, self._biases = matrix.weights.addresses()  # [lanes, layers]
        constants = self._buffer.numpy()
        kernels.arrange(plan.layout, samples, plan.piece, matrix.x.reshape(-1).numpy(), constants)
        self._operator = CompiledOperator(
            layout=plan.layout,
            weights=np.empty(0, np.int64),  # each lane's own
            scale=np.array(matrix.mlp.scale, dtype=constants.dtype),
            constants=constants,
            samples=samples,
            piece=plan.piece,
            loss_ce=matrix.loss is LOSSES["ce"],
            scratch=torch.empty(plan.scratch, dtype=dtype).numpy(),
            spare=plan.spare,
            multiply=multiply_at(double=dtype == torch.float64),
        )
        self._signals: Signals | None = None
        if matrix.mlp.activation in ACTIVATIONS:
            activation, y = ACTIVATIONS.index(matrix.mlp.activation), matrix.y.reshape(-1).numpy()
            self._signals = Signals(np.empty(0, np.int64), activation, matrix.full, y)

    def lane(self, i: int) -> CompiledOperator:
        """This lane's operator; by the general way where that is not compiled, or needs double precision."""
        operator = self._operator._replace(weights=self._weights[i])
        if self._signals is not None:
            largest = self._kernels.fill(operator, self._signals._replace(biases=self._biases[i]))
            if self._buffer.dtype == torch.float64 or not largest > LARGE_OUTPUT:
                return operator
        passes = self._matrix.passes.select(torch.tensor([i]))
        torch.cat(list(_constants(self._matrix, self._plan, passes)), out=self._buffer[self._plan.inputs :])
        return operator


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
