"""A sweep in progress: which nets exist, what each still wants, what is running. No store, no engine, no clock.

`next_draft` decides what runs next; the driver turns a draft into a task, and tells what came of it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from mlrtui.config import AnySweep
from mlrtui.driver.mapping import MapQuestions, Maps
from mlrtui.driver.methods import search_rules
from mlrtui.driver.pilots import pilots
from mlrtui.driver.questions import Questions, ScanQuestions, SearchQuestions
from mlrtui.driver.ready import Ready
from mlrtui.driver.sharing import Cost, Turn, costs_of, lanes_that_fill, lanes_within
from mlrtui.driver.starts import Starts
from mlrtui.driver.traits import traits_of
from mlrtui.planning import Cell, CellPlan, LoopCell, Plan, trial_key
from mlrtui_db.models import SweepState
from mlrtui_db.records import NetLambdas, TrialRecord
from mlrtui_trainer.phases import FITTED

__all__ = ["MAX_LOST", "CellRun", "Draft", "NetRun", "SweepRun", "sound_lambda0", "trial_record"]

MAX_LOST = 3
"""Workers that may die of a trial while it runs alone before it counts as failed."""

DUE = 2.0
"""The costly cells are due when all that is left takes this many times as long as one of their nets at least takes."""
SHARE = 0.5
"""A CPU worker takes at most this part of its equal share of all that is left: others are at work on some of it."""

MAP_LANES = 512
"""Most trainings of a map that a task takes: their outcomes decide what is asked next."""

MAP_SHARE = 3
"""A CPU worker takes this part of its equal share of what a map wants now: rows take different times."""

T = TypeVar("T")


@dataclass(eq=False)
class NetRun:
    """One net's state in the driver."""

    net_id: int
    seed: int
    lambdas: NetLambdas | None = None
    probed: bool = True  # λ₀ is measured before it trains
    refused: str = ""  # why λ₀ cannot be trusted, where it cannot
    questions: Questions | None = None
    start_eta: float | None = None
    running: set[float] = field(default_factory=set)
    lost: dict[float, int] = field(default_factory=dict)  # workers, by the rate that was trained alone; 0: a probe
    probing: bool = False
    closed: bool = False
    failed: bool = False
    eta_star: float | None = None  # once its search is done, unless it is censored
    base: "NetRun | None" = None  # of a fork: the net whose weights it starts from
    base_eta: float | None = None  # of a fork: the rate of its base training, once it is known

    @property
    def waits(self) -> bool:
        """Whether it cannot be measured yet, since the rate of its base is not known."""
        return self.base is not None and self.base_eta is None

    @property
    def is_measured(self) -> bool:
        """Whether all is known that is measured before it trains."""
        return self.lambdas is not None or not self.probed

    @property
    def told(self) -> int:
        """Trainings whose outcome is known."""
        return 0 if self.questions is None else self.questions.told

    def wanted(self) -> tuple[float, ...]:
        """Rates to train now that are not being trained."""
        if self.closed or self.questions is None:
            return ()
        return tuple(eta for eta in self.questions.ask() if eta not in self.running)


@dataclass(eq=False)
class CellRun:
    """One grid point's nets."""

    cell_id: int
    plan: Cell
    nets: list[NetRun]
    cost: Cost
    left: float = 0.0  # of its cost, when it was last refreshed
    open: bool = True  # some net had no answer then
    # Lanes of a round on devices of so many bytes, once more have failed there; slots too small for a single one.
    narrow: dict[int, int] = field(default_factory=dict)
    barred: set[int] = field(default_factory=set)

    def lanes_on(self, memory: int) -> int:
        """How many trials may share a round on a device with so many bytes of its own; 0: not known."""
        return min([lanes_within(self.plan, memory), *(most for size, most in self.narrow.items() if memory <= size)])

    def refresh(self) -> None:
        """Work out anew what is left, after something has changed for one of the nets."""
        self.left = sum(self.cost.left(net.is_measured, net.told) for net in self.nets if not net.closed)
        self.open = not all(net.closed for net in self.nets)

    @property
    def at_work(self) -> bool:
        """Some slot probes or trains nets of this cell."""
        return any(net.probing or net.running for net in self.nets)


