"""How a sweep's work is shared among slots: which of them may take how much, and what a net costs."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlrtui.config import AnySweep
from mlrtui.driver.estimate import seconds_per_probe, seconds_per_training
from mlrtui.driver.methods import search_rules
from mlrtui.engines.devices import kind_of
from mlrtui.planning import Cell, CellPlan

__all__ = ["Cost", "Turn", "cost_of", "turn_of"]


@dataclass(frozen=True)
class Turn:
    """A slot's turn to be given work."""

    idle: int = 1
    """Slots without work, this one included, among which a single cell's is divided."""

    slots: int = 0
    """Of how many CPU workers this is one: none takes more than its share of all that is left; 0: it is no such."""

    sees_to_costly: bool = False
    """It leaves the order of the grid for the costly cells when these would otherwise be left for the end."""


@dataclass(frozen=True)
class Cost:
    """What a net of one cell takes, in seconds of one core: a guess, good for comparing cells."""

    probe: float
    training: float
    trainings: int
    questions: int  # each waits for the answer to the one before

    @property
    def in_turn(self) -> float:
        """What takes this long however many slots there are."""
        return self.probe + self.training * self.questions

    def left(self, probed: bool, told: int) -> float:
        """Of a net that is not done."""
        return (0.0 if probed else self.probe) + self.training * max(self.trainings - told, 1)


def turn_of(slot: int, devices: Sequence[str], idle: Collection[int], dead: Collection[int]) -> Turn:
    """The turn of an idle slot. ``idle``: those that have no work yet, this one included.

    On a GPU lanes beside one another cost little. On a CPU time grows with them: of several workers none takes so many
    that the others would wait for it in the end, and every second one sees to it that costly cells begin in time.
    """
    workers = [other for other, device in enumerate(devices) if kind_of(device) == "cpu" and other not in dead]
    if slot not in workers or len(workers) == 1:
        return Turn(len(idle))
    return Turn(len(idle), slots=len(workers), sees_to_costly=workers.index(slot) % 2 == 1)


def cost_of(cell: Cell, spec: AnySweep) -> Cost:
    """What a net of this cell takes; of a training of the user's, where nothing is known, each the same."""
    probe, training = 0.0, 1.0
    if isinstance(cell, CellPlan):
        probe, training = seconds_per_probe(cell), seconds_per_training(cell)
    if spec.search is None:
        assert spec.scan is not None
        return Cost(probe, training, spec.scan.count, questions=1)
    rules = search_rules(spec, cell)
    return Cost(probe, training, rules.typical_trials, math.ceil(rules.typical_trials / rules.at_once))
