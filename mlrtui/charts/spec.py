"""What a chart shows: frozen data in, nothing about terminals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "ChartSpec", "Floats", "HLine", "Series"]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Series:
    """One curve. A non-finite y breaks the line and is marked at its x."""

    x: Floats  # [points] never decreasing, >= 0
    y: Floats  # [points]
    role: str = "curve"
    sign: str = "*"  # how ASCII draws it
    hollow: NDArray[np.bool_] | None = None  # [points] which are marked by a ring: less certain than the others
    letter: str = ""  # written along the curve, so that curves are told apart without colours


@dataclass(frozen=True)
class HLine:
    """A horizontal reference line. Its label, with its number, stands in the margin, where no curve comes."""

    value: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A range and its scale. A logarithmic x axis is log(1 + x), so that step 0 has a place."""

    low: float
    high: float
    log: bool


@dataclass(frozen=True, eq=False)
class ChartSpec:
    """A chart of x from `x_start` to `x_end`, the planned end: columns that are drawn never move while data arrives."""

    series: tuple[Series, ...]
    x_end: float
    x_log: bool = False
    y_log: bool = False
    y_limits: tuple[float, float] | None = None  # None: from the data
    hlines: tuple[HLine, ...] = ()
    x_start: float = 0.0
    cursor: float | None = None  # x of a vertical line
    point: float | None = None  # y of the mark where the cursor meets the curve
    gutter: int = 0  # cells of the left margin at least, so that charts above one another are aligned
    x_names: tuple[tuple[float, str], ...] = ()  # labels below, each with its x; none: the ticks of the axis
    empty: str = "nothing to draw yet"  # the sentence shown when there is not one point
