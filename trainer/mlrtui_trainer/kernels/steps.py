"""Takes training of narrow fully connected nets on a GPU to the kernel, where that is asked for."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, inf, sqrt

import torch
from torch import Tensor

from mlrtui_trainer import phases
from mlrtui_trainer.evaluation import Evaluation, StepNumbers
from mlrtui_trainer.fast.records import ACCURACY, COLUMNS, DEAD, LOSS
from mlrtui_trainer.kernels import records
from mlrtui_trainer.kernels.forms import ROWS, form_of, options_of
from mlrtui_trainer.kernels.records import BATCHES, EVALUATE, FULL, Data, Form, Lanes, Span, Work
from mlrtui_trainer.kernels.route import asked, is_asked_for, refusal
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.optimizers.stepping import Stepping
from mlrtui_trainer.raised import said_in_short
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.schedules import rate_of
from mlrtui_trainer.spec import TrainSpec

__all__ = ["LAUNCH", "KernelError", "KernelSteps"]

LAUNCH = 256
"""Steps of a launch, at most: the host's part is then small, and rows still come every second."""

PIECE = 256
"""Samples that are evaluated at a time, at most; no more than a batch or two tiles have, for which memory suffices."""

ROUNDING = 1e-6  # a lane stops a little above its limit, so that what ends a trial is what its log finds too large


_broken: dict[Form, str] = {}
"""What could not be compiled or launched here, and why: later rounds of this process do not try again."""


class KernelError(Exception):
    """The kernel could not be compiled or launched, in one line; nothing was computed or changed."""


