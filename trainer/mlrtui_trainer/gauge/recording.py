"""A recorder in a user's own training loop: loss, learning rate and a ladder of sharpnesses, within a time budget.

It reads the training through hooks of the optimizer and never changes it: the same bits come out with and without it.
"""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import isfinite, isnan, nan
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mlrtui_trainer.gauge.closure import Closure, LossFunction, RandomStates, refuse_sharded, undisturbed
from mlrtui_trainer.gauge.critical import critical_sharpness
from mlrtui_trainer.gauge.directional import directional_sharpness
from mlrtui_trainer.gauge.errors import ShardedParameters, WrongBatch
from mlrtui_trainer.gauge.hooks import ForwardHook
from mlrtui_trainer.gauge.optimizers import Snapshot, preconditioner, snapshot
from mlrtui_trainer.gauge.plans import Plan, rounded
from mlrtui_trainer.gauge.readings import Reading, RecordedStep, Series, Sink
from mlrtui_trainer.gauge.sharpness import sharpness
from mlrtui_trainer.scalars import scalar

__all__ = ["MEASURES", "LossFunction", "Model", "Optimizers", "Recorder"]

Model = nn.Module
Optimizers = Optimizer | Sequence[Optimizer]

CALIBRATION = 10
"""Steps that are only timed, after the first, before intervals are fixed."""

FAILURES = 3
"""After as many, a measure is off for the rest of the run."""

SAME_DIRECTION = 0.999
"""Cosine of our gradient and the training's below which they are of another loss or batch."""

SETTLE_SECONDS = 0.2
"""A sink gets its steps at least as often, though a loss on a GPU is waited for to get it."""

CHECK_EVERY = 100
"""Measurements along the gradient between two checks of its direction."""


@dataclass
class _Held:
    """What a measurement needs of the moment before the update."""

    weights: list[Tensor]
    gradients: list[Tensor | None]
    optimizers: list[Snapshot]
    random: RandomStates | None
    """At the start of the training's own forward pass: dropout keeps its mask. None: not seen."""


@dataclass
class _Context:
    """Of one step that is measured."""

    batch: Any
    held: _Held
    eta: float
    direction: list[Tensor] | None = None  # None: the weights have not moved
    raw: Reading | None = None  # of "lambda", for a measure that needs the same number
    shared: float = 0.0  # seconds that another measure of this step has spent on what this one takes over


