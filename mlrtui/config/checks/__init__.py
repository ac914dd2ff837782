"""What a sweep file must not say in two places: checks between keys that are sound by themselves, a file a table.

The grid is a full product, so an axis value contradicts another key as soon as one cell would hold both.
"""

from collections.abc import Iterator
from itertools import chain

from mlrtui.config.checks import data, fits, forks, grid, loops, maps, measures, model, rates, sharpness, training
from mlrtui.config.checks.known import Known
from mlrtui.config.mistakes import Mistake

__all__ = ["contradictions"]

_TABLES = (rates, forks, maps, training, data, model, sharpness, measures, grid, fits)
_OF_LOOPS = (rates, loops, grid, fits)


def contradictions(known: Known, *, loop: bool) -> Iterator[Mistake]:
    """Every contradiction between the sound values of a file; ``loop``: of one over a training of the user's."""
    for check in chain.from_iterable(table.CHECKS for table in (_OF_LOOPS if loop else _TABLES)):
        yield from check(known)
