"""The driver's loop: hand out work, collect records, commit them, tell the searches.

One thread owns the store. An outcome reaches a search only after the transaction that holds it is committed, so what
the driver knows is never ahead of what a resumed driver would find.
"""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlrtui.config import AnySweep, LoopSweep
from mlrtui.driver import conversion, identity
from mlrtui.driver.committing import Committer
from mlrtui.driver.fitting import current_fits
from mlrtui.driver.growth import growth
from mlrtui.driver.pruning import Pruning
from mlrtui.driver.remarks import remarks
from mlrtui.driver.sharing import turn_of
from mlrtui.driver.sweep_run import MAX_LOST, Draft, NetRun, SweepRun, trial_record
from mlrtui.engines.base import Engine, EngineEvent, EngineNote, FromWorker, WorkerDied, WorkerReady
from mlrtui.errors import EngineFailed
from mlrtui.planning import Cell, CellPlan, Plan, measure_spec
from mlrtui_db.models import SweepState
from mlrtui_db.records import TrialRecord
from mlrtui_db.store import Store
from mlrtui_trainer.spec import (
    LambdaAtInit,
    LoopRound,
    Message,
    Outcome,
    Probe,
    PruningThreshold,
    Repeated,
    Round,
    StepBatch,
    Task,
    TaskDone,
    TaskFailed,
    TrialSpec,
)

__all__ = ["COMMIT_SECONDS", "Driver", "SweepEnd"]

COMMIT_SECONDS = 0.2
FIT_SECONDS = 1.0  # after which a net that is done shows in the fits
FITS_APART = 20.0  # ... and at least so many times as long as the last fits took: they read the rows of all nets

