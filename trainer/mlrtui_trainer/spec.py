"""What travels between the driver and a worker: frozen records of plain numbers and NumPy columns.

The driver sends a `Probe` (measure λ at initialisation), a `Round` (train) or a `LoopRound` (run a training of the
user's). The worker yields `LambdaAtInit`, `StepBatch` and `Outcome` records, and a `TaskDone` or `TaskFailed` at the
end. Nothing here imports torch.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlrtui_trainer.loops.reports import LoopSpec

__all__ = [
    "FLAG_ACCURACY_NONFINITE",
    "FLAG_ALL_SAMPLES",
    "FLAG_LOSS_NAN",
    "FLAG_LOSS_NEG_INF",
    "FLAG_LOSS_POS_INF",
    "FLAG_SHARPNESS_INF",
    "FLAG_SHARPNESS_NAN",
    "FLAG_SHARPNESS_NOT_CONVERGED",
    "FLAG_STEP_SKIPPED",
    "NUMERICS_VERSION",
    "SAME_NETS",
    "Dataset",
    "Fork",
    "LambdaAtInit",
    "LoopRound",
    "LoopSpec",
    "MeasureSpec",
    "Measured",
    "Message",
    "NetSpec",
    "Outcome",
    "Probe",
    "PruningThreshold",
    "Repeated",
    "Round",
    "Rounds",
    "Segment",
    "SharpnessSpec",
    "StepBatch",
    "Task",
    "TaskDone",
    "TaskFailed",
    "TrainSpec",
    "TrialSpec",
    "WorkerLoad",
]

NUMERICS_VERSION = 5
"""Raised whenever a change alters the numbers that a trial gives; part of every trial's key."""

SAME_NETS = "its factory gives the same net for every seed"
"""The remark on a factory that seeds itself, or draws nothing: of no account where a sweep has one seed."""

FLAG_LOSS_NAN = 1
FLAG_LOSS_POS_INF = 2
FLAG_LOSS_NEG_INF = 4
FLAG_SHARPNESS_NAN = 8
FLAG_SHARPNESS_INF = 16
FLAG_SHARPNESS_NOT_CONVERGED = 32
FLAG_ACCURACY_NONFINITE = 64
FLAG_ALL_SAMPLES = 128
FLAG_STEP_SKIPPED = 256


@dataclass(frozen=True)
class NetSpec:
    """An architecture. Depth counts hidden layers; weight layers are ``depth + 1``.

    kind "mlp": act(W x) per hidden layer, linear output. kind "two-layer-linear": f = width^(-1/2) v·(u x), standard
    normal u and v (Lewkowycz et al. 2020), depth 1, no bias, activation "linear". kind "mlp-linearized": the mlp's
    expansion about its initial weights. kind "cnn" and "transformer": see their modules. Any other kind is a factory,
    "package.module:function".
    """

    kind: str  # "mlp" | "mlp-linearized" | "two-layer-linear" | "cnn" | "transformer" | "package.module:function"
    inputs: int
    outputs: int
    depth: int
    width: int
    activation: str = "relu"  # "relu" | "linear" | "tanh" | "gelu" | "own", a factory's
    bias: bool = False
    parametrization: str = "sp"
    layer_lr: tuple[float, float, float] = (1.0, 1.0, 1.0)  # rate multipliers: input, hidden, output layer
    base_width: int = 64  # width at which every parametrization is the standard one
    init_variance: float | None = None  # of the initial weights, times fan_in; None: the activation's own
    shape: tuple[int, ...] = ()  # of a sample as an image: channels, rows, columns; for kinds that see images
    code_path: str = ""  # folder in which a factory's module is sought beside the installed packages
    code_hash: str = ""  # SHA-256 of the factory's source file
    tokens: int = 0  # of a sample, where each has outputs of its own: [samples, tokens, outputs]; 0: not
    mode: str = "function"  # "function" of weights and sample alone | "train": trained in training mode (`modes`)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per layer from inputs to outputs."""
        return (self.inputs, *([self.width] * self.depth), self.outputs)


