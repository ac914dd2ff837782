"""Real data, trainings and clocks that several stages use."""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mlrtui_trainer import worker
from mlrtui_trainer.models.kinds import n_params
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    Message,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TaskFailed,
    TrainSpec,
    TrialSpec,
)

__all__ = [
    "SEEDS",
    "Ran",
    "bytes_of_step",
    "case_of",
    "ceilings",
    "digits",
    "flop_of_step",
    "in_turn",
    "probe",
    "round_of",
    "seconds_per_step",
    "sync",
    "timed",
    "trials_at",
    "wall",
]

SEEDS = 4
COLUMNS = ("step", "loss", "accuracy", "sharpness", "products")


@functools.cache
def digits(samples: int = 1024) -> Dataset:
    """The first real digits of a fixed permutation, one mean image and one standard deviation taken out.

    Where scikit-learn is not installed: as many Gaussian images with a class each, so that speed can still be taken.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        random = np.random.RandomState(0)
        centers, labels = random.standard_normal((10, 64)), random.randint(0, 10, samples)
        x = centers[labels] + random.standard_normal((samples, 64))
        return Dataset("gaussian-digits", "classes", x, np.eye(10)[labels], labels.astype(np.int64))
    raw = load_digits()
    order = np.random.RandomState(0).permutation(len(raw.target))[:samples]
    x, labels = raw.data[order].astype(np.float64), raw.target[order].astype(np.int64)
    x = (x - x.mean(0)) / (x - x.mean(0)).std()
    return Dataset(f"digits-{samples}", "classes", x, np.eye(10)[labels], labels)


def case_of(depth: int, width: int, **more: Any) -> NetSpec:
    """A fully connected net for the digits."""
    return NetSpec("mlp", 64, 10, depth, width, **more)


def trials_at(count: int, low: float, high: float) -> tuple[TrialSpec, ...]:
    """So many trials with rates in equal ratios and a few seeds by turns."""
    etas = np.geomspace(low, high, count)
    return tuple(TrialSpec(i, 1, i % SEEDS, float(eta), nan) for i, eta in enumerate(etas))


@dataclass(frozen=True)
class Ran:
    """What a round gave: columns and outcome by trial."""

    columns: dict[int, dict[str, npt.NDArray[Any]]]
    outcomes: dict[int, Outcome]

    @classmethod
    def of(cls, task: Round, data: Dataset, device: str) -> "Ran":
        """Train it. Raises RuntimeError with the worker's sentence where it fails."""
        return cls.from_messages(worker.run_task(task, data, device))

    @classmethod
    def from_messages(cls, messages: Iterable[Message]) -> "Ran":
        """What a worker sent. Raises RuntimeError with its sentence where it failed."""
        parts: dict[int, dict[str, list[Any]]] = {}
        outcomes: dict[int, Outcome] = {}
        for message in messages:
            if isinstance(message, TaskFailed):
                raise RuntimeError(message.error)
            if isinstance(message, Outcome):
                outcomes[message.trial_id] = message
            if isinstance(message, StepBatch):
                for segment in message.segments:
                    mine = parts.setdefault(segment.trial_id, {name: [] for name in COLUMNS})
                    for name in COLUMNS:
                        mine[name].append(getattr(message, name)[segment.start : segment.stop])
        joined = {key: {name: np.concatenate(one[name]) for name in COLUMNS} for key, one in parts.items()}
        return cls(joined, outcomes)


def probe(net: NetSpec, train: TrainSpec, data: Dataset, device: str, seeds: Sequence[int]) -> list[float]:
    """λ₀ of these nets, with the layers' rates."""
    task = Probe(1, data.data_id, net, train, SharpnessSpec(), tuple((seed, seed) for seed in seeds))
    found: dict[int, float] = {}
    for message in worker.run_task(task, data, device):
        if isinstance(message, TaskFailed):
            raise RuntimeError(message.error)
        if isinstance(message, LambdaAtInit):
            found[message.net_id] = message.preconditioned
    return [found[seed] for seed in seeds]


def round_of(net: NetSpec, train: TrainSpec, trials: Sequence[TrialSpec], data: Dataset, every: int = 0) -> Round:
    """A round with λ of the Hessian at every ``every``-th step."""
    return Round(1, data.data_id, net, train, SharpnessSpec("hessian", every), tuple(trials))


def sync(device: str) -> None:
    """Wait until the device has nothing left to do."""
    if device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.synchronize(device)


def wall(work: Callable[[], object], device: str) -> float:
    """Seconds until the device has done it."""
    sync(device)
    begun = time.perf_counter()
    work()
    sync(device)
    return time.perf_counter() - begun


def timed(task: Round, data: Dataset, device: str) -> tuple[Ran, float]:
    """What a round gave, and its seconds."""
    found: list[Ran] = []
    seconds = wall(lambda: found.append(Ran.of(task, data, device)), device)
    return found[0], seconds


def seconds_per_step(task: Round, data: Dataset, device: str, steps: int) -> float:
    """Seconds that all lanes of a round take for one more step: set-up cancels between a short and a long round."""
    short, long = (replace(task, train=replace(task.train, max_steps=count)) for count in (steps, 3 * steps))
    return max(
        wall(lambda: Ran.of(long, data, device), device) - wall(lambda: Ran.of(short, data, device), device), 1e-9
    ) / (2 * steps)


def flop_of_step(net: NetSpec, batch: int) -> float:
    """Operations of a step's matrix products: forward, gradient, and the signal passed down but to the inputs."""
    products = [2.0 * fan_in * out for fan_in, out in pairwise(net.sizes)]
    return batch * (3 * sum(products) - products[0])


def bytes_of_step(net: NetSpec, batch: int) -> float:
    """Bytes that a step of one lane moves if nothing stays in a cache.

    Weights are read forward, read backward, read and written by the update; activations and signals of every layer are
    written and read once each.
    """
    return 4.0 * (4 * n_params(net) + 4 * batch * sum(net.sizes[1:]))


def ceilings(device: str, size: int) -> tuple[float, float]:
    """What the device reaches: operations a second of one large float32 product, bytes a second of a copy."""
    torch.set_float32_matmul_precision("highest")
    a = torch.randn(size, size, device=device)
    b = torch.randn(16 * size * size, device=device)
    c = torch.empty_like(b)
    rate = 2.0 * size**3 / min(wall(lambda: a @ a, device) for _ in range(8))
    return rate, 2.0 * b.numel() * 4 / min(wall(lambda: c.copy_(b), device) for _ in range(8))


def in_turn(works: Sequence[tuple[str, Callable[[], object]]], device: str, rounds: int) -> Iterator[tuple[str, float]]:
    """Seconds of each by turns; a turn before the first warms up."""
    for turn in range(rounds + 1):
        for name, work in works:
            spent = wall(work, device)
            if turn:
                yield name, spent
