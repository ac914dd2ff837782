"""The numbers of stacked lanes: of a step, from the forward pass that it takes anyway, and over all samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import nan

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.fast.records import ACCURACY, DEAD, LOSS, SIZES
from mlrtui_trainer.models.base import Model, Trace, Weights
from mlrtui_trainer.models.losses import LOSSES, Loss, accuracy, mean_loss
from mlrtui_trainer.models.modes import InTraining
from mlrtui_trainer.samples import Batch, Samples

__all__ = [
    "Evaluation",
    "Seen",
    "StepNumbers",
    "evaluate",
    "in_training",
    "judged",
    "sizes",
    "step_numbers",
    "sums",
]

EVALUATION_ROWS = 256

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StepNumbers:
    """Numbers of some steps of all lanes, [steps, COLUMNS, lanes] by the columns of `fast.records`."""

    table: Floats

    def __len__(self) -> int:
        return len(self.table)

    @property
    def loss(self) -> Floats:
        """[steps, lanes]; so are the others."""
        return self.table[:, LOSS]

    @property
    def accuracy(self) -> Floats:
        """NaN where it is not known: of mini-batches, and where it has no meaning."""
        return self.table[:, ACCURACY]

    @property
    def dead(self) -> Floats:
        """1 where every unit of the last hidden ReLU layer is zero on all samples, else 0; of mini-batches NaN."""
        return self.table[:, DEAD]

    @property
    def sizes(self) -> Floats:
        """RMS of outputs, centred outputs and the last hidden layer, [steps, 3, lanes]."""
        return self.table[:, SIZES]

    def step(self, k: int) -> "StepNumbers":
        """The k-th step alone."""
        return StepNumbers(self.table[k : k + 1])

    def select(self, lanes: Sequence[int]) -> "StepNumbers":
        """The lanes with these numbers."""
        return StepNumbers(self.table[:, :, lanes])

    def with_accuracy(self, accuracy: Floats) -> "StepNumbers":
        """The same with another accuracy, [lanes]."""
        table = self.table.copy()
        table[:, ACCURACY] = accuracy
        return StepNumbers(table)


@dataclass(frozen=True)
class Evaluation:
    """Numbers over all samples of a set, [lanes] each."""

    loss: Floats
    accuracy: Floats  # NaN where it has no meaning
    dead: npt.NDArray[np.bool_]  # every unit of the last hidden ReLU layer is zero on every sample

    def select(self, lanes: Sequence[int]) -> "Evaluation":
        """The same of the lanes with these numbers."""
        return Evaluation(self.loss[lanes], self.accuracy[lanes], self.dead[lanes])


@dataclass(frozen=True)
class Seen:
    """A step whose weights are still at hand."""

    numbers: StepNumbers  # of this step alone
    weights: Weights
    ready: bool  # whether λ may be sought
    diagonal: Tensor | None  # what λ is preconditioned by beside the layers' rates
    descend: Callable[[], object] | None = None  # takes the step; None: it has been taken

    def select(self, lanes: Sequence[int]) -> "Seen":
        """The same of the lanes with these numbers, where the step has been taken."""
        keep = torch.tensor(lanes)
        diagonal = None if self.diagonal is None else self.diagonal[keep]
        return Seen(self.numbers.select(lanes), self.weights.select(keep), self.ready, diagonal)


@torch.inference_mode()
def evaluate(model: Model, weights: Weights, samples: Samples, loss: str) -> Evaluation:
    """Loss, accuracy and dead layers over all samples."""
    return judged(sums(model, weights, samples, loss), samples.count * samples.rows)


@torch.inference_mode()
def in_training(model: InTraining, weights: Weights, samples: Samples, loss: str) -> Floats:
    """Loss in training mode over whole batches in the order of the data, [lanes]: what λ is the curvature of."""
    starts, found = model.whole_batches(samples.count), []
    for part, first in enumerate(starts):
        x, y, labels = samples.part(first, starts.step)
        f = model.forward(weights, x, part).f
        found.append(mean_loss(LOSSES[loss].per_sample(LOSSES[loss].start(f, y), labels)))
    return torch.stack(found).mean(0).cpu().numpy()


def judged(numbers: Tensor, rows: int) -> Evaluation:
    """What `sums` over so many rows say."""
    loss, right, dead = numbers.cpu().numpy()
    return Evaluation(loss / rows, right / rows, dead == rows)


def sums(model: Model, weights: Weights, samples: Samples, loss: str) -> Tensor:
    """Over all samples, [3, lanes]: losses, right answers, samples whose lane is dead on the piece they are in."""
    starts = range(0, samples.count, EVALUATION_ROWS)
    if isinstance(model, InTraining):
        model = model.quiet
    # one by one: a tensor's own sum takes its terms in another order where a lane is alone
    return reduce(torch.add, (_piece(model, weights, samples, first, loss) for first in starts))


def _piece(model: Model, weights: Weights, samples: Samples, first: int, loss: str) -> Tensor:
    """`sums` over some of the samples.

    Only the piece is run lane by lane where its size asks for it: mostly the last, which is short.
    """
    x, y, labels = samples.part(first, EVALUATION_ROWS)
    rows = labels.shape[1]
    parts = []
    for group in _groups(model, weights, x):
        trace = model.forward(group, x)
        per_sample = LOSSES[loss].per_sample(LOSSES[loss].start(trace.f, y), labels)  # [lanes, rows]
        share = accuracy(trace.f, y, labels, samples.kind)
        parts.append(torch.stack([per_sample.sum(1, dtype=torch.float64), share * rows, model.dead(trace) * rows]))
    return torch.cat(parts, dim=1)


def _groups(model: Model, weights: Weights, x: Tensor) -> list[Weights]:
    """The lanes as they may share a pass over x [1, rows, inputs]: together, or each by itself."""
    together = x.device.type != "cpu" or model.runs_together(x.shape[1], x.element_size())
    return [weights] if together or weights.lanes == 1 else [weights.lane(i) for i in range(weights.lanes)]


def step_numbers(
    model: Model, loss: Loss, trace: Trace, e: Tensor, batch: Batch, kind: str, *, full: bool, watched: bool
) -> Tensor:
    """Loss, accuracy, dead and the sizes of a step, [COLUMNS, lanes] on the device.

    ``e`` is the loss's start from the trace. Accuracy and dead are known where the batch is ``full``, the outputs'
    sizes where it is ``watched``; else they are NaN.
    """
    value = mean_loss(loss.per_sample(e, batch.labels))
    blank = torch.full_like(value, nan)
    spread = [*(_output_sizes(loss, trace.f) if watched else [blank] * 2), _hidden_size(model, trace)]
    if not full:
        return torch.stack([value, blank, blank, *spread])
    return torch.stack([value, accuracy(trace.f, batch.y, batch.labels, kind), model.dead(trace), *spread])


@torch.inference_mode()
def sizes(model: Model, weights: Weights, samples: Samples, loss: str) -> Floats:
    """RMS over all samples and units of outputs, centred outputs and the last hidden layer, [3, lanes]."""
    squares = torch.zeros(3, weights.lanes, dtype=torch.float64, device=samples.x.device)
    starts, seen = range(0, samples.count, EVALUATION_ROWS), 0
    if isinstance(model, InTraining):
        starts = model.whole_batches(samples.count)  # as the steps see them
    for first in starts:
        x = samples.x[None, first : first + starts.step]
        parts = []
        for group in _groups(model, weights, x):
            trace = model.forward(group, x)
            parts.append(torch.stack([*_output_sizes(LOSSES[loss], trace.f), _hidden_size(model, trace)]))
        squares += torch.cat(parts, dim=1).square_().mul_(x.shape[1])
        seen += x.shape[1]
    found: Floats = squares.div_(seen).sqrt_().cpu().numpy()
    return found


def _output_sizes(loss: Loss, f: Tensor) -> list[Tensor]:
    """RMS over samples and outputs of the outputs, and of the outputs less their mean over classes, [lanes] each.

    A softmax does not see what all outputs of a sample share: they may be huge and agree. Under mse both are the same.
    """
    rms = _rms(f)
    if not loss.bounded:
        return [rms, rms]
    f = f.double()
    return [rms, _rms(f - f.mean(-1, keepdim=True))]


def _hidden_size(model: Model, trace: Trace) -> Tensor:
    """RMS over samples and units of the last hidden layer, [lanes]; NaN where it is not known."""
    hidden = model.hidden(trace)
    if hidden is None:
        return torch.full(trace.f.shape[:1], nan, dtype=torch.float64, device=trace.f.device)
    return _rms(hidden)


def _rms(values: Tensor) -> Tensor:
    """[lanes, samples, units] → [lanes], summed in double precision."""
    return (values * values).sum((1, 2), dtype=torch.float64).div_(values[0].numel()).sqrt_()
