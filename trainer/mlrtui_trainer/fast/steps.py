"""Takes training of narrow fully connected nets on a CPU to the compiled steps, where those are installed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer import phases
from mlrtui_trainer.evaluation import Evaluation, StepNumbers
from mlrtui_trainer.fast import route
from mlrtui_trainer.fast.records import ACCURACY, COLUMNS, DEAD, LOSS, Data, Lanes, Net, Rules, Span
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.optimizers import OPTIMIZERS, Compiled
from mlrtui_trainer.optimizers.stepping import Stepping, forms_gradient
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import TrainSpec

__all__ = ["WIDEST", "CompiledSteps", "are_compiled"]

WIDEST = 1024
"""Units of the widest hidden layer that is compiled: beyond it general steps do as well."""

PIECES = ((64, 128), (WIDEST, 256))  # samples that are evaluated at a time, by the widest hidden layer

ROUNDING = 1e-6  # a lane stops a little above its limit, so that what ends a trial is what its log finds too large

_LOSSES = ("ce", "mse", "mse-softmax")
_KINDS = ("classes", "sign", "regression")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CompiledSteps:
    """What the compiled steps of one architecture need; lanes go one after the other, each by itself."""

    net: Net
    rules: Rules
    piece: int  # samples that are evaluated at a time
    factors: npt.NDArray[Any]  # [lanes], what gradients are multiplied by
    inertia: Floats  # [lanes, 4], the optimizer's numbers

    @classmethod
    def of(cls, model: Model, train: TrainSpec, samples: Samples, etas: Sequence[float]) -> "CompiledSteps | None":
        """The steps of a round's lanes; None where they are not compiled, see `are_compiled`."""
        step = OPTIMIZERS[train.optimizer].compiled
        if not are_compiled(model, train, samples) or not isinstance(model, Mlp) or step is None:
            return None
        widest = _widest(model)
        piece = next(most for units, most in PIECES if widest <= units)
        from mlrtui_trainer.fast.tiles import multiply_at  # numba is there

        places, scratch = _scratch(model, step, max(train.batch, piece), samples.x.dtype)
        number = scratch.dtype
        net = Net(
            shapes=np.array(model.shapes, dtype=np.int64),
            scale=np.array(model.scale, dtype=number),
            rate=np.array(model.rate, dtype=number),
            places=places,
            activation=route.ACTIVATIONS.index(model.activation),
            scratch=scratch,
            multiply=multiply_at(double=scratch.itemsize == 8),
        )
        rules = Rules(
            loss=_LOSSES.index(train.loss),
            kind=_KINDS.index(samples.kind),
            optimizer=step.kernel,
            full=train.batch == samples.count,
        )
        inertia = np.zeros((len(etas), 4))
        inertia[:, 0] = etas
        inertia[:, 1 : 1 + len(step.settings)] = [getattr(train, name) for name in step.settings]
        by = np.ones(len(etas)) if forms_gradient(train) else -np.array(etas)
        return cls(net, rules, piece, (by / train.batch).astype(number), inertia)

    def select(self, lanes: Sequence[int]) -> "CompiledSteps":
        """The same for the lanes with these numbers."""
        return replace(self, factors=self.factors[list(lanes)], inertia=self.inertia[list(lanes)])

    def train(
        self,
        weights: Weights,
        optimizer: Stepping,
        batches: Batches,
        steps: range,
        limits: Sequence[float],
    ) -> StepNumbers:
        """Take these steps of every lane, in place; their numbers.

        The optimizer has moved as many steps afterwards. Sizes of outputs are those of the steps that are watched.
        A lane whose loss passes its limit stops there, before that step; what would come after it is not a number.
        """
        kernels = _kernels()
        assert kernels is not None
        rows = batches.block(steps.start)
        orders = len(rows.arrays.x)
        x, y, labels = (part.numpy() for part in rows.arrays)
        watched = max(phases.LOGIT_STEPS + 1 - steps.start, 0)
        span = Span(rows.first, batches.size, len(steps), watched, optimizer.steps)
        sums = np.array(limits) * batches.size * (1.0 + ROUNDING)
        seen = np.full((weights.lanes, len(steps), COLUMNS), np.nan)
        w, b = weights.addresses()
        memory = _remembered(optimizer.memory(weights), *w.shape)
        lanes = Lanes(w, b, memory, self.inertia, self.factors, sums, np.array(rows.slots))
        data = Data(x.reshape(orders, -1), y, labels.reshape(orders, -1))
        kernels.train(self.net, lanes, self.rules, data, span, seen)
        optimizer.advance(len(steps))
        seen[:, :, [LOSS, ACCURACY]] /= batches.size  # here: the kernels multiply by reciprocals
        return StepNumbers(seen.transpose(1, 2, 0))

    def evaluate(self, weights: Weights, samples: Samples) -> Evaluation:
        """See `evaluation.evaluate`."""
        kernels = _kernels()
        assert kernels is not None
        data = _data(samples.x, samples.y, samples.labels)
        seen = np.full((weights.lanes, COLUMNS), np.nan)
        w, b = weights.addresses()
        kernels.evaluate(self.net, w, b, self.rules, data, self.piece, seen)
        loss, right, dead = (seen[:, column] for column in (LOSS, ACCURACY, DEAD))
        return Evaluation(loss / samples.count, right / samples.count, dead > 0.0)


