"""η* against a size, one mark a cell and one dot a net, with a power law for every group of cells.

What is no number is drawn all the same: a net whose η* is only a bound is a triangle at that bound, one at which no
rate succeeds a cross on the axis. A cell that has such a net has no mean. Groups are never pooled over an axis of the
grid unless that is asked for, and a law ends where its cells end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan, log, nan, sqrt
from typing import TYPE_CHECKING

from mlrtui.analysis import fits
from mlrtui.analysis.expressions import ExpressionError, cell_condition
from mlrtui.analysis.fits import CellPoint, FitResult
from mlrtui.analysis.prediction import Refusal
from mlrtui.errors import BadInput
from mlrtui.figures import predictions, style
from mlrtui.figures.groups import Group, groups, not_known, size_axis
from mlrtui.figures.rows import Row, number, shown, text_of
from mlrtui.text.numbers import counted, power

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PRODUCT", "Law", "drawable", "eta_star", "laws", "words"]

PRODUCT = "depth*width"
"""Over which η* is drawn and fitted unless another variable is asked for."""

_CURVE = 60  # points along a law
_BOUNDS = {
    "at-max": ("^", "at least this"),
    "at-min": ("v", "below all rates tried"),
    "none": ("x", "no rate succeeds"),
}
"""Shapes and names of the marks that are not values."""


@dataclass(frozen=True)
class Net:
    """One net in the figure: its η*, or the bound that is known of it."""

    x: float
    y: float  # NaN: no rate succeeded, or none within the range
    censored: str  # "": a value; at_max, at_min, none

    @property
    def mark(self) -> str:
        """ "" for a value; at-max where a bound is known, at-min, and none for all others."""
        if self.censored == "at_max":
            return "none" if isnan(self.y) else "at-max"
        return {"": "", "at_min": "at-min"}.get(self.censored, "none")


@dataclass(frozen=True)
class Law:
    """One group of cells: its marks, and its law."""

    name: str
    result: FitResult
    means: tuple[tuple[float, float], ...]  # (x, geometric mean) of the cells that are fitted
    outside: tuple[tuple[float, float], ...]  # the same of cells that are left out, with values
    nets: tuple[Net, ...]
    missing: int  # nets without an answer yet, or whose cell has no x
    cells: tuple[CellPoint, ...] = ()  # those that meet the condition

    def curve(self) -> list[tuple[float, float, float, float]]:
        """(x, law, low, high) over the x of the fitted cells, with the 95 % band of the mean; empty without a law."""
        if not self.result.terms:
            return []
        term, xs = self.result.terms[0], [log(x) for _, x, _ in self.result.inputs]
        low, high, mean = min(xs), max(xs), sum(xs) / len(xs)
        scatter = sum((x - mean) ** 2 for x in xs)
        # the slope's half-width is t·s / √scatter, from which the band of the mean follows
        half = (term.high - term.low) / 2 if term.low is not None and term.high is not None else None
        found = []
        for place in range(_CURVE + 1):
            x = low + (high - low) * place / _CURVE
            y = self.result.intercept + term.exponent * x
            band = 0.0 if half is None else half * sqrt(scatter / len(xs) + (x - mean) ** 2)
            found.append((exp(x), exp(y), exp(y - band), exp(y + band)))
        return found


def laws(
    rows: Sequence[Row],
    *,
    x: str = PRODUCT,
    where: str = "",
    group_by: Sequence[str] | None = None,
    n_params: Mapping[str, int] | None = None,
) -> list[Law]:
    """One law for every sweep and every group of its cells.

    Args:
        rows: of the view `eta_star`.
        x: expression of a cell.
        where: condition on the cells that are fitted; the others are drawn open.
        group_by: axes; None: all that vary but depth and width. Of none: one group.
        n_params: trained parameters by label of a cell, for expressions with ``n_params``.

    Raises:
        BadInput: an expression or a name that is not known.
    """
    try:
        return [
            _law(group, fits.FitSpec("eta_star", (x,), where))
            for group in groups(rows, x, group_by, n_params or {}, y="eta_star", pool_sizes=True)
        ]
    except ExpressionError as error:
        raise not_known(error) from None


def _law(group: Group, spec: fits.FitSpec) -> Law:
    result = fits.fit(group.cells, spec)
    at = group.at
    fitted = {label for label, _, _ in result.inputs}
    whole = [cell for cell in group.cells if cell.ln_y and not cell.censored and cell.label in at]
    means = {cell.label: (at[cell.label], exp(sum(cell.ln_y) / len(cell.ln_y))) for cell in whole}
    wanted = cell_condition(spec.where, fits.own_names(group.cells)) if spec.where.strip() else None
    nets, missing = [], group.without_x
    for row in group.rows:
        label, censored, value = text_of(row, "cell"), text_of(row, "censored"), number(row, "eta_star")
        if label not in at:
            continue
        if not censored and not value > 0:
            missing += 1
            continue
        nets.append(Net(at[label], value if value > 0 else nan, censored))
    return Law(
        group.name,
        result,
        tuple(mean for label, mean in means.items() if label in fitted),
        tuple(mean for label, mean in means.items() if label not in fitted),
        tuple(nets),
        missing,
        tuple(cell for cell in group.cells if wanted is None or wanted.evaluate(cell.values)),
    )


def drawable(found: Sequence[Law], x: str) -> list[Net]:
    """All nets of some laws.

    Raises:
        BadInput: there is none.
    """
    nets = [net for law in found for net in law.nets]
    if not nets:
        raise BadInput(f"no net has an η* and a {x} yet: nothing to draw; train first, or name another --x")
    return nets


def words(law: Law) -> str:
    """The law in a line: η* ∝ (depth·width)^−0.78 [−1.02, −0.54]; or why there is none."""
    if not law.result.terms:
        return f"no law: {shown(next(iter(law.result.warnings), 'too few cells'), 60)}"
    term = law.result.terms[0]
    name = term.expression.replace("*", "·")
    base = name if name.isascii() and name.isidentifier() else f"({name})"
    ends = "" if term.low is None or term.high is None else f" [{power(term.low)}, {power(term.high)}]"
    return f"∝ {base}^{power(term.exponent)}{ends or ', no interval'}"


def eta_star(
    rows: Sequence[Row],
    axes: "Axes",
    *,
    x: str = PRODUCT,
    where: str = "",
    group_by: Sequence[str] | None = None,
    n_params: Mapping[str, int] | None = None,
    predicted: bool = False,
) -> "Axes":
    """Draw η* of every net and cell with a law for each group.

    Args:
        rows: of the view `eta_star`, as dicts.
        axes: of matplotlib; it is returned.
        x, where, group_by, n_params: see `laws`.
        predicted: draw predictions with their intervals to two octaves beyond the cells, or say why there are none.

    Raises:
        BadInput: an expression or a name that is not known, or rows with nothing to draw.
    """
    found = laws(rows, x=x, where=where, group_by=group_by, n_params=n_params)
    drawn = drawable(found, x)
    bands = [predictions.band(law.cells, x) for law in found] if predicted else []
    steps = [step for one in bands if not isinstance(one, Refusal) for step in one.steps]
    ends = [end for step in steps for end in (step.low, step.high)]
    low, high = style.spread([net.y for net in drawn if not isnan(net.y)] + ends, 0.08)
    size_axis(axes, x, [net.x for net in drawn], [step.x for step in steps])
    style.log_axis(axes, "y", low, high)
    for place, (law, shift) in enumerate(zip(found, style.shifts(len(found)), strict=True)):
        _draw(axes, law, shift, style.GROUPS[place % len(style.GROUPS)], style.SHAPES[place % len(style.SHAPES)])
    for place, (law, one) in enumerate(zip(found, bands, strict=False)):
        predictions.draw(axes, law.name, one, style.GROUPS[place % len(style.GROUPS)])
    _explain(axes, found)
    axes.set_ylabel("η*")
    style.legend_below(axes)
    return axes


def _draw(axes: "Axes", law: Law, shift: float, colour: str, shape: str) -> None:
    curve = law.curve()
    if curve:
        xs, ys, lows, highs = zip(*curve, strict=True)
        axes.fill_between(xs, lows, highs, color=colour, alpha=0.15, linewidth=0, gid="band")
        axes.plot(xs, ys, color=colour, gid="law")
    values = [net for net in law.nets if not net.censored]
    axes.plot(
        [net.x * shift for net in values], [net.y for net in values],
        linestyle="none", marker="o", markersize=1.8, color=colour, markeredgewidth=0, gid="nets",
    )  # fmt: skip
    label = f"{shown(law.name)}\n{words(law)}" if law.name else words(law)
    axes.plot(
        [x * shift for x, _ in law.means], [y for _, y in law.means], linestyle="none", marker=shape,
        color=colour, markeredgecolor=style.GROUND, label=label, gid="cells",
    )  # fmt: skip
    if law.outside:
        axes.plot(
            [x * shift for x, _ in law.outside], [y for _, y in law.outside], linestyle="none", marker=shape,
            markerfacecolor="none", markeredgecolor=colour, markeredgewidth=0.9, gid="outside",
        )  # fmt: skip
    for gid, (marker, _) in _BOUNDS.items():
        if those := [net for net in law.nets if net.mark == gid]:
            at = [net.y for net in those] if gid == "at-max" else None
            style.bounds(axes, [net.x * shift for net in those], at, marker, colour, gid)


def _explain(axes: "Axes", found: Sequence[Law]) -> None:
    """Entries of the legend for the marks that are not values, with how many there are."""
    nets = [net for law in found for net in law.nets]
    counts = [(*_BOUNDS[gid], "net", sum(net.mark == gid for net in nets)) for gid in _BOUNDS]
    counts.append(("o", f"not fitted: {_reasons(found)}", "cell", sum(len(law.outside) for law in found)))
    for marker, text, of, count in counts:
        if count:
            style.note(axes, f"{text} ({counted(count, of)})", marker)
    if missing := sum(law.missing for law in found):
        style.note(axes, f"nets without η* yet: {missing}")


def _reasons(found: Sequence[Law]) -> str:
    """Why cells with values are not fitted."""
    whole = {text.rpartition(": ")[2] for law in found if law.outside for text in law.result.excluded}
    whole.discard("censored")
    reasons = sorted(whole) or ["no law"]
    return shown(", ".join(reasons), 30)
