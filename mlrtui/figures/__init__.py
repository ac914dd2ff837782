"""Figures of results for papers, on axes of matplotlib (``pip install 'mlrtui[plot]'``).

    from mlrtui import figures

    figures.eta_star(rows, ax, group_by=["loss"])   # rows of the view eta_star, as dicts
    figures.phases(rows, ax)

Each function draws on the Axes that it is given and returns it. Importing this loads no matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrtui.figures.accuracies import accuracy
    from mlrtui.figures.forest import exponents
    from mlrtui.figures.fork_curves import forks
    from mlrtui.figures.laws import eta_star
    from mlrtui.figures.onset_marks import onsets
    from mlrtui.figures.optima import best_rates, transfer
    from mlrtui.figures.rows import Training
    from mlrtui.figures.scans import phases
    from mlrtui.figures.searches import boundary
    from mlrtui.figures.style import styled
    from mlrtui.figures.success_maps import success_map
    from mlrtui.figures.trainings import catapult, sharpness

__all__ = [
    "Training",
    "accuracy",
    "best_rates",
    "boundary",
    "catapult",
    "eta_star",
    "exponents",
    "forks",
    "onsets",
    "phases",
    "sharpness",
    "styled",
    "success_map",
    "transfer",
]

_HOMES = {
    "Training": "rows",
    "accuracy": "accuracies",
    "best_rates": "optima",
    "boundary": "searches",
    "catapult": "trainings",
    "eta_star": "laws",
    "exponents": "forest",
    "forks": "fork_curves",
    "onsets": "onset_marks",
    "phases": "scans",
    "sharpness": "trainings",
    "styled": "style",
    "success_map": "success_maps",
    "transfer": "optima",
}


def __getattr__(name: str) -> Any:
    """Load what ``__all__`` promises when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mlrtui.figures.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
