"""Trains the trials of a round as lanes of one batched program.

Lanes share nothing but the instructions: on a CPU with one thread a trial's bits are independent of batch
composition. A lane that ends leaves the batch at once.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import nan
from time import monotonic

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer import phases
from mlrtui_trainer.curvature.verification import refusals
from mlrtui_trainer.devices import memory_of
from mlrtui_trainer.evaluation import Evaluation, Seen, StepNumbers, evaluate, in_training, sizes, step_numbers
from mlrtui_trainer.facts import facts_of
from mlrtui_trainer.fast.records import ACCURACY
from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.forks import start_of
from mlrtui_trainer.kernels.choice import chosen
from mlrtui_trainer.kernels.route import asked
from mlrtui_trainer.kernels.steps import LAUNCH, KernelError, KernelSteps
from mlrtui_trainer.meter import Meter, measured_samples
from mlrtui_trainer.models.base import Model, Trace, Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.modes import InTraining
from mlrtui_trainer.moment import Gauges
from mlrtui_trainer.optimizers.stepping import held, optimizer_of
from mlrtui_trainer.phase_evidence import History, PhaseFacts, window
from mlrtui_trainer.recorded import RecordedSteps
from mlrtui_trainer.rows import Block, End, Row, Sharpness, TrialLog, close_ended, step_batch
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import Measured, Outcome, Round, StepBatch, TrainSpec, TrialSpec

__all__ = ["DTYPES", "bytes_per_lane", "chunk_of", "lanes_per_chunk", "train_round"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}

CACHE_BYTES = 4 << 20
"""Working set of a chunk of lanes on a CPU: more leaves the cache, and more lanes then make every lane slower."""

GPU_BYTES = 1 << 29
"""The same on a GPU, where only memory counts: the basis of a λ solve is up to 30 times as large."""

GPU_SHARE = 60
"""A small GPU's budget is this part of its memory: half of it then holds the basis, too."""

MOST_LANES = {"cpu": 64, "cuda": 1024}
BLOCK = {"cpu": 4, "cuda": 16}
"""Steps between two evaluations of the numbers: each waits for the device, a lane that diverged trains on until it."""

LONG_BLOCK = 32
"""The same where steps are compiled, since a lane that diverged stops by itself, or recorded, as they cost little."""

REPORT_ROWS = 100
"""Rows of a lane that are sent together: fewer cost the driver up to twice as much a row."""

REPORT_SECONDS = 1.0
FIRST_SECONDS = 0.2
"""Rows wait no longer than that; the first `REPORT_ROWS` of a training, which somebody may wait for, less."""

Floats = npt.NDArray[np.float64]
Measures = dict[int, tuple[Measured, ...]]  # by lane


