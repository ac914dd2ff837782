"""The records that go into a store. What comes out is in `models.py`.

Frozen dataclasses without behaviour: the driver makes them, `store.Store` writes them. Non-finite floats are allowed
here; the store turns them into NULL and a flag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

__all__ = [
    "EVIDENCE",
    "SAVED",
    "BoundaryRecord",
    "CellRecord",
    "Derivation",
    "FitRecord",
    "MeasureRow",
    "NetLambdas",
    "NetRecord",
    "Segment",
    "StepRows",
    "SweepRecord",
    "TrialOutcome",
    "TrialRecord",
]

EVIDENCE = (
    *("peak_smoothed", "rise", "logit_growth", "hidden_growth", "ratio_first", "ratio_before_peak", "ratio_low"),
    *("ratio_hover", "ratio_last", "drift", "loss_constant", "majority"),
)
"""The numbers that a phase rests on: fields of `TrialOutcome` and columns of table ``trial``."""


@dataclass(frozen=True)
class NetRecord:
    """One net of a cell: a seed and how its sharpness is measured."""

    seed: int
    operator: str
    loss_convention: str
    sharpness_samples: str
    sharpness_schedule: str = "at initialisation"


@dataclass(frozen=True)
class CellRecord:
    """One grid point. Field names are the columns of table ``cell``; ``settings`` is canonical JSON of all of them.

    None (and 0, "" where None is not allowed): not known, of a training that is not ours. Settings of its own are the
    object ``own`` in ``settings``, see `own.own_settings`.
    """

    position: int
    label: str
    settings: str
    depth: int | None = None
    width: int | None = None
    n_params: int = 0
    data: str | None = None
    samples: int | None = None
    data_id: str = ""
    target: str | None = None
    standardize: str | None = None
    model: str | None = None
    activation: str | None = None
    bias: bool | None = None
    parametrization: str | None = None
    input_lr: float | None = None
    loss: str | None = None
    optimizer: str | None = None
    batch: int | None = None
    max_steps: int | None = None
    steps_per_epoch: int = 0
    dtype: str | None = None
    edge: float = 2.0  # eta × sharpness at which training is at the edge of stability; 0: none
    accuracy_on: str = "train"  # whose accuracy is stored: "train", "validation", or "own" of a user's training
    fork_step: int | None = None  # of the base, after which trainings of the cell start; None: at initialisation
    map_value: float | None = None  # of a row of a map: the value of its other axis; None: it is no such
    nets: tuple[NetRecord, ...] = ()


@dataclass(frozen=True)
class SweepRecord:
    """A whole sweep, as planned. ``spec`` is canonical JSON, ``sweep_key`` its SHA-256."""

    name: str
    sweep_key: str
    spec: str
    mode: str  # "search", "scan" or "recorded"
    code_id: str
    cells: tuple[CellRecord, ...]
    shard: str | None = None  # "1/4": these are the cells and nets of one shard of four


@dataclass(frozen=True)
class NetLambdas:
    """λ of one net where its trainings start. ``main`` is of the net's operator without layer rates."""

    net_id: int
    main: float
    main_residual: float
    preconditioned: float  # with the layers' learning rates
    preconditioned_residual: float
    gauss_newton: float
    gauss_newton_residual: float
    hessian: float
    hessian_residual: float
    converged: bool
    loss: float = nan  # of forks, where they start
    loss_initial: float = nan  # of forks, of the base at initialisation
    eta_catapult: float = nan  # of forks: the rate at which their first step leaves the loss of its batch as it is


@dataclass(frozen=True)
class TrialRecord:
    """A training to be done: net × learning rate."""

    net_id: int
    trial_key: str
    eta: float
    eta_lambda0: float | None
    round: int
    max_steps: int


@dataclass(frozen=True)
class Segment:
    """The rows ``[start, stop)`` of a `StepRows` that belong to one trial's attempt."""

    trial_id: int
    attempt: int
    seq: int
    start: int
    stop: int


