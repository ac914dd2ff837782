"""Fitted exponents with their intervals, one line each, in the order in which they were fitted."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Row, number, several, shown, text_of
from mlrtui.text.numbers import counted, power
from mlrtui.text.phrases import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["condition_of", "drawable", "exponents", "line", "name_of"]

_REFERENCES = (0.0, -1.0)


def drawable(rows: Sequence[Row]) -> list[Row]:
    """The rows that have an exponent.

    Raises:
        BadInput: none has.
    """
    drawn = [row for row in rows if not isnan(number(row, "exponent"))]
    if not drawn:
        raise BadInput("no fit has an exponent yet: nothing to draw; `mlrtui fit` makes one of stored results")
    return drawn


def line(row: Row) -> str:
    """An exponent in words: −0.78 [−1.02, −0.54], 15 cells; or that it has no interval."""
    low, high = number(row, "low"), number(row, "high")
    ends = "no interval" if isnan(low) or isnan(high) else f"[{power(low)}, {power(high)}]"
    return f"{power(number(row, 'exponent'))} {ends}, {counted(int(number(row, 'cells')), 'cell')}"


def name_of(row: Row, quantities: bool = True) -> str:
    """What is fitted on what: η* on depth·width; without the fitted quantity where a figure has one only."""
    others = [part.strip() for part in text_of(row, "fit").split("|")[0].partition("~")[2].split(",")]
    beside = [part for part in others if part and part != text_of(row, "term")]
    with_them = f" (with {', '.join(beside)})" if beside else ""
    fitted = f"{quantity(text_of(row, 'y'))} on " if quantities else ""
    return f"{fitted}{quantity(text_of(row, 'term')).replace('*', '·')}{with_them}"


def condition_of(row: Row) -> str:
    """The condition on a fit's cells as people write it: width ≥ 16·depth."""
    text = text_of(row, "where_expr").replace(" * ", "·").replace("*", "·")
    return text.replace(">=", "≥").replace("<=", "≤").replace("==", "=")


def exponents(rows: Sequence[Row], axes: "Axes") -> "Axes":
    """Draw the exponents of fits with 95 % intervals; those without an interval are open marks.

    Args:
        rows: of the view `exponents`, as dicts.
        axes: of matplotlib; it is returned.

    Raises:
        BadInput: there is no fit.
    """
    drawn = drawable(rows)
    named = several(drawn, "sweep")
    values = []
    fitted = {text_of(row, "y") for row in drawn}
    for place, row in enumerate(drawn):
        value, low, high = (number(row, name) for name in ("exponent", "low", "high"))
        bounded = not isnan(low) and not isnan(high)
        group = int(text_of(row, "y") == "lambda0")
        colour, shape = style.GROUPS[group], style.SHAPES[group]
        if bounded:
            axes.plot([low, high], [place, place], color=colour, gid="interval")
        axes.plot(
            [value], [place], linestyle="none", marker=shape, markerfacecolor=colour if bounded else "none",
            markeredgecolor=style.GROUND if bounded else colour, gid="exponent" if bounded else "no-interval",
        )  # fmt: skip
        values += [value, low, high] if bounded else [value]
        sweep = f"{shown(text_of(row, 'sweep'), 60)}\n" if named else ""
        condition = condition_of(row)
        name = f"{sweep}{shown(name_of(row, len(fitted) > 1))}{f', {shown(condition, 30)}' if condition else ''}"
        for text, x, side in ((name, 0.0, "left"), (line(row), 1.0, "right")):
            axes.annotate(
                text, (x, place - 0.2), xycoords=("axes fraction", "data"), ha=side, va="bottom", fontsize=6.0,
                annotation_clip=False, bbox={"facecolor": style.GROUND, "edgecolor": "none", "pad": 0.4},
                gid="name" if side == "left" else "number",
            )  # fmt: skip
    low, high = min([*values, 0.0]), max([*values, 0.0])
    margin = 0.06 * (high - low or 1.0)
    axes.set_xlim(low - margin, high + margin)
    for at in _REFERENCES:
        if low - margin <= at <= high + margin:
            axes.axvline(at, color=style.MUTED, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0, gid="reference")
    axes.set_ylim(len(drawn) - 0.6, -0.9 if named else -0.7)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    of = f" of {quantity(next(iter(fitted)))}" if len(fitted) == 1 else ""
    axes.set_xlabel(f"exponent{of}, 95 % interval")
    return axes
