"""The sound part of a sweep file, as the checks between its keys see it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from mlrtui.config.mistakes import Mistake
from mlrtui.config.sections import FitSection
from mlrtui.data.shapes import DataSpec, source_of
from mlrtui.data.sources import DataTrouble, Source
from mlrtui_db import axes
from mlrtui_trainer.losses import LOSS_KINDS

__all__ = ["AXES", "CODE_KEYS", "MAX_CELLS", "MAX_NETS", "MAX_PARAMETERS", "MAX_TRAININGS", "Check", "Known"]

CODE_KEYS = ("loss", "optimizer", "schedule")
"""Keys of [training] that may name a thing of the user's own code."""

MAX_CELLS = 100_000


MAX_NETS = 1_000_000


MAX_TRAININGS = 10_000_000


MAX_PARAMETERS = 10_000_000_000


AXES = tuple(axis.key for axis in axes.AXES if ".layer_lr." not in axis.key)
"""Keys of the axes but the layers' rates, which `Known.rates` gathers."""


@dataclass(frozen=True)
class Known:
    """The sound part of a file: values by dotted key, defaults included; what is written in it; its sound fits."""

    values: Mapping[str, Any]
    given: frozenset[str]
    fits: Mapping[str, FitSection]
    arguments: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Of a training of the user's, by name."""

    def axis(self, key: str) -> tuple[Any, ...]:
        """The values of an axis; none when it is wrong or missing, or no axis here."""
        values = self.values.get(key)
        return values if isinstance(values, tuple) else ()

    def one(self, key: str) -> Any:
        """The value of a key that is no axis, or None."""
        return self.values.get(key)

    def source(self, name: str) -> Source | None:
        """What is known of a data set; None where its files cannot be used."""
        try:
            return source_of(DataSpec(name, path=self.one("data.path") or "", which=self.one("data.which") or ""))
        except DataTrouble:
            return None

    @property
    def own(self) -> dict[str, float | str]:
        """The arguments as expressions know them, each with one of its values."""
        return {name: values[0] if isinstance(values[0], str) else 1.0 for name, values in self.arguments.items()}

    @property
    def rates(self) -> dict[str, tuple[float, ...]]:
        """The layer multipliers that are axes, by key."""
        layers = self.values.get("model.layer_lr")
        roles = () if layers is None else ("input", "hidden", "output")
        rates = {f"model.layer_lr.{role}": getattr(layers, role) for role in roles}
        if self.axis("model.input_lr"):
            rates["model.layer_lr.input"] = self.axis("model.input_lr")
        return rates

    @property
    def lengths(self) -> dict[str, int]:
        """How many values each axis has; a wrong one counts as none."""
        axes = {key: len(self.axis(key)) for key in AXES} | {key: len(rates) for key, rates in self.rates.items()}
        return axes | {f"arguments.{name}": len(values) for name, values in self.arguments.items()}

    @property
    def class_losses(self) -> list[str]:
        """The losses that need classes."""
        return [loss for loss in self.axis("training.loss") if LOSS_KINDS[loss].classes]

    @property
    def scan_rates(self) -> int:
        """Trainings of each net in a scan, as far as their list is sound."""
        by_width = self.values.get("scan.eta_width")
        lists = (self.axis("scan.eta"), self.axis("scan.eta_lambda0"), () if by_width is None else by_width.factor)
        return sum(map(len, lists))

    @property
    def cells(self) -> int:
        """Number of grid points."""
        return prod(max(length, 1) for length in self.lengths.values())


Check = Callable[[Known], Iterator[Mistake]]
"""Yields the contradictions of one kind."""
