"""A sweep that is asked for another accuracy threshold: what its trainings decide is not trained again.

The sweep as it was stays in the store, whole, under a name that has its threshold: its verdicts and its η* are those of
that threshold. The sweep at the new threshold is one of its own. Where its search asks for a rate whose outcome follows
from stored steps, it gets a copy of them, up to where the training would have ended; all else is trained.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite

from pydantic import ValidationError

from mlrtui.analysis.thresholds import Followed, followed, is_decided
from mlrtui.config import AnySweep, read_sweep
from mlrtui.driver.growth import growth
from mlrtui.driver.methods import rules_of
from mlrtui.errors import BadInput
from mlrtui.keys import canonical_json
from mlrtui.planning import Cell, CellPlan, Plan, trial_key
from mlrtui.stores import second_edition
from mlrtui.text.numbers import exact
from mlrtui_db.models import CellState, Curve, EndedTrial, NamedSweep
from mlrtui_db.records import EVIDENCE, Derivation
from mlrtui_db.relabelling import StoredTrial
from mlrtui_db.store import Store
from mlrtui_trainer.phases import LOGIT_STEPS

__all__ = [
    "Aside",
    "Asides",
    "Decided",
    "adopt",
    "aside_name",
    "asides",
    "at_threshold",
    "change_threshold",
    "decided",
    "threshold_of",
]

Ended = Callable[[int, float], Iterable[EndedTrial]]

LONGEST_NAME = 120  # of sweep.name


@dataclass(frozen=True)
class Aside:
    """A stored sweep that is another one's at another threshold."""

    sweep_id: int
    spec: AnySweep
    threshold: float


def aside_name(name: str, threshold: float) -> str:
    """The name of a sweep at a threshold that is no longer the one of its file.

    Raises:
        BadInput: it would be too long.

    >>> aside_name("digits", 0.5)
    'digits (threshold 0.5)'
    """
    found = f"{name} (threshold {canonical_json(threshold)})"
    if len(found) > LONGEST_NAME:
        raise BadInput(
            f"sweep.name: too long to keep the sweep as it was as {found!r}, which may have {LONGEST_NAME} letters; "
            "give the sweep with the other threshold a name of its own"
        )
    return found


def threshold_of(spec: AnySweep) -> float | None:
    """The accuracy that a sweep searches for; None: it searches for none."""
    search = spec.search
    return search.threshold if search is not None and search.success == "accuracy" else None


def asides(spec: AnySweep, stored: Iterable[NamedSweep]) -> list[Aside]:
    """Which of these sweeps are this one's at other thresholds, the highest first: its trainings are the longest."""
    own, found = threshold_of(spec), []
    for sweep in stored:
        with suppress(ValidationError):  # of another version, or a script's own
            other = read_sweep(sweep.spec)
            threshold = threshold_of(other)
            if threshold is None or own in (None, threshold):
                continue
            if other.sweep.name == aside_name(spec.sweep.name, threshold):
                found.append(Aside(sweep.sweep_id, other, threshold))
    return sorted(found, key=lambda one: -one.threshold)


def at_threshold(cell: Cell, threshold: float) -> Cell:
    """The same cell of a sweep with another threshold."""
    if isinstance(cell, CellPlan):
        if cell.fork is not None:
            return cell
        return replace(cell, train=replace(cell.train, threshold=threshold))
    return replace(cell, loop=replace(cell.loop, threshold=threshold))


# Another threshold under the same name --------------------------------------------------------------------------------


def change_threshold(store: Store, plan: Plan, stored: NamedSweep) -> int:
    """Set the stored sweep of the plan's name aside, and add the planned one or call it back; returns its sweep_id.

    Runs in the caller's transaction: all of it is done, or nothing.

    Raises:
        BadInput: the name for the sweep that is set aside is too long, or the one that is called back has more.
        SweepConflict: the name for it is taken.
    """
    old, name, wanted = read_sweep(stored.spec), plan.sweep.name, threshold_of(plan.spec)
    before = threshold_of(old)
    assert before is not None
    assert wanted is not None
    _rename(store, stored.sweep_id, old, aside_name(name, before))
    if store.sweep_state(stored.sweep_id).status == "open":
        store.end_sweep(stored.sweep_id, "stopped")
    change = f"threshold {exact(before)} -> {exact(wanted)}"
    stays = f"the sweep at {exact(before)} stays as {aside_name(name, before)!r}"
    store.add_event("info", f"set aside: {change}; {stays}", stored.sweep_id)
    back = store.sweep_named(aside_name(name, wanted))
    if back is None:
        sweep_id = store.add_sweep(plan.sweep)
        store.add_event("info", f"{change}: what stored trainings decide is not trained again; {stays}", sweep_id)
        return sweep_id
    spec = read_sweep(back.spec)
    _rename(store, back.sweep_id, spec, name)
    state = store.sweep_state(back.sweep_id)
    lacks = growth(_named(spec, name).canonical(), state.cells, plan)
    if lacks.refused or lacks.threshold:
        raise BadInput(
            f"search.threshold = {exact(wanted)}: {aside_name(name, wanted)!r} is stored with other settings "
            f"({'; '.join(lacks.refused or lacks.changes)}); give this sweep another sweep.name"
        )
    if lacks.adds or state.shard != plan.sweep.shard:
        ids = {position: cell.cell_id for position, cell in lacks.known.items()}
        store.grow_sweep(back.sweep_id, plan.sweep, ids, searches_again=lacks.searches_again)
    store.add_event("info", f"{change}: goes on with what is stored at {exact(wanted)}; {stays}", back.sweep_id)
    return back.sweep_id


