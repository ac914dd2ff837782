"""How a sweep's work is shared among slots: which of them may take how much, and what a net costs."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from mlrtui.config import AnySweep, SweepSpec
from mlrtui.driver.estimate import map_trainings, seconds_per_probe, seconds_per_training
from mlrtui.driver.methods import rules_of_cells
from mlrtui.engines.devices import kind_of
from mlrtui.planning import Cell, CellPlan
from mlrtui_trainer.models.kinds import n_params

__all__ = ["Cost", "Turn", "costs_of", "lanes_within", "turns_of"]

MOST_LANES = 4096
VECTORS = 34
"""As many numbers a parameter a lane may hold at once: weight, update, optimizer, and the basis of a λ solve."""


@dataclass(frozen=True)
class Turn:
    """A slot's turn to be given work."""

    idle: int = 1
    """Slots without work, this one included, among which a single cell's is divided."""

    slots: int = 0
    """Of how many CPU workers this is one: none takes more than its share of all that is left; 0: it is no such."""

    sees_to_costly: bool = False
    """It leaves the order of the grid for the costly cells when these would otherwise be left for the end."""

    slot: int = 0

    memory: int = 0
    """Bytes of its device's own memory; 0: not known."""


@dataclass(frozen=True)
class Cost:
    """What a net of one cell takes, in seconds of one core: a guess, good for comparing cells."""

    probe: float
    training: float
    trainings: int
    questions: int  # each waits for the answer to the one before
    width: int = 1  # of its hidden layers

    @property
    def in_turn(self) -> float:
        """What takes this long however many slots there are."""
        return self.probe + self.training * self.questions

    def left(self, probed: bool, told: int) -> float:
        """Of a net that is not done."""
        return (0.0 if probed else self.probe) + self.training * max(self.trainings - told, 1)


def turns_of(
    idle: Sequence[int], devices: Sequence[str], dead: Collection[int], memory: Callable[[int], int] = lambda slot: 0
) -> Iterator[Turn]:
    """The turns of slots that have no work yet, one after the other.

    On a GPU lanes beside one another cost little. On a CPU time grows with them: of several workers none takes so many
    that the others would wait for it in the end, and every second one sees to it that costly cells begin in time.
    """
    workers = [slot for slot, device in enumerate(devices) if kind_of(device) == "cpu" and slot not in dead]
    places = {slot: place for place, slot in enumerate(workers)}
    for taken, slot in enumerate(idle):
        left = len(idle) - taken
        if slot not in places or len(workers) == 1:
            yield Turn(left, slot=slot, memory=memory(slot))
        else:
            yield Turn(left, len(workers), sees_to_costly=places[slot] % 2 == 1, slot=slot, memory=memory(slot))


def lanes_within(cell: Cell, memory: int) -> int:
    """How many trainings of a cell fit beside one another into half of so many bytes; 0 bytes: not known, no bound.

    By plan: weights, their updates and what a measurement of λ keeps of them, and the activations of a batch.
    """
    if not isinstance(cell, CellPlan):
        return 1  # a process for each training
    if not memory:
        return MOST_LANES
    units = cell.net.depth * cell.net.width
    numbers = VECTORS * n_params(cell.net) + 2 * cell.train.batch * units
    lane = numbers * (8 if cell.train.dtype == "float64" else 4)
    return max(1, min(memory // (2 * lane), MOST_LANES)) if lane else MOST_LANES


def costs_of(spec: AnySweep) -> Callable[[Cell], Cost]:
    """What a net of each cell of a sweep takes; of a training of the user's, where nothing is known, each the same."""
    if isinstance(spec, SweepSpec) and spec.map is not None:
        of_row, levels = map_trainings(spec.map), spec.map.levels
        return lambda cell: _cost(cell, of_row, levels + 1)
    if spec.search is None:
        assert spec.scan is not None
        count = spec.scan.count
        return lambda cell: _cost(cell, count, 1)
    rules_of_cell = rules_of_cells(spec)

    def cost(cell: Cell) -> Cost:
        rules = rules_of_cell(cell)
        return _cost(cell, rules.typical_trials, math.ceil(rules.typical_trials / rules.at_once))

    return cost


def _cost(cell: Cell, trainings: int, questions: int) -> Cost:
    if not isinstance(cell, CellPlan):
        return Cost(0.0, 1.0, trainings, questions, 1)
    width = max(cell.net.width, 1)
    return Cost(seconds_per_probe(cell), seconds_per_training(cell), trainings, questions, width)