class MeasureRow(NamedTuple):
    """What one measure, or one part of it, says at the step of a row of a `StepRows`. Fields after it are columns."""

    row: int
    measure: str
    value: float
    edge: float  # NaN: there is none
    edge_high: float = nan  # of a band of edges
    low: float = nan  # bounds of the value
    high: float = nan
    residual: float = nan
    products: int | None = None
    forwards: int | None = None
    status: str | None = None
    note: str | None = None
    seconds: float = nan
    part: str = ""  # "": the measure has no parts


@dataclass(frozen=True)
class StepRows:
    """Steps of several trials as columns of equal length; a value that was not measured is None."""

    segments: tuple[Segment, ...]
    step: Sequence[int]
    loss: Sequence[float]
    accuracy: Sequence[float | None]
    sharpness: Sequence[float | None]
    sharpness_residual: Sequence[float | None]
    products: Sequence[int | None]
    flags: Sequence[int]
    eta: Sequence[float | None] = ()  # learning rates; empty, or None: those of the trials
    measures: Sequence[MeasureRow] = ()  # by row


@dataclass(frozen=True)
class TrialOutcome:
    """How one attempt at a trial ended. ``seq`` continues the numbering of its `Segment` records."""

    trial_id: int
    attempt: int
    seq: int
    verdict: str
    phase: str | None
    reached_epoch: int | None
    loss_initial: float
    loss_final: float
    best_accuracy: float | None
    final_accuracy: float | None
    peak_ratio: float
    peak_step: int
    final_sharpness: float | None
    logit_rms_initial: float | None
    logit_rms_peak: float | None
    bad_step: int | None = None
    bad_kind: str | None = None
    error: str | None = None
    given_up_epoch: int | None = None
    # The phase's evidence; column_docs.py says what each number is. None where it was not measured.
    phase_rule: int | None = None
    phase_basis: str | None = None  # "loss" or "loss+sharpness"
    phase_reason: str | None = None
    peak_smoothed: float | None = None
    rise: float | None = None
    logit_growth: float | None = None
    hidden_growth: float | None = None
    ratio_first: float | None = None
    ratio_before_peak: float | None = None
    ratio_low: float | None = None
    ratio_hover: float | None = None
    ratio_last: float | None = None
    drift: float | None = None
    loss_constant: float | None = None
    majority: float | None = None


@dataclass(frozen=True)
class Derivation:
    """How a training would have ended at another threshold, by the stored steps of one to this one."""

    source_id: int  # trial_id of that one
    verdict: str
    given_up_epoch: int | None
    until: int | None  # last step of it; None: all of its steps
    outcome: Mapping[str, str | float | int | None]  # further fields of `TrialOutcome` that differ
    detail: str  # where it follows from, in words


@dataclass(frozen=True)
class BoundaryRecord:
    """What the search learnt of a net."""

    net_id: int
    eta_star: float | None
    first_failure: float | None
    eta_area: float | None
    zone_octaves: float | None
    reversals: int
    censored: str | None  # None, "none", "at_min", "at_max"
    reason: str | None
    eta_rule: int = 1  # 1: eta_star is the largest success; 2: the area over the lattice's window
    eta_last: float | None = None
    eta_star_se: float | None = None
    window_low: float | None = None
    window_high: float | None = None
    successes: int | None = None


SAVED = "saved: "
"""How the names of fits begin that a user saved: the sweep's own fits come and go, these stay."""


@dataclass(frozen=True)
class FitRecord:
    """One fitted term of one fit; field names are the columns of table ``fit``."""

    fit: str
    term: str
    y: str
    exponent: float
    low: float | None
    high: float | None
    intercept: float
    r2: float
    cells: int
    decades: float
    where_expr: str
    excluded: tuple[str, ...]
    f_equal: float | None
    p_equal: float | None
    method: str
    warnings: str
    inputs: tuple[tuple[str, float, float], ...] = field(default=())  # (cell label, x or nan, mean ln y)
