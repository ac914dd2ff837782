"""The cells that a fit leaves out, in few words."""

from collections.abc import Sequence

__all__ = ["OUTSIDE", "left_out"]

OUTSIDE = "outside where"
"""Reason of the cells that the fit's own condition excludes: asked for, so they are counted and not named."""


def left_out(excluded: Sequence[str]) -> str:
    """As in "8x64: censored, 3 cells outside where"; empty when nothing is left out. Texts are "label: reason"."""
    named = [text for text in excluded if not text.endswith(f": {OUTSIDE}")]
    outside = len(excluded) - len(named)
    cells = f"{outside} cell{'s' if outside > 1 else ''} {OUTSIDE}"
    return ", ".join([*named, cells] if outside else named)
