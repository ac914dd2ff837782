"""η*(t): the largest rate that survives when it is switched on at step t, beside 2/λ(t), the rate at which a catapult
begins, and the rate of the base.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, isnan, log, nan
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Row, number, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ForkCurves", "curves", "forks", "ratio_range"]


@dataclass(frozen=True)
class ForkCurves:
    """One cell's forks, by step; means are geometric, over its nets."""

    cell: str  # its label, after the name of its sweep where there are several
    steps: tuple[int, ...]
    eta_star: tuple[float, ...]  # NaN where a net has none, or only a bound
    low: tuple[float, ...]  # the smallest of the nets; NaN where none is known
    high: tuple[float, ...]
    edge: tuple[float, ...]  # 2/λ(t)
    catapult: tuple[float, ...]  # from which on the first step raises the loss of its batch
    base: tuple[float, ...]  # rate of the base
    left_out: int  # forks without a value: failed, censored or not done yet

    def drawn(self) -> list[float]:
        """All values."""
        return [value for some in self._all for value in some]

    @property
    def _all(self) -> tuple[tuple[float, ...], ...]:
        return self.eta_star, self.low, self.high, self.edge, self.catapult, self.base


def curves(rows: Sequence[Row]) -> list[ForkCurves]:
    """What the rows say, cell by cell.

    Args:
        rows: of the view `forks`, as dicts.

    Raises:
        BadInput: no fork has a value.
    """
    cells = dict.fromkeys((text_of(row, "sweep"), text_of(row, "cell")) for row in rows)
    several = len({sweep for sweep, _ in cells}) > 1
    found = [_curves(f"{sweep}, {cell}" if several else cell,
                     [row for row in rows if (text_of(row, "sweep"), text_of(row, "cell")) == (sweep, cell)])
             for sweep, cell in cells]  # fmt: skip
    if not any(value > 0 for one in found for value in one.high):
        raise BadInput("no fork is done: nothing to draw; train a sweep with [fork] first")
    return found


def _curves(cell: str, rows: Sequence[Row]) -> ForkCurves:
    steps = sorted({int(number(row, "step")) for row in rows})
    by_step = [[row for row in rows if int(number(row, "step")) == step] for step in steps]
    known = [[number(row, "eta_star") for row in its if not text_of(row, "censored")] for its in by_step]
    known = [[value for value in values if value > 0] for values in known]

    def means(column: str) -> tuple[float, ...]:
        return tuple(_mean([number(row, column) for row in its]) for its in by_step)

    def ends(of: Callable[..., float]) -> tuple[float, ...]:
        return tuple(of(values) if values else nan for values in known)

    whole = [values if len(values) == len(its) else [] for values, its in zip(known, by_step, strict=True)]
    return ForkCurves(
        cell=cell,
        steps=tuple(steps),
        eta_star=tuple(map(_mean, whole)),
        low=ends(min),
        high=ends(max),
        edge=means("eta_edge"),
        catapult=means("eta_catapult"),
        base=means("base_eta_step"),
        left_out=len(rows) - sum(map(len, known)),
    )


def _mean(values: Sequence[float]) -> float:
    """Geometric, of those that are positive."""
    logs = [log(value) for value in values if value > 0]
    return exp(sum(logs) / len(logs)) if logs else nan


def forks(rows: Sequence[Row], axes: "Axes") -> "Axes":
    """Draw η*(t) of each cell over its stability edge 2/λ(t), where a catapult begins, and the rate of the base.

    Args:
        rows: of the view `forks`, as dicts.
        axes: of matplotlib; it is returned.

    Raises:
        BadInput: no fork has a value.
    """
    found = curves(rows)
    style.log_axis(axes, "y", *style.spread([y for one in found for y in one.drawn() if y > 0], 0.08))
    for place, one in enumerate(found):
        colour, shape = style.GROUPS[place % len(style.GROUPS)], style.SHAPES[place % len(style.SHAPES)]
        name = f"{one.cell}: " if len(found) > 1 else ""
        axes.plot(one.steps, one.eta_star, color=colour, marker=shape, markeredgecolor=style.GROUND,
                  label=f"{name}η*(t)", gid="eta-star")  # fmt: skip
        for step, low, high in zip(one.steps, one.low, one.high, strict=True):
            if low < high:
                axes.plot([step, step], [low, high], color=colour, linewidth=0.7, gid="range")
        axes.plot(one.steps, one.edge, color=colour, linestyle="--", label=f"{name}edge, 2/λ(t)", gid="edge")
        if any(value > 0 for value in one.catapult):
            axes.plot(one.steps, one.catapult, color=colour, linestyle="-.", label=f"{name}a catapult begins",
                      gid="catapult")  # fmt: skip
        axes.plot(one.steps, one.base, color=colour, linestyle=":", label=f"{name}rate of the base", gid="base")
    if missing := sum(one.left_out for one in found):
        style.note(axes, f"forks without a value: {missing}")
    axes.set_xlabel("step t of the base")
    axes.set_ylabel("η")
    style.legend_below(axes)
    return axes


def ratio_range(one: ForkCurves) -> tuple[float, float]:
    """The smallest and the largest η*(t) over the edge, of means; NaN where none is known."""
    ratios = [star / edge for star, edge in zip(one.eta_star, one.edge, strict=True) if not isnan(star / edge)]
    return (min(ratios), max(ratios)) if ratios else (nan, nan)
