"""Learning-rate schedules: the rate of a step as a part of η, which is the peak. Nothing here imports torch.

[project.entry-points."mlrtui.schedules"]
mine = "my_package:MINE"          # a `Schedule`
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, nan, pi, sqrt

from mlrtui_trainer.registry import Registry
from mlrtui_trainer.spec import TrainSpec

__all__ = ["SCHEDULES", "Schedule", "rate_at", "rate_of"]


@dataclass(frozen=True)
class Schedule:
    """One schedule. ``rate(warmup, steps, step)`` is a pure function with values in [0, 1]; steps count from 0."""

    text: str  # for the sweep file's page
    rate: Callable[[int, int, int], float]  # of the steps of warm-up, those of the whole training, and the step
    warms: bool = True  # whether it has a warm-up
    needs_warmup: bool = False


def _own(name: str) -> Schedule:
    return Schedule(f"the function {name}", lambda warmup, steps, step: nan)  # not known where its code is not run


SCHEDULES = Registry[Schedule]("schedule", group="mlrtui.schedules", own=_own)


def rate_at(schedule: str, warmup: int, steps: int, step: int) -> float:
    """The rate of a step over η in a training of ``steps``; the last step's where none follows, as at its end.

    Raises UnknownNameError for a schedule that is not known.
    """
    return SCHEDULES[schedule].rate(warmup, steps, min(step, steps - 1))


def rate_of(train: TrainSpec, step: int) -> float:
    """`rate_at` of a training's schedule.

    >>> how = TrainSpec("mse", 1, 100, 1, schedule="linear-warmup", warmup_steps=10)
    >>> [rate_of(how, step) for step in (0, 4, 9, 99)]
    [0.1, 0.5, 1.0, 1.0]
    """
    return rate_at(train.schedule, train.warmup_steps, train.max_steps, step)


def _constant(warmup: int, steps: int, step: int) -> float:
    return 1.0


def _linear(warmup: int, steps: int, step: int) -> float:
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def _cosine(warmup: int, steps: int, step: int) -> float:
    """After the warm-up half a period, to zero at the step after the last one (Loshchilov and Hutter 2017)."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + cos(pi * (step - warmup) / max(steps - warmup, 1)))


def _inverse_root(warmup: int, steps: int, step: int) -> float:
    """After the warm-up √(warmup / step), steps counted from 1 (Vaswani et al. 2017)."""
    knee = max(warmup, 1)
    return min((step + 1) / knee, sqrt(knee / (step + 1)))


SCHEDULES.register("constant", Schedule("η at every step", _constant, warms=False))
SCHEDULES.register("linear-warmup", Schedule("in equal steps up to η, then η", _linear, needs_warmup=True))
SCHEDULES.register("cosine", Schedule("after the warm-up along half a cosine to 0", _cosine))
SCHEDULES.register("inverse-root", Schedule("after the warm-up as √(warmup_steps / step)", _inverse_root))
