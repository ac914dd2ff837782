"""The best learning rate against a size: does the optimum of a narrow net hold for a wide one.

The best rate of a net is its η*, or in a scan the rate with the lowest final loss. Where that is the largest or the
smallest rate of the scan the optimum may lie beyond: the net is a triangle at that bound, and its cell has no mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan, log, nan
from typing import TYPE_CHECKING

from mlrtui.analysis.quantities import best_rates
from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.groups import Group, groups, size_axis
from mlrtui.figures.rows import Row, number, shown, text_of
from mlrtui.text.numbers import counted, exact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BOUNDS", "Optima", "best_rates", "drawable", "optima", "transfer", "words"]

BOUNDS = {
    "at-max": ("^", "at least this"),
    "at-min": ("v", "at most this"),  # a search that fails at every rate has no rate to show
    "none": ("x", "no rate succeeds"),
    "alone": ("+", "one rate only"),
}
"""Shapes and names of the marks that are not values."""


@dataclass(frozen=True)
class Net:
    """One net in the figure: its best rate, or what is known of it."""

    x: float
    y: float  # NaN: not known
    mark: str  # "": a value; else a key of `BOUNDS`


@dataclass(frozen=True)
class Optima:
    """One line of the figure."""

    name: str
    nets: tuple[Net, ...]
    means: tuple[tuple[float, float, float, float], ...]  # (x, geometric mean, lowest, highest); NaN: no mean there
    missing: int  # nets without an answer yet, or whose cell has no x


def optima(
    rows: Sequence[Row],
    x: str = "width",
    group_by: Sequence[str] | None = None,
    n_params: Mapping[str, int] | None = None,
) -> list[Optima]:
    """One line for every sweep and group of cells.

    Args:
        rows: of the view `eta_star`, or of `best_rates`.
        x: expression of a cell.
        group_by: axes; None: all that vary and are not in x.
        n_params: trained parameters by label of a cell.

    Raises:
        BadInput: an expression or a name that is not known.
    """
    return [_optima(group) for group in groups(rows, x, group_by, n_params or {})]


def _optima(group: Group) -> Optima:
    nets, missing, places = [], group.without_x, dict[float, list[Net]]()
    for row in group.rows:
        if text_of(row, "cell") not in group.at:
            continue
        x, value, kind = group.at[text_of(row, "cell")], number(row, "eta_star"), text_of(row, "censored")
        if not kind and not value > 0:
            missing += 1
            continue
        mark = kind.replace("_", "-") if kind else ""
        if mark and (mark not in BOUNDS or not value > 0):
            mark = "none"
        nets.append(Net(x, value if value > 0 else nan, mark))
        places.setdefault(x, []).append(nets[-1])
    means = []
    for x, those in sorted(places.items()):
        if any(net.mark for net in those):
            means.append((x, nan, nan, nan))
        else:
            ys = [net.y for net in those]
            means.append((x, exp(sum(map(log, ys)) / len(ys)), min(ys), max(ys)))
    return Optima(group.name, tuple(nets), tuple(means), missing)


def drawable(found: Sequence[Optima]) -> list[Net]:
    """All nets of some lines.

    Raises:
        BadInput: there is none.
    """
    nets = [net for one in found for net in one.nets]
    if not nets:
        raise BadInput("no net has a best rate yet: nothing to draw; train first")
    return nets


def words(one: Optima) -> str:
    """How far the optimum moves, between the first and the last place with a mean."""
    whole = [(x, mean) for x, mean, _, _ in one.means if not isnan(mean)]
    if len(whole) < 2:
        return "no two sizes with a mean"
    (first, low), (last, high) = whole[0], whole[-1]
    return f"× {exact(high / low, 2)} from {exact(first, 4)} to {exact(last, 4)}"


def transfer(
    rows: Sequence[Row],
    axes: "Axes",
    *,
    x: str = "width",
    group_by: Sequence[str] | None = None,
    n_params: Mapping[str, int] | None = None,
) -> "Axes":
    """Draw the best rate of every net against a size: a line through the means of each group, with the seeds' range.

    Args:
        rows: of the view `eta_star`, or of `best_rates`, as dicts.
        axes: of matplotlib; it is returned.
        x, group_by, n_params: see `optima`.

    Raises:
        BadInput: an expression or a name that is not known, or rows with nothing to draw.
    """
    found = optima(rows, x, group_by, n_params)
    drawn = drawable(found)
    style.log_axis(axes, "y", *style.spread([net.y for net in drawn if not isnan(net.y)], 0.08))
    size_axis(axes, x, [net.x for net in drawn])
    for place, (one, shift) in enumerate(zip(found, style.shifts(len(found)), strict=True)):
        _draw(axes, one, shift, style.GROUPS[place % len(style.GROUPS)], style.SHAPES[place % len(style.SHAPES)])
    for mark, (shape, text) in BOUNDS.items():
        if count := sum(net.mark == mark for net in drawn):
            style.note(axes, f"{text} ({counted(count, 'net')})", shape)
    if missing := sum(one.missing for one in found):
        style.note(axes, f"nets without a best rate yet: {missing}")
    axes.set_ylabel("η*" if any("eta_rule" in row for row in rows) else "η of the lowest final loss")
    style.legend_below(axes)
    return axes


def _draw(axes: "Axes", one: Optima, shift: float, colour: str, shape: str) -> None:
    xs = [x * shift for x, *_ in one.means]
    label = f"{shown(one.name)}: {words(one)}" if one.name else words(one)
    axes.plot(
        xs, [mean for _, mean, _, _ in one.means], color=colour, marker=shape, markeredgecolor=style.GROUND,
        label=label, gid="means",
    )  # fmt: skip
    for x, (_, _, low, high) in zip(xs, one.means, strict=True):
        if low < high:
            axes.plot([x, x], [low, high], color=colour, linewidth=0.7, gid="range")
    values = [net for net in one.nets if not net.mark]
    axes.plot([net.x * shift for net in values], [net.y for net in values], linestyle="none", marker="o",
              markersize=1.8, color=colour, markeredgewidth=0, gid="nets")  # fmt: skip
    for mark, (marker, _) in BOUNDS.items():
        if those := [net for net in one.nets if net.mark == mark]:
            ys = None if mark == "none" else [net.y for net in those]
            style.bounds(axes, [net.x * shift for net in those], ys, marker, colour, mark)