def _named(spec: AnySweep, name: str) -> AnySweep:
    return spec.model_copy(update={"sweep": spec.sweep.model_copy(update={"name": name})})


def _rename(store: Store, sweep_id: int, spec: AnySweep, name: str) -> None:
    renamed = _named(spec, name)
    store.rename_sweep(sweep_id, name, renamed.canonical(), renamed.sweep_key)


def adopt(store: Store, sweep_id: int, plan: Plan, others: Sequence[Aside]) -> None:
    """Take λ₀ of nets that lack it, and whether trainings are repeatable, from the same sweep at other thresholds."""
    for other in others:
        theirs, mine = store.sweep_state(other.sweep_id), store.sweep_state(sweep_id)
        same = _cells_of(other, theirs.cells, plan)
        cells = {cell.cell_id: same.get(cell.position) for cell in mine.cells}  # theirs, by the number of ours
        data = {cell.cell_id: cell.data_id for cell in mine.cells}
        known = {(net.cell_id, net.seed): net.lambdas for net in theirs.nets}
        for net in mine.nets:
            cell = cells[net.cell_id]
            if net.lambdas is None and cell is not None and cell.data_id == data[net.cell_id]:
                lambdas = known.get((cell.cell_id, net.seed))
                if lambdas is not None:
                    store.set_lambdas(replace(lambdas, net_id=net.net_id))
        if mine.repeatable is None and theirs.repeatable is not None:
            store.set_repeatable(sweep_id, theirs.repeatable)


def _cells_of(other: Aside, cells: Sequence[CellState], plan: Plan) -> Mapping[int, CellState]:
    """The cells of a sweep at another threshold by position in a plan; none where it differs in more than may grow."""
    lacks = growth(_named(other.spec, plan.sweep.name).canonical(), cells, plan)
    return {} if lacks.refused else lacks.known


@dataclass(frozen=True)
class Decided:
    """What the stored trainings of a sweep say at a threshold that it is asked for."""

    stored: int
    """Trainings, each counted once, whatever thresholds it was trained to."""

    decide: int
    """Those of them whose outcome at the new threshold is known."""

    open_nets: int
    """Nets of which they do not decide η*: each needs one training more at least."""

    def text(self, change: str, aside: str) -> str:
        """In words; ``aside``: the name of the sweep as it was."""
        known = f"{self.decide} of {self.stored} stored trainings decide"
        return f"{change}: {known}, at least {self.open_nets} more are trained; the sweep as it was stays as {aside!r}"


def decided(plan: Plan, others: Sequence[Aside], ended: Ended, cells: Callable[[int], Sequence[CellState]]) -> Decided:
    """Count what is known before anything is trained; the plan may be without data.

    Args:
        plan: of the sweep at the new threshold.
        others: the stored sweep of its name, and those that were set aside.
        ended: see `Asides`.
        cells: of a sweep_id.
    """
    threshold = threshold_of(plan.spec)
    assert threshold is not None
    at = {cell.position: cell for cell in plan.cells}
    nets: dict[tuple[int, int], dict[float, str | None]] = {}
    for other in others:
        same = _cells_of(other, cells(other.sweep_id), plan)
        positions = {cell.cell_id: position for position, cell in same.items()}
        for one in ended(other.sweep_id, threshold):
            if one.cell_id in positions:
                position = positions[one.cell_id]
                verdicts = nets.setdefault((position, one.seed), {})
                if verdicts.get(one.eta) is None:
                    found = _followed(plan.spec, at[position], one, other)
                    verdicts[one.eta] = None if found is None else found.verdict
    count = sum(map(len, nets.values()))
    known = sum(verdict is not None for verdicts in nets.values() for verdict in verdicts.values())
    assert plan.spec.search is not None
    rules = rules_of(plan.spec.search.model_copy(update={"method": "bisect"}))  # the fewest trainings
    closed = sum(is_decided(rules, verdicts) for verdicts in nets.values())
    return Decided(count, known, plan.nets - closed)


# What follows from them -----------------------------------------------------------------------------------------------


