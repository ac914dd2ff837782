"""The driver's loop: hand out work, collect records, commit them, tell the searches.

One thread owns the store. An outcome reaches a search only after the transaction that holds it is committed, so what
the driver knows is never ahead of what a resumed driver would find.
"""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from mlrtui.config import AnySweep, LoopSweep
from mlrtui.driver import conversion, identity
from mlrtui.driver.committing import Committer
from mlrtui.driver.deriving import Asides, adopt, asides, at_threshold, change_threshold
from mlrtui.driver.estimate import writer_remark
from mlrtui.driver.fitting import current_fits
from mlrtui.driver.forking import begin_forks, give_up, is_answered, probe_of
from mlrtui.driver.growth import Growth, growth
from mlrtui.driver.inbox import Inbox
from mlrtui.driver.pruning import Pruning
from mlrtui.driver.remarks import remarks
from mlrtui.driver.sharing import turns_of
from mlrtui.driver.slots import MAX_STARVED, Slots
from mlrtui.driver.sweep_run import MAX_LOST, Draft, NetRun, SweepRun, trial_record
from mlrtui.driver.tasks import task_of, trial_spec
from mlrtui.driver.telling import Telling
from mlrtui.engines.base import Engine, EngineEvent, EngineNote, FromWorker, WorkerDied, WorkerReady
from mlrtui.errors import EngineFailed
from mlrtui.planning import CellPlan, Plan
from mlrtui.text.numbers import counted
from mlrtui_db.models import NamedSweep, SweepState
from mlrtui_db.records import Derivation, TrialRecord
from mlrtui_db.store import Store
from mlrtui_trainer.spec import (
    LambdaAtInit,
    Outcome,
    PruningThreshold,
    Repeated,
    StepBatch,
    Task,
    TaskDone,
    TaskFailed,
)

__all__ = ["COMMIT_SECONDS", "Driver", "SweepEnd"]

COMMIT_SECONDS = 0.2
OUTCOME_SECONDS = 0.05
"""Outcomes are committed as soon as the driver has rested for as long as the last commit took, but after this long at
most: with a thousand slots, each of them would else have a commit to itself."""
MOST_ROWS = 100_000  # that wait for a commit; what is sent faster than it is stored waits where it was made
FIT_SECONDS = 1.0  # after which a net that is done shows in the fits
FITS_APART = 20.0  # ... and at least so many times as long as the last fits took: they read the rows of all nets

DERIVED_AT_ONCE = 256  # nets whose searches are told in one transaction


@dataclass(frozen=True)
class SweepEnd:
    """How a sweep was left: "done" or "stopped", and how much of it failed."""

    name: str
    status: str
    failed: int
    already: bool = False  # it was done before; nothing was trained or written


@dataclass(frozen=True)
class _Lane:
    """A trial that is being trained."""

    trial_id: int
    attempt: int
    net: NetRun
    eta: float


class _Opening(NamedTuple):
    """The trials of a slot's next round, as the store queues them, and what prunes them."""

    records: list[TrialRecord]
    thresholds: tuple[PruningThreshold, ...]


@dataclass
class _Running:
    """What a slot is doing. ``lanes``: its trials without an outcome."""

    draft: Draft
    lanes: dict[int, _Lane]


