"""The edge of stability on the screens: 2/η for plain gradient descent, another multiple of 1/η for the others."""

from mlrtui.text.numbers import number
from mlrtui_db.models import TrialDetails

__all__ = ["edge_name", "ratio_name", "stored_edge"]


def edge_name(edge: float) -> str:
    """The line at the edge: 2/η."""
    return f"{number(edge)}/η"


def ratio_name(edge: float | None) -> str:
    """Sharpness over its edge: λη/2; λη where it has none."""
    return "λη" if edge is None else f"λη/{number(edge)}"


def stored_edge(details: TrialDetails) -> float | None:
    """η × λ at the edge of a trial's training; None where it has none: muon, and the ntk, unless under mse."""
    cell, operator = dict(details.cell), dict(details.net).get("operator")
    edge = cell.get("edge", 2.0)
    known = operator != "ntk" or cell.get("loss") == "mse"
    return float(edge) if known and isinstance(edge, int | float) and edge > 0 else None