@dataclass(frozen=True)
class TrainSpec:
    """How every trial of a round is trained and when it counts as a success."""

    loss: str  # "ce" | "mse" | "mse-softmax", conventions of docs/numerics.md
    batch: int  # samples per step; equal to the number of samples: full batch, never permuted
    max_steps: int
    steps_per_epoch: int  # whole batches in the data; an incomplete last batch is left out
    dtype: str = "float32"  # "float32" | "float64"
    optimizer: str = "sgd"  # of `optimizers.OPTIMIZERS`; what it does not have of the next five is at its default
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    schedule: str = "constant"  # a name of `schedules.SCHEDULES`; a trial's η is the peak
    warmup_steps: int = 0
    success: str | None = None  # None: a scan. A name of `phases.SUCCESS_RULES`: a search
    threshold: float = 0.5
    on: str = "train"  # whose accuracy is measured and decides: "train" | "validation", the samples held out
    record_every: int = 1
    clip: float = 0.0  # largest norm of the gradient that a step follows; 0: any
    precision: str = ""  # "bf16": forward and backward passes under autocast; λ never is
    code: tuple[tuple[str, str], ...] = ()  # things of the user's code that it names, with their sources' SHA-256
    code_path: str = ""  # folder in which their modules are sought beside the installed packages
    curves: bool = True  # whether steps are reported, or of each training the last one alone
    record_layers: bool = False  # sizes of every layer's activations and updates, at the first steps: measures

    @property
    def is_scheduled(self) -> bool:
        """Whether the learning rate changes along a training."""
        return self.schedule != "constant"


@dataclass(frozen=True)
class SharpnessSpec:
    """How λ is measured. ``every`` steps along training; 0: at initialisation only."""

    operator: str = "gauss-newton"  # "gauss-newton" | "hessian" | "ntk"
    every: int = 0
    tolerance: float = 1e-3  # relative error aimed at
    others: tuple[str, ...] = ()  # operators measured beside the main one
    top: int = 1  # eigenvalues of every operator, the largest ones
    rest_every: int = 0  # steps between measurements of a lane at rest (`curvature.schedule`); 0: lanes never rest
    samples: int = 0  # the first so many training samples instead of all; 0: all
    exact: bool = False  # in double precision, to a residual of 1e-8, whatever ``tolerance`` says


@dataclass(frozen=True)
class MeasureSpec:
    """What is measured beside loss, accuracy and λ (`measures`), and at which steps. Changes no training."""

    names: tuple[str, ...] = ()
    every: int = 1  # steps between measurements


@dataclass(frozen=True)
class Dataset:
    """Samples as the worker gets them, once; the last ``held_out`` of them are for validation, the others train."""

    data_id: str  # SHA-256 of the arrays
    kind: str  # "classes" | "tokens": a class for each token | "sign": y is ±1 | "regression": y is real, no accuracy
    x: npt.NDArray[np.float64]  # [samples, inputs]
    y: npt.NDArray[np.float64]  # [samples, outputs]; one-hot for classes; [samples, 0] for tokens
    labels: npt.NDArray[np.int64]  # [samples]; class numbers, all zero unless kind == "classes"; [samples, tokens]
    held_out: int = 0
    classes: int = 0  # of tokens


@dataclass(frozen=True)
class Fork:
    """From where trainings start that do not start at initialisation: a base training, after so many of its steps.

    The base trains the same net with the same optimizer at a rate of its own, and sees the same batches. Step 0 of a
    training from there sees the batch that the base would have seen next.
    """

    step: int  # updates of the base before it
    state: str = "keep"  # of the optimizer: "keep", as the base left it | "fresh", as at the start of a training
    schedule: str = "constant"  # of the base's rate; a name of `schedules.SCHEDULES`
    warmup_steps: int = 0  # of the base


@dataclass(frozen=True)
class TrialSpec:
    """One lane's training: net (by its seed) × learning rate."""

    trial_id: int
    attempt: int
    seed: int
    eta: float
    lambda0: float  # preconditioned λ where it starts, or NaN
    base_eta: float = nan  # of a fork: the (peak) rate of its base


class PruningThreshold(NamedTuple):
    """A training that is no better at this evaluation, before the last one, is pruned."""

    step: int
    accuracy: float


@dataclass(frozen=True)
class Round:
    """Trials of one architecture that run together."""

    task_id: int
    data_id: str
    net: NetSpec
    train: TrainSpec
    sharpness: SharpnessSpec
    trials: tuple[TrialSpec, ...]
    thresholds: tuple[PruningThreshold, ...] = ()
    measures: MeasureSpec = MeasureSpec()
    fork: Fork | None = None  # None: every trial starts at initialisation


@dataclass(frozen=True)
class Rounds:
    """Rounds over the same data that one worker takes one after the other, as a single task."""

    task_id: int
    rounds: tuple[Round, ...]

    @property
    def data_id(self) -> str:
        """Of all of them."""
        return self.rounds[0].data_id


@dataclass(frozen=True)
class Probe:
    """Measure λ of several nets of one architecture, at initialisation or where a fork starts."""

    task_id: int
    data_id: str
    net: NetSpec
    train: TrainSpec
    sharpness: SharpnessSpec
    nets: tuple[tuple[int, int], ...]  # (net_id, seed)
    fork: Fork | None = None
    base_etas: tuple[float, ...] = ()  # of a fork: the rate of each net's base


@dataclass(frozen=True)
class LoopRound:
    """One training of the user's. ``check``: run it a second time, which writes nothing, and compare."""

    task_id: int
    loop: LoopSpec
    trial: TrialSpec
    check: bool = False


