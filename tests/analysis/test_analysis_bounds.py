"""Fits with lower bounds: least squares and a plain likelihood as oracles, and a known law whose top is cut off."""

from math import log, sqrt

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import stdtrit
from scipy.stats import norm

from mlrtui.analysis.bounds import fit_with_bounds
from mlrtui.analysis.fits import BOUND, CellPoint, FitSpec, fit
from mlrtui.analysis.points import points

GRID = [(depth, width) for depth in (2, 3, 4, 6, 8) for width in (64, 128, 256)]
LN_X = np.log([[depth * width] for depth, width in GRID])
LAW = 3.0 - 0.75 * LN_X[:, 0]


def cell(place: int, ln_y: float, bound: float | None = None) -> CellPoint:
    depth, width = GRID[place]
    values = {"depth": float(depth), "width": float(width)}
    if bound is not None:
        return CellPoint(f"{depth}x{width}", values, (), 1, at_least=bound)
    return CellPoint(f"{depth}x{width}", values, (ln_y,))


@pytest.mark.parametrize("x", [("depth*width",), ("depth", "width")])
def test_without_bounds_it_is_least_squares_with_its_interval(x: tuple[str, ...]) -> None:
    random = np.random.default_rng(1)
    ln_y = LAW + 0.2 * random.standard_normal(len(LAW))
    plain = fit([cell(i, y) for i, y in enumerate(ln_y)], FitSpec("eta_star", x))
    ln_x = LN_X if len(x) == 1 else np.log(np.array(GRID, dtype=float))
    t = float(stdtrit(len(ln_y) - len(x) - 1, 0.975))
    found = fit_with_bounds(ln_x, ln_y, np.zeros(len(ln_y), dtype=bool), t)
    assert found.intercept == pytest.approx(plain.intercept, abs=1e-6)
    for term, slope, low, high in zip(plain.terms, found.slopes, found.low, found.high, strict=True):
        assert (slope, low, high) == pytest.approx((term.exponent, term.low, term.high), abs=1e-6)


def test_the_maximum_is_that_of_the_plain_likelihood() -> None:
    random = np.random.default_rng(2)
    ln_y = LAW + 0.3 * random.standard_normal(len(LAW))
    cut = float(np.quantile(ln_y, 0.6))
    bound = ln_y > cut
    ln_y = np.minimum(ln_y, cut)

    def loss(at: np.ndarray) -> float:
        mean, sigma = at[0] + at[1] * LN_X[:, 0], np.exp(at[2])
        return -float(np.sum(np.where(bound, norm.logsf(ln_y, mean, sigma), norm.logpdf(ln_y, mean, sigma))))

    oracle = minimize(loss, [3.0, -0.7, -1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    found = fit_with_bounds(LN_X, ln_y, bound, None)
    assert (found.intercept, found.slopes[0], log(found.sigma)) == pytest.approx(tuple(oracle.x), abs=1e-5)


def test_a_law_whose_top_is_cut_off_comes_back() -> None:
    """Least squares on what is left is bent towards zero in the mean; bounds bring the exponent back."""
    random = np.random.default_rng(3)
    spec, cut = FitSpec("eta_star", ("depth*width",)), float(np.quantile(LAW, 0.65))
    covered, bent, straight = 0, [], []
    for _ in range(40):
        ln_y = LAW + 0.25 * random.standard_normal(len(LAW))
        cells = [cell(i, y, cut if y > cut else None) for i, y in enumerate(ln_y)]
        (dropped,), kept = fit(cells, spec).terms, fit(cells, FitSpec("eta_star", spec.x, censored=BOUND))
        (term,) = kept.terms
        bent.append(dropped.exponent)
        straight.append(term.exponent)
        covered += term.low <= -0.75 <= term.high
        assert "lower bounds, profile of t(" in kept.method
    error = float(np.std(straight)) / sqrt(40)
    assert np.mean(straight) == pytest.approx(-0.75, abs=3.0 * error)
    assert np.mean(bent) > -0.75 + 3.0 * error
    assert covered >= 35  # of 40; fewer than 35 have a chance of 2 % where 95 % is true


def test_censored_cells_that_are_left_out_raise_a_doubt() -> None:
    cells = [cell(i, y, -0.5 if i < 3 else None) for i, y in enumerate(LAW)]
    dropped = fit(cells, FitSpec("eta_star", ("depth*width",)))
    assert "3 of 15 cells left out as censored: the exponent may be bent" in dropped.warnings
    kept = fit(cells, FitSpec("eta_star", ("depth*width",), censored=BOUND))
    assert kept.excluded == ()
    assert kept.warnings == ()
    assert kept.spec.name != dropped.spec.name


def test_bounds_far_below_the_line_say_nothing() -> None:
    random = np.random.default_rng(4)
    ln_y = LAW + 0.2 * random.standard_normal(len(LAW))
    cells = [cell(i, y, -30.0 if i % 4 == 0 else None) for i, y in enumerate(ln_y)]
    (plain,) = fit(cells, FitSpec("eta_star", ("depth*width",))).terms
    (term,) = fit(cells, FitSpec("eta_star", ("depth*width",), censored=BOUND)).terms
    assert (term.exponent, term.low, term.high) == pytest.approx((plain.exponent, plain.low, plain.high), abs=1e-5)


def test_an_exact_law_with_bounds_stays_exact() -> None:
    cells = [cell(i, y, y - 0.1 if i < 4 else None) for i, y in enumerate(LAW)]
    (term,) = fit(cells, FitSpec("eta_star", ("depth*width",), censored=BOUND)).terms
    assert term.exponent == pytest.approx(-0.75, abs=1e-6)


@pytest.mark.parametrize(
    ("censored", "at_least"),
    [((None, "at_max"), (log(0.5) + log(2.0)) / 2), (("at_max", "at_max"), log(2.0)), (("none", "at_max"), None)],
)
def test_a_cell_has_a_bound_where_each_of_its_censored_nets_has_one(
    censored: tuple[str | None, ...], at_least: float | None
) -> None:
    stars = {None: 0.5, "at_max": 2.0, "none": None}
    rows = [{"cell": "a", "depth": 2, "width": 8, "censored": how, "eta_star": stars[how]} for how in censored]
    (point,) = points(rows, "eta_star", {"a": 1})
    assert point.at_least == (None if at_least is None else pytest.approx(at_least))
