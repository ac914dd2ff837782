"""What a reader gives back: frozen pictures of a store at one moment.

NULL becomes None, except inside curves, where a missing number is NaN and `flags` tells why.
"""

import json
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # what is written is imported where something is written
    from mlrtui_db._record import LockHolder
    from mlrtui_db.records import NetLambdas

__all__ = [
    "AppendResult",
    "CellRow",
    "CellState",
    "Curve",
    "EndedTrial",
    "EventRow",
    "FitRow",
    "LiveSnapshot",
    "LogRow",
    "MachineRow",
    "MeasureCurve",
    "NamedSweep",
    "NetRow",
    "NetState",
    "Pairs",
    "PartCurve",
    "Replica",
    "SweepRow",
    "SweepState",
    "TrialDetails",
    "TrialRow",
    "TrialState",
    "WriterEnd",
]


@dataclass(frozen=True)
class NoteRow:
    """A note of a person on a sweep."""

    number: int
    at: float  # s (Unix time)
    text: str


@dataclass(frozen=True)
class SweepRow:
    """One sweep with its progress."""

    sweep_id: int
    name: str
    mode: str  # "search", "scan" or "recorded"
    status: str  # "open", "done", "stopped"
    created_at: float
    finished_at: float | None
    cells: int
    nets: int
    nets_done: int
    trials: int
    trials_done: int  # done or failed
    trials_running: int
    trials_failed: int
    heartbeat_at: float | None  # newest sign of life of any attempt
    spec: str
    shard: str | None = None  # which shards of the sweep the store holds, as "1/4" or "0,2/4"; None: all of it
    repeatable: int | None = None  # 0: the first training of a user's own, run twice, reported other numbers
    tags: tuple[str, ...] = ()  # sorted
    notes: tuple[NoteRow, ...] = ()  # oldest first

    @property
    def is_map(self) -> bool:
        """Whether its trainings are those of a map, which fill no grid of rates."""
        return self._has("map")

    @property
    def has_forks(self) -> bool:
        """Whether some of its trainings are forks, which start from a trained net."""
        return self._has("fork")

    def _has(self, section: str) -> bool:
        try:
            document = json.loads(self.spec)
        except ValueError:
            return False
        return isinstance(document, dict) and bool(document.get(section))


@dataclass(frozen=True)
class CellRow:
    """One cell with what the grid shows of it."""

    cell_id: int
    label: str
    depth: int | None  # None: not known, of a training that is not ours
    width: int | None
    nets: int
    nets_done: int
    trials: int
    trials_done: int
    trials_running: int
    trials_failed: int
    diverged: int
    ln_eta_star_mean: float | None
    ln_eta_star_sd: float | None
    censored: int  # nets with a censored eta*
    lambda0_mean: float | None
    phases: tuple[tuple[str, int], ...]  # (phase, count), most frequent first
    variant: str  # the axes other than depth and width, "" when there are none: "ce in=0.1"
    rev: int
    bound: str = ""  # how its nets are censored: at_max, at_min, none, "mixed"; "": not at all
    bound_eta: float | None = None  # of at_max the smallest eta* of them, of at_min the largest first failure
    nonfinite: int = 0  # trials whose loss was NaN or infinite
    fork_step: int | None = None  # of forks: the step of their base at which they start; None: no forks

    @property
    def size(self) -> str:
        """Depth and width as a title has them, "2×64"; the label where they are not known."""
        known = self.depth is not None and self.width is not None
        return f"{self.depth}×{self.width}" if known else self.label


@dataclass(frozen=True)
class NetRow:
    """One net of the chosen cell: lambda at init and eta*."""

    net_id: int
    cell_id: int
    seed: int
    status: str
    operator: str
    lambda0: float | None
    lambda0_residual: float | None
    lambda0_preconditioned: float | None
    lambda0_hessian: float | None
    eta_star: float | None
    first_failure: float | None
    eta_area: float | None
    zone_octaves: float | None
    reversals: int | None
    censored: str | None
    reason: str | None
    sharpness_samples: str = "all"
    eta_rule: int = 1  # 1: eta_star is the largest success; 2: the area over the lattice's window
    eta_last: float | None = None
    eta_star_se: float | None = None
    window_low: float | None = None
    window_high: float | None = None
    successes: int | None = None


