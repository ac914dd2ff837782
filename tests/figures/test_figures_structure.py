"""What figures contain, by artists and labels: a censored net is never hidden, nothing is pooled unasked."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need the extra plot")

from mlrtui.analysis.prediction import Prediction, predict
from mlrtui.errors import BadInput
from mlrtui.figures import (
    Training,
    boundary,
    catapult,
    eta_star,
    exponents,
    phases,
    sharpness,
    style,
    styled,
)
from mlrtui.figures.laws import laws
from mlrtui.figures.trainings import thinned

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with styled():
        yield


def net(cell: str, width: int, seed: int, eta: float | None, censored: str | None = None, **more: Any) -> Row:
    return {
        "sweep": "s", "cell": cell, "depth": 2, "width": width, "seed": seed, "eta_star": eta, "censored": censored,
        "eta_rule": 2, "first_failure": eta, "eta_last": eta, "status": "done", "own": None, **more,
    }  # fmt: skip


def grid(loss: str = "ce", slope: float = -1.0) -> list[Row]:
    return [
        net(f"2x{w} {loss}", w, seed, 100 * w**slope * (1.1 if seed else 0.9), training_loss=loss)
        for w in (16, 32, 64, 128, 256)
        for seed in (0, 1)
    ]


def marks(axes: Any, gid: str) -> list[Any]:
    return [line for line in axes.lines if line.get_gid() == gid]


def count(axes: Any, gid: str) -> int:
    return sum(len(line.get_xdata()) for line in marks(axes, gid))


def labels(axes: Any) -> str:
    return "\n".join(text.get_text() for text in axes.get_legend().get_texts())


def test_every_net_and_cell_is_drawn_with_its_law() -> None:
    axes = style.new_axes(style.SINGLE)
    assert eta_star(grid(), axes) is axes
    assert (count(axes, "nets"), count(axes, "cells")) == (10, 5)
    assert "∝ (depth·width)^−1.00" in labels(axes)
    (law,) = marks(axes, "law")
    assert (law.get_xdata()[0], law.get_xdata()[-1]) == pytest.approx((32, 512))  # never beyond its cells


def test_censored_nets_are_drawn_and_their_cells_have_no_mean() -> None:
    rows = grid()
    rows[0] |= {"censored": "at_max"}
    rows[2] |= {"censored": "none", "eta_star": None}
    rows[4] |= {"censored": "at_min", "eta_star": None}
    axes = style.new_axes(style.SINGLE)
    eta_star(rows, axes)
    assert [count(axes, gid) for gid in ("at-max", "none", "at-min", "nets", "cells")] == [1, 1, 1, 7, 2]
    (bound,) = marks(axes, "at-max")
    assert bound.get_ydata()[0] == rows[0]["eta_star"]
    assert bound.get_marker() == "^"
    for words in ("at least this (1 net)", "no rate succeeds (1 net)", "below all rates tried (1 net)"):
        assert words in labels(axes)


def test_all_nets_censored_is_a_figure_too() -> None:
    rows = [row | {"censored": "at_max"} for row in grid()]
    axes = style.new_axes(style.SINGLE)
    eta_star(rows, axes)
    assert count(axes, "at-max") == 10
    assert "at least this (10 nets)" in labels(axes)


def test_groups_are_not_pooled_unless_asked_and_differ_in_shape() -> None:
    rows = grid("ce", -1.0) + grid("mse", -0.4)
    apart = laws(rows)
    assert [law.name for law in apart] == ["loss == 'ce'", "loss == 'mse'"]
    assert [law.result.terms[0].exponent for law in apart] == pytest.approx([-1.0, -0.4])
    assert len(laws(rows, group_by=())) == 1
    axes = style.new_axes(style.SINGLE)
    eta_star(rows, axes)
    assert len({line.get_marker() for line in marks(axes, "cells")}) == 2
    first, second = marks(axes, "cells")
    assert first.get_xdata()[0] < second.get_xdata()[0]  # moved apart


def test_cells_outside_the_condition_are_hollow_with_the_reason() -> None:
    axes = style.new_axes(style.SINGLE)
    eta_star(grid(), axes, where="width >= 64")
    (open_ones,) = marks(axes, "outside")
    assert len(open_ones.get_xdata()) == 2
    assert open_ones.get_markerfacecolor() == "none"
    assert "not fitted: outside where (2 cells)" in labels(axes)


def test_the_band_is_that_of_the_mean_law() -> None:
    """Against the textbook's formula, by statsmodels."""
    api = pytest.importorskip("statsmodels.api")
    rows = grid()
    (law,) = laws([row | {"eta_star": row["eta_star"] * (1.3 if row["width"] == 64 else 1.0)} for row in rows])
    x, y = (np.log(list(those)) for those in zip(*law.means, strict=True))
    fitted = api.OLS(y, api.add_constant(x)).fit()
    curve = np.log(np.array(law.curve()))
    there = fitted.get_prediction(np.column_stack([np.ones(len(curve)), curve[:, 0]])).conf_int(alpha=0.05)
    assert np.allclose(curve[:, 2:], there)


