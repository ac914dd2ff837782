"""Labelled curves (`phase-truth.csv`) and a way to train them again: what the tests of phases share.

A row holds the settings of a training, the label that a reader gave its curves, another one where there is a doubt,
why, and the evidence that was measured then.
"""

import csv
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

from mlrtui.data import DataSpec, load
from mlrtui_trainer.phases import Evidence
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

TRUE_NAMES = {"lazy": "stable", "catastrophic": "divergent"}
"""Labels that depend on the loss, by the words of the truth file."""


@dataclass(frozen=True)
class Setting:
    """One training."""

    depth: int
    width: int
    loss: str
    eta: float
    steps: int
    seed: int
    samples: int
    batch: int
    data: str = "digits"
    target: str = "classes"
    activation: str = "relu"
    init_variance: float | None = None
    optimizer: str = "sgd"
    momentum: float = 0.9
    lambda0: float = nan
    every: int | None = None  # None: at every step in full batches, at every 4th else

    @property
    def dataset(self) -> Dataset:
        return load(DataSpec(self.data, self.samples, self.target))

    def net(self, data: Dataset) -> NetSpec:
        inputs, outputs = data.x.shape[1], data.y.shape[1]
        return NetSpec(
            "mlp", inputs, outputs, self.depth, self.width, self.activation, init_variance=self.init_variance
        )

    @property
    def train(self) -> TrainSpec:
        epoch = self.samples // self.batch
        how = {"optimizer": self.optimizer, "momentum": self.momentum}
        return TrainSpec(self.loss, self.batch, self.steps, epoch, **how)  # type: ignore[arg-type]

    def outcome(self) -> Outcome:
        """Train it as a worker does."""
        data = self.dataset
        every = (1 if self.batch == self.samples else 4) if self.every is None else self.every
        trial = TrialSpec(0, 1, self.seed, self.eta, self.lambda0)
        task = Round(1, data.data_id, self.net(data), self.train, SharpnessSpec(every=every), (trial,))
        return next(one for one in run_task(task, data, "cpu") if isinstance(one, Outcome))

    def at(self, c: float) -> "Setting":
        """At c over λ at initialisation, which is measured."""
        data = self.dataset
        probe = Probe(1, data.data_id, self.net(data), self.train, SharpnessSpec(), ((1, self.seed),))
        measured = next(one for one in run_task(probe, data, "cpu") if isinstance(one, LambdaAtInit))
        return replace(self, eta=c / measured.preconditioned, lambda0=measured.preconditioned)

    def cut(self, steps: int) -> "Setting":
        """The same for fewer steps."""
        return replace(self, steps=steps)


@dataclass(frozen=True)
class Truth:
    """One row of the file."""

    id: int
    label: str
    alternative: str
    setting: Setting
    evidence: Evidence


def said(outcome: Outcome) -> str:
    """The label in the truth file's words."""
    assert outcome.phase is not None
    return TRUE_NAMES.get(outcome.phase, outcome.phase)


def truths() -> list[Truth]:
    with (Path(__file__).parent / "phase-truth.csv").open(newline="") as file:
        return [_truth(row) for row in csv.DictReader(file)]


def _truth(row: dict[str, str]) -> Truth:
    def number(name: str) -> float:
        return float(row[name]) if row[name] else nan

    def count(name: str) -> int:
        return int(row[name])

    setting = Setting(
        count("depth"), count("width"), row["loss"], number("eta"), count("steps"), count("seed"), count("samples"),
        count("batch"), row["data"], row["target"], row["activation"],
        number("init_variance") if row["init_variance"] else None, row["optimizer"],
        number("momentum") if row["momentum"] else 0.9, number("lambda0"),
    )  # fmt: skip
    first = number("ratio_first")
    evidence = Evidence(
        loss_kind=setting.loss,
        verdict="diverged" if row["diverged"] == "1" else "dead" if row["dead"] == "1" else "finished",
        full_batch=setting.batch == setting.samples,
        loss_initial=1.0,
        loss_final=number("final_over_start"),
        optimizer=setting.optimizer,
        beta=setting.momentum if setting.optimizer == "momentum" else 0.0,
        linear=setting.depth == 0,
        accuracy=number("accuracy"),
        loss_constant=number("constant_over_start"),
        majority=number("majority"),
        peak_smoothed=number("peak_smoothed"),
        rise=number("rise"),
        drift=number("drift"),
        logit_growth=number("logit_growth"),
        hidden_growth=number("hidden_growth"),
        ratio_initial=setting.eta * setting.lambda0 / number("edge"),
        ratio_first=first,
        ratio_before_peak=number("ratio_before_peak"),
        ratio_low=number("ratio_low"),
        ratio_hover=number("ratio_hover"),
        ratio_last=number("lambda_end_over_first") * first,
    )
    return Truth(count("id"), row["label"], row["alternative"], setting, evidence)