@dataclass(frozen=True)
class TrialRow:
    """One trial as a table line."""

    trial_id: int
    net_id: int
    cell_id: int
    seed: int
    eta: float
    eta_lambda0: float | None
    round: int
    status: str
    verdict: str | None
    phase: str | None
    attempt: int
    n_steps: int
    max_steps: int
    last_step: int | None
    last_loss: float | None
    last_accuracy: float | None
    last_sharpness: float | None
    best_accuracy: float | None
    peak_ratio: float | None
    peak_step: int | None
    bad_step: int | None
    bad_kind: str | None
    lambda0_preconditioned: float | None
    rev: int
    edge: float | None = 2.0  # eta × sharpness at the edge of stability; None: the sharpness has none
    given_up_epoch: int | None = None
    phase_rule: int | None = None  # edition of the rules that named the phase
    schedule: str | None = None  # of the learning rate, whose peak is eta; None: constant
    warmup_steps: int | None = None


Pairs = tuple[tuple[str, str | float | int | None], ...]
"""Columns of one row with their values; blobs do not occur."""


@dataclass(frozen=True)
class TrialDetails:
    """Everything stored about one trial but its steps: its row, and the rows of what it belongs to."""

    trial_id: int
    sweep: Pairs
    cell: Pairs  # with the settings that have no column of their own
    net: Pairs
    trial: Pairs
    attempt: Pairs  # the newest one; empty before the first


@dataclass(frozen=True)
class EventRow:
    """One line of the log."""

    event_id: int
    at: float
    level: str
    text: str
    trial_id: int | None


@dataclass(frozen=True)
class LogRow:
    """One line of the log of the whole store, with what it is about."""

    event_id: int
    at: float
    level: str
    text: str
    sweep_id: int | None
    trial_id: int | None
    cell_id: int | None  # of the trial
    host: str | None


@dataclass(frozen=True)
class MachineRow:
    """Where trainings of a sweep ran: those of one machine, device and set of versions, by their newest attempts."""

    host: str
    device: str
    env: str  # JSON: versions, device name and threads of the worker
    trials: int
    started_at: float  # s (Unix time): first start
    ended_at: float | None  # s (Unix time): last end; None: none has ended


@dataclass(frozen=True)
class FitRow:
    """One fitted term."""

    fit: str
    term: str
    y: str
    exponent: float
    low: float | None
    high: float | None
    r2: float | None
    cells: int
    decades: float
    where_expr: str
    excluded: tuple[str, ...]
    f_equal: float | None
    p_equal: float | None
    method: str
    warnings: str
    intercept: float | None = None  # ln y = intercept + sum over terms of exponent * ln x


@dataclass(frozen=True)
class LiveSnapshot:
    """All that the Live screen needs, read in one short transaction."""

    sweep: SweepRow
    cells: tuple[CellRow, ...]  # by position
    cell_id: int | None  # the chosen cell, or the one that changed last
    nets: tuple[NetRow, ...]  # of the chosen cell
    trials: tuple[TrialRow, ...]  # of the chosen cell, by seed then eta
    newest_trial_id: int | None  # the trial with steps that changed last, or the last one begun
    events: tuple[EventRow, ...]  # newest first
    fits: tuple[FitRow, ...]
    writer_alive: bool  # somebody holds the writer's lock
    writer_note: str = ""  # what the writer waits for, "" while all is well
    writer_until: float | None = None  # s (Unix time), when the writer stops by itself
    writer_end: str = ""  # how the last writer died, "" when one is at work or it ended properly
    copied_at: float | None = None  # s (Unix time): when a copy of another store was last brought up to date


@dataclass(frozen=True)
class Curve:
    """One attempt's steps. Arrays of equal length, steps strictly increasing; NaN where NULL."""

    trial_id: int
    attempt: int
    step: "array[int]"  # typecode q
    loss: "array[float]"  # typecode d
    accuracy: "array[float]"
    sharpness: "array[float]"
    sharpness_residual: "array[float]"  # empty if it was not asked for
    flags: "array[int]"  # typecode q