def bands(axes: Any) -> list[str]:
    return [one.get_gid() for one in axes.collections if str(one.get_gid()).startswith("predicted")]


def test_predictions_are_drawn_to_two_octaves_beyond_the_grid_and_equal_the_rule() -> None:
    rows = [row | {"eta_star": row["eta_star"] * (1.1 if row["width"] == 64 else 1.0)} for row in grid()]
    axes = style.new_axes(style.SINGLE)
    eta_star(rows, axes, predicted=True)
    assert bands(axes) == ["predicted-inside", "predicted-beyond"]
    (line,) = marks(axes, "predicted")
    assert line.get_xdata()[-1] == pytest.approx(4 * max(row["depth"] * row["width"] for row in rows))
    (law,) = laws(rows)
    answer = predict(law.cells, {"depth": 2.0, "width": 4.0 * 256})
    assert isinstance(answer, Prediction)
    assert [edge.get_ydata()[-1] for edge in marks(axes, "predicted-edge")] == pytest.approx([answer.low, answer.high])
    assert axes.get_ylim()[0] < answer.low
    assert "90 % prediction, depth 2, width 16 to 1024" in labels(axes)
    axes = style.new_axes(style.SINGLE)
    eta_star(rows, axes)
    assert bands(axes) == []


def test_a_refused_prediction_is_said_and_not_drawn() -> None:
    rows = grid()
    rows[0] |= {"censored": "at_max"}
    axes = style.new_axes(style.SINGLE)
    eta_star(rows, axes, predicted=True)
    assert bands(axes) == []
    assert "no prediction: 4 cells with η* in every net; a prediction needs 5" in labels(axes)
    axes = style.new_axes(style.SINGLE)
    eta_star([row | {"lambda0": row["width"] ** 0.9} for row in grid()], axes, x="lambda0", predicted=True)
    assert "does not follow from depth and width" in labels(axes)


def test_rows_without_anything_to_draw_are_refused_in_a_line() -> None:
    for draw, args in (
        (eta_star, ([],)), (exponents, ([],)), (phases, ([],)), (boundary, ([], [])), (catapult, ([],)),
        (sharpness, ([],)),
    ):  # fmt: skip
        with pytest.raises(BadInput, match="nothing to draw"):
            draw(*args, style.new_axes(style.SINGLE))  # type: ignore[operator]


def term(exponent: float, low: float | None, high: float | None, **more: Any) -> Row:
    return {"sweep": "s", "fit": "eta_star ~ width", "term": "width", "y": "eta_star", "exponent": exponent, "low": low,
            "high": high, "cells": 5, "where_expr": "", **more}  # fmt: skip


def test_exponents_keep_their_order_and_an_open_mark_has_no_interval() -> None:
    axes = style.new_axes(style.SINGLE)
    exponents([term(-0.3, -0.5, -0.1), term(-0.9, None, None), term(-0.5, -0.6, -0.4)], axes)
    assert [line.get_ydata()[0] for line in marks(axes, "interval")] == [0, 2]
    (bare,) = marks(axes, "no-interval")
    assert bare.get_markerfacecolor() == "none"
    shown = [text.get_text() for text in axes.texts if text.get_gid() == "number"]
    assert shown == ["−0.30 [−0.50, −0.10], 5 cells", "−0.90 no interval, 5 cells", "−0.50 [−0.60, −0.40], 5 cells"]


def training(loss: list[float], lam: list[float], c: float, phase: str = "catapult") -> Training:
    steps = np.arange(len(loss), dtype=np.float64)
    return Training(eta=c / 100, c=c, step=steps, loss=np.array(loss), sharpness=np.array(lam),
                    accuracy=np.full(len(loss), np.nan), edge=2.0, phase=phase)  # fmt: skip


def test_a_survivors_peak_is_inside_and_marked_and_a_lost_training_ends_in_a_triangle_in_both_panels() -> None:
    axes = style.new_axes(style.DOUBLE)
    calm = training([1.0, 50.0, 0.5, 0.2], [100.0, 90.0, 50.0, 50.0], 2.5)
    lost = training([1.0, 1e4, 1e9, math.inf], [100.0, 100.0, 1e6, math.inf], 6.0, "divergent")
    catapult([calm, lost], axes)
    upper, lower = axes.child_axes
    assert upper.get_ylim()[1] == pytest.approx(400.0)
    (peak,) = marks(upper, "peak")
    assert peak.get_xdata()[0] == 1
    assert [count(panel, "leaves") for panel in (upper, lower)] == [1, 1]
    (crossing,) = marks(upper, "leaves")
    assert 0.0 < crossing.get_xdata()[0] < 1.0
    assert {text.get_text() for text in upper.get_legend().get_texts()} == {"2.5 catapult", "6 divergent"}


