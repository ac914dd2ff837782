"""A sweep in progress: which nets exist, what each still wants, what is running. No store, no engine, no clock.

`next_draft` decides what runs next; the driver turns a draft into a task, and tells what came of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from mlrtui.config import SweepSpec
from mlrtui.driver.questions import Questions, ScanQuestions, SearchQuestions
from mlrtui.planning import CellPlan, Plan, search_rules
from mlrtui_db.models import SweepState
from mlrtui_db.records import NetLambdas

__all__ = ["MAX_LOST", "CellRun", "Draft", "NetRun", "SweepRun", "sound_lambda0"]

MAX_LOST = 3
"""Attempts at a trial that may be lost with their worker before the trial counts as failed."""

START_OVER_EDGE = {"ce": 4.0, "mse": 2.0, "mse-softmax": 4.0}
"""Where a search starts, as a multiple of 2/λ₀: near where η* of ReLU nets lies, so that few trainings bracket it."""

ADAM_START = 0.5
"""The same for Adam, as a multiple of 1/λ₀: below η*, above which trainings look too slow rather than overflow."""


@dataclass(eq=False)
class NetRun:
    """One net's state in the driver."""

    net_id: int
    seed: int
    lambdas: NetLambdas | None = None
    questions: Questions | None = None
    start_eta: float | None = None
    running: set[float] = field(default_factory=set)
    lost: dict[float, int] = field(default_factory=dict)
    closed: bool = False

    def wanted(self) -> tuple[float, ...]:
        """Rates to train now that are not being trained."""
        if self.closed or self.questions is None:
            return ()
        return tuple(eta for eta in self.questions.ask() if eta not in self.running)


@dataclass(eq=False)
class CellRun:
    """One grid point's nets. ``lanes``: how many trials may share a round; halved when memory runs out."""

    cell_id: int
    plan: CellPlan
    nets: list[NetRun]
    probing: bool = False
    lost_probes: int = 0
    lanes: int = 4096

    @property
    def closed(self) -> bool:
        """All nets have their answer."""
        return all(net.closed for net in self.nets)


@dataclass(frozen=True)
class Draft:
    """Work for one slot: a probe of nets, or trainings (net, rate, search round)."""

    cell: CellRun
    probe: tuple[NetRun, ...] = ()
    trainings: tuple[tuple[NetRun, float, int], ...] = ()


def sound_lambda0(lambdas: NetLambdas | None) -> float | None:
    """The λ₀ that decides stability, or None where it is zero, negative or not finite."""
    if lambdas is None or not math.isfinite(lambdas.preconditioned) or lambdas.preconditioned <= 0:
        return None
    return lambdas.preconditioned


class SweepRun:
    """All cells of one sweep, restored from what the store already holds."""

    def __init__(self, spec: SweepSpec, plan: Plan, state: SweepState) -> None:
        self.spec = spec
        self.plan = plan
        by_cell: dict[int, list[NetRun]] = {}
        self.nets: dict[int, NetRun] = {}
        self.cell_of: dict[int, CellRun] = {}
        for row in state.nets:
            net = NetRun(row.net_id, row.seed, row.lambdas, start_eta=row.start_eta)
            net.closed = row.status in {"done", "failed"}
            self.nets[row.net_id] = net
            by_cell.setdefault(row.cell_id, []).append(net)
        plans = {cell.position: cell for cell in plan.cells}
        self.cells = [CellRun(row.cell_id, plans[row.position], by_cell[row.cell_id]) for row in state.cells]
        for cell in self.cells:
            for net in cell.nets:
                self.cell_of[net.net_id] = cell
        for net in self.nets.values():
            if net.lambdas is not None and not net.closed:
                self.open(net)
        for trial in state.trials:
            if trial.status in {"done", "failed"}:
                questions = self.nets[trial.net_id].questions
                if questions is not None:
                    questions.tell(trial.eta, trial.verdict or "failed")

    @property
    def closed(self) -> bool:
        """Every net has its answer."""
        return all(cell.closed for cell in self.cells)

    def open(self, net: NetRun) -> str | None:
        """Give a measured net its questions. Returns the reason when it can have none."""
        lambda0 = sound_lambda0(net.lambdas)
        search, scan = self.spec.search, self.spec.scan
        if search is not None:
            if net.start_eta is None:
                train = self.cell_of[net.net_id].plan.train
                middle = math.sqrt(search.eta_min * search.eta_max)
                c = START_OVER_EDGE[train.loss] * 2 if train.optimizer != "adam" else ADAM_START
                start = c / lambda0 if lambda0 else middle
                net.start_eta = min(max(start, search.eta_min), search.eta_max)
            net.questions = SearchQuestions(search_rules(search), net.start_eta)
            return None
        assert scan is not None
        etas = scan.etas(self.cell_of[net.net_id].plan.net.width, lambda0)
        if etas is None:
            return "λ₀ at initialisation is not a positive number, so η = c/λ₀ has no meaning"
        net.questions = ScanQuestions(etas)
        return None

    def next_draft(self, idle_slots: int) -> Draft | None:
        """The next piece of work in the grid's order, or None when everything wanted is running.

        Probes come before trainings: they are short, and every screen wants λ₀. Where fewer cells wait than slots, a
        cell's trainings are shared out, since they need not run together.
        """
        for cell in self.cells:
            unknown = tuple(net for net in cell.nets if net.lambdas is None and not net.closed)
            if unknown and not cell.probing:
                return Draft(cell, probe=unknown[: cell.lanes])
        wanting = ((cell, list(_wanted(cell))) for cell in self.cells)
        # As many as there are slots settle everything: a large grid is not walked to its end for each of them.
        waiting = list(islice(((cell, trainings) for cell, trainings in wanting if trainings), idle_slots))
        if not waiting:
            return None
        cell, trainings = waiting[0]
        lanes = cell.lanes
        if len(waiting) < idle_slots:
            lanes = min(lanes, math.ceil(len(trainings) * len(waiting) / idle_slots))
        return Draft(cell, trainings=tuple(trainings[: max(1, lanes)]))


def _wanted(cell: CellRun) -> Iterator[tuple[NetRun, float, int]]:
    for net in cell.nets:
        for eta in net.wanted():
            assert net.questions is not None
            yield net, eta, net.questions.round
