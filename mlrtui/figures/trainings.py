"""Losses and sharpness along trainings.

Nothing is smoothed, and no line is joined over a value that was not finite. A line that leaves the picture, or whose
value stops being finite, ends in a triangle on the upper edge, so that a training that diverges is never just missing.
"""

from collections.abc import Sequence
from math import inf, isfinite, isnan, log
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlrtui.analysis.quantities import DIVERGED
from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Training
from mlrtui.text.numbers import exact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "LOST",
    "Floats",
    "catapult",
    "has_c",
    "highest_sharpness",
    "loss_range",
    "measured",
    "panels",
    "ratios",
    "sharpness",
    "thinned",
]

LOST = DIVERGED
"""Phases of trainings that set no limits of an axis: they end in a triangle."""

Floats = npt.NDArray[np.float64]
"""Numbers along a training, [steps]."""

_ABOVE = 8.0  # how far above the highest survivor the axis of losses ends
_PEAK = 1.02  # L / L₀ above which a peak is marked
_DOTS = 60  # at most so many measurements are drawn as dots
_BUCKETS = 2000


def thinned(x: Floats, y: Floats, buckets: int = _BUCKETS) -> tuple[Floats, Floats]:
    """The same curve with at most 2 points a bucket, its smallest and its largest value; so no peak is lost.

    Args:
        x, y: [points]; y may be NaN, which breaks the line and is kept.
    """
    if len(x) <= 10 * buckets:
        return x, y
    kept: list[int] = [0, len(x) - 1]
    for part in np.array_split(np.arange(len(x)), buckets):
        good = part[np.isfinite(y[part])]
        kept += [int(part[np.argmax(~np.isfinite(y[part]))])] if len(good) < len(part) else []
        if len(good):
            kept += [int(good[np.argmin(y[good])]), int(good[np.argmax(y[good])])]
    places = np.unique(kept)
    return x[places], y[places]


def ratios(trainings: Sequence[Training]) -> list[tuple[Training, Floats]]:
    """The trainings that have a loss, each with L / L₀, [steps].

    Raises:
        BadInput: none has.
    """
    found = []
    with np.errstate(invalid="ignore", over="ignore"):
        for one in trainings:
            finite = one.loss[np.isfinite(one.loss)]
            if len(finite) and finite[0] > 0:
                found.append((one, one.loss / finite[0]))
    if not found:
        raise BadInput("no training has stored steps with a loss: nothing to draw; were they pruned?")
    return found


def loss_range(drawn: Sequence[tuple[Training, Floats]]) -> tuple[float, float]:
    """The ends of the axis of L / L₀, by the trainings that survive where there are any."""
    calm = [loss for one, loss in drawn if one.phase not in LOST] or [loss for _, loss in drawn]
    finite = np.concatenate([loss[np.isfinite(loss) & (loss > 0)] for loss in calm])
    return float(finite.min()) / 1.6, max(float(finite.max()) * _ABOVE, 2.0)


def measured(trainings: Sequence[Training]) -> list[Training]:
    """The trainings along which λ was measured.

    Raises:
        BadInput: none.
    """
    found = [one for one in trainings if np.isfinite(one.sharpness).any()]
    if not found:
        raise BadInput(
            "no training has λ along its steps: nothing to draw; set [sharpness] every = 1 in the sweep file"
        )
    return found


def highest_sharpness(drawn: Sequence[Training]) -> float:
    """The upper end of the axis of λ, by the trainings that survive where there are any."""
    calm = [one for one in drawn if one.phase not in LOST] or drawn
    return 1.15 * max(float(one.sharpness[np.isfinite(one.sharpness)].max()) for one in calm)


def catapult(trainings: Sequence[Training], axes: "Axes") -> "Axes":
    """Draw the loss over its start, and below it η·λ over the edge of stability, at every step of some trainings.

    Args:
        trainings: in the order of their rates; at most 12 are readable.
        axes: of matplotlib; it is divided into two panels (``axes.child_axes``) and returned.

    Raises:
        BadInput: no training has a loss.
    """
    with_losses = ratios(trainings)
    drawn = [one for one, _ in with_losses]
    with np.errstate(invalid="ignore", over="ignore"):
        over_edge = [_rate(one) * one.sharpness / one.edge for one in drawn]
    has_edge = any(np.isfinite(ratio).any() for ratio in over_edge)
    upper, lower = panels(axes) if has_edge else (axes, None)
    low, top = loss_range(with_losses)
    style.log_axis(upper, "y", low, top)
    end = max(float(one.step[-1]) for one in drawn)
    for panel in filter(None, (upper, lower)):
        panel.set_xlim(0, end * 1.02 or 1.0)
    if lower is not None:
        calm_ratios = [r[np.isfinite(r)] for one, r in zip(drawn, over_edge, strict=True) if one.phase not in LOST]
        highest = max([float(r.max()) for r in calm_ratios if len(r)] or [1.0])
        lower.set_ylim(0, max(1.15 * highest, 1.3))
        lower.axhline(1.0, color=style.MUTED, linestyle=(0, (3, 2)), linewidth=0.7, gid="edge")
        lower.set_ylabel("η · λ / edge")
        upper.tick_params(axis="x", labelbottom=False)
    for place, ((one, loss), ratio) in enumerate(zip(with_losses, over_edge, strict=True)):
        colour = style.ordered(place, len(drawn))
        lost = _cut_short(one, end)
        _line(upper, one.step, loss, colour, label=_name(one), style_of=_dashes(place), lost=lost)
        peak = int(np.nanargmax(np.where(np.isfinite(loss), loss, -inf)))
        if loss[peak] > _PEAK and loss[peak] < top and peak > 0:
            upper.plot([one.step[peak]], [loss[peak] * 1.25], marker="v", color=colour, markeredgewidth=0, gid="peak")
        if lower is not None:
            _line(lower, one.step, ratio, colour, style_of=_dashes(place), lost=lost)
    upper.set_ylabel("L / L₀")
    (lower or upper).set_xlabel("step")
    style.legend(upper, loc="upper left", bbox_to_anchor=(1.01, 1.04), title="η·λ₀" if has_c(drawn) else "η")
    return axes


