"""Whether a round's lanes are trained by the kernel: as is asked for, or by what is faster here.

With MLRTUI_TRITON=auto the first round of a size takes some steps both ways, of copies of its own nets, and the
process remembers which was faster. Its records do not depend on it but by rounding.
"""

import warnings
from collections.abc import Sequence
from math import inf
from statistics import median
from time import perf_counter as _now

from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.kernels import route
from mlrtui_trainer.kernels.records import Form
from mlrtui_trainer.kernels.steps import KernelError, KernelSteps
from mlrtui_trainer.models.base import Model
from mlrtui_trainer.optimizers.stepping import optimizer_of
from mlrtui_trainer.recorded import RecordedSteps
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import TrainSpec

__all__ = ["ETA", "STEPS", "chosen"]

STEPS = 32
"""Steps that are timed, at most: those of a block."""

TURNS, SEEDS = 3, 8
ETA = 1e-6
"""Learning rate of what is timed: no lane ends on the way."""

Steps = KernelSteps | CompiledSteps | RecordedSteps

_gains: dict[tuple[Form, int, int], float] = {}  # by form, layers and about how many lanes: speed-up by the kernel


def chosen(
    model: Model, train: TrainSpec, samples: Samples, etas: Sequence[float], *, forked: bool = False
) -> KernelSteps | None:
    """The kernel's steps of a round's lanes; None where it is not asked for, not possible, or slower."""
    kernel = KernelSteps.of(model, train, samples, etas, forked=forked)
    if kernel is None or not route.is_measured():
        return kernel
    such = (kernel.form, kernel.model.layers, len(etas).bit_length())
    if such not in _gains:
        _gains[such] = _gain(model, train, samples, len(etas))
    return kernel if _gains[such] >= 1.0 else None


def _gain(model: Model, train: TrainSpec, samples: Samples, lanes: int) -> float:
    """Speed-up by the kernel over the steps that would be used otherwise; 0.0 where it cannot be launched."""
    etas = [ETA] * lanes
    kernel = KernelSteps.of(model, train, samples, etas)
    other = CompiledSteps.of(model, train, samples, etas) or RecordedSteps.of(model, train, samples, STEPS)
    assert kernel is not None
    if other is None:  # steps one by one, which launch all that the kernel launches at once
        return inf
    try:
        gain = _seconds(other, model, train, samples, etas) / _seconds(kernel, model, train, samples, etas)
    except KernelError as error:
        warnings.warn(f"trained without the kernel of {route.asked()}: {error}", stacklevel=3)
        return 0.0
    net = f"hidden layers {kernel.model.layers - 1}, width {kernel.form.width}, lanes {lanes}"
    then = "it is used" if gain >= 1.0 else "it is not used"
    warnings.warn(
        f"{route.asked()}: {net}: the kernel has {gain:.3g} times the speed of other steps, {then}", stacklevel=3
    )
    return gain


def _seconds(steps: Steps, model: Model, train: TrainSpec, samples: Samples, etas: Sequence[float]) -> float:
    """Of some steps, the median of several turns after one that compiles or records; their numbers are waited for."""
    device, dtype = samples.x.device, samples.x.dtype
    seeds = [i % SEEDS for i in range(len(etas))]
    weights = model.initial_weights(seeds, dtype, str(device))
    optimizer = optimizer_of(model, train, etas, dtype, str(device))
    batches = Batches(samples, seeds, train.batch, train.steps_per_epoch)
    count = min(STEPS, train.max_steps, STEPS if batches.full else batches.steps_to_epoch(0))
    spent = []
    for _ in range(1 + TURNS):
        begun = _now()
        steps.train(weights, optimizer, batches, range(count), [inf] * len(etas))
        spent.append(_now() - begun)
    return max(median(spent[1:]), 1e-9)