def are_compiled(model: Model, train: TrainSpec, samples: Samples) -> bool:
    """Whether such trainings are compiled: else the general way has to do, or does better."""
    if not isinstance(model, Mlp) or samples.x.device.type != "cpu" or _kernels() is None:
        return False
    if OPTIMIZERS[train.optimizer].compiled is None or _widest(model) > WIDEST:
        return False
    if train.weight_decay > 0.0 or train.is_scheduled or train.clip > 0.0:
        return False
    if (model.sizes[0], model.sizes[-1]) != (samples.x.shape[1], samples.y.shape[1]):
        return False  # raised where shapes are checked
    return model.activation in route.ACTIVATIONS and train.loss in _LOSSES


def _widest(model: Mlp) -> int:
    """Units of the widest hidden layer."""
    return max(model.sizes[1:-1], default=0)


def _data(x: Tensor, y: Tensor, labels: Tensor) -> Data:
    """Samples as compiled code reads them: x [rows, ...], y [rows, outputs], labels [rows]."""
    return Data(x.numpy().ravel(), y.numpy(), labels.numpy().ravel())


def _scratch(
    model: Mlp, step: Compiled, samples: int, dtype: torch.dtype
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """The memory that steps over so many samples work in, and the places in it; see `fast.training`."""
    from mlrtui_trainer.fast.losses import ROOM  # numba is there
    from mlrtui_trainer.fast.tiles import VECTOR, stride

    item = dtype.itemsize
    line, widest = stride(samples, item), max(model.sizes)
    counts = [out * line for out, _ in model.shapes] + [widest * line] * 2
    counts += [model.sizes[0] * line, samples * stride(widest, item), widest * (VECTOR // item)]
    counts += [(ROOM + model.sizes[-1]) * line]
    counts += [max(out * fan_in for out, fan_in in model.shapes) if step.gradient else 0]
    lines = [-(-count // 16) * 16 for count in counts]  # each starts on a boundary of 64 bytes or more
    places = np.cumsum([0, *lines])
    return places[:-1].astype(np.int64), torch.zeros(int(places[-1]), dtype=dtype).numpy()


def _remembered(memory: Sequence[Weights], lanes: int, layers: int) -> npt.NDArray[np.int64]:
    """Where optimizers keep what they remember, [lanes, 2, tensors, layers]: of matrices and of biases."""
    places = np.zeros((lanes, 2, len(memory), layers), dtype=np.int64)
    for i, part in enumerate(memory):
        w, b = part.addresses()
        places[:, 0, i], places[:, 1, i, : b.shape[1]] = w, b
    return places


@cache
def _kernels() -> ModuleType | None:
    if not route.version():
        return None
    from mlrtui_trainer.fast import training

    return training
