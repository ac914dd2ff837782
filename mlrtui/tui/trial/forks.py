"""η*(t) of the net of a trial: its forks by step, as they are drawn on Trial."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlrtui.analysis.rows import Row, number, text_of
from mlrtui.charts.spec import Floats, Series
from mlrtui.figures.rows import view_rows
from mlrtui.text.numbers import exact
from mlrtui.tui.ports import StoreReader
from mlrtui_db.models import LiveSnapshot, TrialRow

__all__ = ["FORKS", "ForkRow", "beside_forks", "fork_points", "fork_words", "read_forks"]

FORKS = "η*(t)"
"""Name among the quantities of Trial."""


@dataclass(frozen=True)
class ForkRow:
    """One fork of the net; a rate is None where it is not known, or only as a bound."""

    step: int
    eta_star: float | None
    edge: float | None  # 2/λ(t)
    base: float | None  # rate of the base at this step
    catapult: float | None  # where one step leaves the loss as it is


_BESIDE = (("edge", "e", "curve-2"), ("base", "b", "curve-3"), ("catapult", "c", "curve-4"))
"""Field, letter and role of what is drawn beside η*(t)."""


def read_forks(reader: StoreReader, snapshot: LiveSnapshot, trial: TrialRow) -> tuple[ForkRow, ...]:
    """The forks of the net of a trial, or of the net that it forks from, by step; () in a sweep without any."""
    if not snapshot.sweep.has_forks:
        return ()
    cell = next((cell for cell in snapshot.cells if cell.cell_id == trial.cell_id), None)
    if cell is None:
        return ()
    label = cell.label if cell.fork_step is None else cell.label.removesuffix(f" t={cell.fork_step}")
    rows = [
        row
        for row in view_rows(reader, "forks", snapshot.sweep.name)
        if text_of(row, "cell") == label and row["seed"] == trial.seed
    ]

    def rate(row: Row, name: str) -> float | None:
        value = number(row, name)
        return value if value > 0.0 else None  # no NaN, which would make equal readings differ

    return tuple(
        ForkRow(
            int(number(row, "step")),
            None if text_of(row, "censored") else rate(row, "eta_star"),
            *(rate(row, name) for name in ("eta_edge", "base_eta_step", "eta_catapult")),
        )
        for row in sorted(rows, key=lambda row: number(row, "step"))
    )


def fork_points(forks: Sequence[ForkRow], name: str = "eta_star") -> tuple[Floats, Floats]:
    """Steps and rates [points] of those forks that have this rate."""
    known = [(fork.step, rate) for fork in forks if (rate := getattr(fork, name)) is not None]
    return np.array([step for step, _ in known], dtype=np.float64), np.array(
        [rate for _, rate in known], dtype=np.float64
    )


def beside_forks(forks: Sequence[ForkRow]) -> tuple[Series, ...]:
    """2/λ(t), the base's rate and where catapults begin, as far as they are stored."""
    found = ((fork_points(forks, name), letter, role) for name, letter, role in _BESIDE)
    return tuple(Series(*points, role, letter, letter=letter) for points, letter, role in found if points[0].size)


def fork_words(forks: Sequence[ForkRow]) -> str:
    """What η*(t) is in units of the edge, and what the letters mean."""
    ratios = [fork.eta_star / fork.edge for fork in forks if fork.eta_star is not None and fork.edge is not None]
    said = [f"η*(t) {exact(min(ratios), 2)} to {exact(max(ratios), 2)} times 2/λ(t)"] if ratios else []
    if len(ratios) < len(forks):
        said.append(f"{len(forks) - len(ratios)} of {len(forks)} forks without a value")
    letters = {"edge": "e 2/λ(t)", "base": "b base", "catapult": "c catapult begins"}
    return " · ".join([*said, *(text for name, text in letters.items() if fork_points(forks, name)[0].size)])
