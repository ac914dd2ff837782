"""Dots to text: braille with 2 x 4 dots a cell, or one character a cell in ASCII."""

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.downsample import Columns

__all__ = ["Grid", "dot_shape", "draw_columns", "to_text"]

Grid = NDArray[np.bool_]  # [dot rows, dot columns]

# Bit of the dot in row r, column c of a braille cell, as Unicode numbers them.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_BLANK = 0x2800


def dot_shape(width: int, height: int, ascii_only: bool) -> tuple[int, int]:
    """Dot rows and dot columns of `height` x `width` cells."""
    return (height, width) if ascii_only else (4 * height, 2 * width)


def draw_columns(grid: Grid, columns: Columns) -> None:
    """Set the dots of a reduced series: each column's whole range, and straight lines between columns."""
    rows = np.arange(grid.shape[0])[:, None]
    grid[:, columns.column] |= (rows >= columns.top) & (rows <= columns.bottom)
    here = np.flatnonzero(columns.joined)
    left, right = columns.column[here - 1], columns.column[here]  # [lines]
    start, end = columns.last[here - 1], columns.first[here]
    # The dots of all lines, one after another: as many for each as its longer side has, so that there are no gaps.
    count = np.maximum(np.maximum(right - left, np.abs(end - start)), 1)
    line = np.repeat(np.arange(here.size), count + 1)  # [dots]
    along = (np.arange(line.size) - np.repeat(np.cumsum(count + 1) - count - 1, count + 1)) / count[line]
    grid[
        np.rint(start[line] + along * (end - start)[line]).astype(np.intp),
        np.rint(left[line] + along * (right - left)[line]).astype(np.intp),
    ] = True


def to_text(grid: Grid, ascii_only: bool, sign: str = "*") -> list[str]:
    """Rows of text: braille characters, or `sign` where a dot is set. Cells without a dot are spaces."""
    if ascii_only:
        return ["".join(sign if dot else " " for dot in row) for row in grid]
    rows, columns = grid.shape[0] // 4, grid.shape[1] // 2
    cells = grid.reshape(rows, 4, columns, 2).astype(np.uint8)  # [rows, 4, columns, 2]
    codes = np.einsum("rdcs,ds->rc", cells, _BITS)  # [rows, columns], sums of distinct bits
    return ["".join(chr(_BLANK + code) if code else " " for code in row) for row in codes.tolist()]