@dataclass(frozen=True)
class LambdaAtInit:
    """λ of one net where its trainings start, each value with its relative residual ‖Av − λv‖ / |λ|."""

    net_id: int
    main: float  # of SharpnessSpec.operator, without layer rates
    main_residual: float
    preconditioned: float  # of the same operator with the layers' rate multipliers: 2/eta is the edge for this one
    preconditioned_residual: float
    gauss_newton: float
    gauss_newton_residual: float
    hessian: float
    hessian_residual: float
    converged: bool
    refused: tuple[tuple[str, str], ...] = ()  # operators whose λ cannot be trusted and is NaN here, each with why
    remarks: tuple[str, ...] = ()  # what a person should know of the cell's nets
    # of a fork, over all training samples; NaN otherwise, and where the base had diverged
    loss: float = nan  # where it starts
    loss_initial: float = nan  # of its base, at initialisation
    eta_catapult: float = nan  # the rate at which its first step leaves the loss of its batch as it is; see `onset`


@dataclass(frozen=True)
class Segment:
    """Rows ``[start, stop)`` of a `StepBatch` that belong to one trial's attempt; ``seq`` counts its records from 0."""

    trial_id: int
    attempt: int
    seq: int
    start: int
    stop: int


class Measured(NamedTuple):
    """What one measure, or one part of it, says of one trial at one step; may be non-finite."""

    measure: str
    value: float
    edge: float  # NaN: there is none, or it is that of λ
    part: str = ""  # "": the measure has no parts
    residual: float = nan  # of an eigenvalue, ‖Av − λv‖ / |λ|


@dataclass(frozen=True)
class StepBatch:
    """Steps of several trials as columns. Row t describes the weights *before* update t.

    A sharpness or accuracy that was not measured is NaN with its flag bits clear.
    """

    segments: tuple[Segment, ...]
    step: npt.NDArray[np.int64]
    loss: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    sharpness: npt.NDArray[np.float64]
    sharpness_residual: npt.NDArray[np.float64]
    products: npt.NDArray[np.int64]  # operator products spent on this λ; 0: not measured
    flags: npt.NDArray[np.int64]
    eta: npt.NDArray[np.float64] | None = None  # learning rates; None, or NaN: those of the trials
    measures: tuple[tuple[int, Measured], ...] = ()  # with the number of their row, which never decreases


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: verdict and phase by the rules of `phases`, with the numbers they rest on."""

    trial_id: int
    attempt: int
    seq: int
    verdict: str
    phase: str | None
    reached_epoch: int | None
    loss_initial: float  # over all training samples
    loss_final: float
    best_accuracy: float  # NaN where accuracy has no meaning
    final_accuracy: float
    peak_ratio: float  # max over steps of loss / loss_initial
    peak_step: int
    final_sharpness: float  # NaN: not measured
    logit_rms_initial: float
    logit_rms_peak: float  # over the first 10 steps
    bad_step: int | None = None
    bad_kind: str | None = None  # "nan" | "+inf" | "-inf" | "threshold"
    error: str | None = None
    given_up_epoch: int | None = None  # at whose end a threshold of the round pruned it
    # what the phase rests on, as `phases.Evidence` describes it; NaN: not measured, or without meaning
    phase_rule: int | None = None  # edition of the rules; None without a phase
    phase_basis: str | None = None  # "loss" | "loss+sharpness"
    phase_reason: str | None = None  # the row of the rule table that fired, with its numbers, as one sentence
    peak_smoothed: float = nan
    rise: float = nan
    logit_growth: float = nan
    hidden_growth: float = nan
    ratio_first: float = nan
    ratio_before_peak: float = nan
    ratio_low: float = nan
    ratio_hover: float = nan
    ratio_last: float = nan
    drift: float = nan
    loss_constant: float = nan
    majority: float = nan


@dataclass(frozen=True)
class TaskDone:
    """A task's last message when all went well."""

    task_id: int
    seconds: float


@dataclass(frozen=True)
class TaskFailed:
    """A task's last message when it raised: one line for the log, and whether memory ran out."""

    task_id: int
    error: str
    out_of_memory: bool


@dataclass(frozen=True)
class Repeated:
    """What running a training of the user's a second time has shown; "" where it reported the same numbers."""

    task_id: int
    difference: str


@dataclass(frozen=True)
class WorkerLoad:
    """How busy a worker's device is; None: not known."""

    busy: float | None  # percent: of one core by a CPU worker's process, of a GPU by whoever uses it
    memory: int | None  # bytes: of a CPU worker's process, of a GPU in use
    memory_total: int | None = None  # bytes: of a GPU


Task = Round | Rounds | Probe | LoopRound
Message = LambdaAtInit | StepBatch | Outcome | Repeated | WorkerLoad | TaskDone | TaskFailed
