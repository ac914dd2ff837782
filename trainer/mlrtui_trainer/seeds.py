"""Random numbers keyed by what they are for, so that a trial's bits depend on nothing that runs beside it."""

import numpy as np

__all__ = ["PURPOSES", "generator"]

PURPOSES = {"weights": 1, "order": 2, "lanczos": 3, "data": 4, "noise": 5}
"""What random numbers are drawn for, with the code that keys them. A code is never given to another purpose."""


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """NumPy generator (Philox) of one purpose: "weights" by layer, "order" by epoch, "lanczos" by draw, "data" freely,
    "noise" by step and part.

    Different arguments give independent streams. Raises ValueError for a negative number and for an unknown purpose.
    """
    if purpose not in PURPOSES:
        raise ValueError(f"unknown purpose {purpose!r}: use one of {', '.join(PURPOSES)}")
    # spawn_key, not entropy: entropy is padded with zeros, so that (7,) and (7, 0) would be the same stream
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *index))))
