"""Exponents: statsmodels as an oracle, exact laws, and every reason to leave a cell out."""

from collections.abc import Callable
from math import exp, inf, isnan, log, log10, nan

import numpy as np
import pytest
import statsmodels.api as sm

from mlrtui.analysis.expressions import ExpressionError
from mlrtui.analysis.fits import WIDE, CellPoint, FitSpec, fit, standard_fits, to_records

GRID = [(depth, width) for depth in (2, 3, 4, 6, 8) for width in (32, 64, 128, 256)]


def cells(
    ln_y: Callable[[int, int], float],
    grid: list[tuple[int, int]] = GRID,
    noise: float = 0.0,
    nets: int = 3,
    **more: float | str,
) -> list[CellPoint]:
    random = np.random.default_rng(7)
    return [
        CellPoint(
            f"{depth}x{width}",
            {"depth": depth, "width": width, "lambda0": 0.6 * depth * width, **more},
            tuple(ln_y(depth, width) + noise * random.standard_normal(nets)),
        )
        for depth, width in grid
    ]


def power(depth: int, width: int) -> float:
    return log(0.5) - 0.8 * log(depth * width)


def test_numbers_of_a_users_training_are_fitted_each_for_itself() -> None:
    unknown = {"depth": nan, "width": nan, "n_params": 0.0}
    cells = [
        CellPoint(f"{heads} {norm}", unknown | {"heads": heads, "norm": norm, "rope": 0.0}, (log(6.0 / heads),))
        for heads in (1.0, 2.0, 4.0, 8.0)
        for norm in ("pre", "it's")
    ]
    laws = standard_fits(cells, search=True)
    assert laws == (
        FitSpec("eta_star", ("heads",), "norm == 'pre'"),
        FitSpec("eta_star", ("heads",), 'norm == "it\'s"'),
    )
    for law in laws:
        found = fit(cells, law)
        assert (found.cells, found.terms[0].exponent) == (4, pytest.approx(-1.0))
    assert standard_fits(cells, search=False) == ()


def test_an_exact_power_comes_back():
    result = fit(cells(power), FitSpec("eta_star", ("depth*width",)))
    (term,) = result.terms
    assert term.exponent == pytest.approx(-0.8, abs=1e-12)
    assert exp(result.intercept) == pytest.approx(0.5, rel=1e-12)
    assert result.r2 == pytest.approx(1.0, abs=1e-12)
    assert result.decades == pytest.approx(log10(8 * 256 / (2 * 32)), rel=1e-12)
    assert (result.cells, result.excluded, result.warnings) == (20, (), ())
    assert result.inputs[0][0] == "2x32"
    assert result.inputs[0][1:] == pytest.approx((64.0, power(2, 32)), rel=1e-12)


@pytest.mark.parametrize("x", [("depth*width",), ("depth", "width"), ("depth", "width", "(depth+1)**2")])
def test_slopes_intervals_and_r2_are_those_of_statsmodels(x):
    points = cells(lambda d, n: 1.0 - 0.9 * log(d) - 0.5 * log(n), noise=0.4)
    result = fit(points, FitSpec("eta_star", x))

    columns = {
        "depth*width": [log(d * n) for d, n in GRID],
        "depth": [log(d) for d, _ in GRID],
        "width": [log(n) for _, n in GRID],
        "(depth+1)**2": [2 * log(d + 1) for d, _ in GRID],
    }
    means = [sum(point.ln_y) / 3 for point in points]
    oracle = sm.OLS(means, sm.add_constant(np.column_stack([columns[name] for name in x]))).fit()
    intervals = oracle.conf_int(0.05)
    assert result.intercept == pytest.approx(oracle.params[0], rel=1e-9)
    assert result.r2 == pytest.approx(oracle.rsquared, rel=1e-9)
    for i, term in enumerate(result.terms, start=1):
        assert (term.low, term.exponent, term.high) == pytest.approx(
            (intervals[i][0], oracle.params[i], intervals[i][1]), rel=1e-8
        )
    assert result.method == f"OLS on per-cell means, t({20 - len(x) - 1})"
    if len(x) == 1:
        assert (result.f_equal, result.p_equal) == (None, None)
    else:
        contrasts = np.eye(len(x) + 1)[1:-1] - np.eye(len(x) + 1)[2:]
        test = oracle.f_test(contrasts)
        assert result.f_equal == pytest.approx(float(test.fvalue), rel=1e-6)
        assert result.p_equal == pytest.approx(float(test.pvalue), rel=1e-6)


