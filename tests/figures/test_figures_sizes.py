"""Figures of scans over sizes: every mark that there must be, counted on the axes."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need the extra plot")

from mlrtui.errors import BadInput
from mlrtui.figures import accuracy, best_rates, onsets, style, transfer
from mlrtui.figures.accuracies import moments
from mlrtui.figures.rows import Row, Training


def marks(axes: Any, gid: str) -> list[Any]:
    return [line for line in axes.lines if line.get_gid() == gid]


def count(axes: Any, gid: str) -> int:
    return sum(len(line.get_xdata()) for line in marks(axes, gid))


def labels(axes: Any) -> str:
    return "\n".join(text.get_text() for text in axes.get_legend().get_texts())


def tried(width: int, losses: list[float | None], seed: int = 0, **more: Any) -> list[Row]:
    """Rows of `phases` of one net: rates 1, 2, 4, … with these final losses; None: lost."""
    return [
        {"sweep": "s", "cell": f"2x{width}", "depth": 2, "width": width, "seed": seed, "eta": 2.0**place,
         "loss_final": loss, "verdict": "diverged" if loss is None else "finished", "eta_lambda0": 2.0**place,
         "phase": "divergent" if loss is None else "lazy", "ratio_last": 1.0, **more}
        for place, loss in enumerate(losses)
    ]  # fmt: skip


def test_the_best_rate_is_that_of_the_lowest_loss_and_a_bound_at_the_ends_of_the_scan() -> None:
    found = best_rates(
        [*tried(16, [3.0, 1.0, 2.0]), *tried(32, [3.0, 1.0, 1.0, None]), *tried(64, [1.0, 2.0]),
         *tried(128, [2.0, 1.0]), *tried(256, [None, None]), *tried(512, [1.0])]
    )  # fmt: skip
    assert [(row["width"], row["eta_star"], row["censored"]) for row in found] == [
        (16, 2.0, None), (32, 2.0, None), (64, 1.0, "at_min"), (128, 2.0, "at_max"), (256, None, "none"),
        (512, 1.0, "alone"),
    ]  # fmt: skip


def test_a_training_that_the_machine_failed_is_no_rate_that_was_tried() -> None:
    rows = [*tried(16, [2.0, 1.0]), {**tried(16, [0.5])[0], "eta": 4.0, "verdict": "failed", "loss_final": None}]
    (found,) = best_rates(rows)
    assert (found["eta_star"], found["censored"]) == (2.0, "at_max")


def test_transfer_draws_every_net_and_breaks_its_line_at_a_cell_with_a_bound() -> None:
    rows = best_rates(
        [*tried(16, [3.0, 1.0, 2.0]), *tried(16, [3.0, 2.0, 1.0, 4.0], 1), *tried(32, [3.0, 1.0, 2.0]),
         *tried(32, [3.0, 2.0], 1), *tried(64, [3.0, 1.0, 2.0]), *tried(128, [None, None]), *tried(256, [1.0, 2.0])]
    )  # fmt: skip
    axes = style.new_axes(style.SINGLE)
    assert transfer(rows, axes) is axes
    (line,) = marks(axes, "means")
    assert line.get_xdata().tolist() == [16, 32, 64, 128, 256]
    assert np.isnan(line.get_ydata()).tolist() == [False, True, False, True, True]
    assert line.get_ydata()[0] == pytest.approx(math.sqrt(2 * 4))
    assert [count(axes, gid) for gid in ("nets", "at-max", "at-min", "none")] == [4, 1, 1, 1]
    assert count(axes, "range") == 2  # two ends of one line
    for words in ("at least this (1 net)", "at most this (1 net)", "no rate succeeds (1 net)", "from 16 to 64"):
        assert words in labels(axes)
    assert marks(axes, "at-max")[0].get_ydata() == [2.0]
    assert "lowest final loss" in axes.get_ylabel()


def test_transfer_keeps_depths_and_parametrizations_apart_and_pools_what_is_asked() -> None:
    rows = [
        {**row, "parametrization": kind, "depth": depth, "cell": f"{depth}x{row['width']} {kind}"}
        for kind in ("mup", "sp") for depth in (1, 2) for width in (16, 32)
        for row in best_rates(tried(width, [3.0, 1.0, 2.0]))
    ]  # fmt: skip
    axes = style.new_axes(style.SINGLE)
    transfer(rows, axes)
    assert len(marks(axes, "means")) == 4
    assert len({(line.get_color(), line.get_marker()) for line in marks(axes, "means")}) == 4
    axes = style.new_axes(style.SINGLE)
    transfer(rows, axes, group_by=["parametrization"])
    assert len(marks(axes, "means")) == 2
    axes = style.new_axes(style.SINGLE)
    transfer(rows, axes, x="depth", group_by=())
    assert marks(axes, "means")[0].get_xdata().tolist() == [1, 2]
    assert count(axes, "nets") == 8


def onset(width: int, seed: int = 0, **more: Any) -> Row:
    return {"sweep": "s", "cell": f"2x{width}", "depth": 2, "width": width, "seed": seed, "c_loss": 4.0,
            "c_loss_above": 2.0, "c_sharp": 4.0, "c_sharp_above": 2.0, "c_max": 4.0, "c_max_below": 8.0,
            **more}  # fmt: skip


def test_onsets_are_marks_with_brackets_and_those_beyond_the_scan_are_triangles() -> None:
    rows = [
        onset(16), onset(16, 1, c_loss=None, c_loss_above=None), onset(32, c_loss=1.0, c_loss_above=None),
        onset(32, 1, c_max=None, c_max_below=None), onset(64, c_max=8.0, c_max_below=None), onset(64, 1, c_max_open=1),
        onset(128, c_sharp=None, c_sharp_above=None),
    ]  # fmt: skip
    its = [
        one for row in rows for one in tried(int(str(row["width"])), [1.0, 1.0, 1.0, None], int(str(row["seed"])))
    ]  # fmt: skip
    axes = style.new_axes(style.SINGLE)
    assert onsets(rows, its, axes) is axes
    assert [count(axes, f"net-{name}") for name in ("c_loss", "c_sharp", "c_max")] == [5, 6, 4]
    assert [count(axes, f"at-max-{name}") for name in ("c_loss", "c_sharp", "c_max")] == [1, 1, 2]
    assert [count(axes, f"at-min-{name}") for name in ("c_loss", "c_sharp", "c_max")] == [1, 0, 1]
    assert [list(line.get_ydata()) for line in marks(axes, "bracket")].count([4.0, 2.0]) == 5 + 6
    assert marks(axes, "at-max-c_loss")[0].get_ydata() == [8.0]  # the largest rate
    (line,) = marks(axes, "mean-c_loss")
    assert np.isnan(line.get_ydata()).tolist() == [True, True, False, False]
    assert "at least this: beyond the rates tried (4)" in labels(axes)
    assert "at most this: beyond the rates tried (2)" in labels(axes)


def test_sharpness_that_was_not_measured_is_no_onset_beyond_the_scan() -> None:
    rows = [onset(width, c_sharp=None, c_sharp_above=None) for width in (16, 32)]
    its = [{**one, "ratio_last": None} for width in (16, 32) for one in tried(width, [1.0, 1.0, 1.0, None])]
    axes = style.new_axes(style.SINGLE)
    onsets(rows, its, axes)
    assert count(axes, "at-max-c_sharp") == 0
    assert "c_sharp: λ not measured (2 nets)" in labels(axes)
    with pytest.raises(BadInput, match="nothing to draw"):
        onsets(rows, [{**one, "eta_lambda0": None} for one in its], style.new_axes(style.SINGLE))


def training(c: float, steps: int = 8, phase: str = "lazy", every: int = 1, cell: str = "2x16") -> Training:
    """Accuracy is the share of the steps that have passed, λ the number of steps."""
    at = np.arange(steps + 1, dtype=np.float64)
    measured = np.where(at % every == 0, at, np.nan)
    return Training(eta=c / 10, c=c, step=at, loss=np.ones(len(at)), sharpness=measured, accuracy=measured / 8.0,
                    edge=2.0, phase=phase, cell=cell)  # fmt: skip


def test_accuracy_after_as_many_steps_and_after_as_much_time() -> None:
    (found,) = moments([training(1.0), training(2.0), training(4.0), training(8.0, 3, "divergent")])
    assert found.time == pytest.approx(0.8)
    assert [point.accuracy for point in found.at_steps] == [1.0, 1.0, 1.0]
    assert [point.accuracy for point in found.at_time] == [1.0, 0.5, 0.25]
    assert [point.ratio for point in found.at_time] == pytest.approx([0.8, 0.8, 0.8])
    assert found.lost == (8.0,)
    axes = style.new_axes(style.DOUBLE)
    assert accuracy([training(1.0), training(2.0), training(8.0, 3, "divergent")], axes) is axes
    upper, lower = axes.child_axes
    for panel, name in ((upper, "accuracy"), (lower, "ratio")):
        assert [count(panel, f"{name}-{kind}") for kind in ("steps", "time")] == [2, 2]
        assert marks(panel, f"{name}-time")[0].get_markerfacecolor() == "none"
        assert count(panel, "lost") == 1
    assert len(marks(lower, "edge")) == 1
    assert "lost before the last step (1 training)" in labels(axes)


def test_what_was_not_measured_near_the_moment_is_counted_and_never_another_step() -> None:
    drawn = [training(1.0, every=8), training(3.0, every=8)]
    (found,) = moments(drawn)
    assert [point.accuracy for point in found.at_steps] == [1.0, 1.0]
    assert found.at_time[0].accuracy == 1.0
    assert math.isnan(found.at_time[1].accuracy)  # step 2.7 lies between 0 and 8
    axes = style.new_axes(style.DOUBLE)
    accuracy(drawn, axes)
    assert "accuracy not measured then (1 time)" in labels(axes)
    assert "λ not measured then (1 time)" in labels(axes)


def test_a_training_whose_steps_were_pruned_was_not_lost() -> None:
    pruned = replace(training(2.0), **dict.fromkeys(("step", "loss", "sharpness", "accuracy"), np.empty(0)))
    one, other = moments([training(1.0), pruned, replace(pruned, cell="2x32")])
    assert (one.lost, other.lost) == ((), ())
    assert [math.isnan(point.accuracy) for point in one.at_steps] == [False, True]
    assert [math.isnan(point.accuracy) for point in (*other.at_steps, *other.at_time)] == [True, True]
    axes = style.new_axes(style.DOUBLE)
    accuracy([training(1.0), pruned], axes)
    assert "accuracy not measured then (2 times)" in labels(axes)


def test_nothing_to_draw_is_said_in_a_line() -> None:
    for draw, args in ((transfer, ([],)), (onsets, ([], [])), (accuracy, ([],))):
        with pytest.raises(BadInput, match="nothing to draw"):
            draw(*args, style.new_axes(style.SINGLE))  # type: ignore[operator]
