"""Takes training of fully connected nets on a GPU to steps that are recorded once (CUDA graphs) and replayed.

Steps of narrow nets are shorter than the time that a GPU needs to be told of them; a replay tells it once for some
thirty products and sums. A recording works in memory of its own, for a fixed number of lanes: those beyond the lanes
that train have a rate of zero and are not looked at. Once a quarter of its lanes is gone, a smaller one is made.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from mlrtui_trainer import phases
from mlrtui_trainer.evaluation import Evaluation, StepNumbers, evaluate, judged, step_numbers, sums
from mlrtui_trainer.fast.records import COLUMNS
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.optimizers.stepping import Stepping, optimizer_of
from mlrtui_trainer.samples import Batch, Batches, Samples
from mlrtui_trainer.spec import TrainSpec

__all__ = ["SWITCH", "RecordedSteps", "in_use"]

SWITCH = "MLRTUI_GRAPHS"
"""Environment variable: "0" takes every step by itself."""

SPARE = 0.75
"""Part of a recording's lanes that must be in use."""


def in_use(device: str | torch.device) -> bool:
    """Whether steps of fully connected nets are recorded on a device."""
    return torch.device(device).type == "cuda" and os.environ.get(SWITCH) != "0"


class RecordedSteps:
    """Steps of one round's lanes. Answers are those of single steps, to the rounding of the device's products."""

    def __init__(self, model: Model, train: TrainSpec, samples: Samples, most: int) -> None:
        self._model, self._train, self._samples, self._most = model, train, samples, most
        self._recording: _Recording | None = None

    @classmethod
    def of(cls, model: Model, train: TrainSpec, samples: Samples, most: int) -> "RecordedSteps | None":
        """At most so many are taken in a block; None where steps are taken one by one."""
        return cls(model, train, samples, most) if isinstance(model, Mlp) and in_use(samples.x.device) else None

    def select(self, lanes: Sequence[int]) -> "RecordedSteps":
        """The same for the lanes with these numbers."""
        return self

    @torch.inference_mode()
    def train(
        self,
        weights: Weights,
        optimizer: Stepping,
        batches: Batches,
        steps: range,
        limits: Sequence[float],
    ) -> StepNumbers:
        """Take these steps of every lane, in place; their numbers.

        The optimizer has moved as many steps afterwards. A lane whose loss passes its limit trains on; what comes after
        is not used.
        """
        used = self._recording
        if used is None or not used.fits(weights.lanes):
            self._recording = None  # its memory first
            first = batches.block(steps.start).arrays
            used = self._recording = _Recording(
                self._model,
                self._train,
                self._samples,
                weights,
                first,
                full=batches.full,
                most=self._most,
                begins=steps.start,
            )
        used.load(weights, optimizer, batches, steps.start)
        for step in steps:
            used.step_at(step)
        used.store(weights, optimizer)
        optimizer.advance(len(steps))
        return StepNumbers(used.numbers[: len(steps), :, : weights.lanes].cpu().numpy())

    @torch.inference_mode()
    def evaluate(self, weights: Weights, samples: Samples) -> Evaluation:
        """See `evaluation.evaluate`."""
        used = self._recording
        if used is None or not used.fits(weights.lanes):
            return evaluate(self._model, weights, samples, self._train.loss)
        return judged(used.sums(weights, samples), samples.count)


