"""The recursion of the solvable model beside a training of it (Lewkowycz et al. 2020): its loss and λ at every step.

It follows from the first loss and λ₀ alone, at every width; no weight enters.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from mlrtui.charts.spec import Floats, Series
from mlrtui.text.numbers import number
from mlrtui.tui.curves import Trace
from mlrtui_db.models import TrialDetails
from mlrtui_trainer.theory import TwoLayerCurve, two_layer_curve

__all__ = ["Recursion", "recursion"]

_MOST_STEPS = 20_000  # tens of milliseconds
_FLOOR = 1e-12  # of the first loss: outputs of 1e-6, which float32 still holds
_OPERATORS = {"hessian": "hessian", "gauss-newton": "ntk", "ntk": "ntk"}
_RATES = ("input_lr", "hidden_lr", "output_lr")


@dataclass(frozen=True, eq=False)
class Recursion:
    """Values before update t for t = 0, 1, …, up to the first that has overflowed."""

    step: Floats  # [steps + 1]
    loss: Floats  # [steps + 1]
    sharpness: Floats  # [steps + 1], of the operator that was measured

    def beside(self, points: tuple[Floats, Floats], of_loss: bool) -> tuple[Series, ...]:
        """As a curve beside the measured points [points], as far as these go; lettered T."""
        step, value = self._within(points, self.loss if of_loss else self.sharpness)
        return (Series(step, value, "theory", "T", letter="T"),) if step.size else ()

    def gap(self, points: tuple[Floats, Floats], of_loss: bool) -> str:
        """The largest relative distance of the measured points from it, in words; "" without common points.

        A loss far below the first is rounding alone: there the distance is taken relative to the floor.
        """
        values = self.loss if of_loss else self.sharpness
        at = points[0].astype(np.int64)
        common = (at < values.size) & np.isfinite(points[1])
        theory = values[at[common]]
        if not theory.size:
            return ""
        off = np.abs(points[1][common] - theory) / np.maximum(theory, _FLOOR * values[0])
        return f"T recursion, within {number(float(off.max()), 2)}"

    def _within(self, points: tuple[Floats, Floats], values: Floats) -> tuple[Floats, Floats]:
        """Without what lies far beyond every measured value: it would squeeze the curve."""
        measured = points[1][np.isfinite(points[1])]
        if not measured.size:
            return self.step[:0], values[:0]
        low = measured[measured > 0].min(initial=np.inf)
        beyond = np.flatnonzero((values > 10.0 * float(measured.max())) | (values < 0.1 * float(low)))
        end = int(beyond[0]) if beyond.size else values.size
        return self.step[:end], values[:end]


def recursion(details: TrialDetails | None, trace: Trace) -> Recursion | None:
    """Of a trial of the solvable model by plain gradient descent on its one sample; None for any other."""
    if details is None or not trace.step.size or trace.step[0] != 0:
        return None
    cell, net, trial = dict(details.cell), dict(details.net), dict(details.trial)
    is_model = (cell.get("model"), cell.get("data"), cell.get("loss")) == ("two-layer-linear", "unit", "mse")
    plain = cell.get("optimizer") == "sgd" and cell.get("schedule") in (None, "constant")
    plain &= not cell.get("weight_decay") and all(cell.get(name, 1.0) == 1.0 for name in _RATES)
    kind, width, eta = _OPERATORS.get(str(net.get("operator"))), cell.get("width"), trial.get("eta")
    lam = net.get("lambda0_gauss_newton")  # of the NTK, whichever operator was asked for
    numbers = isinstance(width, int) and isinstance(eta, float) and isinstance(lam, float)
    if not (is_model and plain and kind and numbers and np.isfinite(trace.loss[0])):
        return None
    steps = min(trace.last_step, _MOST_STEPS)
    curve = _curve(sqrt(2.0 * float(trace.loss[0])), float(lam or 0.0), float(eta or 0.0), int(width or 1), steps)
    finite = np.isfinite(curve.loss) & np.isfinite(curve.ntk)
    end = int(np.argmin(finite)) if not finite.all() else finite.size
    values = curve.hessian if kind == "hessian" else curve.ntk
    return Recursion(np.arange(end, dtype=np.float64), curve.loss[:end], values[:end])


@lru_cache(16)
def _curve(f: float, lam: float, eta: float, width: int, steps: int) -> TwoLayerCurve:
    """The same arrays for the same trial, so that what is drawn of them is kept."""
    return two_layer_curve(f, lam, eta, width, steps)
