"""Accuracy and η·λ at the end of trainings against η·λ₀, after as many steps and after as much physical time η·t.

After the same number of steps a larger rate has gone further; after the same η·t it has not. A training that was lost
is a cross on the axis in both panels, and what was not measured at the asked moment is counted, never interpolated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING

import numpy as np

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Training, shown
from mlrtui.figures.trainings import LOST, Floats, has_c, panels
from mlrtui.text.numbers import counted, exact, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Moments", "Point", "accuracy", "moments"]

_NEAR = 0.2  # how far, as a share, from the asked step a stored value may lie


@dataclass(frozen=True)
class Point:
    """One training at one moment."""

    c: float  # η·λ₀, or η where λ₀ is not known for all
    accuracy: float  # NaN: not measured then
    ratio: float  # η·λ; NaN: not measured then
    seed: int


@dataclass(frozen=True)
class Moments:
    """The trainings of one cell."""

    cell: str
    steps: int
    time: float  # η·t that every training that was not lost has reached
    at_steps: tuple[Point, ...]
    at_time: tuple[Point, ...]
    lost: tuple[float, ...]  # c of trainings that were lost
    edges: frozenset[float]


def moments(trainings: Sequence[Training]) -> list[Moments]:
    """Accuracy and η·λ of each cell's trainings at the last step, and at the largest η·t that all have reached.

    Raises:
        BadInput: no accuracy was stored.
    """
    if not any(np.isfinite(one.accuracy).any() for one in trainings):
        raise BadInput("no training has a stored accuracy: nothing to draw; it needs a scan of classes")
    scaled = has_c(trainings)
    cells: dict[str, list[Training]] = {}
    for one in trainings:
        cells.setdefault(one.cell, []).append(one)
    return [_moments(cell, those, scaled) for cell, those in cells.items()]


def _moments(cell: str, those: Sequence[Training], scaled: bool) -> Moments:
    steps = max((float(one.step[-1]) for one in those if len(one.step)), default=0.0)
    # one whose steps were pruned was not lost: it is not measured at any moment
    kept = [one for one in those if one.phase not in LOST and (not len(one.step) or float(one.step[-1]) >= steps)]
    time = min((one.eta * float(one.step[-1]) for one in kept if len(one.step)), default=nan)
    edges = frozenset(one.edge for one in those if isfinite(one.edge))

    def point(one: Training, step: float) -> Point:
        ratio = one.eta * _near(one.step, one.sharpness, step)
        return Point(one.c if scaled else one.eta, _near(one.step, one.accuracy, step), ratio, one.seed)

    return Moments(
        cell, round(steps), time,
        tuple(point(one, steps) for one in kept),
        tuple(point(one, time / one.eta) for one in kept),
        tuple(one.c if scaled else one.eta for one in those if one not in kept),
        edges,
    )  # fmt: skip


def _near(steps: Floats, values: Floats, wanted: float) -> float:
    """The finite value stored nearest to a step; NaN where none is near."""
    good = np.flatnonzero(np.isfinite(values))
    if not len(good):
        return nan
    place = good[np.argmin(np.abs(steps[good] - wanted))]
    return float(values[place]) if abs(steps[place] - wanted) <= max(_NEAR * wanted, 0.5) else nan


def accuracy(trainings: Sequence[Training], axes: "Axes") -> "Axes":
    """Draw accuracy, and below it η·λ, of trainings against η·λ₀: filled after as many steps, open after as much η·t.

    Args:
        trainings: of some cells and seeds.
        axes: of matplotlib; it is divided into two panels (``axes.child_axes``) and returned.

    Raises:
        BadInput: no accuracy was stored.
    """
    found = moments(trainings)
    points = [point for one in found for point in (*one.at_steps, *one.at_time)]
    with_ratio = any(not isnan(point.ratio) for point in points)
    upper, lower = panels(axes) if with_ratio else (axes, None)
    every = [point.c for point in points] + [c for one in found for c in one.lost]
    for panel in filter(None, (upper, lower)):
        style.log_axis(panel, "x", *style.spread(every))
    accuracies = [point.accuracy for point in points if not isnan(point.accuracy)]
    upper.set_ylim(max(0.0, min(accuracies, default=0.0) - 0.05), 1.02)
    if lower is not None:
        edges = {edge for one in found for edge in one.edges}
        highest = max([point.ratio for point in points if not isnan(point.ratio)] + list(edges))
        lower.set_ylim(0, 1.15 * highest)
        for edge in edges:
            lower.axhline(edge, color=style.MUTED, linestyle=(0, (3, 2)), linewidth=0.7, gid="edge", zorder=0)
        lower.set_ylabel("η · λ")
        upper.tick_params(axis="x", labelbottom=False)
    for place, one in enumerate(found):
        colour, shape = style.GROUPS[place % len(style.GROUPS)], style.SHAPES[place % len(style.SHAPES)]
        for panel, field in ((upper, "accuracy"), (lower, "ratio")):
            if panel is not None:
                _draw(panel, one, field, colour, shape, len(found) > 1)
    _explain(upper, found, with_ratio)
    upper.set_ylabel("accuracy")
    (lower or upper).set_xlabel("η · λ₀" if has_c(trainings) else "η")
    style.legend_below(axes, of=upper)
    return axes


def _draw(panel: "Axes", one: Moments, field: str, colour: str, shape: str, named: bool) -> None:
    kinds = ((one.at_steps, "steps", f"{whole(one.steps)} steps"), (one.at_time, "time", f"η·t = {exact(one.time, 3)}"))
    for points, gid, label in kinds:
        text = f"{shown(one.cell)}: {label}" if named else label
        for place, seed in enumerate(sorted({point.seed for point in points})):
            its = sorted((p.c, getattr(p, field)) for p in points if p.seed == seed and not isnan(getattr(p, field)))
            panel.plot(
                [c for c, _ in its], [value for _, value in its], color=colour, marker=shape, linewidth=0.6,
                linestyle="-" if gid == "steps" else (0, (1, 1)),
                markerfacecolor=colour if gid == "steps" else "none",
                markeredgecolor=style.GROUND if gid == "steps" else colour, gid=f"{field}-{gid}",
                label=text if not place else None,
            )  # fmt: skip
    if one.lost:
        panel.plot(one.lost, [0.03] * len(one.lost), transform=panel.get_xaxis_transform(), linestyle="none",
                   marker="x", color=colour, markeredgewidth=0.9, clip_on=False, gid="lost")  # fmt: skip


def _explain(axes: "Axes", found: Sequence[Moments], with_ratio: bool) -> None:
    if lost := sum(len(one.lost) for one in found):
        style.note(axes, f"lost before the last step ({counted(lost, 'training')})", "x")
    for field, name in (("accuracy", "accuracy"), ("ratio", "λ"))[: 1 + with_ratio]:
        missing = sum(isnan(getattr(point, field)) for one in found for point in (*one.at_steps, *one.at_time))
        if missing:
            style.note(axes, f"{name} not measured then ({counted(missing, 'time')})")
