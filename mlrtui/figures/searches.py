"""Where success ends: every rate that was tried, net by net. A success is a tick above the line, a failure below."""

from collections.abc import Sequence
from math import isnan, sqrt
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Row, by_net, number, several, shown, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SUCCESS", "boundary", "tried_and_ends"]

SUCCESS = "reached"
_AROUND = 2.0**1.5  # drawn around all η*, as a factor
_TICK = 0.34


def tried_and_ends(
    rows: Sequence[Row], nets: Sequence[Row]
) -> tuple[dict[tuple[str, str, int], list[Row]], dict[tuple[str, str, int], Row]]:
    """The trainings that have ended, and the row of `eta_star`, of each net.

    Raises:
        BadInput: no training of a search has ended.
    """
    tried = by_net(row for row in rows if text_of(row, "verdict") and number(row, "eta") > 0)
    if not tried:
        raise BadInput("no training of a search has ended: nothing to draw; train first")
    return tried, {key: its[0] for key, its in by_net(nets).items()}


def boundary(rows: Sequence[Row], nets: Sequence[Row], axes: "Axes") -> "Axes":
    """Draw successes and failures of every net around its η*.

    Args:
        rows: of the view `boundaries`, as dicts.
        nets: of the view `eta_star`, as dicts.
        axes: of matplotlib; it is returned.

    Raises:
        BadInput: no training of a search has ended.
    """
    tried, ends = tried_and_ends(rows, nets)
    known = [number(end, "eta_star") for end in ends.values() if number(end, "eta_star") > 0]
    etas = [number(row, "eta") for its in tried.values() for row in its]
    low, high = (min(known) / _AROUND, max(known) * _AROUND) if known else style.spread(etas)
    style.log_axis(axes, "x", low, high)
    sweeps = several(list(ends.values()), "sweep")
    labels = []
    kinds: dict[str, tuple[list[float], list[float]]] = {"success": ([], []), "failure": ([], []), "machine": ([], [])}
    for place, (key, its) in enumerate(tried.items()):
        sweep, cell, seed = key
        labels.append(f"{f'{shown(sweep, 18)}: ' if sweeps else ''}{shown(cell, 24)} seed {seed}")
        axes.axhline(place, color=style.PALE, linewidth=0.5, zorder=0)
        for row in its:
            verdict, eta = text_of(row, "verdict"), number(row, "eta")
            if low <= eta <= high:
                kind = "success" if verdict == SUCCESS else "machine" if verdict == "failed" else "failure"
                kinds[kind][0].append(eta)
                kinds[kind][1].append(place)
        _outside(axes, place, its, low, high)
        _end(axes, place, ends.get(key, {}), low, high)
    for kind, up, colour in (("success", -1, style.GROUPS[0]), ("failure", 1, style.GROUPS[1])):
        xs, ys = kinds[kind]
        if xs:
            axes.vlines(xs, ys, [y + up * _TICK for y in ys], color=colour, linewidth=0.9, gid=kind,
                        label="success (above)" if up < 0 else "failure (below)")  # fmt: skip
    if kinds["machine"][0]:
        axes.plot(*kinds["machine"], linestyle="none", marker="x", color=style.MUTED, label="failed by the machine",
                  gid="machine")  # fmt: skip
    for marker, label, filled in (("v", "η*", True), ("^", "η* is at least this", False)):
        if any((text_of(end, "censored") == "") == filled and number(end, "eta_star") > 0 for end in ends.values()):
            axes.plot([], [], linestyle="none", marker=marker, color=style.INK, label=label,
                      markerfacecolor=style.INK if filled else "none", markeredgecolor=style.INK)  # fmt: skip
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(range(len(labels)), labels, fontsize=7 if len(labels) <= 16 else 5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("η")
    style.legend_below(axes)
    return axes


def _outside(axes: "Axes", place: int, its: Sequence[Row], low: float, high: float) -> None:
    """How many rates lie beyond the ends of the axis."""
    below = sum(number(row, "eta") < low for row in its)
    above = sum(number(row, "eta") > high for row in its)
    for count, x, align in ((below, 0.004, "left"), (above, 0.996, "right")):
        if count:
            text = f"‹{count}" if align == "left" else f"{count}›"
            axes.annotate(text, (x, place), xycoords=("axes fraction", "data"), ha=align, va="center", fontsize=5.5,
                          color=style.MUTED, gid="beyond")  # fmt: skip


def _end(axes: "Axes", place: int, end: Row, low: float, high: float) -> None:
    """The mark of a net's η*, its ragged zone, or why it has none."""
    star, first, censored = number(end, "eta_star"), number(end, "first_failure"), text_of(end, "censored")
    last = number(end, "eta_last")
    if first < last:  # failures below the largest success
        axes.fill_betweenx([place - _TICK, place + _TICK], first, last, color=style.PALE, alpha=0.7, linewidth=0,
                           gid="ragged", zorder=0)  # fmt: skip
    if not isnan(star):
        axes.plot([star], [place - 0.42 if not censored else place], linestyle="none",
                  marker="v" if not censored else "^", markersize=3.5, markeredgewidth=0.7,
                  color=style.INK, markerfacecolor=style.INK if not censored else "none", clip_on=False,
                  gid="eta-star" if not censored else "censored")  # fmt: skip
    elif censored:
        text = {"at_min": "fails at every rate tried", "none": "no rate succeeds"}.get(censored, shown(censored))
        axes.annotate(text, (sqrt(low * high), place), ha="center", va="center", fontsize=6, gid="censored")