class _Order:
    """Cells in one order of work, and those of them that may want a probe or trainings.

    ``alone``: only of cells on which no slot is at work; ``beside``: of all. ``nets``: of each its first ones alone.
    """

    def __init__(self, cells: list[CellRun], nets: int | None = None) -> None:
        self.cells = cells
        self.places = {cell.cell_id: place for place, cell in enumerate(cells)}
        count = len(cells)
        self.probes = {
            "alone": Ready(count, lambda place: () if cells[place].at_work else _unmeasured(cells[place], nets)),
            "beside": Ready(count, lambda place: _unmeasured(cells[place], nets)),
        }
        self.trainings = {
            "alone": Ready(count, lambda place: () if cells[place].at_work else _wanted(cells[place], nets)),
            "beside": Ready(count, lambda place: _wanted(cells[place], nets)),
        }
        self._all: tuple[Ready[Any], ...] = (*self.probes.values(), *self.trainings.values())
        self._closed_before = 0

    def add(self, cell: CellRun) -> None:
        """The cell, if it is one of these, may have begun to want something else."""
        if (place := self.places.get(cell.cell_id)) is not None:
            for ready in self._all:
                ready.add(place)

    @property
    def looks(self) -> int:
        """How often a cell was looked at so far."""
        return sum(ready.looks for ready in self._all)

    def first_open(self) -> CellRun | None:
        """The first cell that has not all its answers; None where there is none. A closed cell stays closed."""
        while self._closed_before < len(self.cells) and not self.cells[self._closed_before].open:
            self._closed_before += 1
        return self.cells[self._closed_before] if self._closed_before < len(self.cells) else None


