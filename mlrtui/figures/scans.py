"""Phases over sizes and rates, one mark a training. Nothing is drawn between rates that were trained."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Row, by_net, number, several, shown, text_of
from mlrtui.text.numbers import exact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["drawable", "kind_of", "phases"]

_OTHER = ("#6b6b6b", "*")  # of a training without a phase


def drawable(rows: Sequence[Row]) -> tuple[str, list[Row]]:
    """The column over which trainings are drawn, η·λ₀ or, where that is not known, η; and the rows that have it.

    Raises:
        BadInput: none has.
    """
    quantity = "eta_lambda0" if any(not isnan(number(row, "eta_lambda0")) for row in rows) else "eta"
    drawn = [row for row in rows if number(row, quantity) > 0]
    if not drawn:
        raise BadInput("no training has ended: nothing to draw; train first")
    return quantity, drawn


def kind_of(row: Row) -> str:
    """The phase of a training, or its verdict where it has none."""
    return text_of(row, "phase") or text_of(row, "verdict") or "no phase"


def phases(rows: Sequence[Row], axes: "Axes") -> "Axes":
    """Draw the phase of every training over η·λ₀ (η where λ₀ is not known), a column a net.

    Args:
        rows: of the view `phases`, as dicts.
        axes: of matplotlib; it is returned.

    Raises:
        BadInput: no training has ended.
    """
    quantity, drawn = drawable(rows)
    scaled = quantity == "eta_lambda0"
    nets = by_net(drawn)
    cells: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for net in nets:
        cells.setdefault(net[:2], []).append(net)
    low, high = style.spread([number(row, quantity) for row in drawn])
    style.log_axis(axes, "y", low, high)
    marks: dict[str, tuple[list[float], list[float]]] = {}
    for place, those in enumerate(cells.values()):
        for beside, net in enumerate(those):
            x = place + 0.6 * ((beside + 0.5) / len(those) - 0.5)
            for row in nets[net]:
                xs, ys = marks.setdefault(kind_of(row), ([], []))
                xs.append(x)
                ys.append(number(row, quantity))
    known = [*style.PHASES, *sorted(marks.keys() - style.PHASES.keys())]
    for phase in filter(marks.__contains__, known):
        colour, shape = style.PHASES.get(phase, _OTHER)
        filled = shape not in "x*" and phase != "unfinished"
        axes.plot(
            *marks[phase], linestyle="none", marker=shape, color=colour, label=shown(phase),
            gid=f"phase-{shown(phase)}",
            markerfacecolor=colour if filled else "none", markeredgecolor=style.GROUND if filled else colour,
            markeredgewidth=0.4 if filled else 1.0,
        )  # fmt: skip
    edges = {number(row, "edge") for row in drawn} - {0.0}
    edges = {edge for edge in edges if not isnan(edge)}
    if scaled and len(edges) == 1:
        (edge,) = edges
        axes.axhline(edge, color=style.MUTED, linestyle=(0, (3, 2)), linewidth=0.7, gid="edge", zorder=0,
                     label=f"edge: {exact(edge, 3)}")  # fmt: skip
    if left := len(rows) - len(drawn):
        axes.plot([], [], linestyle="none", marker="None", label=f"{left} without λ₀ left out")
    named = several(drawn, "sweep")
    labels = [f"{shown(sweep, 16)}\n{shown(cell, 16)}" if named else shown(cell, 16) for sweep, cell in cells]
    crowded = len(labels) > 6
    axes.set_xticks(range(len(labels)), labels, rotation=60 if crowded else 0, ha="right" if crowded else "center")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("η · λ₀" if scaled else "η")
    style.legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return axes
