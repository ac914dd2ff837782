"""The edge of stability on the screens: 2/η for plain gradient descent, another multiple of 1/η for the others.

Where the learning rate has a schedule, η is its peak, and a ratio is taken with the rate of its step.
"""

from dataclasses import dataclass
from math import nan

import numpy as np

from mlrtui.charts.spec import Floats
from mlrtui.text.numbers import number
from mlrtui_db.models import NetRow, TrialDetails, TrialRow
from mlrtui_trainer.registry import UnknownNameError
from mlrtui_trainer.schedules import rate_at

__all__ = ["Rates", "edge_name", "operator_words", "rates_of", "ratio_name", "stored_edge", "stored_rates"]


@dataclass(frozen=True)
class Rates:
    """The learning rates of one trial's steps."""

    eta: float  # the peak
    schedule: str | None = None  # None: constant
    warmup: int = 0
    steps: int = 1  # of the whole training

    def at(self, step: int) -> float:
        """That of one step; NaN where the package that has the schedule is not installed."""
        if self.schedule is None:
            return self.eta
        try:
            return self.eta * rate_at(self.schedule, self.warmup, self.steps, step)
        except UnknownNameError:
            return nan

    def over(self, steps: Floats) -> "float | Floats":
        """Those of some steps, [points]; one number where all are the same."""
        return self.eta if self.schedule is None else np.array([self.at(int(step)) for step in steps], dtype=np.float64)


def rates_of(trial: TrialRow) -> Rates:
    """The learning rates of a trial."""
    return Rates(trial.eta, trial.schedule, trial.warmup_steps or 0, trial.max_steps)


def stored_rates(details: TrialDetails) -> Rates:
    """The same from all that is stored of it."""
    cell, eta = dict(details.cell), dict(details.trial).get("eta")
    schedule, warmup, steps = (cell.get(name) for name in ("schedule", "warmup_steps", "max_steps"))
    return Rates(
        float(eta) if isinstance(eta, int | float) else 0.0,
        schedule if isinstance(schedule, str) else None,
        warmup if isinstance(warmup, int) else 0,
        steps if isinstance(steps, int) else 1,
    )


def operator_words(net: NetRow) -> str:
    """Whose largest eigenvalue λ is, and on which probe set where there is one: "hessian, 64"."""
    return net.operator if net.sharpness_samples == "all" else f"{net.operator}, {net.sharpness_samples}"


def edge_name(edge: float, schedule: str | None = None) -> str:
    """The line at the edge: 2/η; where η changes that at its peak."""
    return f"{number(edge)}/η" if schedule is None else f"{number(edge)}/η at the peak"


def ratio_name(edge: float | None) -> str:
    """Sharpness over its edge: λη/2; λη where it has none."""
    return "λη" if edge is None else f"λη/{number(edge)}"


def stored_edge(details: TrialDetails) -> float | None:
    """η × λ at the edge of a trial's training; None where it has none: muon, and the ntk, unless under mse."""
    cell, operator = dict(details.cell), dict(details.net).get("operator")
    edge = cell.get("edge", 2.0)
    known = operator != "ntk" or cell.get("loss") == "mse"
    return float(edge) if known and isinstance(edge, int | float) and edge > 0 else None
