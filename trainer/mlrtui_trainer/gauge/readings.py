"""What a recorder takes at each step of a training, and where it can put it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Protocol

__all__ = ["Reading", "RecordedStep", "Series", "Sink"]


@dataclass(frozen=True)
class Reading:
    """One measured value, with what it is worth."""

    kind: str
    """"critical", "directional", "batch", "lambda" or "lambda-preconditioned"."""

    value: float
    low: float = nan
    high: float = nan
    edge: float = nan
    """In the units of the value: above it linear dynamics (for "critical": this very step) go up."""

    edge_high: float = nan
    """Where theory gives a band, its upper end: batch sharpness under momentum."""

    residual: float = nan
    products: int = 0
    forwards: int = 0
    status: str = "found"
    """"found", "not-converged", a status of `CriticalSharpness`, "no-edge", "no-update" (the weights have not moved),
    "nonfinite", or "error: …"."""

    note: str = ""
    """Why there is no edge."""

    seconds: float = nan


@dataclass
class RecordedStep:
    """One step of the training. What is not in ``readings`` was not measured."""

    step: int
    lr: float
    """Of the optimizer's first group, at this step."""

    loss: float
    accuracy: float = nan
    skipped: bool = False
    """The optimizer did not step, as when a GradScaler found an overflow."""

    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True)
class Series:
    """One kind of reading along the training."""

    steps: tuple[int, ...]
    values: tuple[float, ...]
    edges: tuple[float, ...]


class Sink(Protocol):
    """Where a recorder puts its steps besides its own memory, such as a file.

    It is called by the training loop, so it must be quick. What it raises while the loop runs is an event of the
    recorder, which then goes on without it.
    """

    def open(self) -> None:
        """Before the first step. What is raised here reaches the user."""

    def take(self, rows: Sequence[RecordedStep]) -> None:
        """Steps that follow those before, each complete; ``take(())`` where there is nothing new."""

    def note(self, text: str) -> None:
        """Something that could not be measured, in words."""

    def close(self, error: BaseException | None) -> None:
        """After the last step. ``error``: what ended the training, if it did not end by itself."""