class Asides:
    """What trainings of a sweep at other thresholds say at this one.

    ``ended``: of a sweep_id and a threshold, see `Store.ended`; ``stored``: of a trial_id, see `Store.stored_trial`.
    """

    def __init__(
        self,
        spec: AnySweep,
        others: Sequence[Aside],
        ended: Ended,
        stored: Callable[[int], StoredTrial],
    ) -> None:
        threshold = threshold_of(spec)
        assert threshold is not None
        self._spec = spec
        self._stored = stored
        self._others = others
        self._ended = {one.trial_key: one for other in others for one in ended(other.sweep_id, threshold)}
        self._cells: dict[tuple[int, int], Cell] = {}  # by sweep_id and position

    def derivation(self, cell: Cell, seed: int, eta: float) -> Derivation | None:
        """How a training would end, where that is known."""
        if isinstance(cell, CellPlan) and cell.fork is not None:
            return None  # has no threshold
        for other in self._others:
            there = self._cells.get((other.sweep_id, cell.position))
            if there is None:
                there = self._cells[other.sweep_id, cell.position] = at_threshold(cell, other.threshold)
            one = self._ended.get(trial_key(there, seed, eta))
            if one is not None and (found := _followed(self._spec, cell, one, other)) is not None:
                return self._derived(cell, one, other, found)
        return None

    def _derived(self, cell: Cell, one: EndedTrial, other: Aside, found: Followed) -> Derivation:
        detail = f"derived from the training to accuracy {exact(other.threshold)} of {other.spec.sweep.name!r}"
        if found.until is not None:
            detail += f", which went on from step {found.until} to {one.last_step}"
        stored = self._stored(one.trial_id)
        given_up = stored.trial["given_up_epoch"] if found.at is None else None
        outcome = {} if found.until is None else _ended_at(stored, found.until)
        if found.at is not None:
            outcome["reached_epoch"] = found.at // cell.train.steps_per_epoch if isinstance(cell, CellPlan) else None
        reason = outcome.get("phase_reason", stored.trial["phase_reason"])
        outcome["phase_reason"] = detail if reason is None else f"{reason}; {detail}"
        assert given_up is None or isinstance(given_up, int)
        return Derivation(one.trial_id, found.verdict, given_up, found.until, outcome, detail)


def _followed(spec: AnySweep, cell: Cell, one: EndedTrial, other: Aside) -> Followed | None:
    """How a training of another threshold's sweep would end in this one."""
    threshold = threshold_of(spec)
    assert threshold is not None
    every_epoch = isinstance(cell, CellPlan) and cell.train.steps_per_epoch > 1
    return followed(one, threshold, other.threshold, all_kept=every_epoch or spec.record.every == 1)


def _ended_at(stored: StoredTrial, until: int) -> dict[str, str | float | int | None]:
    """The outcome of a training that ends when it has reached its threshold at a step; what steps do not tell is None.

    λ at its end is not known where it was not measured there, nor what rests on sizes of activations up to the end.
    """
    curve = _cut(stored.curve, until)
    trial = stored.trial
    initial = trial["loss_initial"]
    peak, at = max((loss, -step) for step, loss in zip(curve.step, curve.loss, strict=True) if isfinite(loss))
    early = {name: trial[name] if until > LOGIT_STEPS else None for name in ("logit_rms_peak", "logit_growth")}
    outcome: dict[str, str | float | int | None] = {
        "loss_final": curve.loss[-1],
        "final_accuracy": curve.accuracy[-1],
        "best_accuracy": max(value for value in curve.accuracy if isfinite(value)),
        "peak_ratio": peak / float(initial) if isinstance(initial, float) and initial > 0.0 else None,
        "peak_step": -at,
        "final_sharpness": curve.sharpness[-1],
        "logit_rms_peak": early["logit_rms_peak"],
        "bad_step": None,
        "bad_kind": None,
        **dict.fromkeys(EVIDENCE),
        **{name: trial[name] for name in ("loss_constant", "majority")},
        **dict.fromkeys(("phase", "phase_rule", "phase_basis", "phase_reason")),
    }
    if trial["phase"] is None or "schedule" in json.loads(str(stored.cell["settings"])):
        return outcome  # a user's training has no phase; the edge of a scheduled rate moves
    new = second_edition(replace(stored, trial={**trial, **outcome, **early, "verdict": "reached"}, curve=curve))
    if new is None:
        return outcome | {"phase_reason": "not decided by the steps that are stored"}
    phase: dict[str, str | float | int | None] = {
        "phase": new.phase,
        "phase_rule": new.rule,
        "phase_basis": new.basis,
        "phase_reason": new.reason,
    }
    outcome.update(new.evidence)
    return outcome | phase


def _cut(curve: Curve, until: int) -> Curve:
    """Its steps up to one."""
    kept = slice(bisect_right(curve.step, until))
    return replace(
        curve,
        step=curve.step[kept],
        loss=curve.loss[kept],
        accuracy=curve.accuracy[kept],
        sharpness=curve.sharpness[kept],
        sharpness_residual=curve.sharpness_residual[kept],
        flags=curve.flags[kept],
    )
