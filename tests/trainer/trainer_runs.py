"""Real data and a way to run a task, as the trainer's tests use them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from mlrtui_trainer.measures import SPECTRUM
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    MeasureSpec,
    NetSpec,
    Outcome,
    Probe,
    PruningThreshold,
    Round,
    SharpnessSpec,
    StepBatch,
    TaskDone,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

COLUMNS = ("step", "loss", "accuracy", "sharpness", "sharpness_residual", "products", "flags")


def digits(samples: int, target: str = "classes") -> Dataset:
    """The first real digits of a fixed permutation, one mean image and one standard deviation taken out."""
    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))[:samples]
    x, t = data.data[order].astype(np.float64), data.target[order].astype(np.int64)
    x = (x - x.mean(0)) / (x - x.mean(0)).std()
    if target == "parity":
        return Dataset("digits", "sign", x, np.where(t % 2 == 1, 1.0, -1.0)[:, None], np.zeros(samples, np.int64))
    return Dataset("digits", "classes", x, np.eye(10)[t], t)


@dataclass(frozen=True)
class Run:
    """What a round gave, by trial."""

    columns: dict[int, dict[str, Any]]
    outcomes: dict[int, Outcome]
    messages: Sequence[Any]
    beside: dict[int, list[tuple[int, str, int, float, float]]]  # step, operator, rank, value, residual

    def bits(self, trial_id: int) -> tuple[Any, ...]:
        """All that may not depend on company: every byte of the rows and of the outcome, but not how rows were cut."""
        rows = tuple(self.columns[trial_id][name].tobytes() for name in COLUMNS)
        return (*rows, repr(self.beside[trial_id]), repr(replace(self.outcomes[trial_id], seq=0)))


def train(
    data: Dataset, net: NetSpec, spec: TrainSpec, etas: Sequence[float], every: int = 0, operator: str = "gauss-newton"
) -> Run:
    """Train one net (seed 1) at these rates; trials are numbered from 0."""
    return run_trials(data, net, spec, [trial(i, eta) for i, eta in enumerate(etas)], every, operator)


def trial(trial_id: int, eta: float, seed: int = 1) -> TrialSpec:
    return TrialSpec(trial_id, 1, seed, eta, float("nan"))


def run_trials(
    data: Dataset,
    net: NetSpec,
    spec: TrainSpec,
    trials: Sequence[TrialSpec],
    every: int = 0,
    operator: str = "gauss-newton",
    how: SharpnessSpec | None = None,
    thresholds: Sequence[PruningThreshold] = (),
    device: str = "cpu",
    measures: MeasureSpec = MeasureSpec(),  # noqa: B008 - frozen
) -> Run:
    """Train these trials; ``how`` says more of λ than ``every`` and ``operator`` do."""
    task = Round(
        1, data.data_id, net, spec, how or SharpnessSpec(operator, every), tuple(trials), tuple(thresholds), measures
    )
    messages = list(run_task(task, data, device))
    assert isinstance(messages[-1], TaskDone), messages[-1]
    parts: dict[int, dict[str, list[Any]]] = {}
    seqs: dict[int, int] = {}
    outcomes: dict[int, Outcome] = {}
    beside: dict[int, list[tuple[int, str, int, float, float]]] = {}
    for message in messages:
        if isinstance(message, StepBatch):
            for segment in message.segments:
                assert segment.seq == seqs.get(segment.trial_id, 0)
                seqs[segment.trial_id] = segment.seq + 1
                of_trial = parts.setdefault(segment.trial_id, {name: [] for name in COLUMNS})
                beside.setdefault(segment.trial_id, []).extend(
                    (int(message.step[row]), one.measure.removeprefix(SPECTRUM), int(one.part), one.value, one.residual)
                    for row, one in message.measures
                    if segment.start <= row < segment.stop and one.measure.startswith(SPECTRUM)
                )
                for name in COLUMNS:
                    of_trial[name].append(getattr(message, name)[segment.start : segment.stop])
        elif isinstance(message, Outcome):
            assert message.seq == seqs[message.trial_id]
            outcomes[message.trial_id] = message
    columns = {key: {name: np.concatenate(value) for name, value in of.items()} for key, of in parts.items()}
    return Run(columns, outcomes, messages, beside)


def lambda_at_init(data: Dataset, net: NetSpec, spec: TrainSpec, operator: str = "gauss-newton") -> LambdaAtInit:
    """λ at initialisation of the net with seed 1."""
    task = Probe(1, data.data_id, net, spec, SharpnessSpec(operator), ((7, 1),))
    first, done = run_task(task, data, "cpu")
    assert isinstance(first, LambdaAtInit)
    assert isinstance(done, TaskDone)
    return first
