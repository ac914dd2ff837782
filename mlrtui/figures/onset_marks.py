"""Where loss and sharpness first rise, and what training survives, against a size.

Each onset of a net lies between two rates of its scan: a mark at the stored one, a thin line to its neighbour. One that
lies beyond the rates of the scan is a triangle at the last of them, and its cell has no mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan, log, nan
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.groups import Group, default_x, groups, size_axis
from mlrtui.figures.rows import Row, by_net, number, shown, text_of
from mlrtui.text.numbers import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["QUANTITIES", "Onset", "drawable", "onsets", "series"]

_APART = 0.05  # how far quantities are moved apart in x, as a share

QUANTITIES = {
    "c_loss": ("c_loss: loss rises", "c_loss_above"),
    "c_sharp": ("c_sharp: λ rises", "c_sharp_above"),
    "c_max": ("c_max: survived", "c_max_below"),
}
"""Columns of the view: what they are, and the column with the other end of the bracket."""

_SHAPES = dict(zip(QUANTITIES, ("o", "s", "D"), strict=True))  # triangles are bounds


@dataclass(frozen=True)
class Mark:
    """One onset of one net, in units of η·λ₀."""

    x: float
    c: float  # NaN: λ was not measured
    other: float  # the neighbour in the scan, between which and c it lies; NaN: none
    bound: str  # "": a value; "at-max": at least c, "at-min": at most c, "unmeasured"


@dataclass(frozen=True)
class Onset:
    """One quantity of one group of cells."""

    quantity: str
    name: str
    marks: tuple[Mark, ...]
    means: tuple[tuple[float, float], ...]  # (x, geometric mean); NaN where a net is a bound
    without_x: int

    @property
    def label(self) -> str:
        """What the legend says."""
        text = QUANTITIES[self.quantity][0]
        return f"{text}, {shown(self.name)}" if self.name else text


def series(
    rows: Sequence[Row], tried: Sequence[Row], x: str = "", group_by: Sequence[str] | None = None,
    n_params: Mapping[str, int] | None = None,
) -> list[Onset]:  # fmt: skip
    """The onsets of every group of cells.

    Args:
        rows: of the view `onsets`.
        tried: of the view `phases`, which has the rates of each net.
        x: expression of a cell; "": the width, or the depth where that alone varies.
        group_by: axes; None: all that vary and are not in x.
        n_params: trained parameters by label of a cell.

    Raises:
        BadInput: an expression or a name that is not known, or there is no onset.
    """
    nets = by_net(row for row in tried if text_of(row, "verdict") != "failed")
    found = [
        _onset(quantity, group, nets)
        for group in groups(rows, x or default_x(rows), group_by, n_params or {})
        for quantity in QUANTITIES
    ]
    return drawable(found)


def drawable(found: Sequence[Onset]) -> list[Onset]:
    """Those with a mark.

    Raises:
        BadInput: there is none.
    """
    drawn = [one for one in found if one.marks]
    if not any(not isnan(mark.c) for one in drawn for mark in one.marks):
        raise BadInput("no net of a scan has onsets in η·λ₀: nothing to draw; train first, with λ₀ measured")
    return drawn


def _onset(quantity: str, group: Group, nets: Mapping[tuple[str, str, int], Sequence[Row]]) -> Onset:
    marks, places = [], dict[float, list[Mark]]()
    for (sweep, cell, seed), (row, *_) in by_net(group.rows).items():
        its = nets.get((sweep, cell, seed), ())
        if cell in group.at and any(number(one, "eta_lambda0") > 0 for one in its):
            mark = _mark(quantity, group.at[cell], row, its)
            marks.append(mark)
            places.setdefault(mark.x, []).append(mark)
    means = [
        (x, nan if any(mark.bound for mark in those) else exp(sum(log(mark.c) for mark in those) / len(those)))
        for x, those in sorted(places.items())
    ]
    return Onset(quantity, group.name, tuple(marks), tuple(means), group.without_x)


def _mark(quantity: str, x: float, row: Row, its: Sequence[Row]) -> Mark:
    """An onset, or the bound that the rates of its net give."""
    rates = [c for one in its if (c := number(one, "eta_lambda0")) > 0]
    c, other = number(row, quantity), number(row, QUANTITIES[quantity][1])
    if quantity == "c_max":
        if isnan(c):
            return Mark(x, min(rates), nan, "at-min")  # lost at every rate
        is_open = isnan(other) or number(row, "c_max_open") == 1
        return Mark(x, c, nan, "at-max") if is_open else Mark(x, c, other, "")
    if isnan(c):
        if quantity == "c_sharp" and not any(_measured(one) for one in its):
            return Mark(x, nan, nan, "unmeasured")
        return Mark(x, max(rates), nan, "at-max")  # rises at no rate
    return Mark(x, c, nan, "at-min") if isnan(other) else Mark(x, c, other, "")


def _measured(row: Row) -> bool:
    """Whether λ was measured along a training."""
    return any(not isnan(number(row, name)) for name in ("ratio_first", "ratio_last", "ratio_before_peak"))


def onsets(
    rows: Sequence[Row],
    tried: Sequence[Row],
    axes: "Axes",
    *,
    x: str = "",
    group_by: Sequence[str] | None = None,
    n_params: Mapping[str, int] | None = None,
) -> "Axes":
    """Draw c_loss, c_sharp and c_max of every net of scans against a size, a line through the means of each group.

    Args:
        rows: of the view `onsets`, as dicts.
        tried: of the view `phases`, as dicts.
        axes: of matplotlib; it is returned.
        x, group_by, n_params: see `series`.

    Raises:
        BadInput: an expression or a name that is not known, or rows with nothing to draw.
    """
    drawn = series(rows, tried, x, group_by, n_params)
    marks = [mark for one in drawn for mark in one.marks]
    ends = [end for mark in marks for end in (mark.c, mark.other) if not isnan(end)]
    style.log_axis(axes, "y", *style.spread(ends))
    size_axis(axes, x or default_x(rows), [mark.x for mark in marks])
    names = list(dict.fromkeys(one.name for one in drawn))
    for place, (one, shift) in enumerate(zip(drawn, style.shifts(len(drawn), _APART), strict=True)):
        _draw(axes, one, shift, style.GROUPS[place % len(style.GROUPS)], _SHAPES[one.quantity], names.index(one.name))
    for bound, shape, text in (("at-max", "^", "at least this"), ("at-min", "v", "at most this")):
        if count := sum(mark.bound == bound for mark in marks):
            style.note(axes, f"{text}: beyond the rates tried ({count})", shape)
    if count := sum(mark.bound == "unmeasured" for mark in marks):
        style.note(axes, f"c_sharp: λ not measured ({counted(count, 'net')})")
    if count := sum(one.without_x for one in drawn if one.quantity == "c_loss"):
        style.note(axes, f"no {shown(x or default_x(rows))}: {counted(count, 'net')}")
    axes.set_ylabel("η · λ₀")
    style.legend_below(axes)
    return axes


def _draw(axes: "Axes", one: Onset, shift: float, colour: str, shape: str, group: int) -> None:
    dashes = ("-", (0, (5, 1.5)), (0, (1, 1)))[group % 3]
    if any(not isnan(mean) for _, mean in one.means):
        axes.plot([x * shift for x, _ in one.means], [mean for _, mean in one.means], color=colour, linestyle=dashes,
                  marker=shape, markeredgecolor=style.GROUND, label=one.label, gid=f"mean-{one.quantity}")  # fmt: skip
    else:
        axes.plot([], [], color=colour, linestyle=dashes, marker=shape, markerfacecolor="none", label=one.label)
    values = [mark for mark in one.marks if not mark.bound]
    axes.plot([mark.x * shift for mark in values], [mark.c for mark in values], linestyle="none", marker=shape,
              markersize=2.2, color=colour, markeredgewidth=0, gid=f"net-{one.quantity}")  # fmt: skip
    for mark in values:
        if not isnan(mark.other):
            axes.plot([mark.x * shift] * 2, [mark.c, mark.other], color=colour, linewidth=0.5, gid="bracket")
    for bound, marker in (("at-max", "^"), ("at-min", "v")):
        if those := [mark for mark in one.marks if mark.bound == bound]:
            xs, ys = [mark.x * shift for mark in those], [mark.c for mark in those]
            style.bounds(axes, xs, ys, marker, colour, f"{bound}-{one.quantity}")
