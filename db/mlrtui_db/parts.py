"""The order of a measure's parts."""

import re

__all__ = ["natural"]


def natural(part: str) -> tuple[tuple[bool, int, str], ...]:
    """Sorts names of parts: numbers in them by size.

    >>> sorted(["10", "2", "block 10", "block 9"], key=natural)
    ['2', '10', 'block 9', 'block 10']
    """
    pieces = re.findall(r"[0-9]+|[^0-9]+", part)
    return tuple((not piece.isdigit(), int(piece) if piece.isdigit() else 0, piece) for piece in pieces)
