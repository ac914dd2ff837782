"""Predictions of η* beyond the cells that were trained, as a band along one size, or in words why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from mlrtui.analysis.expressions import ExpressionError, cell_number
from mlrtui.analysis.fits import CellPoint, own_names
from mlrtui.analysis.prediction import LEVEL, Refusal, predicted_path
from mlrtui.figures import style
from mlrtui.figures.rows import shown
from mlrtui.text.numbers import exact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Band", "Step", "band", "draw", "words"]

_CHANCE = f"{exact(100 * LEVEL, 3)} %"


@dataclass(frozen=True)
class Step:
    """One prediction: its place on the axis, its interval, and whether it lies beyond the cells."""

    x: float
    eta_star: float
    low: float
    high: float
    beyond: bool


@dataclass(frozen=True)
class Band:
    """Predictions along one size, by size."""

    where: str  # "depth 4, width 64 to 1024"
    steps: tuple[Step, ...]
    ends_because: str  # why it ends before two octaves beyond the cells; "": it does not


def band(cells: Sequence[CellPoint], x: str) -> Band | Refusal:
    """Predictions from the cells of one group, placed by an expression of depth and width.

    >>> from math import log
    >>> cells = [CellPoint(f"{w}", {"depth": 2.0, "width": float(w)}, (-log(w) + e,)) for w, e in
    ...          ((16, 0.01), (32, -0.01), (64, 0.0), (128, 0.01), (256, -0.01))]
    >>> found = band(cells, "depth*width")
    >>> found.where, found.steps[0].x, round(found.steps[-1].x), [found.steps[k].beyond for k in (0, -1)]
    ('depth 2, width 16 to 1024', 32.0, 2048, [False, True])
    """
    path = predicted_path(cells)
    if isinstance(path, Refusal):
        return path
    expression = cell_number(x, own_names(cells))
    steps = []
    for sizes, one in path.steps:
        try:
            at = float(expression.evaluate({**sizes}))
        except ExpressionError:
            return Refusal(f"{x} does not follow from depth and width")
        if not at > 0 or not isfinite(at):
            return Refusal(f"{x} is not positive everywhere along {path.words}")
        steps.append(Step(at, one.eta_star, one.low, one.high, any(octaves > 0 for octaves in one.octaves.values())))
    return Band(path.words, tuple(steps), path.ends_because)


def words(found: Band | Refusal) -> str:
    """A sentence without its end: what the band says where it stops, or why there is none."""
    if isinstance(found, Refusal):
        return f"no prediction: {found.reason}"
    last = found.steps[-1]
    ends = f"[{exact(last.low, 3)}, {exact(last.high, 3)}]"
    reason = f"; no further: {found.ends_because}" if found.ends_because else ""
    at = f"predicted along {found.where}; at its end η* {exact(last.eta_star, 3)} {ends}"
    return f"{at}, {_CHANCE} for the mean of seeds{reason}"


def draw(axes: "Axes", name: str, found: Band | Refusal, colour: str) -> None:
    """Draw a band, darker over the cells and lighter beyond, with an entry of the legend that says what it is."""
    group = f"{shown(name)}: " if name else ""
    if isinstance(found, Refusal):
        style.note(axes, f"{group}no prediction: {shown(found.reason, 90)}", gid="refused")
        return
    last_inside = max((place for place, step in enumerate(found.steps) if not step.beyond), default=0)
    for gid, steps, alpha in (
        ("predicted-inside", found.steps[: last_inside + 1], 0.16),
        ("predicted-beyond", found.steps[last_inside:], 0.07),
    ):
        if len(steps) > 1:
            axes.fill_between([one.x for one in steps], [one.low for one in steps], [one.high for one in steps],
                              color=colour, alpha=alpha, linewidth=0, gid=gid)  # fmt: skip
    xs = [one.x for one in found.steps]
    for ys in ([one.low for one in found.steps], [one.high for one in found.steps]):
        axes.plot(xs, ys, color=colour, linestyle=(0, (1, 1.5)), linewidth=0.6, gid="predicted-edge")
    reason = f"; no further: {shown(found.ends_because, 60)}" if found.ends_because else ""
    axes.plot(xs, [one.eta_star for one in found.steps], color=colour, linestyle=(0, (1, 1.5)), linewidth=0.9,
              label=f"{group}{_CHANCE} prediction, {found.where}{reason}", gid="predicted")  # fmt: skip
