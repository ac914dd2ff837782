"""The box dimension of a boundary, from how many boxes of each size hold a piece of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np

from mlrtui.analysis.prediction import Refusal

__all__ = ["FEWEST_PIECES", "FEWEST_SCALES", "Dimension", "box_dimension"]

FEWEST_SCALES = 4
"""Sizes of boxes: a line through three says nothing of its own error."""

FEWEST_PIECES = 32
"""Squares of the finest grid that the boundary passes."""

LEVEL = 0.95


@dataclass(frozen=True)
class Dimension:
    """A box dimension: the slope of ln(boxes) over -ln(side), by least squares over all sizes, equally weighed."""

    value: float
    low: float
    high: float
    """Of the regression's interval at 95 %: how straight the line is. Boxes of one size are parts of those of another,
    so that it is no interval for the dimension of a finer boundary."""

    boxes: Mapping[int, int]
    """How many hold a piece of the boundary, by their side in squares of the finest grid."""


def box_dimension(boxes: Mapping[int, int]) -> Dimension | Refusal:
    """The dimension that these counts say; see `fields.boxes`.

    >>> found = box_dimension({1: 256, 2: 128, 4: 64, 8: 32})
    >>> round(found.value, 6), round(found.low, 6)
    (1.0, 1.0)
    >>> box_dimension({1: 9, 2: 4, 4: 2, 8: 1}).reason
    'the boundary has 9 pieces; 32 or more are needed, add levels'
    """
    if len(boxes) < FEWEST_SCALES:
        return Refusal(f"boxes of {len(boxes)} sizes fit into the grid; {FEWEST_SCALES} or more are needed, add levels")
    if boxes[min(boxes)] == 0:
        return Refusal("success and failure meet nowhere in the window; choose another one")
    if boxes[min(boxes)] < FEWEST_PIECES:
        return Refusal(f"the boundary has {boxes[min(boxes)]} pieces; {FEWEST_PIECES} or more are needed, add levels")
    from scipy.special import stdtrit  # a third of the import time of scipy.stats

    x = np.array([-log(side) for side in boxes])
    y = np.array([log(count) for count in boxes.values()])
    x, free = x - x.mean(), len(x) - 2
    slope = float((x * y).sum() / (x * x).sum())
    left = y - y.mean() - slope * x
    error = float(np.sqrt((left * left).sum() / free / (x * x).sum()))
    half = float(stdtrit(free, (1.0 + LEVEL) / 2.0)) * error
    return Dimension(slope, slope - half, slope + half, dict(boxes))
