"""A store in memory with the methods of a reader, and two invented sweeps to look at."""

import math
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tui_page_rows import log_rows, view_rows
from tui_rows import NOW, make_cell, make_curve, make_details, make_fit, make_net, make_sweep, make_trial

from mlrtui.tui.ports import StoreSource
from mlrtui_db.models import (
    Curve,
    EventRow,
    FitRow,
    LiveSnapshot,
    LogRow,
    MachineRow,
    MeasureCurve,
    NetRow,
    PartCurve,
    SweepRow,
    TrialDetails,
    TrialRow,
    WriterEnd,
)
from mlrtui_db.work import WorkRow


@dataclass
class FakeStore:
    """What a file would hold; `commit` after changing anything."""

    snapshots: dict[int, LiveSnapshot] = field(default_factory=dict)  # by sweep
    trials: dict[int, tuple[TrialRow, ...]] = field(default_factory=dict)  # by cell
    nets: dict[int, tuple[NetRow, ...]] = field(default_factory=dict)
    curves: dict[int, Curve] = field(default_factory=dict)
    measures: dict[tuple[int, str], MeasureCurve] = field(default_factory=dict)  # by trial and name
    version: int = 1
    error: Exception | None = None
    end: WriterEnd | None = None
    work: WorkRow | None = None
    driver: bool = False
    log: list[tuple[object, ...]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    all_closed: threading.Event = field(default_factory=threading.Event)

    def commit(self) -> None:
        self.version += 1

    def source(self, label: str = "fake.db") -> StoreSource:
        return StoreSource(label, self.open)

    def open(self) -> "FakeReader":
        if self.error is not None:
            raise self.error
        self.opened += 1
        return FakeReader(self)


class FakeReader:
    def __init__(self, store: FakeStore) -> None:
        self.store = store

    def _called(self, *what: object) -> None:
        self.store.log.append(what)
        if self.store.error is not None:
            raise self.store.error

    def data_version(self) -> int:
        self._called("data_version")
        return self.store.version

    def sweeps(self) -> tuple[SweepRow, ...]:
        self._called("sweeps")
        return tuple(snapshot.sweep for snapshot in self.store.snapshots.values())

    def fits(self, sweep_id: int) -> tuple[FitRow, ...]:
        self._called("fits", sweep_id)
        return self.store.snapshots[sweep_id].fits

    def live(self, sweep_id: int | None = None, cell_id: int | None = None, events: int = 30) -> LiveSnapshot | None:
        self._called("live", sweep_id, cell_id)
        snapshot = self.store.snapshots[max(self.store.snapshots) if sweep_id is None else sweep_id]
        chosen = snapshot.cell_id if cell_id is None else cell_id
        if chosen is None:
            return snapshot
        return replace(
            snapshot,
            cell_id=chosen,
            trials=self.store.trials.get(chosen, ()),
            nets=self.store.nets.get(chosen, ()),
            events=snapshot.events[:events],
        )

    def curve(self, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True) -> Curve:
        self._called("curve", trial_id, after_step)
        curve = self.store.curves.get(trial_id) or make_curve(trial_id, [])
        start = sum(step <= after_step for step in curve.step)
        part = slice(start, None if limit < 0 else start + limit)
        return Curve(
            trial_id,
            curve.attempt,
            curve.step[part],
            curve.loss[part],
            curve.accuracy[part],
            curve.sharpness[part],
            curve.sharpness_residual[part],
            curve.flags[part],
        )

    def measures(self, trial_id: int) -> tuple[str, ...]:
        self._called("measures", trial_id)
        return tuple(sorted(name for trial, name in self.store.measures if trial == trial_id))

    def measure_curve(self, trial_id: int, measure: str, after_step: int = -1) -> MeasureCurve:
        curve = self.store.measures[trial_id, measure]
        parts = {}
        for name, part in curve.parts.items():
            keep = [at for at, step in enumerate(part.step) if step > after_step]
            columns = (array(one.typecode, [one[at] for at in keep]) for one in (part.step, part.value, part.edge))
            parts[name] = PartCurve(*columns)
        return MeasureCurve(trial_id, curve.attempt, measure, parts)

    def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        self._called("query", view, where_sweep)
        return view_rows(self.store, view, where_sweep)

    def machines(self, sweep_id: int) -> tuple[MachineRow, ...]:
        self._called("machines", sweep_id)
        trials = self.store.snapshots[sweep_id].sweep.trials
        return (MachineRow("here", "cpu", '{"torch": "2.9"}', trials, NOW - 900, NOW - 60),)

    def seconds(self, sweep_id: int) -> dict[int, float]:
        self._called("seconds", sweep_id)
        return {cell.cell_id: 60.0 * cell.depth * cell.width for cell in self.store.snapshots[sweep_id].cells}

    def sizes(self, sweep_id: int) -> dict[str, int]:
        self._called("sizes", sweep_id)
        return {cell.label: 100 * cell.depth * cell.width for cell in self.store.snapshots[sweep_id].cells}

    def log(self, after_event_id: int = 0, limit: int = 20_000) -> tuple[LogRow, ...]:
        self._called("log", after_event_id)
        return tuple(row for row in log_rows(self.store) if row.event_id > after_event_id)

    def trial_details(self, trial_id: int) -> TrialDetails | None:
        self._called("trial_details", trial_id)
        trials = (trial for rows in self.store.trials.values() for trial in rows)
        trial = next((trial for trial in trials if trial.trial_id == trial_id), None)
        return None if trial is None else make_details(trial, next(iter(self.store.snapshots.values())).sweep.spec)

    def has_driver(self) -> bool:
        return self.store.driver

    def last_end(self) -> WriterEnd | None:
        return self.store.end

    def work(self) -> WorkRow | None:
        return self.store.work

    def close(self) -> None:
        self.store.closed += 1
        if self.store.closed == self.store.opened:
            self.store.all_closed.set()


def _catapult(c: float, steps: int) -> tuple[list[float], list[float]]:
    """An invented run at c = eta * lambda0: loss and sharpness."""
    loss, sharp = [], []
    for t in range(steps):
        bump = 30.0 * math.exp(-(((t - 14) / 5) ** 2)) if c > 2 else 0.0
        loss.append((0.5 + bump) * math.exp(-t / 35) + 0.004)
        drop = (c - 1.8) / (1 + math.exp(-(t - 15) / 2)) if c > 2 else 0.0
        sharp.append(20.0 * (c - drop) / c)
    return loss, sharp


def scan_store(status: str = "open", alive: bool = True) -> FakeStore:
    """One cell, nine learning rates from lazy to divergent."""
    rates = (0.5, 1.0, 1.5, 1.9, 2.1, 2.5, 3.0, 3.5, 4.5)
    trials, curves = [], {}
    for index, c in enumerate(rates):
        eta, trial_id = c / 20.0, index + 1
        steps = 121
        loss, sharp = _catapult(c, steps)
        row = make_trial(trial_id, 1, eta, last_sharpness=sharp[-1], last_loss=loss[-1], peak_step=14, round=0)
        flags = [0] * steps
        if c > 2:
            row = replace(row, phase="catapult", peak_ratio=31.2)
        if c == 3.0:
            row = replace(row, status="running", verdict=None, phase=None, last_step=70, n_steps=71)
            loss, sharp, flags = loss[:71], sharp[:71], flags[:71]
        if c == 3.5:
            row = replace(
                row,
                status="queued",
                verdict=None,
                phase=None,
                last_step=None,
                n_steps=0,
                last_loss=None,
                last_sharpness=None,
                last_accuracy=None,
            )
            loss, sharp, flags = [], [], []
        if c == 4.5:
            loss = [0.5 * 3.0**t for t in range(37)] + [math.nan]
            sharp = [20.0 + t for t in range(37)] + [math.nan]
            flags = [0] * 37 + [1 | 8]
            row = replace(
                row,
                verdict="diverged",
                phase="divergent",
                bad_step=37,
                bad_kind="nan",
                last_step=37,
                n_steps=38,
                last_loss=None,
                last_sharpness=None,
            )
        trials.append(row)
        curves[trial_id] = make_curve(trial_id, loss, sharp, flags)
    cell = make_cell(
        1,
        1,
        512,
        nets=1,
        nets_done=0,
        trials=9,
        trials_done=7,
        trials_running=1,
        diverged=1,
        lambda0_mean=20.0,
        phases=(("lazy", 4), ("catapult", 2), ("divergent", 1)),
    )
    sweep = make_sweep(
        1,
        "catapult scan",
        "scan",
        nets=1,
        trials=9,
        trials_done=7,
        trials_running=1,
        status=status,
        finished_at=NOW if status == "done" else None,
    )
    snapshot = LiveSnapshot(
        sweep=sweep,
        cells=(cell,),
        cell_id=1,
        nets=(make_net(1),),
        trials=tuple(trials),
        newest_trial_id=7,
        events=(
            EventRow(3, NOW - 3, "warning", "1x512 ηλ₀=4.5 diverged: NaN at step 37", 9),
            EventRow(2, NOW - 20, "info", "sweep started: 1 cell, 9 trials", None),
            EventRow(1, NOW - 21, "info", "one worker on cpu", None),
        ),
        fits=(),
        writer_alive=alive,
    )
    return FakeStore({1: snapshot}, {1: tuple(trials)}, {1: (make_net(1),)}, curves)


def search_store(status: str = "open", alive: bool = True) -> FakeStore:
    """A grid of depth x width in which the last row is still at work."""
    cells, nets, trials = [], {}, {}
    curves = {}
    position = 0
    for depth in (2, 3, 4, 6, 8):
        for width in (64, 128, 256):
            position += 1
            done = depth < 8 or width == 64
            star = 2.0 * (depth * width) ** -0.71
            cells.append(
                make_cell(
                    position,
                    depth,
                    width,
                    nets_done=2 if done else 0,
                    trials=24 if done else 5,
                    trials_done=24 if done else 4,
                    trials_running=0 if done else 1,
                    diverged=6 if done else 1,
                    ln_eta_star_mean=math.log(star) if done else None,
                    lambda0_mean=0.1 * depth * width,
                )
            )
            rows, net_rows = [], []
            for seed in (0, 1):
                eta, rung = star / 3.5, 0
                for rung, (factor, verdict) in enumerate(
                    (
                        (0.3, "not-reached"),
                        (0.6, "reached"),
                        (1.9, "diverged"),
                        (1.2, "diverged"),
                        (0.9, "reached"),
                        (1.04, "diverged"),
                        (0.97, "reached"),
                        (1.0, "reached"),
                        (1.02, "diverged"),
                    )
                ):
                    trial_id = position * 100 + seed * 20 + rung
                    eta = star * factor
                    diverged = verdict == "diverged"
                    running = not done and rung == 4
                    if not done and rung > 4:
                        break
                    rows.append(
                        make_trial(
                            trial_id,
                            position,
                            eta,
                            net_id=position * 10 + seed,
                            seed=seed,
                            round=rung,
                            verdict=None if running else verdict,
                            status="running" if running else "done",
                            phase=None if running else ("catastrophic" if diverged else "stable"),
                            bad_kind="+inf" if diverged else None,
                            bad_step=9 if diverged else None,
                            last_sharpness=0.1 * depth * width,
                            eta_lambda0=eta * 0.1 * depth * width,
                            last_step=30,
                            max_steps=80,
                            n_steps=31,
                        )
                    )
                    flags = [0] * 30 + [2 if diverged else 0]
                    loss = [2.3 * math.exp((0.3 if diverged else -0.05) * t) for t in range(30)]
                    loss.append(math.nan if diverged else 0.5)
                    curves[trial_id] = make_curve(trial_id, loss, [0.1 * depth * width] + [math.nan] * 30, flags)
                net_rows.append(
                    make_net(
                        position,
                        seed,
                        eta_star=star if done else None,
                        first_failure=star * 1.02 if done else None,
                        lambda0=0.1 * depth * width,
                        status="done" if done else "open",
                        censored=None,
                    )
                )
            nets[position], trials[position] = tuple(net_rows), tuple(rows)
    total = sum(len(rows) for rows in trials.values())
    sweep = make_sweep(
        2,
        "digits: eta* over depth x width",
        "search",
        cells=15,
        nets=30,
        nets_done=26,
        trials=total,
        trials_done=total - 4,
        trials_running=4,
        status=status,
        finished_at=NOW if status == "done" else None,
    )
    fits = (
        make_fit(),
        make_fit(fit="eta_star~depth,width", term="depth", exponent=-0.93, low=-1.2, high=-0.66, p_equal=0.03),
        make_fit(fit="eta_star~depth,width", term="width", exponent=-0.55, low=-0.73, high=-0.37, p_equal=0.03),
        make_fit(
            fit="eta_star~lambda0",
            term="lambda0",
            exponent=-0.62,
            low=-0.7,
            high=-0.54,
            decades=0.8,
            excluded=("L8 n64",),
            warnings="less than one decade",
        ),
    )
    snapshot = LiveSnapshot(
        sweep=sweep,
        cells=tuple(cells),
        cell_id=15,
        nets=nets[15],
        trials=trials[15],
        newest_trial_id=trials[15][-1].trial_id,
        events=tuple(
            EventRow(20 - k, NOW - 3 * k, "info", f"8x{w} seed {k % 2}: η* {0.02 + 0.001 * k:.3g} after 9 trials", None)
            for k, w in enumerate((64, 64, 256, 128, 64, 256, 128, 64, 256))
        ),
        fits=fits,
        writer_alive=alive,
    )
    return FakeStore({2: snapshot}, trials, nets, curves)


def both_sweeps() -> FakeStore:
    """One store with both sweeps."""
    search, scan = search_store(), scan_store()
    scan.snapshots.update(search.snapshots)
    # The scan's cell has another number than the search's, as in a real store.
    shift = 1000
    cell = replace(scan.snapshots[1].cells[0], cell_id=shift)
    rows = tuple(replace(trial, cell_id=shift, net_id=shift * 10) for trial in scan.trials[1])
    scan.snapshots[1] = replace(scan.snapshots[1], cells=(cell,), cell_id=shift)
    scan.trials = {**search.trials, shift: rows}
    scan.nets = {**search.nets, shift: (replace(make_net(shift), net_id=shift * 10),)}
    scan.curves = {**search.curves, **scan.curves}
    return scan
