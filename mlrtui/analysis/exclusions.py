"""The cells that a fit leaves out, in few words."""

from collections.abc import Sequence

from mlrtui.plurals import counted

__all__ = ["NOT_YET", "OUTSIDE", "left_out"]

OUTSIDE = "outside where"
"""Reason of the cells that the fit's own condition excludes: asked for, so they are counted and not named."""

NOT_YET = "not measured yet"
"""Reason of the cells whose nets are still at work: counted too, since they will have a value."""


def left_out(excluded: Sequence[str]) -> str:
    """As in "8x64: censored, 3 cells outside where"; empty when nothing is left out. Texts are "label: reason".

    Several cells of one reason are named behind it: "2 cells censored (4x64, 8x64)".
    """
    cells: dict[str, list[str]] = {}
    for text in excluded:
        label, _, reason = text.partition(": ")
        cells.setdefault(reason, []).append(label)
    parts = []
    for reason in sorted(cells, key=_place):
        labels = cells[reason]
        if not reason:
            parts += labels
            continue
        named = "" if reason in (NOT_YET, OUTSIDE) else f" ({', '.join(labels)})"
        alone = named and len(labels) == 1
        parts.append(f"{labels[0]}: {reason}" if alone else f"{counted(len(labels), 'cell')} {reason}{named}")
    return ", ".join(parts)


def _place(reason: str) -> int:
    """Where a reason stands: those that are only counted come last."""
    return (NOT_YET, OUTSIDE).index(reason) + 1 if reason in (NOT_YET, OUTSIDE) else 0
