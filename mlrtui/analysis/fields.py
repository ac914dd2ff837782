"""A field of successes and failures on a grid, of which only the part around their boundary is asked for.

A level halves the squares of the one before. Level 0 is asked for as a whole. A square in which a success and a failure
are known is refined, and so are the squares within a margin of it. All that is asked for is a function of what is
known, and grows with it, so that neither the order of the answers nor a stop in between changes what is asked in the
end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FAILURE", "SILENT", "SUCCESS", "UNKNOWN", "Field", "Grid", "boxes"]

UNKNOWN, FAILURE, SUCCESS, SILENT = -1, 0, 1, 2
"""What is known of a point; silent: it was trained, and that says nothing."""

Bools = npt.NDArray[np.bool_]
Values = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Grid:
    """The finest grid, and how its squares come about."""

    rows: int
    columns: int
    levels: int
    margin: int = 1  # squares
    both: bool = True  # whether rows are halved as columns are; False: every row is one of the coarse grid

    def __post_init__(self) -> None:
        for points, step in ((self.rows, self.strides(0)[0]), (self.columns, self.strides(0)[1])):
            if points < 2 or (points - 1) % step:
                raise ValueError(f"{points} points along an axis do not make squares of {step}")

    def strides(self, level: int) -> tuple[int, int]:
        """Rows and columns from one point of a level to the next."""
        step = 2 ** (self.levels - level)
        return (step if self.both else 1), step


class Field:
    """What is known of a grid's points, and what follows from it.

    >>> field = Field(Grid(5, 5, levels=1))
    >>> int(field.wanted().sum())
    9
    >>> for row, column in np.argwhere(field.wanted()).tolist():
    ...     field.tell(row, column, column >= 2)
    >>> sorted(set(np.argwhere(field.wanted())[:, 1].tolist()))
    [0, 1, 2, 3, 4]
    """

    def __init__(self, grid: Grid, known: Values | None = None) -> None:
        self.grid = grid
        self.known: Values = np.full((grid.rows, grid.columns), UNKNOWN, np.int8) if known is None else known
        """[rows, columns]"""
        self._wanted: Bools | None = None

    def tell(self, row: int, column: int, success: bool | None) -> None:
        """The outcome at a point; None: there is none."""
        self.known[row, column] = SILENT if success is None else int(success)
        self._wanted = None

    def wanted(self) -> Bools:
        """Which points are asked for and not known, [rows, columns]."""
        if self._wanted is None:
            self._wanted = self._asked() & (self.known == UNKNOWN)
        return self._wanted

    @property
    def level(self) -> int:
        """The coarsest level of which points are wanted; the number of levels where none are."""
        for level in range(self.grid.levels):
            rows, columns = self.grid.strides(level)
            if self.wanted()[::rows, ::columns].any():
                return level
        return self.grid.levels

    def _asked(self) -> Bools:
        asked = np.zeros(self.known.shape, bool)
        rows, columns = self.grid.strides(0)
        asked[::rows, ::columns] = True
        mixed = self._mixed()
        for level in range(self.grid.levels):
            rows, columns = self.grid.strides(level)
            refined = _widened(mixed[level], self.grid.margin)
            finer = self.grid.strides(level + 1)
            asked[:: finer[0], :: finer[1]] |= _corners(_split(refined, rows // finer[0], columns // finer[1]))
        return asked

    def _mixed(self) -> list[Bools]:
        """Of each level which squares hold a success and a failure, at their borders or inside."""
        held = [_squares(self.known == SUCCESS), _squares(self.known == FAILURE)]  # of the finest level
        found = [held[0] & held[1]]
        for _ in range(self.grid.levels):
            held = [_halved(one, both=self.grid.both) for one in held]
            found.append(held[0] & held[1])
        return found[::-1]

    def filled(self) -> Values:
        """Every point's value, where it is not known that of the coarser square that holds it, [rows, columns].

        A square that is not refined has corners that agree, once nothing is wanted any more.
        """
        values = np.full(self.known.shape, UNKNOWN, np.int8)
        for level in range(self.grid.levels + 1):
            rows, columns = self.grid.strides(level)
            part, known = values[::rows, ::columns], self.known[::rows, ::columns]
            if level:
                before = self.grid.strides(level - 1)
                up, across = before[0] // rows, before[1] // columns
                down = np.arange(part.shape[0]) // up * up
                right = np.arange(part.shape[1]) // across * across
                part = np.where(part == UNKNOWN, part[np.ix_(down, right)], part)
            values[::rows, ::columns] = np.where((known == FAILURE) | (known == SUCCESS), known, part)
        return values


def boxes(filled: Values) -> dict[int, int]:
    """How many boxes hold a piece of the boundary, by the side of a box in squares of the finest grid: 1, 2, 4, ...

    A piece is a square of the finest grid whose corners do not agree. Boxes have to fit into the grid, at least four
    along the shorter side.

    Args:
        filled: the values of all points, [rows, columns].
    """
    pieces = _squares(filled == SUCCESS) & _squares(filled == FAILURE)
    found: dict[int, int] = {}
    side = 1
    while min(pieces.shape) >= 4 * side and not any(length % side for length in pieces.shape):
        rows, columns = (length // side for length in pieces.shape)
        found[side] = int(pieces.reshape(rows, side, columns, side).any((1, 3)).sum())
        side *= 2
    return found


def _squares(points: Bools) -> Bools:
    """Which squares have such a point at a corner."""
    return points[:-1, :-1] | points[1:, :-1] | points[:-1, 1:] | points[1:, 1:]


def _halved(squares: Bools, *, both: bool) -> Bools:
    """Which squares of the level before hold one of these."""
    wide = squares[:, ::2] | squares[:, 1::2]
    return wide[::2] | wide[1::2] if both else wide


def _widened(squares: Bools, margin: int) -> Bools:
    """With the squares that are at most so many away."""
    wide = squares.copy()
    for _ in range(margin):
        wide[1:] |= wide[:-1].copy()
        wide[:-1] |= wide[1:].copy()
        wide[:, 1:] |= wide[:, :-1].copy()
        wide[:, :-1] |= wide[:, 1:].copy()
    return wide


def _split(squares: Bools, down: int, across: int) -> Bools:
    """The squares into which these are cut."""
    return squares.repeat(down, 0).repeat(across, 1)


def _corners(squares: Bools) -> Bools:
    """The points at the corners of these squares."""
    points = np.zeros(tuple(length + 1 for length in squares.shape), bool)
    corners: Sequence[Bools] = (points[:-1, :-1], points[1:, :-1], points[:-1, 1:], points[1:, 1:])
    for corner in corners:
        corner |= squares
    return points