_URGENT = (LambdaAtInit, Outcome, TaskDone, TaskFailed)  # a slot or a search waits for these


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
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._engine = engine
        self._driver_id = driver_id
        self._should_stop = should_stop
        self._why_stopped = why_stopped  # "": the user asked for it
        self._say = say
        self._committer = Committer(store, should_stop, say)
        self._commit = self._committer.commit
        self._clock = clock
        self._env: dict[int, dict[str, str]] = {}
        self._running: dict[int, _Running] = {}
        self._dead: set[int] = set()  # slots whose worker will not be started again
        self._inbox: list[tuple[int, Message]] = []
        self._task_ids = itertools.count(1)
        self._sweep_id = 0
        self._check_due = False  # the next training of the user's is run twice
        self._pruning = Pruning(0.0, store.accuracies)
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
        run = SweepRun(spec, plan, state)
        self._pruning = Pruning(spec.search.give_up if spec.search else 0.0, self._store.accuracies)
        self._pruning.recall((run.cell_of[trial.net_id].plan, trial) for trial in state.trials)
        self._engine.add_datasets(plan.datasets)
        resumed = any(trial.status in {"done", "failed"} for trial in state.trials)
        size = f"{len(run.nets)} nets in {len(run.cells)} cells"
        self._event("info", f"{'resumed' if resumed else 'started'} {spec.sweep.name!r}: {size}")
        if grown:
            self._event("info", grown)
            self._fits_due = self._clock()
        if (other := identity.other_code(plan, state)) is not None:
            self._event("warning", other)
        self._commit(lambda: self._store.reopen_sweep(self._sweep_id))
        self._open_measured(run, [net for net in run.nets.values() if net.is_measured and not net.closed])
        self._close_answered(run, run.nets.values())
        last_commit = self._clock()
        # A closed sweep still waits for its slots to say that they are free, lest the next sweep hears it.
        while (self._running or not run.closed) and not self._should_stop():
            self._store.watch()
            self._hand_out(run)
            if self._fits_due is not None and self._clock() >= self._fits_due:
                self._refit(run)  # no slot waits for it
            for event in self._engine.poll(COMMIT_SECONDS / 2):
                self._receive(run, event)
            urgent = any(isinstance(message, _URGENT) for _, message in self._inbox)
            if self._inbox and (urgent or self._clock() - last_commit >= COMMIT_SECONDS):
                self._flush(run)
                last_commit = self._clock()
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
                if lacks.changes:
                    identity.refuse_other_keys(self._store, state, plan, lacks.known)
                ids = {position: cell.cell_id for position, cell in lacks.known.items()}
                again = lacks.searches_again
                self._commit(lambda: self._store.grow_sweep(self._sweep_id, plan.sweep, ids, searches_again=again))
                return self._store.sweep_state(self._sweep_id), lacks.text
        self._sweep_id = self._commit(lambda: self._store.add_sweep(plan.sweep))  # or a conflict of names
        return self._store.sweep_state(self._sweep_id), ""

    # --- handing out -------------------------------------------------------------------------------------------

    def _hand_out(self, run: SweepRun) -> None:
        idle = list(self._engine.idle())
        for place, slot in enumerate(idle):
            draft = run.next_draft(turn_of(slot, self._engine.devices, idle[place:], self._dead))
            if draft is None:
                return
            task, lanes = self._probe(draft) if draft.probe else self._round(run, draft, slot)
            self._running[slot] = _Running(draft, lanes)
            self._engine.submit(slot, task)

    def _probe(self, draft: Draft) -> tuple[Task, dict[int, _Lane]]:
        for net in draft.probe:
            net.probing = True
        cell = draft.cell.plan
        assert isinstance(cell, CellPlan)
        nets = tuple((net.net_id, net.seed) for net in draft.probe)
        return Probe(next(self._task_ids), cell.data_id, cell.net, cell.train, cell.sharpness, nets), {}

    def _round(self, run: SweepRun, draft: Draft, slot: int) -> tuple[Task, dict[int, _Lane]]:
        cell = draft.cell.plan
        records = [trial_record(draft.cell, net, eta, number) for net, eta, number in draft.trainings]
        device, env, thresholds = self._engine.devices[slot], self._env.get(slot, {}), self._pruning.thresholds(cell)

        def write() -> tuple[list[int], dict[int, int]]:
            ids = self._store.add_trials(records)
            return ids, self._store.open_attempts(ids, self._driver_id, device, env, thresholds, env.get("host"))

        ids, attempts = self._commit(write)
        lanes: dict[int, _Lane] = {}
        trials = []
        for trial_id, (net, eta, _) in zip(ids, draft.trainings, strict=True):
            net.running.add(eta)
            lanes[trial_id] = _Lane(trial_id, attempts[trial_id], net, eta)
            lambda0 = net.lambdas.preconditioned if net.lambdas else float("nan")
            trials.append(TrialSpec(trial_id, attempts[trial_id], net.seed, eta, lambda0))
        return self._task(run, cell, trials, thresholds), lanes

    def _task(
        self, run: SweepRun, cell: Cell, trials: list[TrialSpec], thresholds: tuple[PruningThreshold, ...]
    ) -> Task:
        task_id = next(self._task_ids)
        if isinstance(cell, CellPlan):
            parts = (cell.data_id, cell.net, cell.train, cell.sharpness)
            return Round(task_id, *parts, tuple(trials), thresholds, measure_spec(run.spec))
        (trial,) = trials  # a process for each
        check, self._check_due = self._check_due, False
        return LoopRound(task_id, cell.loop, trial, check)

    # --- taking in ---------------------------------------------------------------------------------------------

    def _receive(self, run: SweepRun, event: EngineEvent) -> None:
        match event:
            case WorkerReady(slot, env):
                self._env[slot] = dict(env)
            case EngineNote(text):
                self._event("warning", text)
            case FromWorker(slot, message):
                self._inbox.append((slot, message))
            case WorkerDied(slot, detail, final):
                self._flush(run)  # what it sent before it died counts
                self._close_answered(run, self._mourn(run, slot, detail))
                if final:
                    self._dead.add(slot)
                if len(self._dead) == len(self._engine.devices):
                    raise EngineFailed(f"every worker died again and again; the last one was {detail}")

    def _flush(self, run: SweepRun) -> None:
        """Commit the inbox in one transaction, then act on it."""
        inbox, self._inbox = self._inbox, []

        def write() -> None:
            for _, message in inbox:
                match message:
                    case StepBatch():
                        self._store.append_steps(conversion.step_rows(message))
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
                    self._free(run, slot)
                case TaskFailed():
                    told += self._task_failed(run, slot, message)
        for text in remarked:
            self._event("warning", text)
        self._open_measured(run, measured)
        run.changed([*measured, *told])
        self._close_answered(run, told)
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
                self._store.fail_net(net.net_id, reason)
            self._store.add_trials(trials)

        if nets:
            self._commit(write)
        for net, reason in refused:
            run.fail(net)
            self._event("error", f"{run.cell_of[net.net_id].plan.label} seed {net.seed}: {reason}")

    def _close_answered(self, run: SweepRun, told: Iterable[NetRun]) -> None:
        """Close those of these nets that have asked all they wanted."""
        answered = [
            net for net in dict.fromkeys(told) if not net.closed and net.questions is not None and net.questions.closed
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
            self._event("warning", f"{running.draft.halve()} after it was out of memory")
            return []
        self._fail_lanes(run, lanes, failed.error)
        self._fail_nets(run, running.draft.probe, failed.error)
        return [lane.net for lane in lanes]

    def _mourn(self, run: SweepRun, slot: int, detail: str) -> list[NetRun]:
        """A worker died: its trials start again, unless one has killed too many alone. Returns the nets told."""
        if slot not in self._running:
            return []
        running = self._free(run, slot)
        draft, lanes = running.draft, list(running.lanes.values())
        self._release(lanes, "lost", f"worker {detail}")
        if draft.size > 1:  # the kernel kills whoever takes too much memory and tells nobody; and one may harm all
            self._event("warning", f"{draft.halve()} after worker {slot} {detail}")
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
        self._event("error", f"{len(lanes)} trials of {run.cell_of[lanes[0].net.net_id].plan.label} failed: {error}")
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
        text = f"finished {name!r}" if status == "done" else f"stopped {name!r}; {self._way_on(run)}"
        if failed:
            text += f"; {failed} trials or nets failed"
        self._event("warning" if failed else "info", text)
        self._refit(run)
        self._commit(lambda: self._store.end_sweep(self._sweep_id, status))
        return SweepEnd(name, status, failed)

    def _way_on(self, run: SweepRun) -> str:
        """How a stopped sweep goes on."""
        if not isinstance(run.spec, LoopSweep) or not run.spec.in_script:
            return "the same command resumes it"
        return "; ".join(filter(None, (self._why_stopped(), "find_max_lr with the same key resumes it")))

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
