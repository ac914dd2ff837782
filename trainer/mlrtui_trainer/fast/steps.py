"""Takes gradient descent of narrow fully connected nets on a CPU to the compiled steps, where those are installed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mlrtui_trainer.fast import route
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import TrainSpec

__all__ = ["WIDEST", "CompiledSteps"]

WIDEST = 256
"""Units of the widest hidden layer that gains: beyond it the products take nearly all the time."""

PIECE = 128  # samples that are evaluated at a time

ROUNDING = 1e-6  # a lane stops a little above its limit, so that what ends a trial is what its log finds too large

_ACTIVATIONS = ("relu", "linear", "tanh")
_LOSSES = ("ce", "mse")
_KINDS = ("classes", "sign", "regression")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CompiledSteps:
    """What the compiled steps of one architecture need; lanes go one after the other, so company plays no part."""

    shapes: npt.NDArray[np.int64]  # [layers, 2], (out, in)
    scale: npt.NDArray[Any]  # [layers], in the training's precision
    rate: npt.NDArray[Any]  # [layers]
    places: npt.NDArray[np.int64]  # in the scratch: every layer's outputs, two signals, a row of ones
    rules: tuple[int, int, int, bool]
    factors: npt.NDArray[Any]  # [lanes], -η/batch
    scratch: npt.NDArray[Any]

    @classmethod
    def of(cls, model: Model, train: TrainSpec, samples: Samples, etas: Sequence[float]) -> "CompiledSteps | None":
        """The steps of a round's lanes; None where the general way has to do, or does better."""
        if not isinstance(model, Mlp) or samples.x.device.type != "cpu" or _kernels() is None:
            return None
        if max(model.sizes[1:-1], default=0) > WIDEST or train.optimizer != "sgd":
            return None
        if (model.sizes[0], model.sizes[-1]) != (samples.x.shape[1], samples.y.shape[1]):
            return None  # raised where shapes are checked
        if model.activation not in _ACTIVATIONS or train.loss not in _LOSSES:
            return None
        rows = max(train.batch, PIECE)
        counts = [rows * out for out, _ in model.shapes] + [rows * max(model.sizes)] * 2 + [rows]
        lines = [-(-count // 16) * 16 for count in counts]  # each starts on a boundary of 64 bytes or more
        places = np.cumsum([0, *lines])
        number = samples.x.numpy().dtype
        scratch = torch.empty(int(places[-1]), dtype=samples.x.dtype).numpy()
        scratch[places[-2] :] = 1.0
        rules = (
            _ACTIVATIONS.index(model.activation),
            _LOSSES.index(train.loss),
            _KINDS.index(samples.kind),
            train.batch == samples.count,
        )
        return cls(
            np.array(model.shapes, dtype=np.int64),
            np.array(model.scale, dtype=number),
            np.array(model.rate, dtype=number),
            places[:-1].astype(np.int64),
            rules,
            (-np.array(etas) / train.batch).astype(number),
            scratch,
        )

    def select(self, lanes: Sequence[int]) -> "CompiledSteps":
        """The same for the lanes with these numbers."""
        return replace(self, factors=self.factors[list(lanes)])

    def train(
        self,
        weights: Weights,
        batches: Batches,
        step: int,
        count: int,
        watched: int,
        limits: Sequence[float],
        *,
        moves: bool = True,
    ) -> Floats:
        """Steps ``step`` to ``step + count`` of every lane, in place; [count, columns, lanes] as `lanes` logs them.

        watched: of how many of them the RMS of the outputs is wanted. moves: without it weights stay. A lane whose
        loss passes its limit stops there; what would come after it is not a number.
        """
        from mlrtui_trainer.fast.blas import gemm

        kernels = _kernels()
        assert kernels is not None
        blas = gemm(double=self.scratch.itemsize == 8)
        (x, y, labels), slots, first = batches.block(step)
        sums = [limit * batches.size * (1.0 + ROUNDING) for limit in limits]
        seen = np.full((weights.lanes, count, kernels.COLUMNS), np.nan)
        for i, slot in enumerate(slots):
            kernels.train(
                self.shapes, *_addresses(weights, i), self.scale, self.rate, self.places, self.rules,
                x[slot].numpy().reshape(-1), y[slot].numpy(), labels[slot].numpy().reshape(-1),
                (first, batches.size, count, watched, moves), self.factors[i], sums[i], seen[i], self.scratch, blas,
            )  # fmt: skip
        seen[:, :, [kernels.LOSS, kernels.RIGHT]] /= batches.size  # here: the kernels multiply by reciprocals
        return seen.transpose(1, 2, 0)

    def evaluate(self, weights: Weights, samples: Samples) -> Floats:
        """Loss, accuracy and deadness of every lane over all samples, [columns, lanes]."""
        from mlrtui_trainer.fast.blas import gemm

        kernels = _kernels()
        assert kernels is not None
        blas = gemm(double=self.scratch.itemsize == 8)
        x, y, labels = samples.x.numpy().reshape(-1), samples.y.numpy(), samples.labels.numpy().reshape(-1)
        seen = np.full((weights.lanes, kernels.COLUMNS), np.nan)
        for i in range(weights.lanes):
            kernels.evaluate(
                self.shapes, *_addresses(weights, i), self.scale, self.places, self.rules, x, y, labels, PIECE, seen[i],
                self.scratch, blas,
            )  # fmt: skip
        seen[:, [kernels.LOSS, kernels.RIGHT]] /= samples.count
        return seen.T


def _addresses(weights: Weights, lane: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where a lane's matrices and its biases lie, by layer."""
    w, b = ([t.data_ptr() + t.element_size() * t.stride(0) * lane for t in part] for part in (weights.w, weights.b))
    return np.array(w, dtype=np.int64), np.array(b, dtype=np.int64)


@cache
def _kernels() -> ModuleType | None:
    if not route.version():
        return None
    from mlrtui_trainer.fast import training

    return training
