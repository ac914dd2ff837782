"""What is handed to an engine: a draft as the task that does it."""

from collections.abc import Sequence
from itertools import groupby

from mlrtui.config import AnySweep
from mlrtui.driver.forking import base_eta_of, fork_of
from mlrtui.driver.sweep_run import NetRun, SweepRun
from mlrtui.planning import Cell, CellPlan, measure_spec
from mlrtui_trainer.spec import LoopRound, PruningThreshold, Round, Rounds, Task, TrialSpec

__all__ = ["task_of", "trial_spec"]


def trial_spec(net: NetRun, eta: float, trial_id: int, attempt: int) -> TrialSpec:
    """A training as the engine gets it."""
    lambda0 = net.lambdas.preconditioned if net.lambdas else float("nan")
    return TrialSpec(trial_id, attempt, net.seed, eta, lambda0, base_eta_of(net))


def task_of(
    run: SweepRun,
    task_id: int,
    trials: Sequence[tuple[NetRun, TrialSpec]],
    thresholds: tuple[PruningThreshold, ...],
    *,
    check: bool,
) -> Task:
    """The task that trains these; ``check``: one of the user's runs twice. Those of one cell follow each other."""
    rounds = [
        _round(run.spec, cell, task_id, tuple(trial for _, trial in some), thresholds, check)
        for cell, some in groupby(trials, key=lambda one: run.cell_of[one[0].net_id].plan)
    ]
    if len(rounds) == 1:
        return rounds[0]
    return Rounds(task_id, tuple(one for one in rounds if isinstance(one, Round)))


def _round(
    spec: AnySweep,
    cell: Cell,
    task_id: int,
    trials: tuple[TrialSpec, ...],
    thresholds: tuple[PruningThreshold, ...],
    check: bool,
) -> Round | LoopRound:
    if isinstance(cell, CellPlan):
        parts = (cell.data_id, cell.net, cell.train, cell.sharpness)
        return Round(task_id, *parts, trials, thresholds, measure_spec(spec), fork=fork_of(cell))
    (trial,) = trials  # a process for each
    return LoopRound(task_id, cell.loop, trial, check)
