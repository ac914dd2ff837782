"""How a sweep's work is shared among slots: which of them may take how much, and what a net costs."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mlrtui.config import AnySweep
from mlrtui.driver.estimate import map_trainings, seconds_per_probe, seconds_per_training, seconds_to_start
from mlrtui.driver.methods import rules_of_cells
from mlrtui.engines.devices import kind_of
from mlrtui.planning import Cell, CellPlan
from mlrtui_trainer.models.kinds import n_params

__all__ = ["Cost", "Figures", "Turn", "costs_of", "hidden_of", "lanes_that_fill", "lanes_within", "turns_of"]

MOST_LANES = 4096
VECTORS = 34
"""As many numbers a parameter a lane may hold at once: weight, update, optimizer, and the basis of a λ solve."""

LAUNCHES_PER_LAYER = 8
"""Kernel launches of a step for each layer, about."""


@dataclass(frozen=True)
class Figures:
    """What a slot's device is like."""

    memory: int = 0
    """Bytes of its own memory, of this slot's share; 0: not known."""

    mates: int = 1
    """Slots on this device, whose rounds are in flight together."""

    hidden: int = 0
    """Operations that it does in the time of one kernel launch; 0: not measured."""


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

    figures: Figures = Figures()

    peers: int = 0
    """Slots of its kind among which costly cells are begun in time; 0: it takes cells in their order."""

    sees_to_pilots: bool = False
    """Pilots come before all others: of a CPU, where one net takes less time than all of its cell."""

    @property
    def memory(self) -> int:
        """Bytes of its device's own memory; 0: not known."""
        return self.figures.memory


@dataclass(frozen=True)
class Cost:
    """What a net of one cell takes, in seconds of one core: a guess, good for comparing cells."""

    probe: float
    training: float  # all its steps
    trainings: int
    questions: int  # each waits for the answer to the one before
    width: int = 1  # of its hidden layers
    depth: int = 1  # how many there are
    start: float = 0.0  # of a training before its first step

    @property
    def in_turn(self) -> float:
        """What takes this long however many slots there are."""
        return self.probe + (self.start + self.training) * self.questions

    def left(self, probed: bool, told: int) -> float:
        """Of a net that is not done."""
        return (0.0 if probed else self.probe) + (self.start + self.training) * max(self.trainings - told, 1)


def turns_of(
    idle: Sequence[int],
    devices: Sequence[str],
    dead: Collection[int],
    figures: Callable[[int], Figures] = lambda slot: Figures(),
) -> Iterator[Turn]:
    """The turns of slots that have no work yet, one after the other.

    On a GPU lanes beside one another cost little. On a CPU time grows with them: of several workers none takes so many
    that the others would wait for it in the end. Every second one of either kind sees to it that costly cells begin in
    time.
    """
    kinds = {kind: _places(kind, devices, dead) for kind in set(map(kind_of, devices))}
    for taken, slot in enumerate(idle):
        left, places = len(idle) - taken, kinds[kind_of(devices[slot])]
        on_cpu = kind_of(devices[slot]) == "cpu"
        one = Turn(left, slot=slot, figures=figures(slot), sees_to_pilots=on_cpu)
        if len(places) > 1 and slot in places:
            costly = places[slot] % 2 == 1
            one = replace(one, slots=len(places) if on_cpu else 0, peers=len(places), sees_to_costly=costly)
        yield one


def _places(kind: str, devices: Sequence[str], dead: Collection[int]) -> dict[int, int]:
    """Slots of a kind that are in use, by their place among them."""
    slots = [slot for slot, device in enumerate(devices) if kind_of(device) == kind and slot not in dead]
    return {slot: place for place, slot in enumerate(slots)}


def hidden_of(env: Mapping[str, str]) -> int:
    """`Figures.hidden` of a device, as its worker measured it (`mlrtui_trainer.devices.ceilings`)."""
    numbers = (env.get(key, "") for key in ("gflops", "launch_ns"))
    gflops, launch = (int(text) if text.isdecimal() else 0 for text in numbers)
    return gflops * launch


def lanes_that_fill(cell: Cell, hidden: int) -> int:
    """At how many lanes the arithmetic of a cell's step takes a device as long as the step's kernel launches.

    With fewer the device waits, and more cost nothing; beyond it time grows with the lanes, so that two rounds beside
    one another take no longer than one. ``hidden``: see `Figures`. 0 where it is not known.
    """
    if not hidden or not isinstance(cell, CellPlan) or not cell.work:
        return 0
    launches = LAUNCHES_PER_LAYER * (cell.net.depth + 1)
    return math.ceil(hidden * launches / (6 * cell.work * cell.train.batch))


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
    if (section := spec.boundary_map) is not None:
        of_row, levels = map_trainings(section), section.levels
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
        return Cost(0.0, 1.0, trainings, questions)
    width, depth = max(cell.net.width, 1), cell.net.depth
    start = seconds_to_start(cell)
    steps = seconds_per_training(cell) - start
    return Cost(seconds_per_probe(cell), steps, trainings, questions, width, depth, start)
