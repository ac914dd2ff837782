"""What the driver lets readers see of its work: its stage, the time left, what each worker does.

Written about once a second, and only where a worker has said or been given something since: a silent sweep writes
nothing, and shows as quiet. The loop tells what happens; nothing here decides anything.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from mlrtui.driver.ceilings import most_steps
from mlrtui.driver.forecast import CellLeft, Forecast, Pace, Workers, forecast
from mlrtui.driver.mapping import MapQuestions
from mlrtui.driver.needs import Lane, Needs, NetLeft
from mlrtui.driver.questions import ScanQuestions
from mlrtui.driver.slots import Slots
from mlrtui.driver.sweep_run import CellRun, Draft, NetRun, SweepRun
from mlrtui.driver.traits import Traits
from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.devices import kind_of
from mlrtui.planning import CellPlan
from mlrtui_db.errors import StoreBusy, StoreFull
from mlrtui_db.store import Store
from mlrtui_db.work import MOST_WORKERS, WorkerRow, WorkRow
from mlrtui_trainer.spec import LambdaAtInit, Outcome, StepBatch, WorkerLoad

__all__ = ["Telling", "seeds_text"]

EVERY = 1.0  # s between two rows
_PART_OF_TIME = 0.02  # that working out a row may take of the driver's
_WINDOW = 10.0  # s over which a rate is taken
_GAP = 0.5  # s: a slot that waits longer for its next task has none


@dataclass
class _Lane:
    net: NetRun
    eta: float
    place: int  # among the trainings of its net
    step: int = 0
    begun: bool = False  # a record of it has come


class _Did(NamedTuple):
    """What a record says was done: steps, and trainings whose first it is."""

    steps: int
    begun: int


@dataclass
class _Slot:
    """What a slot does, and what it has done."""

    cell: CellRun | None = None  # None: nothing
    lanes: dict[int, _Lane] = field(default_factory=dict)  # by trial
    nets: int = 0  # whose λ₀ is measured
    seeds: tuple[int, ...] = ()
    heard: float = 0.0  # when its last record came, its task began, or it was started
    free: float | None = None  # since when it has no task
    done: float = 0.0  # lane-steps, or nets, since the kind of its work last changed
    probes: bool = False
    marks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=64))  # (when, how much was done)
    load: WorkerLoad | None = None
    ready: bool = False
    warm: set[bool] = field(default_factory=set)  # the kinds of work, λ₀ or not, of which a record has come


class Telling:
    """Follows one driver."""

    def __init__(self, store: Store, slots: Slots, clock: Callable[[], float]) -> None:
        self._store, self._slots, self._clock = store, slots, clock
        self._at = [_Slot() for _ in slots.devices]
        self._run: SweepRun | None = None
        self._sweep_id = 0
        self._due = 0.0
        self._moved = True
        self._again = 0.0  # when a wait that goes on is told again
        self._trains = False
        self._lanes_of_tasks = [0, 0]  # trainings that were handed out, and tasks

    def begin(self, run: SweepRun, sweep_id: int) -> None:
        """A sweep begins, or goes on."""
        self._run, self._sweep_id = run, sweep_id
        guessed = all(isinstance(cell.plan, CellPlan) and cell.plan.work for cell in run.cells)
        self._traits = {one.cell: one for one in run.traits}
        self._pace, self._needs, self._trains = Pace(guessed), Needs(run.spec.search is None), False
        for net_id, eta, last, most in self._store.steps_trained(sweep_id):
            if (cell := run.cell_of.get(net_id)) is not None:
                part = min(last / most, 1.0) if most else 1.0
                place = self._place(run.nets[net_id], eta, 0)
                self._needs.trained(self._traits[cell.cell_id], net_id, place, part)
        for net in run.nets.values():
            if net.closed:
                self._needs.ended(net.net_id)
        self._moved, self._due, now = True, 0.0, self._clock()
        self._again = now + EVERY
        for one in self._at:
            one.heard = one.heard if one.ready else now
        self.turn()

    def submitted(self, slot: int, draft: Draft, trials: Iterable[int]) -> None:
        """A slot was given work; ``trials`` are those of its trainings, in their order."""
        one, now = self._at[slot], self._clock()
        if one.free is not None and now - one.free < _GAP and draft.trainings:
            self._pace.add(self._traits[draft.cell.cell_id], now - one.free, 0.0)
        nets = draft.probe or tuple(net for net, _, _ in draft.trainings)
        one.cell, one.nets, one.seeds = draft.cell, len(draft.probe), tuple(sorted({net.seed for net in nets}))
        asked: Counter[int] = Counter()
        one.lanes = {}
        for trial, (net, eta, _) in zip(trials, draft.trainings, strict=not draft.probe):
            one.lanes[trial] = _Lane(net, eta, self._place(net, eta, len(net.running) - 1 - asked[net.net_id]))
            asked[net.net_id] += 1
        if bool(draft.probe) != one.probes:
            one.probes, one.done = bool(draft.probe), 0.0
            one.marks.clear()
        one.heard, one.free, self._moved = now, None, True
        if not one.marks:
            one.marks.append((now, one.done))
        if draft.trainings:
            self._trains = True
            self._lanes_of_tasks[0] += len(one.lanes)
            self._lanes_of_tasks[1] += 1

    def heard(self, event: EngineEvent) -> None:
        """Something came from an engine."""
        if isinstance(event, FromWorker) and isinstance(event.message, WorkerLoad):
            self._at[event.slot].load = event.message
            return
        self._moved = True
        if isinstance(event, WorkerReady):
            self._at[event.slot].ready = True
        elif isinstance(event, WorkerDied):
            self._at[event.slot] = _Slot(heard=self._clock())
        elif isinstance(event, FromWorker):
            self._record(self._at[event.slot], event)

    def freed(self, slot: int) -> None:
        """A slot has ended its task, or lost it."""
        one, now = self._at[slot], self._clock()
        if one.cell is not None:
            self._pace.add(self._traits[one.cell.cell_id], now - one.heard, 0.0, probe=one.probes)
        one.cell, one.lanes, one.nets, one.free, self._moved = None, {}, 0, now, True

    def turn(self) -> None:
        """Write what there is to say, if it is time."""
        now = self._clock()
        if self._run is None or now < self._due:
            return
        if not self._moved:
            waited = self._waited(now) if now >= self._again else 0.0
            if not waited:
                return
            self._again = now + waited  # seldom: such a wait may have no end
        work = self._work(self._run)
        spent = self._clock() - now
        self._moved, self._due = False, now + max(EVERY, spent / _PART_OF_TIME)
        with suppress(StoreFull, StoreBusy), self._store.transaction():  # the next commit that matters waits for it
            self._store.show_work(work)

    def end(self) -> None:
        """Of this sweep there is nothing more to say. Inside a transaction."""
        self._run = None
        self._store.show_work(None)

    # --- what was done -----------------------------------------------------------------------------------------

    def _record(self, one: _Slot, event: FromWorker) -> None:
        cell, now, message = one.cell, self._clock(), event.message
        if cell is None:
            return
        # Until its first record of a kind a worker has mostly imported or compiled code: that is no pace.
        counts = one.probes in one.warm
        if isinstance(message, LambdaAtInit):
            self._pace.add(self._traits[cell.cell_id], now - one.heard, cell.cost.probe, probe=True, first=not counts)
            self._did(one, 1.0, now, counts)
        elif isinstance(message, StepBatch):
            steps = begun = 0
            for part in message.segments:
                lane = one.lanes.get(part.trial_id)
                if lane is not None:
                    last = int(message.step[part.stop - 1])
                    steps += max(last - lane.step, 0)
                    begun += not lane.begun
                    lane.step, lane.begun = max(lane.step, last), True
            self._trained(one, cell, _Did(steps, begun), now)
        elif isinstance(message, Outcome) and (ended := one.lanes.pop(message.trial_id, None)) is not None:
            most = cell.plan.max_steps
            done = min(ended.step / most, 1.0) if most else 1.0
            self._needs.trained(self._traits[cell.cell_id], ended.net.net_id, ended.place, done)
            if not most:
                self._trained(one, cell, _Did(1, 0), now)
        else:
            return
        one.heard = now
        one.warm.add(one.probes)

    def _trained(self, one: _Slot, cell: CellRun, did: _Did, now: float) -> None:
        cost, counts = cell.cost, one.probes in one.warm or not cell.plan.max_steps
        guessed = cost.training * did.steps / (cell.plan.max_steps or 1) + cost.start * did.begun
        if guessed:
            self._pace.add(self._traits[cell.cell_id], now - one.heard, guessed, first=not counts)
        self._did(one, did.steps, now, counts)

    def _did(self, one: _Slot, much: float, now: float, counts: bool) -> None:
        one.done += much
        if not counts:
            one.marks.clear()
        if not one.marks or now - one.marks[-1][0] >= _WINDOW / 40:
            one.marks.append((now, one.done))
        while len(one.marks) > 2 and now - one.marks[1][0] > _WINDOW:
            one.marks.popleft()

    def closed(self, net: NetRun) -> None:
        """A net has all its answers."""
        self._needs.ended(net.net_id)

    # --- the row -----------------------------------------------------------------------------------------------

    def _work(self, run: SweepRun) -> WorkRow:
        now = self._clock()
        in_use = self._slots.in_use()
        ready = [slot for slot in in_use if self._at[slot].ready]
        workers = [self._worker(slot, now) for slot in range(min(len(self._at), MOST_WORKERS))]
        probed = [net for net in run.nets.values() if net.probed]
        measured = sum(net.is_measured for net in probed)
        stage = "training"
        if run.closed:
            stage = "ending"
        elif not ready:
            stage = "workers"
        elif measured < len(probed) and not self._trains:
            stage = "lambda0"
        kind = [
            slot for slot in in_use if self._at[slot].cell is not None and self._at[slot].probes == (not self._trains)
        ]
        rates = [rate for slot in kind if (rate := self._rate(self._at[slot], now)) is not None]
        left = self._left(run, len(in_use))
        return WorkRow(
            at=time.time(),
            stage=stage,
            sweep_id=self._sweep_id,
            sweep=run.spec.sweep.name,
            nets=len(run.nets),
            to_measure=len(probed),
            measured=measured,
            slots=len(in_use),
            ready=len(ready),
            rate=sum(rates) if rates else None,
            left=None if left is None else left.seconds,
            low=None if left is None else left.low,
            high=None if left is None else left.high,
            workers=tuple(workers),
            unlisted=len(self._at) - len(workers),
        )

    def _left(self, run: SweepRun, slots: int) -> Forecast | None:
        lanes: dict[int, list[Lane]] = {}
        for one in self._at:
            for lane in one.lanes.values():
                most = 0 if one.cell is None else one.cell.plan.max_steps
                part = min(lane.step / most, 1.0) if most else 0.0
                lanes.setdefault(lane.net.net_id, []).append(Lane(lane.place, part))
        on_gpu = any(kind_of(device) != "cpu" for device in self._slots.devices)
        given, tasks = self._lanes_of_tasks
        left = self._maps_left(run, lanes) if run.maps else self._cells_left(run, lanes)
        waited = self._waited(self._clock())
        who = Workers(slots, given / tasks if tasks else 1.0, side_by_side=on_gpu, waited=waited)
        return forecast(left, self._pace, self._needs, who)

    def _cells_left(self, run: SweepRun, lanes: dict[int, list[Lane]]) -> Iterator[CellLeft]:
        for cell in run.cells:
            if cell.open:
                yield CellLeft(self._traits[cell.cell_id], tuple(_nets_left(cell, lanes)))

    def _maps_left(self, run: SweepRun, lanes: dict[int, list[Lane]]) -> Iterator[CellLeft]:
        """Maps as wholes: which of their rows wants what is settled as they go."""
        left = run.maps.left()
        running: dict[tuple[int, int], list[Lane]] = {}
        traits: dict[tuple[int, int], Traits] = {}
        for cell in run.cells:
            if isinstance(cell.plan, CellPlan) and cell.plan.row is not None and cell.open:
                for net in cell.nets:
                    key = cell.plan.row.home, net.seed
                    traits.setdefault(key, self._traits[cell.cell_id])
                    running.setdefault(key, []).extend(lanes.get(net.net_id, ()))
        for key, one in traits.items():
            trains = tuple(running[key])
            more = max(left.get(key, float(one.cost.trainings)) - len(trains), 0.0)
            yield CellLeft(one, (NetLeft(False, 0, trains, more),))

    def _place(self, net: NetRun, eta: float, beside: int) -> int:
        """Where a training stands among those of its net, after ``beside`` that run."""
        if isinstance(net.questions, MapQuestions):
            return 0  # its rates follow from outcomes elsewhere
        if isinstance(net.questions, ScanQuestions):
            return net.questions.place(eta)
        return self._needs.next_place(net.net_id, net.told) + beside

    def _waited(self, now: float) -> float:
        """Seconds, of all workers together, without a first sign of them, or a first record of this kind of work."""
        waits = 0.0
        for slot in self._slots.in_use():
            one = self._at[slot]
            if not one.ready:
                waits += now - one.heard
            elif one.cell is not None and one.probes not in one.warm:
                waits += max(now - one.heard - EVERY, 0.0)  # records come once a second
        return waits

    def _worker(self, slot: int, now: float) -> WorkerRow:
        one, env = self._at[slot], self._slots.env(slot)
        state = "left out" if slot in self._slots.out else "idle" if one.ready else "starting"
        load = one.load or WorkerLoad(None, None)
        cell, rate = one.cell, self._rate(one, now)
        if cell is not None:
            state = "lambda0" if one.probes else "training"
        at_most = None if cell is None or one.probes else most_steps(cell.plan, env.get("name", ""))
        etas = [lane.eta for lane in one.lanes.values()]
        return WorkerRow(
            slot=slot,
            state=state,
            heard=None if cell is None else time.time() - (now - one.heard),
            host=env.get("host", ""),
            device=self._slots.devices[slot],
            name=env.get("name", "") if kind_of(self._slots.devices[slot]) != "cpu" else "",
            cell="" if cell is None else cell.plan.label,
            seeds="" if cell is None else seeds_text(one.seeds),
            lanes=one.nets or len(one.lanes),
            eta_low=min(etas, default=None),
            eta_high=max(etas, default=None),
            step=max((lane.step for lane in one.lanes.values()), default=None),
            max_steps=cell.plan.max_steps if etas and cell is not None else None,
            rate=rate,
            busy=load.busy if one.ready else None,
            memory=load.memory if one.ready else None,
            memory_total=load.memory_total,
            ceiling=None if at_most is None or rate is None else rate / at_most,
        )

    def _rate(self, one: _Slot, now: float) -> float | None:
        """What it does a second, over the last seconds in which it said anything."""
        if one.cell is None or len(one.marks) < 2:
            return None
        since, before = one.marks[0]
        return (one.done - before) / (one.marks[-1][0] - since) if one.marks[-1][0] > since else None


def _nets_left(cell: CellRun, lanes: dict[int, list[Lane]]) -> Iterator[NetLeft]:
    for net in cell.nets:
        if not net.closed:
            yield NetLeft(not net.is_measured, net.told, tuple(lanes.get(net.net_id, ())))


def seeds_text(seeds: Iterable[int]) -> str:
    """Seeds in short.

    >>> seeds_text([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    stretches: list[list[int]] = []
    for seed in seeds:
        if stretches and seed == stretches[-1][1] + 1:
            stretches[-1][1] = seed
        else:
            stretches.append([seed, seed])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in stretches)
