"""Which cells are worked on first, so that the time left is soon known: a few cheap ones that say most of all others.

In the order of a grid a tenth of the work may have seen nothing but the smallest nets. Results do not depend on the
order. Chosen one after the other, each the one that narrows most what is not known of the whole (the variance of the
logarithm of its work, by the priors of `forecast.Needs`), of those that cost little beside it.
"""

from collections.abc import Sequence

import numpy as np

from mlrtui.driver.forecast import Traits, needs_noise, needs_prior

__all__ = ["pilots"]

BUDGET = 0.05
"""Part of all work that the pilots may take together: half of what is done when a tenth is."""
EACH = 0.02
"""Part of it that a single one may take."""
GAIN = 0.03
"""A further one must narrow the variance by at least this part."""
CANDIDATES = 1000
"""Cells that are looked at, evenly among all of a large grid."""


def pilots(cells: Sequence[Traits], work: Sequence[float]) -> list[int]:
    """The places of the pilots among the cells, the cheapest first; ``work``: of all nets of each cell, guessed."""
    total = sum(work)
    if not total > 0:
        return []
    stride = -(-len(cells) // CANDIDATES)
    names = {name: column for column, name in enumerate(sorted({name for cell in cells for name in cell.shape}))}
    rows = np.zeros((len(cells), len(names)))
    for row, cell in zip(rows, cells, strict=True):
        for name, value in cell.shape.items():
            row[names[name]] = value
    parts = np.array(work) / total
    whole = parts @ rows  # what the logarithm of all work has of each coefficient
    spread = np.diag([needs_prior(name).sd ** 2 for name in names])
    noise = needs_noise()
    left, chosen = BUDGET, set[int]()
    while True:
        may = [at for at in range(0, len(cells), stride) if at not in chosen and parts[at] <= min(EACH, left)]
        if not may:
            break
        seen = rows[may]
        across = seen @ spread
        gains = (across @ whole) ** 2 / (np.einsum("ij,ij->i", across, seen) + noise)
        best = int(np.argmax(gains))
        if gains[best] <= GAIN * (whole @ spread @ whole):
            break
        at, along = may[best], across[best]
        spread = spread - np.outer(along, along) / (along @ rows[at] + noise)
        chosen.add(at)
        left -= parts[at]
    return sorted(chosen, key=lambda at: (parts[at], at))
