"""Theory's lines for the net at hand: where its training starts at the edge of stability, and where catapults end."""

from mlrtui.charts.spec import HLine
from mlrtui.text.numbers import number
from mlrtui.tui.pages import PhaseMark

__all__ = ["lines_for", "words_for"]


def lines_for(mark: PhaseMark | None) -> tuple[HLine, ...]:
    """In units of η·λ₀: the edge of the optimizer, where it has one; 4 for the nets of which theory says it."""
    if mark is None or mark.edge is None:
        return ()
    edges = (mark.edge, 4.0) if _ends_at_four(mark) else (mark.edge,)
    return tuple(HLine(edge, number(edge)) for edge in edges)


def words_for(mark: PhaseMark | None) -> str:
    """What the lines mean, and for which nets."""
    if mark is None or mark.edge is None:
        return "theory has no line for this training: its sharpness has no edge"
    if _ends_at_four(mark):
        return "theory for two-layer linear nets under squared loss: lazy below 2, catapult up to 4, divergence above"
    start = f"{number(mark.edge)}: above it training starts beyond the edge of stability"
    return f"{start}; 4 is the catapult's end for linear nets of two layers only" if mark.edge == 2.0 else start


def _ends_at_four(mark: PhaseMark) -> bool:
    """The solvable model and what theory takes it for, by plain gradient descent under squared loss."""
    linear = mark.activation == "linear" and mark.model == "mlp" and mark.depth == 1
    return (linear or mark.model == "two-layer-linear") and mark.loss == "mse" and mark.edge == 2.0
