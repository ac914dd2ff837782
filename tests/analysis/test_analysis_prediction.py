"""Predictions of η*: statsmodels as the oracle of the interval, a law that bends, and every reason to refuse."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import statsmodels.api as sm

from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.prediction import INSIDE, PER_OCTAVE, Prediction, Refusal, predict

GRID = [(depth, width) for depth in (2, 3, 4, 6, 8) for width in (64, 128, 256)]


def cells(grid: list[tuple[int, int]] = GRID, noise: float = 0.2, seed: int = 5, nets: int = 2) -> list[CellPoint]:
    random = np.random.default_rng(seed)
    return [
        CellPoint(
            f"{depth}x{width}",
            {"depth": float(depth), "width": float(width)},
            tuple(1.0 - 1.1 * log(depth) - 0.5 * log(width) + noise * random.standard_normal(nets)),
        )
        for depth, width in grid
    ]


def at(depth: float, width: float) -> dict[str, float]:
    return {"depth": depth, "width": width}


def oracle(points: list[CellPoint], depth: float, width: float, level: float) -> tuple[float, float, float]:
    """ln η*, and the ends of the prediction interval, of statsmodels."""
    design = sm.add_constant(np.log([[p.values["depth"], p.values["width"]] for p in points]))
    model = sm.OLS([np.mean(p.ln_y) for p in points], design).fit()
    found = model.get_prediction([[1.0, log(depth), log(width)]]).summary_frame(alpha=1.0 - level)
    return tuple(float(found[name].iloc[0]) for name in ("mean", "obs_ci_lower", "obs_ci_upper"))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_inside_the_grid_it_is_the_prediction_interval_a_tenth_wider(level: float) -> None:
    points = cells()
    found = predict(points, at(5, 100), level)
    assert isinstance(found, Prediction)
    mean, low, high = oracle(points, 5, 100, level)
    assert log(found.eta_star) == pytest.approx(mean, abs=1e-9)
    assert log(found.low) == pytest.approx(mean - INSIDE * (mean - low), abs=1e-9)
    assert log(found.high) == pytest.approx(mean + INSIDE * (high - mean), abs=1e-9)
    assert (found.cells, found.level, dict(found.octaves)) == (15, level, {"depth": 0.0, "width": 0.0})


def test_outside_the_variance_grows_with_each_axis_s_octaves() -> None:
    points = cells()
    found = predict(points, at(16, 1024))
    assert isinstance(found, Prediction)
    assert dict(found.octaves) == pytest.approx({"depth": 1.0, "width": 2.0})
    mean, low, _ = oracle(points, 16, 1024, found.level)
    t = 1.7822875556493194  # of 12 degrees of freedom, 0.95
    plain = ((mean - low) / t) ** 2
    assert mean - log(found.low) == pytest.approx(t * (INSIDE**2 * plain + PER_OCTAVE**2 * (1 + 4)) ** 0.5, abs=1e-9)


def test_cells_that_were_not_fitted_fall_into_their_intervals() -> None:
    """Leave one cell out, over twenty sweeps of a law with noise: at least the stated share."""
    inside = total = 0
    for seed in range(20):
        points = cells(seed=seed)
        for i, left_out in enumerate(points):
            found = predict([*points[:i], *points[i + 1 :]], left_out.values)
            if isinstance(found, Prediction):
                total += 1
                inside += log(found.low) <= np.mean(left_out.ln_y) <= log(found.high)
    assert total == 300
    assert inside / total >= 0.9


def test_the_scatter_of_nets_is_pooled_over_cells() -> None:
    found = predict(cells(noise=0.3, nets=40), at(5, 100))
    assert isinstance(found, Prediction)
    assert found.spread_of_nets == pytest.approx(0.3, rel=0.1)
    alone = predict(cells(nets=1), at(5, 100))
    assert isinstance(alone, Prediction)
    assert alone.spread_of_nets is None


def test_one_varying_size_is_enough_where_the_other_is_the_same() -> None:
    points = cells([(2, width) for width in (16, 32, 64, 128, 256)])
    found = predict(points, at(2, 512))
    assert isinstance(found, Prediction)
    assert [name for name, _ in found.terms] == ["width"]
    refused = predict(points, at(3, 64))
    assert refused == Refusal("all cells have depth 2: how η* depends on depth is not known")


def test_where_it_would_not_be_worth_its_name_the_reason_is_said() -> None:
    points = cells()
    assert predict(points[:4], at(2, 64)) == Refusal("4 cells with η* in every net; a prediction needs 5")
    beyond = predict(points, at(4, 2048))
    assert beyond == Refusal("width 2048 is 3 octaves outside 64 to 256; at most 2")
    line = predict(cells([(d, 32 * d) for d in (2, 3, 4, 6, 8)]), at(4, 128))
    assert line == Refusal("the cells do not tell depth and width apart")
    censored = [replace(point, ln_y=(), censored=2) if point.label == "8x256" else point for point in points]
    assert predict(censored, at(10, 300)) == Refusal("the nearest cell 8x256 is censored: η* there is not known")
    assert isinstance(predict(censored, at(3, 100)), Prediction)


def test_eta_star_is_the_mean_of_logarithms() -> None:
    points = cells(noise=0.0)
    found = predict(points, at(5, 100))
    assert isinstance(found, Prediction)
    assert found.eta_star == pytest.approx(exp(1.0) * 5**-1.1 * 100**-0.5)
    assert found.low == pytest.approx(found.high)
