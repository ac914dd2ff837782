"""`mlrtui suggest-warmup`: from the forks of a warm-up to a shorter one; on request both are trained on fresh seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import Any

from mlrtui import data, planning
from mlrtui.analysis.warmup import Suggestion, suggestions
from mlrtui.commands.resume import stored_spec
from mlrtui.config import SweepSpec
from mlrtui.driver.identity import refuse_other_data
from mlrtui.errors import BadInput, EngineFailed
from mlrtui.planning import CellPlan
from mlrtui.reading import documents
from mlrtui.reading.fitting import chosen
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted, exact
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader
from mlrtui_trainer.spec import Dataset, Fork, LambdaAtInit, Outcome, Probe, Round, TaskFailed, TrialSpec

__all__ = ["Asked", "suggest_warmup"]


@dataclass(frozen=True)
class Asked:
    """What is asked for."""

    margin: float
    check: bool = False
    nets: int = 10  # of a check
    as_json: bool = False


@dataclass(frozen=True)
class Checked:
    """How many of some nets survive the peak, by the step at which they go over to it."""

    seeds: tuple[int, ...]
    survivors: dict[str, int]  # of "none", "suggested" and "whole"


def suggest_warmup(store: Path, names: Sequence[str], asked: Asked) -> int:
    """Print from which steps of stored warm-ups on their peak survives, and a shorter warm-up.

    Returns 1 if no cell has a suggestion, or if any suggested one fails its check in more than one net of ten.

    Raises:
        BadInput: no sweep has forks of a warm-up, or one cannot be trained here.
        StoreError: the store cannot be used.
    """
    if not 0.0 <= asked.margin <= 10.0:
        raise BadInput(f"--margin {exact(asked.margin, 4)}: use a number from 0 to 10")
    if not 1 <= asked.nets <= 1000:
        raise BadInput(f"--nets {asked.nets}: use a whole number from 1 to 1000")
    answers: list[dict[str, Any]] = []
    suggested, holds = False, True
    with Reader.open(store) as reader:
        found = [(sweep, one) for sweep in chosen(reader, names) for one in _suggestions(reader, sweep)]
    if not found:
        remedy = 'run one with schedule = "linear-warmup" in [fork], such as examples/forks/warmup-cpu.toml'
        raise BadInput(f"{store}: no forks of a warm-up in {_named(names)}; {remedy}")
    for sweep, one in found:
        checked = _check(store, sweep, one, asked) if asked.check and one.first is not None else None
        if not asked.as_json:
            for line in _lines(sweep.name, one, asked, checked):
                print(one_line(line))
        answers.append(_as_json(sweep.name, one, asked, checked))
        suggested |= one.first is not None
        holds &= checked is None or _holds(checked)
    if asked.as_json:
        print(documents.text({"warmups": answers}))
    return 0 if suggested and holds else 1


def _named(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "any sweep"


def _suggestions(reader: Reader, sweep: SweepRow) -> list[Suggestion]:
    columns, rows = reader.query("forks", where_sweep=sweep.name)
    return suggestions(dict(zip(columns, row, strict=True)) for row in rows)


def _lines(name: str, one: Suggestion, asked: Asked, checked: Checked | None) -> Iterator[str]:
    yield f"{name}: {one.cell}, warm-up of {counted(one.warmup_steps, 'step')}"
    for step, count in zip(one.steps, one.survivors, strict=True):
        yield f"  from step {step}: the peak survives in {count} of {one.nets} nets"
    if one.undecided:
        yield f"  no answer for some nets: step {', '.join(map(str, one.undecided))}"
    switch = one.switch_at(asked.margin)
    if switch is None and not one.steps:
        yield "  no suggestion: no step has an answer for all nets; see the view forks for why"
        return
    if switch is None:
        yield "  no shorter warm-up: the peak does not survive from the last step; lower it, or fork later steps"
        return
    if not one.monotone:
        yield "  not monotone: the peak survives from an earlier step, too, but not from all after it"
    if switch == 0:
        yield "  suggested: no warm-up; the peak survives from the start"
    elif switch >= one.warmup_steps:
        yield f"  suggested: the whole warm-up; the peak survives from step {one.first} on"
    else:
        yield (
            f"  suggested: the same warm-up up to step {switch}, then the peak at once "
            f"(it survives from step {one.first} on; margin {exact(asked.margin, 3)})"
        )
    if checked is not None:
        seeds = f"{counted(len(checked.seeds), 'net')} of other seeds, {checked.seeds[0]} to {checked.seeds[-1]}"
        counts = checked.survivors
        yield (
            f"  checked on {seeds}: the peak survives in {counts['none']} without a warm-up, in {counts['suggested']} "
            f"with the suggested one, in {counts['whole']} with the whole one"
        )


def _holds(checked: Checked) -> bool:
    return 10 * checked.survivors["suggested"] >= 9 * len(checked.seeds)


def _as_json(name: str, one: Suggestion, asked: Asked, checked: Checked | None) -> dict[str, Any]:
    return {
        "sweep": name,
        "cell": one.cell,
        "warmup_steps": one.warmup_steps,
        "steps": list(one.steps),
        "survivors": list(one.survivors),
        "nets": one.nets,
        "undecided": list(one.undecided),
        "surviving": list(one.surviving),
        "first": one.first,
        "switch_at": one.switch_at(asked.margin),
        "check": None if checked is None else {"seeds": list(checked.seeds), **checked.survivors},
    }


# Training with and without -------------------------------------------------------------------------------------------


def _check(store: Path, sweep: SweepRow, one: Suggestion, asked: Asked) -> Checked:
    """Train nets of seeds that the sweep has not, each without, with the suggested and with the whole warm-up."""
    spec = stored_spec(sweep)
    assert isinstance(spec, SweepSpec)
    assert spec.fork is not None
    if spec.code:
        raise BadInput(f"--check: {sweep.name!r} names code of your own; check it by a sweep with other seeds")
    plan = planning.plan(spec, data.load)
    at = next(cell for cell in plan.cells if isinstance(cell, CellPlan) and cell.fork and _is_of(cell, plan, one))
    with Reader.open(store) as reader:
        stored = {cell.position: cell for cell in reader.cell_states(sweep.sweep_id)}
    refuse_other_data(plan, {at.position: stored[at.position]})  # its peak says nothing of others
    dataset = plan.datasets[at.data_id]
    first = max(spec.sweep.seeds) + 1
    seeds = tuple(range(first, first + asked.nets))
    switch = one.switch_at(asked.margin)
    assert switch is not None
    ends = {"none": 0, "suggested": switch, "whole": max(one.warmup_steps, switch)}
    peaks = _peaks(spec, at, dataset, seeds)
    return Checked(seeds, {name: _survivors(at, dataset, peaks, step) for name, step in ends.items()})


def _is_of(cell: CellPlan, plan: planning.Plan, one: Suggestion) -> bool:
    assert cell.fork is not None
    return plan.cells[cell.fork.base].label == one.cell


def _peaks(spec: SweepSpec, cell: CellPlan, dataset: Dataset, seeds: Sequence[int]) -> dict[int, float]:
    """The peak for each seed."""
    assert spec.fork is not None
    if spec.fork.base_eta is not None:
        return dict.fromkeys(seeds, spec.fork.base_eta)
    if spec.fork.base_eta_lambda0 is None:
        raise BadInput("--check: the peak is a share of η*, which other nets lack; give base_eta or base_eta_lambda0")
    nets = tuple((seed, seed) for seed in seeds)
    probe = Probe(0, cell.data_id, cell.net, cell.train, cell.sharpness, nets)
    found = [message for message in _messages(probe, dataset) if isinstance(message, LambdaAtInit)]
    return {
        one.net_id: spec.fork.base_eta_lambda0 / one.preconditioned
        for one in found
        if isfinite(one.preconditioned) and one.preconditioned > 0.0
    }


def _survivors(cell: CellPlan, dataset: Dataset, peaks: dict[int, float], step: int) -> int:
    """How many nets survive their peak after this many steps of the warm-up."""
    assert cell.fork is not None
    fork: Fork = replace(cell.fork.start, step=step)
    trials = tuple(TrialSpec(seed, 1, seed, peak, nan, peak) for seed, peak in peaks.items())
    task = Round(0, cell.data_id, cell.net, cell.train, cell.sharpness, trials, fork=fork)
    ends = [message for message in _messages(task, dataset) if isinstance(message, Outcome)]
    return sum(outcome.verdict == "reached" for outcome in ends)


def _messages(task: Probe | Round, dataset: Dataset) -> Iterator[object]:
    from mlrtui_trainer.worker import run_task  # torch, which printing alone does not need

    for message in run_task(task, dataset, "cpu"):
        if isinstance(message, TaskFailed):
            raise EngineFailed(f"--check: {message.error}")
        yield message
