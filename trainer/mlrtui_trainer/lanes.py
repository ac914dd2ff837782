"""Trains the trials of a round as lanes of one batched program.

Lanes share nothing but the instructions: on a CPU with one thread a trial gives the same bits alone and beside any
number of others. A lane that ends leaves the batch at once.
"""

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
from mlrtui_trainer.evaluation import SIZES, Evaluation, Seen, evaluate, in_training, sizes, step_numbers
from mlrtui_trainer.facts import facts_of
from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.layers import LAST_STEP, LayerCheck
from mlrtui_trainer.meter import Meter, measured_samples
from mlrtui_trainer.models.base import Model, Trace, Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.models.modes import InTraining
from mlrtui_trainer.moment import Gauges
from mlrtui_trainer.optimizers.stepping import held, optimizer_of
from mlrtui_trainer.phase_evidence import History, PhaseFacts, window
from mlrtui_trainer.recorded import RecordedSteps
from mlrtui_trainer.rows import Block, Row, Sharpness, TrialLog, close_ended, step_batch
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import LayerSizes, Measured, Outcome, Round, StepBatch, TrialSpec

__all__ = ["DTYPES", "bytes_per_lane", "lanes_per_chunk", "train_round"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}

CACHE_BYTES = 4 << 20
"""Working set of a chunk of lanes on a CPU: more leaves the cache, and more lanes then make every lane slower."""

GPU_BYTES = 1 << 29
"""The same on a GPU, where only memory counts: the basis of a λ solve is up to 30 times as large."""

MOST_LANES = {"cpu": 64, "cuda": 1024}
BLOCK = {"cpu": 4, "cuda": 16}
"""Steps between two looks at the numbers: a look waits for the device, a lane that diverged trains on until it."""

LONG_BLOCK = 32
"""The same where steps are compiled, since a lane that diverged stops by itself, or recorded, as they cost little."""

REPORT_SECONDS = 0.2
REPORT_STEPS = 50