def lanes_per_chunk(
    model: Model, samples: int, itemsize: int, device: str, *, own_inputs: bool = False, states: int = 0
) -> int:
    """How many lanes train together when a step sees ``samples``.

    On a CPU as many as keep their `bytes_per_lane` within `CACHE_BYTES`; one where lanes could not get the bits that
    each gets alone.
    """
    kind = torch.device(device).type
    if kind == "cpu" and not model.runs_together(samples, itemsize, own_inputs=own_inputs):
        return 1
    budget = CACHE_BYTES if kind == "cpu" else min(GPU_BYTES, memory_of(device) // GPU_SHARE)
    return max(1, min(budget // bytes_per_lane(model, samples, itemsize, states), MOST_LANES[kind]))


def chunk_of(model: Model, train: TrainSpec, samples: Samples, device: str) -> int:
    """How many lanes of such trainings train together."""
    itemsize, own_inputs = samples.x.element_size(), train.batch < samples.count
    return lanes_per_chunk(model, train.batch, itemsize, device, own_inputs=own_inputs, states=held(train))


def bytes_per_lane(model: Model, samples: int, itemsize: int, states: int = 0) -> int:
    """Working set of a lane by plan: weights, updates, the optimizer's states, activations and signals."""
    return itemsize * ((2 + states) * model.n_params + 2 * samples * model.units)


def train_round(
    task: Round, samples: Samples, device: str, held_out: Samples | None = None
) -> Iterator[StepBatch | Outcome]:
    """Train every trial of a round to its end, a chunk of lanes at a time; rows and outcomes as they come.

    Accuracy is that of the samples that are held out, if any are given; loss and λ are always the training samples'.
    """
    train = task.train
    model = build(task.net, train.optimizer, samples.x, batch=train.batch, precision=train.precision)
    facts = facts_of(task, samples, held_out)
    size = chunk_of(model, train, samples, device)
    for first in range(0, len(task.trials), size):
        yield from _Chunk(task, model, task.trials[first : first + size], samples, device, held_out, facts).run()


class _Chunk:
    """Some trials, from their initial weights to their ends."""

    def __init__(
        self,
        task: Round,
        model: Model,
        trials: Sequence[TrialSpec],
        samples: Samples,
        device: str,
        held_out: Samples | None,
        facts: PhaseFacts,
    ) -> None:
        self.train, self.sharpness, self.model = task.train, task.sharpness, model
        self.samples, self.held_out, self.loss = samples, held_out, LOSSES[task.train.loss]
        seeds, etas = [trial.seed for trial in trials], [trial.eta for trial in trials]
        dtype = DTYPES[self.train.dtype]
        self.base = base = start_of(task, model, trials, samples, device)
        self.weights = model.initial_weights(seeds, dtype, device) if base is None else base.weights
        first = 0 if task.fork is None else task.fork.step
        self.batches = Batches(samples, seeds, self.train.batch, self.train.steps_per_epoch, first)
        self.optimizer = optimizer_of(model, self.train, etas, dtype, device, rows=samples.rows)
        if base is not None and base.optimizer is not None:
            self.optimizer.continues(base.optimizer, base.lanes)
        self.gauges = Gauges(task, model, self.loss, self.weights, etas, samples)
        self.blocks: KernelSteps | CompiledSteps | RecordedSteps | None
        self.blocks = chosen(model, self.train, samples, etas, forked=base is not None)
        self.block = LAUNCH
        if self.blocks is None:
            self._go_without_kernel(etas)
        self.logs = [TrialLog(trial, self.train, samples.count, task.thresholds, facts) for trial in trials]
        self.accuracy = self.loss_of_all = np.full(len(trials), nan)  # over all samples at this very step, if measured
        self.closed: list[TrialLog] = []
        self.meter = None
        if self.sharpness.every > 0:
            measured = measured_samples(samples, self.sharpness)
            operators = (self.sharpness.operator, *self.sharpness.others)
            refused = refusals(model, self.weights, measured, self.train.loss, operators)
            if len(refused) < len(set(operators)):
                self.meter = Meter(model, self.train.loss, self.sharpness, seeds, measured, device, tuple(refused))

    def _go_without_kernel(self, etas: Sequence[float]) -> None:
        """Steps of these lanes are compiled or recorded from now on, or taken one by one."""
        compiled = CompiledSteps.of(self.model, self.train, self.samples, etas)
        self.blocks = compiled or RecordedSteps.of(self.model, self.train, self.samples, LONG_BLOCK)
        self.block = BLOCK[self.samples.x.device.type] if self.blocks is None else LONG_BLOCK

    def _kernel_failed(self, error: KernelError) -> None:
        """Go on without it, and say so in one line."""
        warnings.warn(f"trained without the kernel of {asked()}: {error}", stacklevel=2)
        self._go_without_kernel([log.trial.eta for log in self.logs])

    def run(self) -> Iterator[StepBatch | Outcome]:
        """Train to the end of every lane."""
        step = 0
        sent_at = monotonic()
        self._judge(0)
        while self.logs:
            step += self._advance(step)
            if self.logs and self._is_judged(step):
                self._judge(step)
            longest = FIRST_SECONDS if step < REPORT_ROWS else REPORT_SECONDS
            if monotonic() - sent_at >= longest or any(log.waiting >= REPORT_ROWS for log in self.logs):
                yield from self._report(self.logs)
                sent_at = monotonic()
            elif self.closed:
                yield from self._report([])
        yield from self._report([])

    def _report(self, living: Sequence[TrialLog]) -> Iterator[StepBatch | Outcome]:
        """What ended lanes have not sent yet, and these."""
        closed, self.closed = self.closed, []
        batch = step_batch([*closed, *living])
        if batch:
            yield batch
        for log in closed:
            yield log.outcome()

    def _is_judged(self, step: int) -> bool:
        """Whether all lanes are evaluated before this step; a full batch is an evaluation anyway."""
        if step == self.train.max_steps:
            return True
        return not self.batches.full and self.batches.ends_epoch(step)

    def _judge(self, step: int) -> None:
        """Evaluate on all samples; end the lanes for which that decides."""
        evaluated = self._evaluate if step > 0 else self._evaluate_nets
        found = evaluated(self.samples)
        if self.held_out is not None:
            found = replace(found, accuracy=evaluated(self.held_out).accuracy)
        self.accuracy, self.loss_of_all = found.accuracy, found.loss
        if step == 0:
            if isinstance(self.model, InTraining):  # before the first step nothing is known of a batch's statistics
                nets, of_lane = self._nets()
                found = replace(found, loss=in_training(self.model, nets, self.samples, self.train.loss)[of_lane])
            start = found.loss if self.base is None else self.base.loss_initial  # of a fork the base's
            self.history = self._begun(start)
        last = step == self.train.max_steps
        ends: dict[int, End] = {}
        for i, log in enumerate(self.logs):
            loss, share = float(found.loss[i]), float(found.accuracy[i])
            if step == 0:
                log.start(float(start[i]))
            if not self.batches.full or last:  # else the step itself takes them
                log.see_accuracy(share)
            end = log.end_at(step, loss, share, float(found.dead[i]))
            if last or end.is_end:
                ends[i] = end
        lam = self._measure_sharpness([i for i, end in ends.items() if not end.diverged])
        # mini-batches have none for a step that is not taken
        batch = self.batches.at(step) if ends and self.batches.full else None
        measured = self.gauges.measure(step, self.weights, batch) if ends else {}
        for i, end in ends.items():
            row = Row(step, float(found.loss[i]), float(found.accuracy[i]), lam.get(i), measures=measured.get(i, ()))
            self.logs[i].add(row, last=True, all_samples=True)
            self.logs[i].end(step, end)
        close_ended(self.logs, self.history, step, np.empty((0, len(self.logs))))
        self._drop_ended()

    def _evaluate_nets(self, samples: Samples) -> Evaluation:
        """All lanes before the first step: those of one seed are the same net, which is evaluated once."""
        nets, of_lane = self._nets()
        return self._evaluate(samples, nets).select(of_lane)

    def _nets(self) -> tuple[Weights, list[int]]:
        """The weights of the different nets before the first step, and which of them each lane is."""
        seeds = [log.trial.seed for log in self.logs]
        nets = list(dict.fromkeys(seeds))
        keep = torch.tensor([seeds.index(seed) for seed in nets], device=self.samples.x.device)
        weights = self.weights if len(nets) == len(seeds) else self.weights.select(keep)
        return weights, [nets.index(seed) for seed in seeds]

    def _begun(self, loss: Floats) -> History:
        """The lanes' histories before the first step, with their losses over all samples, [lanes]."""
        train, initial = self.train, None
        if not self.batches.full and window(train.batch) > 1:  # of so few samples the first sizes would be noise
            nets, of_lane = self._nets()
            initial = sizes(self.model, nets, self.samples, train.loss)[:, of_lane]
        return History(loss, train.batch, train.max_steps, full=self.batches.full, sizes_initial=initial)

    def _evaluate(self, samples: Samples, weights: Weights | None = None) -> Evaluation:
        """All lanes over some samples, or these nets."""
        weights = weights or self.weights
        if self.blocks is not None:
            try:
                return self.blocks.evaluate(weights, samples)
            except KernelError as error:
                self._kernel_failed(error)
                return self._evaluate(samples, weights)
        return evaluate(self.model, weights, samples, self.train.loss)

    def _advance(self, step: int) -> int:
        """Train some steps and log them; the number of steps."""
        every, spec = self.sharpness.every, self.train
        if every > 0 and (step % every == 0 or self.batches.full):
            self._measured_step(step)
            return 1
        count = min(self.block, spec.max_steps - step)
        if not self.batches.full:
            count = min(count, self.batches.steps_to_epoch(step))
        if every > 0:
            count = min(count, every - step % every)
        measured = self._measure(step, self.weights)
        count = 1 if measured else int(min(count, self.gauges.steps_to_next(step)))
        numbers = self._steps(step, count)
        if measured:
            self._log_step(step, numbers, {}, measured)
            self._remember(step, numbers)
        else:
            self._log_block(step, numbers)
        self._drop_ended()
        return count

    def _steps(self, step: int, count: int) -> StepNumbers:
        """Some steps without an evaluation in between: their numbers."""
        if self.blocks is not None:
            if self.held_out is None or not self.batches.full:
                return self._block(step, count)
            return _joined([self._block(t, 1) for t in range(step, step + count)])
        tables = []
        for t in range(step, step + count):
            trace, e, table = self._forward(t)
            tables.append(table)
            self._descend(t, trace, e)
        return StepNumbers(torch.stack(tables).cpu().numpy())

    def _measured_step(self, step: int) -> None:
        """One step with λ of the weights before it; lanes that diverged are gone before λ is sought."""
        seen = self._seen(step)
        ends = self._ends(step, seen.numbers)
        bad = [end.diverged for end in ends]
        if any(bad):
            self._log_step(step, seen.numbers, {}, self._measure(step, seen.weights), only=bad)
            close_ended(self.logs, self.history, step, seen.numbers.loss, seen.numbers.sizes)
            self._drop_ended()
            if not self.logs:
                return
            stay = [i for i, gone in enumerate(bad) if not gone]
            seen = self._seen(step) if seen.descend else seen.select(stay)
            ends = self._ends(step, seen.numbers)
        lam: dict[int, Sharpness] = {}
        if self.meter is not None and seen.ready:
            lam = self.meter.measure(step, seen.weights, seen.numbers.loss[0], seen.diagonal)
            last = [i for i, end in enumerate(ends) if end.is_end and i not in lam]
            lam |= self.meter.measure_last(seen.weights, last, seen.diagonal)
        measured = self._measure(step, seen.weights)
        if seen.descend:
            seen.descend()
        self._log_step(step, seen.numbers, lam, measured)
        self._remember(step, seen.numbers)
        self._drop_ended()

    def _ends(self, step: int, numbers: StepNumbers, only: Sequence[bool] | None = None) -> list[End]:
        """Whether and why one step ends each lane, or only these of the lanes, by its own numbers."""
        columns = (numbers.loss[0].tolist(), numbers.accuracy[0].tolist(), numbers.dead[0].tolist())
        asked = only or [True] * len(self.logs)
        each = zip(self.logs, asked, *columns, strict=True)
        return [log.end_at(step, *own) if wanted else End() for log, wanted, *own in each]

    def _measure_sharpness(self, lanes: Sequence[int]) -> dict[int, Sharpness]:
        """λ of lanes that end here, by lane."""
        if self.meter is None or not self.optimizer.ready:
            return {}
        return self.meter.measure_last(self.weights, lanes, self.optimizer.diagonal())

    def _measure(self, step: int, weights: Weights) -> Measures:
        """What the measures that are due at this step say of all lanes, by lane."""
        return self.gauges.measure(step, weights, self.batches.at(step)) if self.gauges.are_due(step) else {}

    def _block(self, step: int, count: int) -> StepNumbers:
        """Steps taken elsewhere; one at a time where accuracy is that of held-out samples."""
        elsewhere = None
        if self.blocks is not None and self.held_out is not None and self.batches.full:
            elsewhere = self._evaluate(self.held_out)
        if self.blocks is None:
            return self._steps(step, count)
        limits = [log.limit for log in self.logs]
        try:
            numbers = self.blocks.train(self.weights, self.optimizer, self.batches, range(step, step + count), limits)
        except KernelError as error:  # no step was taken
            self._kernel_failed(error)
            end = step + count
            return _joined([self._block(t, min(self.block, end - t)) for t in range(step, end, self.block)])
        return numbers if elsewhere is None else numbers.with_accuracy(elsewhere.accuracy)

    def _seen(self, step: int) -> Seen:
        """This step's numbers, with the weights that they belong to; steps taken elsewhere are taken at once."""
        ready = self.meter is not None and self.optimizer.ready
        diagonal = self.optimizer.diagonal() if ready else None
        if self.blocks is not None:
            weights = self.weights.clone()
            return Seen(self._block(step, 1), weights, ready, diagonal)
        trace, e, table = self._forward(step)
        numbers = StepNumbers(table.cpu().numpy()[None])
        return Seen(numbers, self.weights, ready, diagonal, lambda: self._descend(step, trace, e))

    @torch.inference_mode()
    def _forward(self, step: int) -> tuple[Trace, Tensor, Tensor]:
        """Forward pass on this step's batches, and its numbers [COLUMNS, lanes], see `step_numbers`."""
        batch = self.batches.at(step)
        trace = self.model.forward(self.weights, batch.x)
        e = self.loss.start(trace.f, batch.y)  # [lanes, samples, outputs]
        full, watched = self.batches.full, step <= phases.LOGIT_STEPS
        table = step_numbers(self.model, self.loss, trace, e, batch, self.samples.kind, full=full, watched=watched)
        judged = self.samples if self.held_out is None and isinstance(self.model, InTraining) else self.held_out
        if full and judged is not None:
            table[ACCURACY] = torch.from_numpy(self._evaluate(judged).accuracy).to(table)
        return trace, e, table

    @torch.inference_mode()
    def _descend(self, step: int, trace: Trace, e: Tensor) -> None:
        self.optimizer.descend_(self.weights, trace, self.loss.signal(e, self.batches.at(step).y))

    def _log_block(self, step: int, numbers: StepNumbers) -> None:
        """Write some steps of all lanes; one by one those of lanes that may end in them."""
        share = numbers.accuracy
        if not self.batches.full:
            share = np.full_like(numbers.loss, nan)
            share[0] = self.accuracy
        block = Block(step, numbers.loss, share, numbers.dead, self.loss_of_all if self._is_evaluated(step) else None)
        uncertain = [not log.add_block(block, i) for i, log in enumerate(self.logs)]
        self.accuracy[np.logical_not(uncertain)] = nan
        if any(uncertain):
            unsure = [log for log, one in zip(self.logs, uncertain, strict=True) if one]
            for k in block.steps:
                if all(log.ended for log in unsure):
                    break  # what a lane's steps after its end hold is of no use
                self._log_step(k, numbers.step(k - step), {}, {}, only=uncertain)
        self._remember(step, numbers)

    def _log_step(
        self,
        step: int,
        numbers: StepNumbers,
        lam: dict[int, Sharpness],
        measured: Measures,
        only: Sequence[bool] | None = None,
    ) -> None:
        """Write one step of all lanes that have not ended."""
        evaluated, ends = self._is_evaluated(step), self._ends(step, numbers, only)
        for i, (log, end) in enumerate(zip(self.logs, ends, strict=True)):
            if log.ended or (only is not None and not only[i]):
                continue
            loss, share = float(numbers.loss[0, i]), float(numbers.accuracy[0, i])
            if self.batches.full:
                log.see_accuracy(share)
            else:
                share, self.accuracy[i] = float(self.accuracy[i]), nan
            of_all = evaluated and not end.diverged  # a batch whose loss ends the trial is its last row
            kept = float(self.loss_of_all[i]) if of_all else loss
            row = Row(step, kept, share, lam.get(i), measures=measured.get(i, ()))
            log.add(row, last=end.is_end, all_samples=of_all)
            if end.is_end:
                log.end(step, end)

    def _is_evaluated(self, step: int) -> bool:
        """Whether an epoch of mini-batches ended before this step: its row has the loss over all samples."""
        return not self.batches.full and step > 0 and self.batches.ends_epoch(step)

    def _remember(self, step: int, numbers: StepNumbers) -> None:
        """Take steps of all lanes into their histories."""
        close_ended(self.logs, self.history, step, numbers.loss, numbers.sizes)
        self.history.add(numbers.loss, numbers.sizes)

    def _drop_ended(self) -> None:
        """Take the lanes that ended out of the batch."""
        stay = [i for i, log in enumerate(self.logs) if not log.ended]
        if len(stay) == len(self.logs):
            return
        self.closed += [log for log in self.logs if log.ended]
        self.logs = [self.logs[i] for i in stay]
        self.accuracy, self.loss_of_all = self.accuracy[stay], self.loss_of_all[stay]
        self.history = self.history.select(stay)
        self.batches.keep(stay)
        keep = torch.tensor(stay, dtype=torch.int64, device=self.samples.x.device)
        self.weights, self.optimizer = self.weights.select(keep), self.optimizer.select(keep)
        if self.blocks is not None:
            self.blocks = self.blocks.select(stay)
        self.gauges = self.gauges.select(stay)
        if self.meter is not None:
            self.meter.keep(stay)


def _joined(parts: Sequence[StepNumbers]) -> StepNumbers:
    """Steps one after the other."""
    return StepNumbers(np.concatenate([part.table for part in parts]))