def test_the_f_test_tells_equal_from_unequal_exponents():
    spec = FitSpec("eta_star", ("depth", "width"))
    equal = fit(cells(power, noise=0.1), spec)
    unequal = fit(cells(lambda d, n: -1.5 * log(d) - 0.5 * log(n), noise=0.1), spec)
    assert equal.p_equal is not None
    assert unequal.p_equal is not None
    assert equal.p_equal > 0.05
    assert unequal.p_equal < 1e-3
    assert isnan(equal.inputs[0][1])


def test_cells_left_out_are_named_with_their_reason():
    good = cells(power)
    strange = [
        CellPoint("9x16", {"depth": 9, "width": 16}, (0.1,), censored=1),
        CellPoint("9x32", {"depth": 9, "width": 32}, (), censored=0),
        CellPoint("9x64", {"depth": 9, "width": 64}, (inf,)),
        CellPoint("0x64", {"depth": 0, "width": 64}, (0.1,)),
        CellPoint("9x99", {"depth": 9}, (0.1,)),
    ]
    result = fit([*good, *strange], FitSpec("eta_star", ("depth*width",)))
    assert result.cells == 20
    assert result.excluded == (
        "9x16: censored",
        "9x32: no value",
        "9x64: a value that is not finite",
        "0x64: depth*width is 0",
        "9x99: 'width' has no value here; it is not known for this cell",
    )
    wide = fit(good, FitSpec("eta_star", ("depth*width",), "width >= 16*depth"))
    assert "8x64: outside where" in wide.excluded
    assert wide.cells == sum(n >= 16 * d for d, n in GRID) == 20 - len(wide.excluded)


@pytest.mark.parametrize(
    ("grid", "x", "warnings", "interval"),
    [
        ([(2, 16), (2, 64), (2, 1024)], ("width",), ("fewer than four cells: no interval",), False),
        ([(2, 16), (2, 17)], ("width",), ("under one decade", "fewer than four cells: no interval"), False),
        ([(2, 16), (2, 64), (2, 100), (2, 128)], ("width",), ("under one decade",), True),
        (
            [(2, 16), (3, 64), (4, 90), (5, 900)],
            ("width", "depth", "depth+width"),
            ("interval needs cells > parameters",),
            False,
        ),
    ],
)
def test_warnings(grid, x, warnings, interval):
    result = fit(cells(power, grid, noise=0.1), FitSpec("eta_star", x))
    assert result.warnings == warnings
    assert len(result.terms) == len(x)
    assert [(term.low is not None, term.high is not None) for term in result.terms] == [(interval, interval)] * len(x)
    assert ("t(" in result.method) == interval


@pytest.mark.parametrize(
    ("grid", "x", "why"),
    [
        ([], ("depth",), "no fit: 0 cells for 2 parameters"),
        ([(2, 16)], ("depth",), "no fit: 1 cell for 2 parameters"),
        ([(2, 16), (2, 32), (2, 64)], ("depth",), "no fit: all cells have the same x"),
        ([(2, 32), (4, 64), (8, 128), (16, 256)], ("depth", "width"), "no fit: the cells do not tell the terms apart"),
        (GRID, ("depth", "depth"), "no fit: the cells do not tell the terms apart"),
    ],
)
def test_where_no_slope_exists_the_result_says_why(grid, x, why):
    result = fit(cells(power, grid), FitSpec("eta_star", x))
    assert (result.terms, result.warnings, result.cells) == ((), (why,), len(grid))
    assert to_records(result) == []


def test_a_flat_law_has_no_r2():
    result = fit(cells(lambda d, n: 2.0), FitSpec("eta_star", ("depth*width",)))
    assert result.terms[0].exponent == pytest.approx(0.0, abs=1e-12)
    assert isnan(result.r2)