Floats = npt.NDArray[np.float64]
Layers = dict[int, tuple[LayerSizes, ...]]  # by lane
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
    budget = CACHE_BYTES if kind == "cpu" else GPU_BYTES
    return max(1, min(budget // bytes_per_lane(model, samples, itemsize, states), MOST_LANES[kind]))


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
    itemsize, own_inputs = samples.x.element_size(), train.batch < samples.count
    states = held(train)
    facts = facts_of(task, samples, held_out)
    size = lanes_per_chunk(model, train.batch, itemsize, device, own_inputs=own_inputs, states=states)
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
        self.weights = model.initial_weights(seeds, dtype, device)
        self.batches = Batches(samples, seeds, self.train.batch, self.train.steps_per_epoch)
        self.optimizer = optimizer_of(model, self.train, etas, dtype, device, rows=samples.rows)
        self.layers = None
        if self.train.record_layers and isinstance(model, Mlp):  # sweep files ask it of no other
            self.layers = LayerCheck(model, self.weights, samples)
        self.gauges = None
        if task.measures.names:
            self.gauges = Gauges(task.measures, model, self.loss, self.train, self.weights, etas)
        compiled = CompiledSteps.of(model, self.train, samples, etas)
        self.blocks = compiled or RecordedSteps.of(model, self.train, samples, LONG_BLOCK)
        self.block = BLOCK[torch.device(device).type] if self.blocks is None else LONG_BLOCK
        self.logs = [TrialLog(trial, self.train, samples.count, task.bars, facts) for trial in trials]
        self.accuracy = self.loss_of_all = np.full(len(trials), nan)  # over all samples at this very step, if measured
        self.closed: list[TrialLog] = []
        self.meter = None
        if self.sharpness.every > 0:
            measured = measured_samples(samples, self.sharpness)
            operators = (self.sharpness.operator, *self.sharpness.others)
            refused = refusals(model, self.weights, measured, self.train.loss, operators)
            if len(refused) < len(set(operators)):
                self.meter = Meter(model, self.train.loss, self.sharpness, seeds, measured, device, tuple(refused))

    def run(self) -> Iterator[StepBatch | Outcome]:
        """Train to the end of every lane."""
        step = sent_step = 0
        sent_at = monotonic()
        self._judge(0)
        while self.logs:
            step += self._advance(step)
            if self.logs and self._is_judged(step):
                self._judge(step)
            if self.closed or step - sent_step >= REPORT_STEPS or monotonic() - sent_at >= REPORT_SECONDS:
                yield from self._report()
                sent_step, sent_at = step, monotonic()
        yield from self._report()

    def _report(self) -> Iterator[StepBatch | Outcome]:
        closed, self.closed = self.closed, []
        batch = step_batch([*closed, *self.logs])
        if batch:
            yield batch
        for log in closed:
            yield log.outcome()

    def _is_judged(self, step: int) -> bool:
        """Whether all samples are looked at before this step; a full batch looks at them anyway."""
        if step == self.train.max_steps:
            return True
        return not self.batches.full and step % self.train.steps_per_epoch == 0

    def _judge(self, step: int) -> None:
        """Evaluate on all samples; end the lanes for which that decides."""
        look = self._evaluate if step > 0 else self._evaluate_nets
        seen = look(self.samples)
        if self.held_out is not None:
            seen = replace(seen, accuracy=look(self.held_out).accuracy)
        self.accuracy, self.loss_of_all = seen.accuracy, seen.loss
        if step == 0:
            if isinstance(self.model, InTraining):  # before the first step nothing is known of a batch's statistics
                nets, of_lane = self._nets()
                seen = replace(seen, loss=in_training(self.model, nets, self.samples, self.train.loss)[of_lane])
            self.history = self._begun(seen.loss)
        last = step == self.train.max_steps
        ends, diverged, reached, given_up = (list[int]() for _ in range(4))
        for i, log in enumerate(self.logs):
            loss, share = float(seen.loss[i]), float(seen.accuracy[i])
            if step == 0:
                log.start(loss)
            if not (self.batches.full and step < self.train.max_steps):  # else the step itself takes them
                log.see_accuracy(share)
            if log.is_bad(loss):
                diverged.append(i)
            elif log.is_success(step, share):
                reached.append(i)
            elif log.is_hopeless(step, share):
                given_up.append(i)
            if last or i in reached or i in given_up or i in diverged or seen.dead[i]:
                ends.append(i)
        lam = self._look_at_sharpness([i for i in ends if i not in diverged])
        layers = self._look_at_layers(step, self.weights) if ends else {}
        # mini-batches have none for a step that is not taken
        measured = self._measure(step, self.weights) if ends and self.batches.full else {}
        for i in ends:
            row = Row(
                step,
                float(seen.loss[i]),
                float(seen.accuracy[i]),
                lam.get(i),
                layers=layers.get(i, ()),
                measures=measured.get(i, ()),
            )
            self.logs[i].add(row, last=True, all_samples=True)
            self.logs[i].end(step, reached=i in reached, dead=bool(seen.dead[i]), given_up=i in given_up)
        close_ended(self.logs, self.history, step, np.empty((0, len(self.logs))))
        self._drop_ended()

    def _evaluate_nets(self, samples: Samples) -> Evaluation:
        """All lanes before the first step: those of one seed are the same net, which is looked at once."""
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
        if self.blocks is None:
            return evaluate(self.model, weights, samples, self.train.loss)
        return self.blocks.evaluate(weights, samples)

    def _advance(self, step: int) -> int:
        """Train some steps and log them; the number of steps."""
        every, spec = self.sharpness.every, self.train
        if every > 0 and (step % every == 0 or self.batches.full):
            self._careful_step(step)
            return 1
        count = min(self.block, spec.max_steps - step)
        if not self.batches.full:
            count = min(count, spec.steps_per_epoch - step % spec.steps_per_epoch)
        if every > 0:
            count = min(count, every - step % every)
        measured = self._measure(step, self.weights)
        if self.gauges is not None:
            count = 1 if measured else min(count, self.gauges.every - step % self.gauges.every)
        numbers, layers = self._steps(step, count)
        if measured or any(layers):
            for k in range(count):
                self._log_step(step + k, numbers[k], {}, layers[k], measured if k == 0 else {})
            self._remember(step, numbers[:, 0], numbers[:, SIZES:])
        else:
            self._log_block(step, numbers)
        self._drop_ended()
        return count

    def _steps(self, step: int, count: int) -> tuple[Floats, list[Layers]]:
        """Some steps without a look in between: [count, COLUMNS, lanes] as of `_look`, and their layers' sizes."""
        if self.blocks is not None:
            if self.layers is None and (self.held_out is None or not self.batches.full):
                return self._block(self.blocks, step, count), [{}] * count
            pairs = [
                (self._look_at_layers(t, self.weights), self._block(self.blocks, t, 1))
                for t in range(step, step + count)
            ]
            return np.concatenate([numbers for _, numbers in pairs]), [layers for layers, _ in pairs]
        looks, layers = [], []
        for t in range(step, step + count):
            trace, e, seen = self._look(t)
            looks.append(seen)
            layers.append(self._look_at_layers(t, self.weights))
            self._descend(t, trace, e)
        return torch.stack(looks).cpu().numpy(), layers

    def _careful_step(self, step: int) -> None:
        """One step with λ of the weights before it; lanes that diverged are gone before λ is sought."""
        seen = self._looked(step)
        bad = [log.is_bad(float(loss)) for log, loss in zip(self.logs, seen.numbers[0], strict=True)]
        if any(bad):
            layers, measured = self._look_at_layers(step, seen.weights), self._measure(step, seen.weights)
            self._log_step(step, seen.numbers, {}, layers, measured, only=bad)
            close_ended(self.logs, self.history, step, seen.numbers[None, 0], seen.numbers[None, SIZES:])
            self._drop_ended()
            if not self.logs:
                return
            seen = self._looked(step) if seen.descend else seen.select([i for i, gone in enumerate(bad) if not gone])
        lam: dict[int, Sharpness] = {}
        if self.meter is not None and seen.ready:
            lam = self.meter.measure(step, seen.weights, seen.numbers[0], seen.diagonal)
            ends = [
                self.batches.full
                and (log.is_success(step, share) or log.is_hopeless(step, share) or seen.numbers[2, i] > 0.0)
                for i, (log, share) in enumerate(zip(self.logs, seen.numbers[1].tolist(), strict=True))
            ]
            last = [i for i, end in enumerate(ends) if end and i not in lam]
            lam |= self.meter.look(seen.weights, last, seen.diagonal)
        layers, measured = self._look_at_layers(step, seen.weights), self._measure(step, seen.weights)
        if seen.descend:
            seen.descend()
        self._log_step(step, seen.numbers, lam, layers, measured)
        self._remember(step, seen.numbers[None, 0], seen.numbers[None, SIZES:])
        self._drop_ended()

    def _look_at_sharpness(self, lanes: Sequence[int]) -> dict[int, Sharpness]:
        """λ of lanes that end here, by lane."""
        if self.meter is None or not self.optimizer.ready:
            return {}
        return self.meter.look(self.weights, lanes, self.optimizer.diagonal())

    def _look_at_layers(self, step: int, weights: Weights) -> Layers:
        """What the layers of all lanes do with these weights at one of the first steps, by lane."""
        if self.layers is None or step > LAST_STEP:
            self.layers = None
            return {}
        return dict(enumerate(self.layers.measure(weights)))

    def _measure(self, step: int, weights: Weights) -> Measures:
        """What the measures that are asked for say of all lanes, by lane; nothing at a step between them."""
        if self.gauges is None or step % self.gauges.every:
            return {}
        return self.gauges.measure(step, weights, self.batches.at(step))

    def _block(self, blocks: CompiledSteps | RecordedSteps, step: int, count: int) -> Floats:
        """Steps taken elsewhere, [count, COLUMNS, lanes]; one at a time where accuracy is that of held-out samples."""
        elsewhere = self._evaluate(self.held_out) if self.held_out is not None and self.batches.full else None
        limits = [log.limit for log in self.logs]
        numbers = blocks.train(self.weights, self.optimizer, self.batches, range(step, step + count), limits)
        if elsewhere is not None:
            numbers[:, 1] = elsewhere.accuracy
        return numbers

    def _looked(self, step: int) -> Seen:
        """This step's numbers, with the weights that they belong to; steps taken elsewhere are taken at once."""
        ready = self.meter is not None and self.optimizer.ready
        diagonal = self.optimizer.diagonal() if ready else None
        if self.blocks is not None:
            weights = self.weights.clone()
            return Seen(self._block(self.blocks, step, 1)[0], weights, ready, diagonal)
        trace, e, seen = self._look(step)
        return Seen(seen.cpu().numpy(), self.weights, ready, diagonal, lambda: self._descend(step, trace, e))

    @torch.inference_mode()
    def _look(self, step: int) -> tuple[Trace, Tensor, Tensor]:
        """Forward pass on this step's batches, and its numbers [COLUMNS, lanes], see `step_numbers`."""
        batch = self.batches.at(step)
        trace = self.model.forward(self.weights, batch[0])
        e = self.loss.start(trace.f, batch[1])  # [lanes, samples, outputs]
        full, watched = self.batches.full, step <= phases.LOGIT_STEPS
        numbers = step_numbers(self.model, self.loss, trace, e, batch, self.samples.kind, full=full, watched=watched)
        judged = self.samples if self.held_out is None and isinstance(self.model, InTraining) else self.held_out
        if full and judged is not None:
            numbers[1] = torch.from_numpy(self._evaluate(judged).accuracy).to(numbers)
        return trace, e, numbers

    @torch.inference_mode()
    def _descend(self, step: int, trace: Trace, e: Tensor) -> None:
        self.optimizer.descend_(self.weights, trace, self.loss.signal(e, self.batches.at(step)[1]))

    def _log_block(self, step: int, numbers: Floats) -> None:
        """Write some steps of all lanes, [steps, COLUMNS, lanes]; one by one those of lanes that may end in them."""
        loss, share, dead = numbers.swapaxes(0, 1)[:SIZES]
        if not self.batches.full:
            share = np.full_like(loss, nan)
            share[0] = self.accuracy
        block = Block(step, loss, share, dead, self.loss_of_all if self._is_evaluated(step) else None)
        uncertain = [not log.add_block(block, i) for i, log in enumerate(self.logs)]
        self.accuracy[np.logical_not(uncertain)] = nan
        if any(uncertain):
            for k in block.steps:
                self._log_step(k, numbers[k - step], {}, {}, {}, only=uncertain)
        self._remember(step, loss, numbers[:, SIZES:])

    def _log_step(
        self,
        step: int,
        numbers: Floats,
        lam: dict[int, Sharpness],
        layers: Layers,
        measured: Measures,
        only: Sequence[bool] | None = None,
    ) -> None:
        """Write one step of all lanes that have not ended; numbers [COLUMNS, lanes] as `_look` gives them."""
        full, evaluated = self.batches.full, self._is_evaluated(step)
        for i, log in enumerate(self.logs):
            if log.ended or (only is not None and not only[i]):
                continue
            loss, share, dead = (float(number) for number in numbers[:SIZES, i])
            if not full:
                share, self.accuracy[i] = float(self.accuracy[i]), nan
            bad = log.is_bad(loss)
            reached = full and not bad and log.is_success(step, share)
            hopeless = full and not bad and log.is_hopeless(step, share)
            ends = bad or reached or hopeless or (full and dead > 0.0)
            if full:
                log.see_accuracy(share)
            of_all = evaluated and not bad  # a batch whose loss ends the trial is its last row
            row = Row(
                step,
                float(self.loss_of_all[i]) if of_all else loss,
                share,
                lam.get(i),
                layers=layers.get(i, ()),
                measures=measured.get(i, ()),
            )
            log.add(row, last=ends, all_samples=of_all)
            if ends:
                log.end(step, reached=reached, dead=full and dead > 0.0, given_up=hopeless)

    def _is_evaluated(self, step: int) -> bool:
        """Whether an epoch of mini-batches ended before this step: its row has the loss over all samples."""
        return not self.batches.full and step > 0 and step % self.train.steps_per_epoch == 0

    def _remember(self, step: int, loss: Floats, spread: Floats) -> None:
        """Take steps of all lanes into their histories, [steps, lanes] and [steps, 3, lanes]."""
        close_ended(self.logs, self.history, step, loss, spread)
        self.history.add(loss, spread)

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
        self.layers = None if self.layers is None else self.layers.select(keep)
        self.gauges = None if self.gauges is None else self.gauges.select(stay)
        if self.meter is not None:
            self.meter.keep(stay)
