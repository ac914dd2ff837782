"""From the canonical text of a sweep, as a store keeps it, to the spec that it is of."""

import json
from contextlib import suppress

from mlrtui.config.loops import LoopSweep
from mlrtui.config.sections import AnySweep, SweepSpec

__all__ = ["read_sweep"]


def read_sweep(text: str) -> AnySweep:
    """The spec whose `canonical` text this is. Raises pydantic.ValidationError for any other text."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        if "loop" in json.loads(text)["training"]:
            return LoopSweep.from_canonical(text)
    return SweepSpec.from_canonical(text)