@pytest.mark.parametrize(
    ("x", "where"), [("dept*width", ""), ("width > 3", ""), ("width", "width"), ("width", "width >="), ("loss", "")]
)
def test_expressions_are_checked(x, where):
    with pytest.raises(ExpressionError):
        fit(cells(power), FitSpec("eta_star", (x,), where))


def test_records_carry_everything():
    points = [*cells(power, noise=0.2), CellPoint("9x16", {"depth": 9, "width": 16}, (), censored=2)]
    result = fit(points, FitSpec("eta_star", ("depth", "width"), "width > 32"))
    depth, width = to_records(result)
    assert (depth.fit, depth.term, width.term) == ("eta_star ~ depth, width | width > 32", "depth", "width")
    assert (depth.exponent, depth.low, depth.high) == (
        result.terms[0].exponent,
        result.terms[0].low,
        result.terms[0].high,
    )
    assert (depth.cells, depth.where_expr, depth.r2) == (15, "width > 32", result.r2)
    narrow = [f"{d}x32: outside where" for d in (2, 3, 4, 6, 8)]
    assert depth.excluded == (*narrow, "9x16: outside where")
    assert (width.f_equal, width.p_equal) == (result.f_equal, result.p_equal)
    assert len(width.inputs) == 15


def names(points: list[CellPoint], search: bool = True) -> list[str]:
    return [spec.name for spec in standard_fits(points, search)]


def test_standard_fits_of_a_search():
    assert names(cells(power)) == [
        name
        for law in (
            "eta_star ~ depth*width",
            "eta_star ~ (depth-1)*width",
            "eta_star ~ depth, width",
            "eta_star ~ lambda0",
            "lambda0 ~ depth*width",
        )
        for name in (law, f"{law} | {WIDE}")
    ]


def test_standard_fits_leave_out_what_the_grid_cannot_tell():
    widths_only = [(3, n) for n in (64, 128, 256, 512)]
    assert names(cells(power, widths_only)) == [
        "eta_star ~ depth*width",
        "eta_star ~ lambda0",
        "lambda0 ~ depth*width",
    ]
    with_shallow = [(1, 64), (2, 64), (1, 128), (2, 128)]
    assert "eta_star ~ (depth-1)*width" not in names(cells(power, with_shallow))
    assert names(cells(power, [(2, 64)])) == []
    assert standard_fits([], search=True) == ()


def test_standard_fits_of_a_scan():
    assert names(cells(power, [(1, 64), (1, 128)]), search=False) == ["lambda0 ~ depth*width"]
    assert names(cells(power, [(1, 512)]), search=False) == []


def test_a_default_of_each_optimizer_is_not_named_beside_it():
    grid = [(2, n) for n in (64, 128, 256)]
    adamw = cells(power, grid, optimizer="adamw", weight_decay=0.01)
    apart = [*cells(power, grid, optimizer="sgd", weight_decay=0.0), *adamw]
    assert {spec.where for spec in standard_fits(apart, search=True)} == {"optimizer == 'sgd'", "optimizer == 'adamw'"}
    both = [*apart, *cells(power, grid, optimizer="adamw", weight_decay=0.1)]
    assert len({spec.where for spec in standard_fits(both, search=True)}) == 3


def test_other_axes_are_fitted_apart():
    grid = [(d, n) for d in (2, 4) for n in (64, 256)]
    points = [
        *cells(power, grid, loss="ce", input_lr=0.1, samples=1024.0),
        *cells(lambda d, n: power(d, n) - log(d), grid, loss="mse", input_lr=1.0, samples=1024.0),
    ]
    specs = standard_fits(points, search=True)
    assert {spec.where for spec in specs} == {"loss == 'ce' and input_lr == 0.1", "loss == 'mse' and input_lr == 1"}
    steep = next(spec for spec in specs if spec.x == ("depth", "width") and "mse" in spec.where)
    result = fit(points, steep)
    assert result.cells == 4
    assert [term.exponent for term in result.terms] == pytest.approx([-1.8, -0.8], abs=1e-12)


def test_specs_are_told_apart_by_their_names():
    specs = standard_fits(cells(power), search=True)
    assert len({spec.name for spec in specs}) == len(specs) == len(set(specs))