def sharpness(trainings: Sequence[Training], axes: "Axes") -> "Axes":
    """Draw λ along some trainings, each with its edge of stability dashed.

    Args:
        trainings: in the order of their rates.
        axes: of matplotlib; it is returned.

    Raises:
        BadInput: λ was measured in none of them.
    """
    drawn = measured(trainings)
    top = highest_sharpness(drawn)
    end = max(float(one.step[-1]) for one in drawn) or 1.0
    axes.set_xlim(0, end * 1.02)
    axes.set_ylim(0, top)
    for place, one in enumerate(drawn):
        colour = style.ordered(place, len(drawn))
        lost = _cut_short(one, end)
        _line(axes, one.step, one.sharpness, colour, label=_name(one), style_of=_dashes(place), lost=lost)
        dots = np.isfinite(one.sharpness)
        if dots.sum() <= _DOTS:
            axes.plot(one.step[dots], one.sharpness[dots], linestyle="none", marker="o", markersize=1.8,
                      color=colour, markeredgewidth=0, gid="measured")  # fmt: skip
        if isfinite(one.edge) and one.edge > 0 and one.edge / one.eta <= top:  # at its lowest, the peak rate
            with np.errstate(divide="ignore"):  # a rate may begin or end at 0
                edge = np.broadcast_to(one.edge / _rate(one), one.step.shape)  # [steps]
            edge = np.where(edge <= top, edge, np.nan)
            axes.plot(one.step, edge, color=colour, linestyle=(0, (3, 2)), linewidth=0.6, gid="edge")
    symbol = {exact(one.edge, 3) for one in drawn if isfinite(one.edge)}
    if symbol:
        dashed = f"dashed: {next(iter(symbol)) if len(symbol) == 1 else 'edge'}/η"
        axes.plot([], [], color=style.MUTED, linestyle=(0, (3, 2)), linewidth=0.6, label=dashed)
    axes.set_xlabel("step")
    axes.set_ylabel("sharpness λ")
    style.legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1.04), title="η·λ₀" if has_c(drawn) else "η")
    return axes


def panels(axes: "Axes") -> tuple["Axes", "Axes"]:
    """Two panels in the place of an Axes, which stays as their frame."""
    axes.set_axis_off()
    return axes.inset_axes((0.0, 0.46, 1.0, 0.54)), axes.inset_axes((0.0, 0.0, 1.0, 0.4))


def _rate(one: Training) -> "Floats | float":
    return one.eta if one.eta_along is None else one.eta_along


def _cut_short(one: Training, end: float) -> bool:
    """Whether a training was lost before the others ended."""
    return one.phase in LOST and float(one.step[-1]) < end


def has_c(drawn: Sequence[Training]) -> bool:
    """Whether η·λ₀ of all is known."""
    return all(not isnan(one.c) for one in drawn)


def _name(one: Training) -> str:
    return f"{exact(one.c if not isnan(one.c) else one.eta, 3)} {one.phase}".strip()


def _dashes(place: int) -> object:
    """Neighbours differ by more than their colour."""
    return ("-", (0, (5, 1)), (0, (1, 0.8)))[place % 3]


def _line(
    axes: "Axes",
    step: Floats,
    y: Floats,
    colour: str,
    *,
    style_of: object,
    label: str | None = None,
    lost: bool = False,
) -> None:
    """One curve, with a triangle where it leaves the picture at the top or stops being finite."""
    top = float(axes.get_ylim()[1])
    is_log = axes.get_yscale() == "log"
    unmeasured = np.isnan(y) if not is_log else np.zeros(len(y), dtype=bool)  # a loss has no steps without a value
    step, y = step[~unmeasured], y[~unmeasured]
    gone = np.flatnonzero(~(y <= top))  # above, infinite or NaN
    xs, ys = step, np.where(np.isfinite(y) & ((y > 0) if is_log else True), y, np.nan)
    end: float | None = None
    if len(gone):
        first = int(gone[0])
        end = float(step[first])
        xs, ys = step[:first], ys[:first]
        if first and isfinite(y[first]) and isfinite(ys[-1]):
            share = _share(float(ys[-1]), float(y[first]), top, is_log)
            end = float(step[first - 1] + share * (step[first] - step[first - 1]))
            xs, ys = np.append(xs, end), np.append(ys, top)
    elif lost and len(step):
        end = float(step[-1])  # it ended here, whatever its last value was
    axes.plot(*thinned(xs, ys), color=colour, linestyle=style_of, label=label, gid="curve")
    if len(gone) and int(gone[0]) + 1 < len(step):  # what comes back into the picture is drawn too
        rest = slice(int(gone[0]), None)
        back = np.where(y[rest] <= top, y[rest], np.nan)
        axes.plot(*thinned(step[rest], back), color=colour, linestyle=style_of, gid="curve")
    if end is not None:
        axes.plot([end], [1.0], transform=axes.get_xaxis_transform(), marker="^", markersize=4.5, color=colour,
                  markeredgewidth=0, clip_on=False, gid="leaves")  # fmt: skip


def _share(before: float, after: float, top: float, is_log: bool) -> float:
    """Where between two values a line crosses the top, from 0 to 1."""
    if is_log:
        before, after, top = log(before), log(after), log(top)
    return (top - before) / (after - before)
