"""The cells that a fit leaves out, in few words."""

from collections.abc import Sequence

from mlrtui.plurals import counted

__all__ = ["NOT_YET", "OUTSIDE", "left_out"]

OUTSIDE = "outside where"
"""Reason of the cells that the fit's own condition excludes: asked for, so they are counted and not named."""

NOT_YET = "not measured yet"
"""Reason of the cells whose nets are still at work: counted too, since they will have a value."""


def left_out(excluded: Sequence[str]) -> str:
    """As in "8x64: censored, 3 cells outside where"; empty when nothing is left out. Texts are "label: reason"."""
    named = [text for text in excluded if not text.endswith((f": {NOT_YET}", f": {OUTSIDE}"))]
    pooled = []
    for reason in (NOT_YET, OUTSIDE):
        count = sum(text.endswith(f": {reason}") for text in excluded)
        pooled += [f"{counted(count, 'cell')} {reason}"] * (count > 0)
    return ", ".join([*named, *pooled])
