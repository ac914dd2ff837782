"""Which cells are worked on first, so that the time left is soon known: a few cheap ones that say most of all others.

In the order of a grid a tenth of the work may have seen nothing but the smallest nets. Results do not depend on the
order. Chosen one after the other, each the one that narrows most what is not known of the whole (the variance of the
logarithm of its work), of those that cost little beside it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlrtui.driver.traits import Traits

__all__ = ["pilots"]

BUDGET = 0.08
"""Part of all work that the pilots may take together: most of what is done when a tenth is."""
EACH = 0.05
"""Part of it that a single one may take."""
GAIN = 0.03
"""A further one must narrow the variance by at least this part."""
CANDIDATES = 300
"""Cells that are looked at, at most, evenly among all of a large grid."""
SPREADS, KIND = {"all": 0.6, "width": 0.35, "depth": 0.5}, 0.35
"""Of what all have in common, and of the coefficients of what they differ in: of needs and of pace together."""
NOISE = 0.15
"""Variance of what one net departs from others of its cell by."""
BENT, ALIKE = 0.3, 0.7
"""How far (ln) sizes may depart from a plane together, and over which distance in ln(width) or ln(depth + 1)."""


def pilots(cells: Sequence[Traits], work: Sequence[float], nets: Sequence[int]) -> list[int]:
    """The places of the pilots among the cells, the cheapest first.

    Args:
        cells: all of a sweep.
        work: of one net of each, guessed.
        nets: how many each has; a pilot is one of them.
    """
    total = sum(each * count for each, count in zip(work, nets, strict=True))
    if not total > 0 or len(cells) < 2:
        return []
    looked_at = range(0, len(cells), -(-len(cells) // CANDIDATES))
    parts = np.array([work[at] for at in looked_at]) / total
    wholes = parts * np.array([nets[at] for at in looked_at])
    spread = _covariance([cells[at] for at in looked_at])
    shares = wholes / wholes.sum()
    unknown = at_first = shares @ spread @ shares
    chosen: list[int] = []
    while True:
        gains = (spread @ shares) ** 2 / (np.diag(spread) + NOISE)
        gains[parts > min(EACH, BUDGET - parts[chosen].sum())] = 0.0
        gains[chosen] = 0.0
        best = int(np.argmax(gains))
        if gains[best] <= GAIN * at_first or unknown <= 0:
            break
        spread = spread - np.outer(spread[best], spread[best]) / (spread[best, best] + NOISE)
        unknown -= gains[best]
        chosen.append(best)
    return [looked_at[at] for at in sorted(chosen, key=lambda at: (parts[at], at))]


def _covariance(cells: Sequence[Traits]) -> npt.NDArray[np.float64]:
    """Of the logarithms of what trainings of these cells do: the plane, and what is alike in cells of like sizes."""
    names = {name: column for column, name in enumerate(sorted({name for cell in cells for name in cell.shape}))}
    rows = np.zeros((len(cells), len(names)))
    for row, cell in zip(rows, cells, strict=True):
        for name, value in cell.shape.items():
            row[names[name]] = value
    sds = np.array([SPREADS.get(name, KIND) for name in names])
    sizes = np.array([[cell.shape["width"], cell.shape["depth"]] for cell in cells])
    apart = ((sizes[:, None] - sizes[None]) ** 2).sum(axis=2)
    return np.asarray((rows * sds**2) @ rows.T + BENT**2 * np.exp(-0.5 * apart / ALIKE**2), np.float64)