def record(body: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """What has a CUDA device do again all that ``body`` asks of it, by one call; ``body`` itself where that fails.

    On the way ``body`` is called twice, and done at least once.
    """
    try:
        with torch.cuda.device(device):
            beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                body()  # libraries make themselves ready at their first call, which cannot be recorded
            torch.cuda.current_stream().wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                body()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        warnings.warn(f"steps are taken one by one, since they cannot be recorded: {error}", stacklevel=2)
        return body
    return graph.replay


class _Recording:
    """One step of a fixed number of lanes, and the memory that it works in."""

    def __init__(
        self,
        model: Model,
        train: TrainSpec,
        samples: Samples,
        weights: Weights,
        like: Batch,  # the samples of an epoch, [orders, rows, ...] each; where a batch has all, those themselves
        *,
        full: bool,
        most: int,
        begins: int,  # the first step that it will take
    ) -> None:
        self.lanes = weights.lanes
        self._model, self._samples, self._spec = model, samples, train
        self._device = samples.x.device
        self._weights = weights.clone()
        none = [0.0] * self.lanes
        self._optimizer = optimizer_of(model, train, none, samples.x.dtype, str(self._device))
        self._memory = self._optimizer.memory(self._weights)
        self._clock = self._optimizer.clock()
        self._full = full
        self._arrays = like if full else Batch(*(torch.zeros_like(a) for a in like))
        self._epoch = -1  # whose order the arrays have
        self._slots: list[int] = []

        def counts(size: int) -> Tensor:
            return torch.zeros(size, dtype=torch.int64, device=self._device)

        self._slot, self._row, self._at = counts(self.lanes), counts(1), counts(1)
        self._rows = torch.arange(train.batch, device=self._device)
        self.numbers = torch.zeros(most, COLUMNS, self.lanes, dtype=torch.float64, device=self._device)
        self._sums: dict[int, tuple[Callable[[], None], Tensor, Samples]] = {}
        self._go = self._recorded(watched=False)
        self._go_watched = self._recorded(watched=True) if begins <= phases.LOGIT_STEPS else None

    def _recorded(self, *, watched: bool) -> Callable[[], None]:
        """A step, recorded; on the way it is taken once or twice, from the first row on."""
        self._row.zero_()
        self._at.zero_()
        return record(lambda: self._step(watched=watched), self._device)

    def fits(self, lanes: int) -> bool:
        """Whether it is worth its while for so many lanes."""
        return SPARE * self.lanes <= lanes <= self.lanes

    def load(self, weights: Weights, optimizer: Stepping, batches: Batches, step: int) -> None:
        """Begin at this step with these lanes."""
        lanes = weights.lanes
        for mine, theirs in self._shared(weights, optimizer):
            mine.copy_(theirs)
        self._optimizer.rates.zero_()
        self._optimizer.rates[:lanes].copy_(optimizer.rates)
        if self._clock is not None:
            self._clock.fill_(float(optimizer.steps))
        rows = batches.block(step)
        if not self._full and batches.epoch != self._epoch:
            for a, b in zip(self._arrays, rows.arrays, strict=True):
                a[: b.shape[0]].copy_(b)
            self._epoch = batches.epoch
        if rows.slots != self._slots:
            self._slot[:lanes].copy_(torch.tensor(rows.slots))
            self._slots = rows.slots
        self._row.fill_(rows.first)
        self._at.zero_()

    def store(self, weights: Weights, optimizer: Stepping) -> None:
        """Give the lanes back what the steps made of them."""
        for mine, theirs in self._shared(weights, optimizer):
            theirs.copy_(mine)

    def sums(self, weights: Weights, samples: Samples) -> Tensor:
        """See `evaluation.sums`; recorded at its first call for these samples."""
        for mine, theirs in _pairs(self._weights, weights):
            mine.copy_(theirs)
        if id(samples) not in self._sums:
            found = torch.zeros(3, self.lanes, dtype=torch.float64, device=self._device)

            def body() -> None:
                found.copy_(sums(self._model, self._weights, samples, self._spec.loss))

            self._sums[id(samples)] = (record(body, self._device), found, samples)
        again, found, _ = self._sums[id(samples)]
        again()
        return found[:, : weights.lanes]

    def step_at(self, step: int) -> None:
        """Take the next step, that of this number: the sizes of outputs are looked at in the first ones only."""
        if step > phases.LOGIT_STEPS:
            self._go_watched = None  # with its memory
        self._optimizer.at(step)
        go = self._go_watched or self._go
        go()

    def _step(self, *, watched: bool) -> None:
        loss, batch = LOSSES[self._spec.loss], self._batch()
        trace = self._model.forward(self._weights, batch.x)
        e = loss.start(trace.f, batch.y)
        seen = step_numbers(self._model, loss, trace, e, batch, self._samples.kind, full=self._full, watched=watched)
        self.numbers.index_copy_(0, self._at, seen[None])
        self._optimizer.descend_(self._weights, trace, loss.signal(e, batch.y))
        self._at.add_(1)
        self._row.add_(self._spec.batch)

    def _batch(self) -> Batch:
        """The samples of the current row, whose number only the device knows."""
        if self._full:
            return self._samples.all
        x, y, labels = self._arrays.x, self._arrays.y, self._arrays.labels
        rows = self._row + self._rows
        if x.shape[0] == 1:
            return Batch(x[:, rows], y[:, rows], labels[:, rows])
        lane = self._slot[:, None]
        return Batch(x[lane, rows], y[lane, rows], labels[lane, rows])

    def _shared(self, weights: Weights, optimizer: Stepping) -> Iterator[tuple[Tensor, Tensor]]:
        """Ours and theirs, of the lanes that train."""
        mine, theirs = (self._weights, *self._memory), (weights, *optimizer.memory(weights))
        for a, b in zip(mine, theirs, strict=True):
            yield from _pairs(a, b)


def _pairs(mine: Weights, theirs: Weights) -> Iterator[tuple[Tensor, Tensor]]:
    lanes = theirs.lanes
    for a, b in zip((*mine.w, *mine.b), (*theirs.w, *theirs.b), strict=True):
        yield a[:lanes], b