@dataclass(frozen=True)
class PartCurve:
    """The values of a measure, or of one part of it. Arrays of equal length, steps increasing; NaN where NULL."""

    step: "array[int]"  # typecode q
    value: "array[float]"  # typecode d
    edge: "array[float]"
    edge_high: "array[float]" = field(default_factory=lambda: array("d"))  # of a band of edges; may be empty


@dataclass(frozen=True)
class MeasureCurve:
    """The values of one measure along one attempt, by the names of its parts, in order; "" where it has none."""

    trial_id: int
    attempt: int
    measure: str
    parts: Mapping[str, PartCurve]


class NamedSweep(NamedTuple):
    """A stored sweep, found by its name; ``spec`` is canonical JSON as the version that began it wrote it."""

    sweep_id: int
    spec: str


class CellState(NamedTuple):
    """One cell of a `SweepState`."""

    cell_id: int
    position: int
    data_id: str
    settings: str  # canonical JSON, unique in its sweep
    seeds: frozenset[int]  # of its nets


class EndedTrial(NamedTuple):
    """A training that has ended, as evidence at a threshold that its sweep may not have."""

    trial_id: int
    trial_key: str
    cell_id: int
    seed: int
    eta: float
    verdict: str  # at the threshold of its sweep
    best_accuracy: float | None  # at any evaluation, that before the first step among them
    given_up: bool
    n_steps: int  # stored; 0 where they were pruned
    last_step: int | None  # stored
    reached_at: int | None  # first stored step with that accuracy, of those that count; None: there is none
    base_eta: float | None = None  # of a fork: the rate of its base


class NetState(NamedTuple):
    """One net of a `SweepState`; ``lambdas`` is None until they are measured, NaN inside where one failed."""

    net_id: int
    cell_id: int
    seed: int
    status: str
    lambdas: "NetLambdas | None"
    start_eta: float | None
    eta_star: float | None  # of a search that is done and not censored
    base_eta: float | None = None  # of forks, once it is known


class TrialState(NamedTuple):
    """One trial of a `SweepState`."""

    trial_id: int
    net_id: int
    eta: float
    round: int
    status: str
    verdict: str | None
    attempt: int
    error: str | None
    given_up_epoch: int | None


@dataclass(frozen=True)
class SweepState:
    """What a driver needs to go on with a sweep: everything that the search rests on."""

    sweep_id: int
    status: str
    code_id: str  # the code that began it
    shard: str | None  # see `SweepRow`
    repeatable: bool | None  # whether the first training of a user's own, run twice, reported the same; None: not tried
    cells: tuple[CellState, ...]  # by position
    nets: tuple[NetState, ...]  # by cell position, then seed
    trials: tuple[TrialState, ...]  # in the order in which they were asked for


@dataclass(frozen=True)
class AppendResult:
    """How many segments were stored, and how many were stale or repeated."""

    applied: int
    dropped: int


@dataclass(frozen=True)
class Replica:
    """Of what a store is a copy, and when it was last brought up to date."""

    source: str  # as the user named it
    at: float  # s (Unix time)

    def sentence(self) -> str:
        """The same in words."""
        return f"a copy of {self.source}, pulled at {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.at))}"


@dataclass(frozen=True)
class WriterEnd:
    """How the last writer of a store ended, when it did not end properly."""

    who: "LockHolder"
    at: float | None  # s (Unix time): when it died, or when it last showed life; None: unknown
    reason: str  # "" when it could not say
    recorded: bool  # the store's events tell it already

    def sentence(self) -> str:
        """The end in words."""
        when = "" if self.at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        if self.reason:
            return f"the last driver ({self.who.place()}) died{f' at {when}' if when else ''}: {self.reason}"
        sign = f"; its last sign of life was at {when}" if when else ""
        return f"the last driver ({self.who.place()}) died without a word (killed, or the machine went down){sign}"