@dataclass(frozen=True)
class Draft:
    """Work for one slot: a probe of nets, or trainings (net, rate, search round)."""

    cell: CellRun
    probe: tuple[NetRun, ...] = ()
    trainings: tuple[tuple[NetRun, float, int], ...] = ()

    @property
    def size(self) -> int:
        """How many nets are measured or trained together."""
        return len(self.probe) or len(self.trainings)

    def halve(self, memory: int) -> str:
        """Let at most half as many of this cell share a round from now on, on devices with no more memory; says so."""
        lanes = self.cell.narrow[memory] = max(1, min(self.cell.lanes_on(memory), self.size // 2))
        return f"{self.cell.plan.label}: goes on with {lanes} at a time instead of {self.size}"

    def lose(self) -> int:
        """Count a worker that died of this one lane; returns how many have."""
        net, eta = (self.probe[0], 0.0) if self.probe else self.trainings[0][:2]
        net.lost[eta] = net.lost.get(eta, 0) + 1
        return net.lost[eta]


def sound_lambda0(lambdas: NetLambdas | None) -> float | None:
    """The λ₀ that decides stability, or None where it is zero, negative or not finite."""
    if lambdas is None or not math.isfinite(lambdas.preconditioned) or lambdas.preconditioned <= 0:
        return None
    return lambdas.preconditioned


class SweepRun:
    """All cells of one sweep, restored from what the store already holds."""

    def __init__(self, spec: AnySweep, plan: Plan, state: SweepState) -> None:
        self.spec = spec
        self.plan = plan
        self.barred = 0  # cells that some slots are not given
        self.remarked: set[str] = set()  # what a person was told of users' nets
        self.forks_due: set[NetRun] = set()  # whose nets have changed: the rates of their bases may be known now
        self._starts = None if spec.search is None else Starts(spec.search)
        self.maps = Maps(spec, plan.cells)
        self._asking: dict[MapQuestions, NetRun] = {}
        by_cell: dict[int, list[NetRun]] = {}
        ids = {row.position: row.cell_id for row in state.cells}
        unprobed = {ids[cell.position] for cell in plan.cells if isinstance(cell, LoopCell) or cell.row is not None}
        self.nets: dict[int, NetRun] = {}
        self.cell_of: dict[int, CellRun] = {}
        for row in state.nets:
            net = NetRun(row.net_id, row.seed, row.lambdas, probed=row.cell_id not in unprobed, start_eta=row.start_eta)
            net.closed, net.failed = row.status in {"done", "failed"}, row.status == "failed"
            net.eta_star, net.base_eta = row.eta_star, row.base_eta
            self.nets[row.net_id] = net
            by_cell.setdefault(row.cell_id, []).append(net)
        cost = costs_of(spec)
        runs = {
            cell.position: CellRun(ids[cell.position], cell, by_cell[ids[cell.position]], cost(cell))
            for cell in plan.cells
        }
        costly_first = sorted(plan.cells, key=lambda cell: -runs[cell.position].cost.in_turn)
        self._in_order, self._costly_first = (
            _Order([runs[cell.position] for cell in (order if self._starts is None else self._starts.in_order(order))])
            for order in (plan.cells, costly_first)
        )
        self.cells = self._in_order.cells
        self.traits = traits_of([(cell.cell_id, cell.cost, cell.plan.label) for cell in self.cells])
        self._pilots = _Order(self._of_pilots(), nets=1)
        for cell in self.cells:
            for net in cell.nets:
                self.cell_of[net.net_id] = cell
        self._forks = _forks_of(runs)
        self.forks_due |= {net for nets in self._forks.values() for net in nets}
        self._left, self._open_cells = 0.0, len(self.cells)
        for row in state.nets:
            self._learn(self.nets[row.net_id], row.eta_star)
        self._unfinished: dict[int, list[float]] = {}
        for trial in state.trials:
            if trial.status not in {"done", "failed"}:
                self._unfinished.setdefault(trial.net_id, []).append(trial.eta)
        for net in self.nets.values():
            if net.is_measured and not net.closed:
                self.open(net)
        for trial in state.trials:
            if trial.status in {"done", "failed"}:
                questions = self.nets[trial.net_id].questions
                if questions is not None:
                    questions.tell(trial.eta, trial.verdict or "failed")
        for cell in self.cells:
            self._refresh(cell)

    @property
    def closed(self) -> bool:
        """Every net has its answer."""
        return self._open_cells == 0

    def changed(self, nets: Iterable[NetRun]) -> None:
        """Something has happened to these nets: measured, told, set free, closed. Must follow whatever did it."""
        nets = list(nets)
        for cell in {self.cell_of[net.net_id].cell_id: self.cell_of[net.net_id] for net in nets}.values():
            self._refresh(cell)
            self._look_again(cell)
        if self._forks:
            self.forks_due.update(fork for net in nets for fork in self._forks.get(net, ()))

    def begin(self, draft: Draft) -> None:
        """A slot is at work on this."""
        for net in draft.probe:
            net.probing = True
        for net, eta, _ in draft.trainings:
            net.running.add(eta)
        self._look_again(draft.cell)
        if self.maps:
            for cell in {
                id(cell): cell for net, _, _ in draft.trainings if (cell := self.cell_of[net.net_id])
            }.values():
                self._look_again(cell)

    def kin(self, nets: Iterable[NetRun]) -> list[NetRun]:
        """These nets, and those rows of their maps that outcomes of these make want something, or settle."""
        nets = list(nets)
        if not self.maps:
            return nets
        kin = self.maps.kin(net.questions for net in nets if isinstance(net.questions, MapQuestions))
        return list(dict.fromkeys([*nets, *(self._asking[one] for one in kin)]))

    def bar(self, cell: CellRun, slots: set[int], in_use: Iterable[int]) -> bool:
        """Give a cell to none of these slots any more; whether others are left for it."""
        others = any(slot not in slots and slot not in cell.barred for slot in in_use)
        if others:
            self.barred += not cell.barred
            cell.barred |= slots
        return others

    def unbar(self, in_use: Iterable[int]) -> None:
        """Slots were left out: a cell for which none is left tries again on the others, and fails there if it must."""
        for cell in self.cells if self.barred else ():
            if cell.barred and cell.barred.issuperset(in_use):
                cell.barred.clear()
                self.barred -= 1
                self._look_again(cell)

    def _of_pilots(self) -> list[CellRun]:
        """Of a map none, whose rows are alike; nor where the order says where searches start."""
        if self.maps or (self._starts is not None and self._starts.learns):
            return []
        work = [cell.cost.left(False, 0) for cell in self.cells]
        return [self.cells[place] for place in pilots(self.traits, work, [len(cell.nets) for cell in self.cells])]

    def _look_again(self, cell: CellRun) -> None:
        for order in (self._pilots, self._in_order, self._costly_first):
            order.add(cell)

    def _refresh(self, cell: CellRun) -> None:
        left, was_open = cell.left, cell.open
        cell.refresh()
        self._left += cell.left - left
        self._open_cells -= was_open - cell.open

    def open(self, net: NetRun) -> str | None:
        """Give a measured net its questions. Returns the reason when it can have none."""
        lambda0 = sound_lambda0(net.lambdas)
        cell = self.cell_of[net.net_id].plan
        reason = _says_nothing(cell, net)
        if reason is not None:
            return reason
        if self.maps:
            net.questions = asking = self.maps.questions(cell, net.seed)
            self._asking[asking] = net
            return None
        if self._starts is not None:
            if net.start_eta is None:
                net.start_eta = self._starts.of_fork(net.base, lambda0) or self._starts.rate(cell, lambda0)
            unfinished = self._unfinished.get(net.net_id, ())
            net.questions = SearchQuestions(search_rules(self.spec, cell), net.start_eta, unfinished)
            return None
        assert self.spec.scan is not None
        etas = self.spec.scan.etas(cell.width, lambda0)
        if etas is None:
            missing = "is not a positive number" if not net.refused else f"is refused ({net.refused})"
            return f"λ₀ at initialisation {missing}, so η = c/λ₀ has no meaning; scan over eta"
        net.questions = ScanQuestions(etas)
        return None

    def close(self, net: NetRun) -> None:
        """A net has asked all that it wanted."""
        net.closed = True
        boundary = None if net.questions is None else net.questions.boundary()
        if boundary is not None and boundary.censored is None:
            net.eta_star = boundary.eta_star
            self._learn(net, boundary.eta_star)
        self.changed([net])

    def fail(self, net: NetRun) -> None:
        """A net will get no answer."""
        net.closed = net.failed = True
        self.changed([net])

    def next_draft(self, turn: Turn) -> Draft | None:
        """The next piece of work in the order of the cells, or None when everything wanted is running.

        Probes come before trainings: they are short, and every screen wants λ₀; but nobody helps with a cell's probe
        while there is something to train. Before all others come pilots, from which the time left is soon known. Where
        searches start by what others found, a cell waits with its probe, which opens its searches, until nothing else
        is wanted.
        """
        due = turn.sees_to_costly and self._costly_is_due(turn)
        if not due and (draft := self._pilot(turn)) is not None:
            return draft
        order = self._costly_first if due else self._in_order
        alone, beside = (partial(self._probe, order, turn, who) for who in ("alone", "beside"))
        trainings = partial(self._trainings, order, turn)
        learns = self._starts is not None and self._starts.learns
        works = (trainings, alone, beside) if learns else (beside, trainings) if due else (alone, trainings, beside)
        return next((draft for work in works if (draft := work()) is not None), None)

    def _pilot(self, turn: Turn) -> Draft | None:
        """Work on the first nets of the pilots."""
        if not turn.sees_to_pilots or not self._pilots.cells:
            return None
        return self._probe(self._pilots, turn, "beside") or self._trainings(self._pilots, turn)

    def _learn(self, net: NetRun, eta_star: float | None) -> None:
        if self._starts is not None and eta_star is not None and net.base is None:
            self._starts.learn(self.cell_of[net.net_id].plan, eta_star)

    def _costly_is_due(self, turn: Turn) -> bool:
        """Whether all that is left takes little longer than the work in turn of the costliest net."""
        costliest = self._costly_first.first_open()
        return costliest is not None and self._left < DUE * costliest.cost.in_turn * turn.peers

    def _probe(self, order: _Order, turn: Turn, who: str) -> Draft | None:
        found = self._share(order.cells, order.probes[who], turn, lambda cost: cost.probe)
        return None if found is None else Draft(found[0], probe=found[1])

    def _trainings(self, order: _Order, turn: Turn) -> Draft | None:
        if self.maps:
            return self._of_maps(order, turn)
        # Several workers keep to cells of their own while there are some: their rounds are fuller.
        for who in ("alone", "beside") if turn.slots else ("beside",):
            found = self._share(order.cells, order.trainings[who], turn, lambda cost: cost.training)
            if found is not None:
                return Draft(found[0], trainings=found[1])
        return None

    def _of_maps(self, order: _Order, turn: Turn) -> Draft | None:
        """Trainings of as many rows as are due: a row alone wants few, and a task for each would take longer."""
        waiting = order.trainings["beside"].first(len(order.cells))
        waiting = [one for one in waiting if turn.slot not in order.cells[one[0]].barred]
        if not waiting:
            return None
        first = order.cells[waiting[0][0]]
        assert isinstance(first.plan, CellPlan)
        rows = [work for place, work in waiting if self._goes_with(first.plan, order.cells[place].plan)]
        work = [training for row in rows for training in row]
        sharers = MAP_SHARE * turn.slots if turn.slots else max(turn.idle, 1)
        lanes = min(first.lanes_on(turn.memory), MAP_LANES, math.ceil(len(work) / sharers))
        return Draft(first, trainings=tuple(work[: max(1, lanes)]))

    @staticmethod
    def _goes_with(one: CellPlan, other: Cell) -> bool:
        """Whether two cells are rows of one map, so that a task may take both."""
        return (
            isinstance(other, CellPlan)
            and one.row is not None
            and other.row is not None
            and (one.row.home == other.row.home)
        )

    def _share(
        self, cells: list[CellRun], ready: Ready[T], turn: Turn, each: Callable[[Cost], float]
    ) -> tuple[CellRun, tuple[T, ...]] | None:
        """The first cell that wants something, and a fair share of it."""
        waiting = ready.first(turn.idle + self.barred)  # as many as there are slots settle everything
        if self.barred:
            waiting = [one for one in waiting if turn.slot not in cells[one[0]].barred]
        if not waiting:
            return None
        cell, work = cells[waiting[0][0]], waiting[0][1]
        lanes = min(cell.lanes_on(turn.memory), len(work))
        if len(waiting) < turn.idle:
            lanes = min(lanes, math.ceil(len(work) * len(waiting) / turn.idle))
        if fill := lanes_that_fill(cell.plan, turn.figures.hidden) if turn.figures.mates > 1 else 0:
            lanes = min(lanes, max(fill, math.ceil(len(work) / turn.figures.mates)))
        if turn.slots:
            fair = self._left * SHARE / (turn.slots * each(cell.cost))
            lanes = min(lanes, math.ceil(fair))
        return cell, tuple(work[: max(1, lanes)])


def _unmeasured(cell: CellRun, nets: int | None = None) -> list[NetRun]:
    return [net for net in cell.nets[:nets] if not (net.is_measured or net.closed or net.probing or net.waits)]


def _forks_of(cells: Mapping[int, CellRun]) -> dict[NetRun, list[NetRun]]:
    """The forks of each net, which are told of it; ``cells`` by position."""
    found: dict[NetRun, list[NetRun]] = {}
    for cell in cells.values():
        if isinstance(cell.plan, CellPlan) and cell.plan.fork is not None:
            bases = {net.seed: net for net in cells[cell.plan.fork.base].nets}
            for net in cell.nets:
                net.base = bases[net.seed]
                found.setdefault(net.base, []).append(net)
    return found


def _says_nothing(plan: Cell, net: NetRun) -> str | None:
    """Why a fork whose start is measured gets no answer."""
    if not isinstance(plan, CellPlan) or plan.fork is None or net.lambdas is None:
        return None
    step = plan.fork.start.step
    if not math.isfinite(net.lambdas.loss):
        return f"no η*({step}): the base training had diverged before step {step}"
    if net.lambdas.preconditioned == 0.0:
        return f"no η*({step}): λ is 0 there, the base had lost its net (all units dead, or outputs saturated)"
    if net.lambdas.loss < FITTED * net.lambdas.loss_initial:
        return f"no η*({step}): the base has fitted its data, its loss is below {FITTED:g} of that at the start"
    return None


def _wanted(cell: CellRun, nets: int | None = None) -> list[tuple[NetRun, float, int]]:
    some = [net for net in cell.nets[:nets] if net.questions is not None]
    return [(net, eta, net.questions.round) for net in some if net.questions is not None for eta in net.wanted()]


def trial_record(cell: CellRun, net: NetRun, eta: float, number: int) -> TrialRecord:
    """A training as the store queues it; ``number``: the round of the search that asked for it."""
    lambda0 = net.lambdas.preconditioned if net.lambdas else None
    return TrialRecord(
        net_id=net.net_id,
        trial_key=trial_key(cell.plan, net.seed, eta, net.base_eta),
        eta=eta,
        eta_lambda0=None if lambda0 is None else eta * lambda0,
        round=number,
        max_steps=cell.plan.max_steps,
    )