@dataclass(frozen=True)
class KernelSteps:
    """Steps of some lanes of one architecture, each lane by a program of its own."""

    model: Mlp
    train_spec: TrainSpec
    samples: Samples
    form: Form
    etas: tuple[float, ...]

    @classmethod
    def of(
        cls, model: Model, train: TrainSpec, samples: Samples, etas: Sequence[float], *, forked: bool = False
    ) -> "KernelSteps | None":
        """The steps of a round's lanes; None where it is not asked for, or not possible: then a warning says why."""
        if not is_asked_for():
            return None
        why = refusal(model, train, samples, forked=forked)
        if not why:
            assert isinstance(model, Mlp)
            mode = FULL if train.batch == samples.count else BATCHES
            form = form_of(model, train, samples.kind, mode)
            why = _broken.get(form, "") or _broken.get(form_of(model, train, samples.kind, EVALUATE), "")
            if not why:
                return cls(model, train, samples, form, tuple(etas))
        warnings.warn(f"trained without the kernel of {asked()}: {why}", stacklevel=2)
        return None

    def select(self, lanes: Sequence[int]) -> "KernelSteps":
        """The same for the lanes with these numbers."""
        return replace(self, etas=tuple(self.etas[i] for i in lanes))

    @torch.inference_mode()
    def train(
        self,
        weights: Weights,
        optimizer: Stepping,
        batches: Batches,
        steps: range,
        limits: Sequence[float],
    ) -> StepNumbers:
        """Take these steps of every lane, in place, by one launch; their numbers.

        The optimizer has moved as many steps afterwards. Sizes of outputs are those of the steps that are watched. A
        lane that ends stops there, before that step; what would come after it is not a number.

        Raises:
            KernelError: no step was taken.
        """
        spec, rows = self.train_spec, batches.block(steps.start)
        device = self.samples.x.device
        factors = [eta if spec.optimizer != "sgd" else -eta / spec.batch for eta in self.etas]
        lanes = Lanes(
            places=_places(weights, optimizer.memory(weights)).to(device),
            slots=_numbers(rows.slots, torch.int32, device),
            factors=_numbers(factors, torch.float32, device),
            limits=_numbers([limit * spec.batch * (1.0 + ROUNDING) for limit in limits], torch.float64, device),
        )
        watched = max(phases.LOGIT_STEPS + 1 - steps.start, 0)
        span = Span(rows.first, spec.batch, len(steps), watched, steps.start)
        arrays = rows.arrays
        data = _data(arrays.x, arrays.y, arrays.labels, arrays.x.shape[1])
        # accuracy of samples that are held out is not known here: their lanes are ended by whoever asks for the steps
        decides = spec.success == "accuracy" and spec.on == "train"
        enough = _enough(spec.threshold, spec.batch) if decides else inf
        seen = self._launch(self.form, lanes, data, span, enough)
        optimizer.advance(len(steps))
        seen[:, :, [LOSS, ACCURACY]] /= spec.batch
        return StepNumbers(seen.permute(1, 2, 0).cpu().numpy())

    @torch.inference_mode()
    def evaluate(self, weights: Weights, samples: Samples) -> Evaluation:
        """See `evaluation.evaluate`. Raises KernelError where the kernel cannot be launched."""
        device, count = samples.x.device, weights.lanes
        piece = min(PIECE, max(self.train_spec.batch, 2 * ROWS), samples.count)
        lanes = Lanes(
            places=_places(weights, ()).to(device),
            slots=torch.zeros(count, dtype=torch.int32, device=device),
            factors=torch.zeros(count, dtype=torch.float32, device=device),
            limits=torch.zeros(count, dtype=torch.float64, device=device),
        )
        data = _data(samples.x, samples.y, samples.labels, samples.count)
        form = form_of(self.model, self.train_spec, samples.kind, EVALUATE)
        seen = self._launch(form, lanes, data, Span(0, piece, -(-samples.count // piece), 0, 0), inf)
        found = torch.stack([seen[:, :, LOSS].sum(1), seen[:, :, ACCURACY].sum(1), seen[:, :, DEAD].amin(1)])
        loss, right, dead = found.cpu().numpy()
        return Evaluation(loss / samples.count, right / samples.count, dead > 0.0)

    def _launch(self, form: Form, lanes: Lanes, data: Data, span: Span, enough: float) -> Tensor:
        """Numbers of steps, [lanes, steps, COLUMNS]; losses and right answers are sums."""
        device, count = self.samples.x.device, len(lanes.slots)
        padded = -(-span.samples // form.rows) * form.rows
        size = padded * ((self.model.layers - 1) * form.units + 2 * max(form.units, form.classes))
        numbers = torch.full((count, span.steps, COLUMNS), torch.nan, dtype=torch.float64, device=device)
        work = Work(
            layers=self.model.layers,
            scales=_scales(self.model, str(device)),
            clock=_numbers(self._clock(span), torch.float32, device),
            settings=_numbers(self._settings(), torch.float32, device),
            enough=enough,
            scratch=torch.empty(count * size, dtype=torch.float32, device=device),
            size=size,
            numbers=numbers,
        )
        try:
            from mlrtui_trainer.kernels.training import train  # Triton is there

            train[(count,)](lanes, data, span, work, form, **options_of(form))
        except (torch.OutOfMemoryError, MemoryError):
            raise  # fewer lanes at a time may fit
        except Exception as error:  # of Triton, of its compilers or of the driver: whatever they raise
            _broken[form] = f"it cannot be launched: {said_in_short(error)}"
            raise KernelError(_broken[form]) from error
        return numbers

    def _clock(self, span: Span) -> list[tuple[float, float, float]]:
        """Of every step: part of η by the schedule, and Adam's two corrections."""
        spec, times = self.train_spec, range(span.before, span.before + span.steps)
        if spec.optimizer != "adam":
            return [(rate_of(spec, t), 1.0, 1.0) for t in times]
        return [(rate_of(spec, t), 1.0 - spec.beta1 ** (t + 1), sqrt(1.0 - spec.beta2 ** (t + 1))) for t in times]

    def _settings(self) -> tuple[float, ...]:
        spec = self.train_spec
        first = spec.momentum if spec.optimizer == "momentum" else spec.beta1
        return (first, spec.beta2, spec.eps, 1.0 - first, 1.0 - spec.beta2)


def _data(x: Tensor, y: Tensor, labels: Tensor, rows: int) -> Data:
    """Samples row by row: the kernel knows no strides, and a user's array may lie column by column."""
    return Data(x.contiguous(), y.contiguous(), labels.contiguous(), rows)


def _numbers(values: Sequence[object], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype).to(device)


@lru_cache(maxsize=32)
def _scales(model: Mlp, device: str) -> Tensor:
    return _numbers(list(zip(model.scale, model.rate, strict=True)), torch.float32, torch.device(device))


def _places(weights: Weights, memory: Sequence[Weights]) -> Tensor:
    """Addresses of matrices and biases, and of what is remembered of them, [lanes, parts, layers]; 0: there is none."""
    layers = len(weights.w)
    places = torch.zeros(weights.lanes, records.PARTS, layers, dtype=torch.int64)
    for at, part in enumerate((weights, *memory)):
        w, b = part.addresses()
        places[:, 2 * at] = torch.from_numpy(w)
        if b.shape[1]:
            places[:, 2 * at + 1] = torch.from_numpy(b)
    return places


def _enough(threshold: float, samples: int) -> float:
    """The fewest right answers whose share reaches a threshold."""
    least = max(ceil(threshold * samples) - 1, 0)
    return float(next(n for n in range(least, least + 3) if n / samples >= threshold))