def test_a_training_that_was_lost_inside_the_picture_has_its_triangle_and_one_that_ran_to_its_end_has_none() -> None:
    axes = style.new_axes(style.DOUBLE)
    calm = training([1.0, 50.0, 0.5, 0.2], [100.0, 90.0, 50.0, 50.0], 2.5)
    lost = training([1.0, 3.0], [30.0, 30.0], 6.0, "catastrophic")
    whole = training([1.0, 3.0, 3.0, 3.0], [30.0] * 4, 7.0, "catastrophic")
    catapult([calm, lost, whole], axes)
    for panel in axes.child_axes:
        assert [line.get_xdata()[0] for line in marks(panel, "leaves")] == [1.0]


def test_a_value_that_is_not_finite_breaks_the_line_and_one_that_was_not_measured_does_not() -> None:
    axes = style.new_axes(style.DOUBLE)
    nan = math.nan
    sharpness([training([1.0] * 6, [10.0, nan, 11.0, math.inf, 12.0, 12.0], 1.0, "lazy")], axes)
    first, back = marks(axes, "curve")
    assert first.get_xdata().tolist() == [0.0, 2.0]
    assert np.isnan(back.get_ydata()[0])
    assert back.get_ydata()[1:].tolist() == [12.0, 12.0]
    assert count(axes, "leaves") == 1
    assert axes.get_ylim()[0] == 0


def test_a_peak_of_one_step_in_a_million_stays() -> None:
    y = np.ones(1_000_000)
    y[123_457], y[700_001] = 500.0, np.nan
    x, kept = thinned(np.arange(1_000_000, dtype=np.float64), y)
    assert len(x) < 5_000
    assert np.nanmax(kept) == 500.0
    assert np.isnan(kept).sum() == 1
    assert x[np.nanargmax(kept)] == 123_457


def trial(cell: str, seed: int, c: float | None, phase: str | None, **more: Any) -> Row:
    return {"sweep": "s", "cell": cell, "seed": seed, "eta": 0.1, "eta_lambda0": c, "phase": phase, "edge": 2.0,
            "verdict": "finished", **more}  # fmt: skip


def test_phases_are_one_mark_a_training_with_shapes_and_the_edge() -> None:
    axes = style.new_axes(style.DOUBLE)
    rows = [
        trial("1x8", seed, c, phase)
        for seed in (0, 1)
        for c, phase in ((1.0, "lazy"), (2.5, "catapult"), (9.0, "divergent"))
    ]
    rows += [trial("1x8", 0, None, "lazy"), trial("2x8", 0, 5.0, None, verdict="failed")]
    phases(rows, axes)
    assert {phase: count(axes, f"phase-{phase}") for phase in ("lazy", "catapult", "divergent", "failed")} == {
        "lazy": 2, "catapult": 2, "divergent": 2, "failed": 1,
    }  # fmt: skip
    assert len({marks(axes, f"phase-{phase}")[0].get_marker() for phase in ("lazy", "catapult", "divergent")}) == 3
    assert marks(axes, "edge")[0].get_ydata()[0] == 2.0
    assert "1 without λ₀ left out" in labels(axes)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1x8", "2x8"]


def test_boundary_shows_every_rate_or_counts_it_and_a_bound_is_hollow() -> None:
    axes = style.new_axes(style.DOUBLE)
    nets = [net("2x16", 16, 0, 1.0), net("2x32", 32, 0, 2.0, "at_max"), net("2x64", 64, 0, None, "none")]
    tried = [
        {"sweep": "s", "cell": row["cell"], "seed": 0, "eta": eta, "verdict": "reached" if eta < 1.2 else "diverged"}
        for row in nets
        for eta in (1e-6, 0.5, 0.9, 1.3, 1e6)
    ]
    boundary(tried, nets, axes)
    ticks = {
        one.get_gid(): len(one.get_segments()) for one in axes.collections if one.get_gid() in ("success", "failure")
    }
    assert ticks == {"success": 6, "failure": 3}
    assert sorted(text.get_text() for text in axes.texts if text.get_gid() == "beyond") == ["1›"] * 3 + ["‹1"] * 3
    assert count(axes, "eta-star") == 1
    (bound,) = marks(axes, "censored")
    assert bound.get_markerfacecolor() == "none"
    assert [text.get_text() for text in axes.texts if text.get_gid() == "censored"] == ["no rate succeeds"]


def test_text_of_a_stranger_is_no_markup() -> None:
    axes = style.new_axes(style.SINGLE)
    rows = [row | {"sweep": name} for name in (r"$\frac{1}{", "b\n\x1b[31m") for row in grid()]
    eta_star(rows, axes)
    axes.figure.canvas.draw()  # matplotlib parses mathematics when it draws
    assert "\x1b" not in labels(axes)


def test_what_was_set_before_is_set_again() -> None:
    import matplotlib

    with matplotlib.rc_context({"lines.linewidth": 7.0}):
        with styled():
            assert matplotlib.rcParams["lines.linewidth"] != 7.0
        assert matplotlib.rcParams["lines.linewidth"] == 7.0
