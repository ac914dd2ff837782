"""Least squares where some values are only known to lie above a bound (Tobin 1958).

A cell whose η* lies above every rate that was tried says that it is large; leaving it out bends the slope towards
zero, because it is the large values that are missing. Errors are normal, of one size. Values enter by their density,
bounds by the chance of lying above them; in the variables slopes/σ and 1/σ the likelihood is concave (Olsen 1978), so
that there is one maximum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log, log1p, pi, sqrt

import numpy as np
import numpy.typing as npt

__all__ = ["BoundedFit", "fit_with_bounds"]

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

_LEAST_SIGMA = 1e-9  # of the spread of ln y: values on an exact line have no maximum
_STEPS = 60  # doublings on the way to an interval's end


@dataclass(frozen=True)
class BoundedFit:
    """Slopes [terms] and their intervals, infinite where the bounds leave an end open."""

    slopes: _Floats
    intercept: float
    sigma: float  # standard deviation of a cell's ln y about the line
    low: _Floats
    high: _Floats


def fit_with_bounds(ln_x: _Floats, ln_y: _Floats, is_bound: _Bools, t: float | None) -> BoundedFit:
    """Maximum likelihood of ln y = intercept + ln x · slopes.

    Args:
        ln_x: [cells, terms], of full rank over the cells that are no bounds.
        ln_y: [cells], values, or what they lie above.
        is_bound: [cells].
        t: the t quantile of the interval on (values - terms - 1) degrees of freedom; None: no interval. The profile
            interval that is made of it is the interval of least squares where nothing is bounded.
    """
    values = int(np.sum(~is_bound))
    freedom = values - ln_x.shape[1] - 1
    slopes, intercept, sigma, best = _maximum(ln_x, ln_y, is_bound)
    low, high = np.full(len(slopes), -inf), np.full(len(slopes), inf)
    if t is None:
        return BoundedFit(slopes, intercept, sigma, low, high)
    drop = 0.5 * values * log1p(t * t / freedom)  # of the log-likelihood at an interval's end
    for i, slope in enumerate(slopes):
        others = np.delete(ln_x, i, axis=1)

        def excess(at: float, i: int = i, others: _Floats = others) -> float:
            return best - _maximum(others, ln_y - at * ln_x[:, i], is_bound)[3] - drop

        step = max(sigma, _LEAST_SIGMA) / max(float(np.std(ln_x[:, i])) * sqrt(values), _LEAST_SIGMA)
        low[i], high[i] = _end(excess, float(slope), -step), _end(excess, float(slope), step)
    return BoundedFit(slopes, intercept, sigma, low, high)


def _end(excess: Callable[[float], float], start: float, step: float) -> float:
    """Where ``excess`` crosses zero on one side of ``start``; infinite if it does not."""
    from scipy.optimize import brentq

    near, far = start, start + step
    for _ in range(_STEPS):
        if excess(far) > 0.0:
            return float(brentq(excess, near, far, xtol=1e-12 + 1e-9 * abs(step)))
        near, far = far, start + 2.0 * (far - start)
    return inf if step > 0.0 else -inf


def _maximum(ln_x: _Floats, ln_y: _Floats, is_bound: _Bools) -> tuple[_Floats, float, float, float]:
    """Slopes, intercept, σ and log-likelihood at the maximum."""
    from scipy.optimize import minimize
    from scipy.special import log_ndtr

    centre, mean = ln_x.mean(axis=0), float(ln_y.mean())
    x = np.column_stack([np.ones(len(ln_y)), ln_x - centre])  # [cells, 1 + terms]
    y = ln_y - mean
    start, *_ = np.linalg.lstsq(x, y, rcond=None)
    spread = float(np.std(y - x @ start)) or 1.0
    floor = _LEAST_SIGMA * max(float(np.std(y)), _LEAST_SIGMA)

    def loss(at: _Floats) -> tuple[float, _Floats]:
        """Minus the log-likelihood and its gradient at (slopes/σ, 1/σ); units of ``spread``."""
        inverse = at[-1]
        residual = (inverse * y / spread) - x @ at[:-1]  # [cells], in σ
        free, bound = residual[~is_bound], residual[is_bound]
        chance = log_ndtr(-bound)
        # density over chance of the normal law, by logarithms: both vanish far below a bound
        hazard = np.exp(-0.5 * bound**2 - 0.5 * log(2.0 * pi) - chance)
        push = np.where(is_bound, 0.0, residual)
        push[is_bound] = hazard
        value = 0.5 * float(free @ free) - len(free) * log(inverse) - float(chance.sum())
        slope = np.append(-x.T @ push, push @ y / spread - len(free) / inverse)
        return value, slope

    found = minimize(
        loss,
        np.append(start / spread, 1.0),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * x.shape[1] + [(1e-6, spread / floor)],
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10},
    )
    inverse = float(found.x[-1])
    line = found.x[:-1] * spread / inverse
    likelihood = -float(found.fun) - int(np.sum(~is_bound)) * (log(spread) + 0.5 * log(2.0 * pi))
    return line[1:], mean + float(line[0]) - float(centre @ line[1:]), spread / inverse, likelihood