class Driver:
    """Runs sweeps one after another over one store and one engine."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        *,
        driver_id: str,
        should_stop: Callable[[], bool] = lambda: False,
        why_stopped: Callable[[], str] = lambda: "",
        each_turn: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._engine = engine
        self._driver_id = driver_id
        self._should_stop = should_stop
        self._why_stopped = why_stopped  # "": the user asked for it
        self._each_turn = each_turn  # called between two commits
        self._say = say
        self._committer = Committer(store, should_stop, say)
        self._commit = self._committer.commit
        self._clock = clock
        self._slots = Slots(engine.devices)
        self._telling = Telling(store, self._slots, clock)
        self._running: dict[int, _Running] = {}
        self._inbox = Inbox()
        self._task_ids = itertools.count(1)
        self._sweep_id = 0
        self._check_due = False  # the next training of the user's is run twice
        self._pruning = Pruning(0.0, store.accuracies)
        self._asides: Asides | None = None  # the same sweep at other thresholds
        self._derived = 0  # trainings whose outcomes followed from those
        self._refused_fits: set[str] = set()  # what was said of them
        self._fits_due: float | None = None  # when to redo the fits; None: nothing has changed
        self._fits_paused_until = 0.0

    def run_sweep(self, spec: AnySweep, plan: Plan) -> SweepEnd:
        """Train whatever the sweep still lacks. Returns when it is done or a stop was asked for.

        Raises:
            SweepConflict: the store holds a sweep of this name with other settings.
            BadInput: the data is no longer that of the sweep.
            EngineFailed: no worker is left.
            StoreMoved: the store was removed, moved or replaced.
        """
        state, grown = self._find_or_add(plan)
        if state.status == "done":
            return SweepEnd(spec.sweep.name, "done", self._failures(), already=True)
        self._check_due = isinstance(spec, LoopSweep) and spec.training.check and state.repeatable is None
        state = self._with_asides(spec, plan, state)
        run = SweepRun(spec, plan, state)
        self._pruning = Pruning(spec.search.give_up if spec.search else 0.0, self._store.accuracies)
        self._pruning.recall((run.cell_of[trial.net_id].plan, trial) for trial in state.trials)
        self._engine.add_datasets(plan.datasets)
        resumed = any(trial.status in {"done", "failed"} for trial in state.trials)
        how, size = "resumed" if resumed else "started", counted(len(run.cells), "cell")
        self._event("info", f"{how} {spec.sweep.name!r}: {counted(len(run.nets), 'net')} in {size}")
        for warning in filter(None, (writer_remark(plan, self._slots.devices), identity.other_code(plan, state))):
            self._event("warning", warning)
        if grown:
            self._event("info", grown)
            self._fits_due = self._clock()
        self._commit(lambda: self._store.reopen_sweep(self._sweep_id))
        self._telling.begin(run, self._sweep_id)
        self._open_measured(run, [net for net in run.nets.values() if net.is_measured and not net.closed])
        self._derive(run, run.nets.values())
        self._close_answered(run, run.nets.values())
        last_commit, pause = self._clock(), 0.0
        # A closed sweep still waits for its slots to say that they are free, lest the next sweep hears it.
        while (self._running or not run.closed) and not self._should_stop():
            self._store.watch()
            self._each_turn()
            for level, refusal in begin_forks(run, self._store, self._commit):
                self._event(level, refusal)
            self._hand_out(run)
            self._telling.turn()
            if self._fits_due is not None and self._clock() >= self._fits_due:
                self._refit(run)  # no slot waits for it
            for event in self._engine.poll(pause if self._inbox.is_urgent else COMMIT_SECONDS / 2):
                self._receive(run, event)
            waited, inbox = self._clock() - last_commit, self._inbox
            all_wait = inbox.ended == len(self._running)  # nothing more comes before it is committed
            due = COMMIT_SECONDS if not inbox.is_urgent else 0.0 if all_wait else pause
            if inbox.records and (waited >= due or inbox.rows >= MOST_ROWS):
                begun = self._clock()
                self._flush(run)
                last_commit = self._clock()
                pause = min(last_commit - begun, OUTCOME_SECONDS)
        return self._end(run, spec.sweep.name)

    def _find_or_add(self, plan: Plan) -> tuple[SweepState, str]:
        """Make the stored sweep the one that is wanted; with what was added to one that was there, in words."""
        stored = self._store.sweep_named(plan.sweep.name)
        if stored is not None:
            state = self._store.sweep_state(stored.sweep_id)
            lacks = growth(stored.spec, state.cells, plan)
            if not lacks.refused:
                self._sweep_id = stored.sweep_id
                identity.refuse_other_data(plan, lacks.known)
                if not lacks.adds and state.shard == plan.sweep.shard:
                    return state, ""
                if lacks.threshold is not None:
                    return self._change_threshold(plan, stored, state, lacks), ""
                if lacks.changes:
                    identity.refuse_other_keys(self._store, state, plan, lacks.known)
                ids = {position: cell.cell_id for position, cell in lacks.known.items()}
                again = lacks.searches_again
                self._commit(lambda: self._store.grow_sweep(self._sweep_id, plan.sweep, ids, searches_again=again))
                return self._store.sweep_state(self._sweep_id), lacks.text
        self._sweep_id = self._commit(lambda: self._store.add_sweep(plan.sweep))  # or a conflict of names
        return self._store.sweep_state(self._sweep_id), ""

    def _change_threshold(self, plan: Plan, stored: NamedSweep, state: SweepState, lacks: Growth) -> SweepState:
        """Set the stored sweep aside, and make the one at the new threshold."""
        assert lacks.threshold is not None
        before = replace(plan, cells=tuple(at_threshold(cell, lacks.threshold[0]) for cell in plan.cells))
        identity.refuse_other_keys(self._store, state, before, lacks.known)
        self._sweep_id = self._commit(lambda: change_threshold(self._store, plan, stored))
        self._fits_due = self._clock()
        return self._store.sweep_state(self._sweep_id)

    def _with_asides(self, spec: AnySweep, plan: Plan, state: SweepState) -> SweepState:
        """Find the same sweep at other thresholds, and take from it what is measured before training."""
        others = asides(spec, self._store.sweeps_beginning(f"{spec.sweep.name} ("))
        self._asides = Asides(spec, others, self._store.ended, self._store.stored_trial) if others else None
        if not others:
            return state
        self._commit(lambda: adopt(self._store, self._sweep_id, plan, others))
        return self._store.sweep_state(self._sweep_id)

    def _derive(self, run: SweepRun, nets: Iterable[NetRun]) -> None:
        """Tell searches what trainings to other thresholds decide, until they ask for what is to be trained."""
        if self._asides is None:
            return
        asking = [net for net in dict.fromkeys(nets) if net.wanted()]
        while asking and not self._should_stop():
            part, asking = asking[:DERIVED_AT_ONCE], asking[DERIVED_AT_ONCE:]
            found = [(net, eta, one) for net in part for eta in net.wanted() if (one := self._follows(run, net, eta))]
            ids = self._commit(partial(self._store_derived, run, found))
            for trial_id, (net, eta, one) in zip(ids, found, strict=True):
                assert net.questions is not None
                self._pruning.learn(run.cell_of[net.net_id].plan, trial_id, one.verdict, one.given_up_epoch)
                net.questions.tell(eta, one.verdict)
            self._derived += len(found)
            told = list(dict.fromkeys(net for net, _, _ in found))
            run.changed(told)
            asking += [net for net in told if net.wanted()]

    def _follows(self, run: SweepRun, net: NetRun, eta: float) -> Derivation | None:
        assert self._asides is not None
        return self._asides.derivation(run.cell_of[net.net_id].plan, net.seed, eta)

    def _store_derived(self, run: SweepRun, found: Iterable[tuple[NetRun, float, Derivation]]) -> list[int]:
        ids = []
        for net, eta, one in found:
            assert net.questions is not None
            record = trial_record(run.cell_of[net.net_id], net, eta, net.questions.round)
            ids.append(self._store.derive_trial(record, one))
        return ids

    # --- handing out -------------------------------------------------------------------------------------------

    def _hand_out(self, run: SweepRun) -> None:
        """Give every idle slot work; what they are to train is stored in one transaction."""
        # A slot whose last task has not been committed yet waits, too.
        idle = [slot for slot in self._engine.idle() if slot not in self._running and slot not in self._slots.out]
        drafts: dict[int, Draft] = {}
        slots = self._slots
        for turn in turns_of(idle, slots.devices, slots.out, slots.figures) if idle else ():
            draft = run.next_draft(turn)
            if draft is not None:
                run.begin(draft)
                drafts[turn.slot] = draft
            elif not run.barred:  # else there may be work for another
                break
        rounds = {slot: self._opening(run, draft) for slot, draft in drafts.items() if draft.trainings}
        opened = self._commit(lambda: self._open(rounds)) if rounds else {}
        for slot, draft in drafts.items():
            if slot in rounds:
                task, lanes = self._round(run, draft, rounds[slot], opened[slot])
            else:
                task, lanes = probe_of(next(self._task_ids), draft), {}
            self._running[slot] = _Running(draft, lanes)
            self._telling.submitted(slot, draft, lanes)
            self._engine.submit(slot, task)

    def _opening(self, run: SweepRun, draft: Draft) -> _Opening:
        records = [trial_record(run.cell_of[net.net_id], net, eta, number) for net, eta, number in draft.trainings]
        return _Opening(records, self._pruning.thresholds(draft.cell.plan))

    def _open(self, rounds: dict[int, _Opening]) -> dict[int, dict[int, int]]:
        """Queue trials and open their attempts; returns the attempts by slot and trial, in the order of the records."""
        opened = {}
        for slot, (records, thresholds) in rounds.items():
            ids, env, device = self._store.add_trials(records), self._slots.env(slot), self._slots.devices[slot]
            attempts = self._store.open_attempts(ids, self._driver_id, device, env, thresholds, env.get("host"))
            opened[slot] = {trial_id: attempts[trial_id] for trial_id in ids}
        return opened

    def _round(
        self, run: SweepRun, draft: Draft, opening: _Opening, opened: dict[int, int]
    ) -> tuple[Task, dict[int, _Lane]]:
        lanes: dict[int, _Lane] = {}
        trials = []
        for (trial_id, attempt), (net, eta, _) in zip(opened.items(), draft.trainings, strict=True):
            lanes[trial_id] = _Lane(trial_id, attempt, net, eta)
            trials.append((net, trial_spec(net, eta, trial_id, attempt)))
        check, self._check_due = self._check_due, False
        return task_of(run, next(self._task_ids), trials, opening.thresholds, check=check), lanes

    # --- taking in ---------------------------------------------------------------------------------------------

    def _receive(self, run: SweepRun, event: EngineEvent) -> None:
        self._telling.heard(event)
        match event:
            case WorkerReady(slot, env):
                self._slots.ready(slot, self._engine.devices[slot], env)
            case EngineNote(text):
                self._event("warning", text)
            case FromWorker():
                self._inbox.add(event)
            case WorkerDied(slot, detail, final) if not self._should_stop():  # a job's signal goes to them too
                self._flush(run)  # what it sent before it died counts
                self._close_answered(run, self._mourn(run, slot, detail))
                if final:
                    self._leave_out(run, slot, f"it {detail}, again and again")
                if not self._slots.in_use():
                    raise EngineFailed(f"every worker died again and again; the last one was {detail}")

    def _flush(self, run: SweepRun) -> None:
        """Commit the inbox in one transaction, then act on it."""
        inbox, self._inbox = self._inbox.records, Inbox()
        steps = [conversion.step_rows(message) for _, message in inbox if isinstance(message, StepBatch)]

        def write() -> None:
            self._store.append_steps(*steps)  # those of a trial come before its outcome
            for _, message in inbox:
                match message:
                    case Outcome():
                        self._store.finish_trial(conversion.trial_outcome(message))
                    case LambdaAtInit():
                        self._store.set_lambdas(conversion.net_lambdas(message))
                    case Repeated():
                        self._store.set_repeatable(self._sweep_id, message.difference == "")

        self._commit(write)
        measured: list[NetRun] = []
        told: list[NetRun] = []
        remarked: list[str] = []
        for slot, message in inbox:
            match message:
                case LambdaAtInit():
                    net = run.nets[message.net_id]
                    net.lambdas = conversion.net_lambdas(message)
                    cell = run.cell_of[net.net_id].plan
                    assert isinstance(cell, CellPlan)
                    net.refused = dict(message.refused).get(cell.sharpness.operator, "")
                    measured.append(net)
                    remarked += remarks(run, message)
                case Outcome():
                    told.append(self._tell(run, slot, message))
                case Repeated() if message.difference:
                    remarked.append(
                        f"not repeatable: the first training, run twice, reported other numbers ({message.difference})"
                        "; each η* is that of the draws it was made with"
                    )
                case TaskDone():
                    self._slots.done(slot)
                    self._free(run, slot)
                case TaskFailed():
                    told += self._task_failed(run, slot, message)
        for text in remarked:
            self._event("warning", text)
        self._open_measured(run, measured)
        self._derive(run, [*measured, *told])
        run.changed(run.kin([*measured, *told]))
        self._close_answered(run, [*measured, *told])
        self._watch_wal()

    def _tell(self, run: SweepRun, slot: int, outcome: Outcome) -> NetRun:
        lane = self._running[slot].lanes.pop(outcome.trial_id)
        cell = run.cell_of[lane.net.net_id].plan
        self._pruning.learn(cell, outcome.trial_id, outcome.verdict, outcome.given_up_epoch)
        lane.net.running.discard(lane.eta)
        assert lane.net.questions is not None
        lane.net.questions.tell(lane.eta, outcome.verdict)
        return lane.net

    def _free(self, run: SweepRun, slot: int) -> _Running:
        running = self._running.pop(slot)
        self._telling.freed(slot)
        for net in running.draft.probe:
            net.probing = False
        for lane in running.lanes.values():
            lane.net.running.discard(lane.eta)
        run.changed([*running.draft.probe, *(lane.net for lane in running.lanes.values())])
        return running

    def _open_measured(self, run: SweepRun, nets: list[NetRun]) -> None:
        """Give measured nets their questions; a scan's trials are laid down at once, so that totals are known."""
        refused: list[tuple[NetRun, str]] = []
        trials: list[TrialRecord] = []
        for net in nets:
            reason = run.open(net) if net.questions is None else None
            if reason is not None:
                refused.append((net, reason))
            elif run.spec.scan is not None:
                trials += [trial_record(run.cell_of[net.net_id], net, eta, 0) for eta in net.wanted()]

        def write() -> None:
            for net in nets:
                if net.questions is not None:
                    self._store.open_net(net.net_id, net.start_eta)
            for net, reason in refused:
                give_up(self._store, net, reason)
            self._store.add_trials(trials)

        if nets:
            self._commit(write)
        for net, reason in refused:
            run.fail(net)
            level = "warning" if is_answered(net) else "error"
            self._event(level, f"{run.cell_of[net.net_id].plan.label} seed {net.seed}: {reason}")

    def _close_answered(self, run: SweepRun, told: Iterable[NetRun]) -> None:
        """Close those of these nets that have asked all they wanted."""
        answered = [
            net
            for net in dict.fromkeys(run.kin(told))
            if not net.closed and net.questions is not None and net.questions.closed
        ]
        if not answered:
            return

        def write() -> None:
            for net in answered:
                assert net.questions is not None
                boundary = net.questions.boundary()
                self._store.close_net(
                    net.net_id, None if boundary is None else conversion.boundary(net.net_id, boundary)
                )
                if boundary is not None:
                    cell = run.cell_of[net.net_id].plan.label
                    self._store.add_event("info", conversion.boundary_text(cell, net.seed, boundary), self._sweep_id)

        self._commit(write)
        for net in answered:
            run.close(net)
            self._telling.closed(net)
        self._fits_due = self._fits_due or max(self._clock() + FIT_SECONDS, self._fits_paused_until)

    def _refit(self, run: SweepRun) -> None:
        begun = self._clock()
        found, refusals = current_fits(self._store.path, run)  # outside the transaction: it reads the rows of all nets
        self._commit(lambda: self._store.replace_fits(self._sweep_id, found))
        self._fits_due, self._fits_paused_until = None, self._clock() + FITS_APART * (self._clock() - begun)
        for refusal in refusals:
            if refusal not in self._refused_fits:
                self._refused_fits.add(refusal)
                self._event("warning", refusal)

    # --- when things go wrong ----------------------------------------------------------------------------------

    def _task_failed(self, run: SweepRun, slot: int, failed: TaskFailed) -> list[NetRun]:
        """A task raised. Returns the nets that were told something."""
        running = self._free(run, slot)
        lanes = list(running.lanes.values())
        if failed.out_of_memory and running.draft.size > 1:
            self._release(lanes, "lost", "out of memory")
            self._event("warning", f"{running.draft.halve(self._slots.memory(slot))} after it was out of memory")
            return []
        if failed.out_of_memory and self._goes_elsewhere(run, slot, running.draft, lanes):
            return []
        self._fail_lanes(run, lanes, failed.error)
        self._fail_nets(run, running.draft.probe, failed.error)
        return [lane.net for lane in lanes]

    def _goes_elsewhere(self, run: SweepRun, slot: int, draft: Draft, lanes: list[_Lane]) -> bool:
        """Not even one training fits into a device's memory: others try it, if there are any."""
        leaves, cell, device = self._slots.starve(slot), draft.cell, self._slots.devices[slot]
        if not run.bar(cell, self._slots.alike(slot), self._slots.in_use()):
            return False
        self._release(lanes, "lost", "out of memory")
        self._event("warning", f"{cell.plan.label}: out of memory on {device} with one at a time; others take it")
        run.changed(cell.nets)
        if leaves:
            self._leave_out(run, slot, f"out of memory with one at a time, {MAX_STARVED} times in a row")
        return True

    def _leave_out(self, run: SweepRun, slot: int, why: str) -> None:
        """A slot is given nothing any more; the sweep goes on with the others."""
        text = self._slots.leave_out(slot, why)
        if self._slots.in_use():
            self._event("error", text)
        run.unbar(self._slots.in_use())

    def _mourn(self, run: SweepRun, slot: int, detail: str) -> list[NetRun]:
        """A worker died: its trials start again, unless one has killed too many alone. Returns the nets told."""
        if slot not in self._running:
            return []
        running = self._free(run, slot)
        draft, lanes = running.draft, list(running.lanes.values())
        self._release(lanes, "lost", f"worker {detail}")
        if draft.size > 1:  # the kernel kills whoever takes too much memory and tells nobody; and one may harm all
            self._event("warning", f"{draft.halve(self._slots.memory(slot))} after worker {slot} {detail}")
            return []
        self._event("warning", f"{draft.cell.plan.label}: worker {slot} {detail}; what it did starts again")
        exhausted = draft.lose() >= MAX_LOST
        if exhausted:
            error = f"worker {detail}, {MAX_LOST} times"
            self._fail_lanes(run, lanes, error)
            self._fail_nets(run, draft.probe, error)
        return [lane.net for lane in lanes] if exhausted else []

    def _fail_lanes(self, run: SweepRun, lanes: list[_Lane], error: str) -> None:
        """Trials that the machine could not train: a scan goes on without them, a search cannot."""
        if not lanes:
            return
        self._commit(lambda: self._store.fail_trials([lane.trial_id for lane in lanes], error))
        many, cell = counted(len(lanes), "trial"), run.cell_of[lanes[0].net.net_id].plan.label
        self._event("error", f"{many} of {cell} failed: {error}")
        if run.spec.search is not None:
            self._fail_nets(run, tuple(dict.fromkeys(lane.net for lane in lanes)), f"a training failed: {error}")
            return
        for lane in lanes:
            assert lane.net.questions is not None
            lane.net.questions.tell(lane.eta, "failed")

    def _fail_nets(self, run: SweepRun, nets: tuple[NetRun, ...], reason: str) -> None:
        if not nets:
            return

        def write() -> None:
            for net in nets:
                self._store.fail_net(net.net_id, reason)

        self._commit(write)
        for net in nets:
            run.fail(net)
            self._event("error", f"{run.cell_of[net.net_id].plan.label} seed {net.seed} failed: {reason}")

    def _release(self, lanes: list[_Lane], outcome: str, detail: str) -> None:
        ids = [lane.trial_id for lane in lanes]
        if ids:
            self._commit(lambda: self._store.release_attempts(ids, outcome, detail))

    # --- ending and small things -------------------------------------------------------------------------------

    def _end(self, run: SweepRun, name: str) -> SweepEnd:
        self._flush(run)
        status = "done" if run.closed else "stopped"
        for slot in list(self._running):
            why = self._why_stopped() or "stopped by the user"
            self._release(list(self._free(run, slot).lanes.values()), "cancelled", why)
        failed = self._failures()
        text = f"finished {name!r}" if status == "done" else f"stopped {name!r}{self._way_on(run)}"
        if self._derived:
            text += f"; {self._derived} outcomes followed from trainings to other thresholds"
        if failed:
            text += f"; {failed} {'trial or net' if failed == 1 else 'trials or nets'} failed"
        self._event("warning" if failed else "info", text)
        self._refit(run)

        def write() -> None:
            self._store.end_sweep(self._sweep_id, status)
            self._telling.end()

        self._commit(write)
        return SweepEnd(name, status, failed)

    def _way_on(self, run: SweepRun) -> str:
        """Why a sweep was stopped, and how it goes on."""
        why = self._why_stopped()
        if isinstance(run.spec, LoopSweep) and run.spec.in_script:
            return "".join(f"; {part}" for part in (why, "find_max_lr with the same key resumes it") if part)
        return f"{f' ({why})' if why else ''}; the same command resumes it"

    def _failures(self) -> int:
        state = self._store.sweep_state(self._sweep_id)
        return sum(trial.status == "failed" for trial in state.trials) + sum(
            net.status == "failed" for net in state.nets
        )

    def _event(self, level: str, text: str) -> None:
        self._say(text)
        self._commit(lambda: self._store.add_event(level, text, self._sweep_id))

    def _watch_wal(self) -> None:
        if self._committer.log_is_large():
            self._event("warning", "the store's -wal file passed 64 MB: some reader holds an old view open; close it")