class Recorder:
    """Record sharpness, and the edges of stability at each step, beside a training loop that stays as it is.

        with Recorder(model, optimizer, loss_fn, overhead=0.05) as rec:
            for batch in loader:
                loss = train_step(batch)  # backward, clipping, optimizer.step(), scheduler.step()
                rec.step(loss, batch)
        rec.series("critical")  # steps, values, edges
        rec.events              # what could not be measured, and why

    A row belongs to the weights before the update of its step: they are put back for the measurement, and afterwards
    the present ones, to the bit. Weights, optimizer, buffers, gradients, modes and random states end as they would
    without a recorder; dropout keeps the mask of the training's own forward pass. On steps that are measured it holds a
    copy of the weights and of their gradients. Under DDP rank 0 measures its own share of the batch.

    Args:
        model: any module; see `sharpness` for what is refused.
        optimizer: one of torch's, or a list of them.
        loss_fn: ``loss_fn(model, batch)``, the scalar that is trained.
        name: of the run.
        measures: some of "critical" (critical sharpness along the update, forward passes only), "directional"
            (curvature along update and gradient, two products), "lambda" (λ_max of the Hessian) and
            "lambda-preconditioned" (by the optimizer's state, with its edge); all of them by default.
        overhead: share of the training's time that measuring may take. The first measurement of each kind is dearer
            and counted apart (``rec.cold_seconds``). What is skipped is not measured, never interpolated.
        every: fixed intervals in steps instead, one for all measures or a dict by measure.
        strict: raise what goes wrong. Otherwise it is a warning and an entry of ``rec.events``, and a measure that
            fails three times in a row is off.
        sink: where the steps go besides memory.

    The environment variable ``MLRTUI_RECORD=0`` turns recording off.

    Raises:
        ValueError: a wrong argument.

    Examples:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> def loss_fn(model, x):
        ...     return 1.5 * model(x).square().sum()  # λ = 3
        >>> x = torch.ones(1, 1)
        >>> with Recorder(model, optimizer, loss_fn, every=1) as rec:
        ...     for _ in range(3):
        ...         loss = loss_fn(model, x)
        ...         optimizer.zero_grad()
        ...         loss.backward()
        ...         optimizer.step()
        ...         rec.step(loss, x)
        >>> [round(value, 4) for value in rec.series("lambda").values]
        [3.0, 3.0, 3.0]
        >>> [round(edge, 4) for edge in rec.series("lambda-preconditioned").edges]
        [20.0, 20.0, 20.0]
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizers,
        loss_fn: LossFunction,
        *,
        name: str = "",
        measures: Sequence[str] | None = None,
        overhead: float = 0.05,
        every: int | Mapping[str, int] | None = None,
        strict: bool = False,
        sink: Sink | None = None,
    ) -> None:
        self.optimizers = (optimizer,) if isinstance(optimizer, Optimizer) else tuple(optimizer)
        wanted = tuple(MEASURES) if measures is None else tuple(measures)
        unknown = [one for one in wanted if one not in MEASURES]
        if unknown:
            raise ValueError(f"measure {unknown[0]!r} is not known: use some of {', '.join(MEASURES)}")
        if not 0.0 < overhead <= 100.0:
            raise ValueError(f"overhead is {overhead}: use the share of training time to spend, such as 0.05")
        if not self.optimizers or not all(isinstance(one, Optimizer) for one in self.optimizers):
            raise ValueError("optimizer must be one of torch's, or a list of them")
        intervals = dict.fromkeys(wanted, every) if isinstance(every, int) else dict(every or {})
        if any(not isinstance(n, int) or n < 1 for n in intervals.values()) or set(intervals) - set(wanted):
            raise ValueError(f"every is {every!r}: use a number of steps from 1, or one for each measure that is used")
        self.name, self.overhead, self.strict = name, overhead, strict
        self.model = _unwrapped(model)
        self._is_share = self.model is not model and torch.distributed.get_world_size() > 1  # gradients are all ranks'
        self.loss_fn = loss_fn
        self.events: list[str] = []
        """What went wrong, in words."""

        self.cold_seconds = 0.0
        """Of the first measurements, which are not part of the budget."""

        self.spent_seconds = 0.0
        self.trained_seconds = 0.0
        self.sink = sink
        """Where the steps go besides memory; None once it has failed."""

        self._is_open = False  # the sink
        self._handed, self._handed_at = 0, 0.0  # rows that it has, and when it got the last ones
        self._rows: list[RecordedStep] = []
        self._losses: list[tuple[RecordedStep, Tensor]] = []  # on the device until somebody asks
        self._plans = {one: Plan(intervals.get(one), fixed=one in intervals) for one in wanted}
        self._handles: list[Any] = []
        self._held: _Held | None = None
        self._random: RandomStates | None = None
        self._measuring = False
        self._stepped: list[float] = []  # learning rate of each optimizer that has stepped since the last row
        self._vectors: dict[str, Tensor] = {}
        self._eta_critical = nan
        self._checked = 0
        self._ended_at: float | None = None
        self._in_hooks = 0.0  # seconds since then that were the recorder's own
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.active = os.environ.get("MLRTUI_RECORD", "1") != "0" and _rank() == 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close(error)

    def start(self) -> Self:
        """Begin to record; for a script without ``with``, which should also `close`.

        Raises:
            MlrtuiError: the store cannot be used.
        """
        if self.active and not self._handles:
            if self.sink is not None:
                self.sink.open()
                self._is_open = True
            self._refuse_sharded()
            for one in self.optimizers:
                self._handles.append(one.register_step_pre_hook(self._before_update))
            if not _is_compiled(self.model):  # whose hooks would be compiled, too
                self._handles.append(self.model.register_forward_pre_hook(ForwardHook(self._before_forward)))
        return self

    def _refuse_sharded(self) -> None:
        """Under FSDP one rank alone can measure nothing: every forward pass needs them all."""
        try:
            refuse_sharded(self.model)
        except ShardedParameters as error:
            for plan in self._plans.values():
                plan.off = True
            self._failed("loss and learning rate alone are recorded", error)

    def close(self, error: BaseException | None = None) -> None:
        """Stop recording; a second call does nothing. ``error``: what ended the training, if anything did."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._held = None
        sink = self.sink
        if sink is not None and self._is_open:
            self._hand_over(last=True)
            self._put(lambda: sink.close(error))
        self._is_open = False

    # In the loop --------------------------------------------------------------------------------------------------

    def step(self, loss: Any, batch: Any, accuracy: Any = None) -> None:
        """Record a step of the training, after the optimizer's.

        Args:
            loss: of this step, as it was computed: a number or a tensor of one.
            batch: what ``loss_fn(model, batch)`` takes to give that loss again. None: nothing is measured now.
            accuracy: where the training knows it.
        """
        if not self.active:
            return
        now = time.perf_counter()
        if self._ended_at is not None:
            self.trained_seconds += max(0.0, now - self._ended_at - self._in_hooks)
        self._in_hooks = 0.0
        number, held, stepped = len(self._rows), self._held, self._stepped
        self._held, self._stepped, self._random = None, [], None
        rate = stepped[0] if stepped else float(self.optimizers[0].param_groups[0]["lr"])
        row = RecordedStep(number, rate, nan, nan if accuracy is None else scalar(accuracy), not stepped)
        self._rows.append(row)
        if isinstance(loss, Tensor):
            self._losses.append((row, loss.detach().clone()))
        else:
            row.loss = scalar(loss)
        before, cold = self.cold_seconds + self.spent_seconds, False
        if held is not None and stepped and batch is not None:
            cold = not all(self._plans[name].is_warm for name in self._due(number))
            self._settle()
            row.readings = self._measured(number, row, _Context(batch, held, rate))
        self._hand_over()
        self._ended_at = time.perf_counter()
        counted = self.cold_seconds + self.spent_seconds - before
        self._spend(max(0.0, self._ended_at - now - counted), cold)  # copies, and what every step costs

    # Afterwards ---------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[RecordedStep, ...]:
        """Every step so far."""
        self._settle()
        return tuple(self._rows)

    def series(self, kind: str) -> Series:
        """The readings of one kind that have a value; "loss" and "lr" have one at every step, "gradient_norm" and
        "update_norm" at those that are measured.
        """
        if kind in ("loss", "lr", "gradient_norm", "update_norm"):
            rows = [row for row in self.steps if "norm" not in kind or not isnan(getattr(row, kind))]
            values = tuple(getattr(row, kind) for row in rows)
            return Series(tuple(row.step for row in rows), values, (nan,) * len(rows))
        found = [(row.step, r) for row in self.steps for r in row.readings if r.kind == kind and isfinite(r.value)]
        return Series(tuple(s for s, _ in found), tuple(r.value for _, r in found), tuple(r.edge for _, r in found))

    @property
    def intervals(self) -> dict[str, int | None]:
        """Steps between two measurements, as the budget fixed them; None: not yet, or off."""
        return {name: None if plan.off else plan.interval for name, plan in self._plans.items()}

    def __repr__(self) -> str:
        share = self.spent_seconds / self.trained_seconds if self.trained_seconds else 0.0
        cost = f"{share:.1%} of the training's time, first measurements {self.cold_seconds:.2f} s"
        return f"Recorder({self.name!r}, {len(self._rows)} steps, {cost}, intervals={self.intervals})"

    # When ---------------------------------------------------------------------------------------------------------

    def _due(self, number: int) -> list[str]:
        return [name for name, plan in self._plans.items() if not plan.off and number >= plan.due]

    def _after(self, name: str, number: int, seconds: float, shared: float = 0.0) -> None:
        """Account for one measurement and say when the next is due; alone it would have taken ``shared`` more."""
        plan = self._plans[name]
        cold, plan.is_warm = not plan.is_warm, True
        self._spend(seconds, cold)
        if plan.interval is None and cold:
            plan.due = max(CALIBRATION, number) + 1  # once more, warm: that is its price
            return
        if plan.interval is None:
            step = self.trained_seconds / number
            share = self.overhead / len(self._plans)
            plan.interval = rounded((seconds + shared) / (share * step))
        plan.due = number + plan.interval
        over = self.spent_seconds - self.overhead * self.trained_seconds
        if not plan.fixed and over > 0.0:
            behind = over / self.overhead * number / self.trained_seconds  # steps until the budget has caught up
            plan.due = number + plan.interval * max(1, round(behind / plan.interval))

    def _spend(self, seconds: float, cold: bool) -> None:
        if cold:
            self.cold_seconds += seconds
        else:
            self.spent_seconds += seconds

    # What ---------------------------------------------------------------------------------------------------------

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        if self._random is None and not self._measuring and torch.is_grad_enabled() and self._due(len(self._rows)):
            started = time.perf_counter()
            self._random = RandomStates()
            self._in_hook(started, self._due(len(self._rows)))

    def _in_hook(self, started: float, due: Sequence[str]) -> None:
        """Time in a hook is not the training's."""
        seconds = time.perf_counter() - started
        self._in_hooks += seconds
        self._spend(seconds, not all(self._plans[name].is_warm for name in due))

    def _before_update(self, optimizer: Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        self._stepped.append(float(optimizer.param_groups[0]["lr"]))
        due = self._due(len(self._rows))
        if not due or self._held is not None:
            return None
        started = time.perf_counter()
        try:
            whole = "lambda-preconditioned" in due
            self._held = _Held(
                [p.detach().clone() for p in self._parameters],
                self._gradients(),
                [snapshot(one, state=whole) for one in self.optimizers],
                self._random,
            )
        except (RuntimeError, MemoryError) as error:
            self._failed("copy of the weights", error)
        self._in_hook(started, due)
        return self._with_closure(self._held, args, kwargs)

    def _gradients(self) -> list[Tensor | None]:
        return [None if p.grad is None else p.grad.detach().clone() for p in self._parameters]

    def _with_closure(self, held: _Held | None, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Arguments of a step whose closure computes the gradients (Lightning, LBFGS): they are held after its call."""
        closure = kwargs["closure"] if "closure" in kwargs else args[1] if len(args) > 1 else None
        if held is None or closure is None:
            return None
        waiting = [held]

        def watched() -> Any:
            loss = closure()
            if waiting:
                try:
                    held.gradients, held.random = self._gradients(), self._random
                except (RuntimeError, MemoryError) as error:
                    self._held = None
                    self._failed("copy of the gradients", error)
                waiting.clear()
            return loss

        if "closure" in kwargs:
            return args, kwargs | {"closure": watched}
        return (args[0], watched, *args[2:]), kwargs

    def _measured(self, number: int, row: RecordedStep, context: _Context) -> tuple[Reading, ...]:
        due = self._due(number)
        if not isfinite(row.loss):
            for name in due:
                self._plans[name].due = number + (self._plans[name].interval or 1)
            return tuple(Reading(kind, nan, status="nonfinite") for name in due for kind in MEASURES[name].kinds)
        readings: list[Reading] = []
        moved = [before - p.detach() for before, p in zip(context.held.weights, self._parameters, strict=True)]
        row.gradient_norm, row.update_norm = _norm(context.held.gradients), _norm(moved)
        if context.eta > 0.0 and any(bool(d.any()) for d in moved):
            context.direction = [d / context.eta for d in moved]
        with undisturbed(self.model), self._weights(context.held.weights):
            for name in due:
                if context.held.random is not None:
                    context.held.random.restore()
                _synchronize(self._parameters)
                started = time.perf_counter()
                try:
                    found = MEASURES[name].take(self, context)
                    self._plans[name].failures = 0
                except Exception as error:
                    self._failed(name, error)
                    words = f"error: {type(error).__name__}: {error}"
                    found = tuple(Reading(kind, nan, status=words) for kind in MEASURES[name].kinds)
                _synchronize(self._parameters)
                seconds = time.perf_counter() - started
                self._after(name, number, seconds, context.shared)
                context.shared = 0.0
                readings += [replace(one, seconds=seconds) for one in found]
        return tuple(readings)

    @contextmanager
    def _weights(self, before: Sequence[Tensor]) -> Iterator[None]:
        """The model as it was before the update; afterwards as it is, to the bit."""
        present = [p.detach().clone() for p in self._parameters]
        self._measuring = True
        try:
            _write(self._parameters, before)
            yield
        finally:
            _write(self._parameters, present)
            self._measuring = False

    def _failed(self, name: str, error: BaseException) -> None:
        if self.strict:
            raise error
        words = f"step {len(self._rows) - 1}: {name}: {type(error).__name__}: {error}"
        plan = self._plans.get(name)
        if plan is not None:
            plan.failures += 1
            plan.off = plan.failures >= FAILURES
            words += "; measured no more" if plan.off else ""
        if words not in self.events:
            self.events.append(words)
            sink = self.sink
            if sink is not None and self._is_open:
                self._put(lambda: sink.note(words))
        if plan is None or plan.failures == 1:
            with suppress(Warning):  # a filter that makes it an error must not reach the loop
                warnings.warn(f"mlrtui: {words}", RuntimeWarning, stacklevel=4)

    def _settle(self) -> None:
        """Fetch losses that are still tensors: one wait for a GPU instead of one a step."""
        for row, loss in self._losses:
            row.loss = scalar(loss)
        self._losses.clear()

    # The sink -----------------------------------------------------------------------------------------------------

    def _hand_over(self, last: bool = False) -> None:
        """Give the sink the steps that it has not got; on a GPU, whose losses are waited for, not at every step."""
        sink, now = self.sink, time.perf_counter()
        if sink is None or not self._is_open:
            return
        on_device = any(loss.device.type != "cpu" for _, loss in self._losses)
        if on_device and not last and now - self._handed_at < SETTLE_SECONDS:
            return
        self._settle()
        rows = self._rows[self._handed :]
        self._handed, self._handed_at = len(self._rows), now
        self._put(lambda: sink.take(rows))

    def _put(self, call: Callable[[], None]) -> None:
        """Let the sink work; if it cannot, go on without."""
        try:
            call()
        except Exception as error:
            self.sink = None
            self._failed("store", error)

    # The measures -------------------------------------------------------------------------------------------------

    def _critical(self, context: _Context) -> tuple[Reading, ...]:
        if context.direction is None:
            return (Reading("critical", nan, status="no-update"),)
        start = self._eta_critical if isfinite(self._eta_critical) else context.eta
        gradient = context.held.gradients
        found = critical_sharpness(
            self.model, self.loss_fn, context.batch, context.direction, start=start, gradient=gradient
        )
        if isfinite(found.value):
            self._eta_critical = 2.0 / found.value
        edge = 2.0 / context.eta
        return (
            Reading("critical", found.value, found.low, found.high, edge, forwards=found.forwards, status=found.status),
        )

    def _directional(self, context: _Context) -> tuple[Reading, ...]:
        check = self._checked % CHECK_EVERY == 0 and not self._is_share
        expected = context.held.gradients if check else None
        found = directional_sharpness(self.model, self.loss_fn, context.batch, context.direction, expected=expected)
        if check and found.cosine < SAME_DIRECTION:
            raise WrongBatch(
                f"the gradient of loss_fn(model, batch) has a cosine of {found.cosine:.3f} with the one that was "
                "trained with: batch or loss_fn are not those of this step"
            )
        self._checked += 1
        step = 2.0 / context.eta if context.eta > 0.0 else nan
        beta = _momentum(context.held.optimizers)
        low, high = ((1.0 - beta) * step, (1.0 + beta) * step) if beta is not None else (nan, nan)
        status = "found" if isfinite(found.update) else "no-descent" if context.direction else "no-update"
        return (
            Reading("directional", found.update, edge=step, products=1, status=status),
            Reading("batch", found.gradient, edge=low, edge_high=high, products=1),
        )

    def _lambda(self, context: _Context) -> tuple[Reading, ...]:
        if context.raw is None:
            started = time.perf_counter()
            context.raw = replace(self._eigenvalue("lambda", context, None), seconds=time.perf_counter() - started)
        else:
            context.shared = context.raw.seconds
        return (context.raw,)

    def _preconditioned(self, context: _Context) -> tuple[Reading, ...]:
        kind, optimizers = "lambda-preconditioned", context.held.optimizers
        if len(optimizers) > 1:
            return (Reading(kind, nan, status="no-edge", note="several optimizers have no common edge"),)
        how = preconditioner(optimizers[0], Closure(self.model, self.loss_fn, context.batch))
        if how.why:
            return (Reading(kind, nan, status="no-edge", note=how.why),)
        if how.is_plain:
            return tuple(replace(raw, kind=kind, edge=how.edge) for raw in self._lambda(context))
        return (self._eigenvalue(kind, context, optimizers[0]),)

    def _eigenvalue(self, kind: str, context: _Context, optimizer: Snapshot | None) -> Reading:
        s = sharpness(
            self.model,
            self.loss_fn,
            context.batch,
            optimizer=optimizer,
            tolerance=1e-2,
            start=self._vectors.get(kind),
        )
        if s.vector is not None:
            self._vectors[kind] = s.vector
        status = "found" if s.converged else "not-converged"
        return Reading(kind, s.value, edge=s.edge, residual=s.residual, products=s.products, status=status)


@dataclass(frozen=True)
class _Measure:
    kinds: tuple[str, ...]
    take: Callable[[Recorder, _Context], tuple[Reading, ...]]


MEASURES: dict[str, _Measure] = {
    "critical": _Measure(("critical",), Recorder._critical),
    "directional": _Measure(("directional", "batch"), Recorder._directional),
    "lambda": _Measure(("lambda",), Recorder._lambda),
    "lambda-preconditioned": _Measure(("lambda-preconditioned",), Recorder._preconditioned),
}
"""From dense to sparse: forward passes alone, two products, an eigenvalue."""


def _write(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for p, value in zip(parameters, values, strict=True):
            p.copy_(value)


def _norm(tensors: Sequence[Tensor | None]) -> float:
    norms = [torch.linalg.vector_norm(t) for t in tensors if t is not None]
    return float(torch.linalg.vector_norm(torch.stack(norms).double())) if norms else nan


def _momentum(optimizers: Sequence[Snapshot]) -> float | None:
    """β of SGD, whose band batch sharpness is compared with; None for other optimizers."""
    if len(optimizers) != 1 or optimizers[0].name != "SGD":
        return None
    group = optimizers[0].param_groups[0]
    return None if group["nesterov"] or group["dampening"] else float(group["momentum"])


def _unwrapped(model: nn.Module) -> nn.Module:
    """DDP's own module: its hooks and collectives are not for measuring. What is measured is rank 0's share."""
    if isinstance(model, nn.parallel.DistributedDataParallel):
        return model.module  # type: ignore[no-any-return]
    return model


def _is_compiled(model: nn.Module) -> bool:
    return hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None


def _rank() -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    rank = os.environ.get("RANK", "0")  # of torchrun, before the process group is there; alone it may mean anything
    return int(rank) if rank.isdecimal() and "WORLD_SIZE" in os.environ else 0


def _synchronize(parameters: Sequence[Tensor]) -> None:
    if any(p.is_cuda for p in parameters):
        torch.cuda.synchronize()
