"""Python's search for cyclic garbage, left out while many objects are made that stay.

It looks at all of them again whenever their number has grown by a quarter: a third of the time of a large plan.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Search for none meanwhile; what is counted by references is freed as ever. Also a decorator."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()
