"""The grid of a sweep as a plane: one axis downwards, one to the right, the other axes choosing among planes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.text.numbers import apart
from mlrtui_db.models import CellRow

__all__ = ["SIZES", "Plane", "axis_names", "turned"]

SIZES = ("depth", "width")


@dataclass(frozen=True)
class Plane:
    """Where the cells are. Rows and columns are values of two axes as they are written, in their order."""

    axes: tuple[str, str]  # downwards and to the right
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    places: dict[int, tuple[int, int]]  # row and column by cell_id
    variants: dict[int, str]  # what the other axes are, by cell_id

    @classmethod
    def of(cls, cells: Sequence[CellRow], axes: tuple[str, str]) -> "Plane":
        """The plane of these axes; of depth and width where the cells do not have both."""
        names = axis_names(cells)
        axes = _known(axes, names)
        parsed = {variant: _values(variant) for variant in {cell.variant for cell in cells}}
        values = {  # by cell_id, in the order of the names
            cell.cell_id: (str(cell.depth or "-"), str(cell.width or "-"), *parsed[cell.variant])[: len(names)]
            for cell in cells
        }
        shorts = [_shortened(column) for column in zip(*values.values(), strict=True)]
        values = {
            cell_id: tuple(short[value] for short, value in zip(shorts, known, strict=True))
            for cell_id, known in values.items()
        }
        down, right = (names.index(axis) for axis in axes)
        rows, columns = (_ordered([known[at] for known in values.values()]) for at in (down, right))
        at_row, at_column = ({value: at for at, value in enumerate(ordered)} for ordered in (rows, columns))
        rest = [(at, name) for at, name in enumerate(names) if name not in axes]
        return cls(
            axes,
            rows,
            columns,
            {cell_id: (at_row[known[down]], at_column[known[right]]) for cell_id, known in values.items()},
            {
                cell.cell_id: cell.variant
                if names == SIZES  # words of a user's own are no axes, yet they tell cells apart
                else " ".join(_spelled(name, values[cell.cell_id][at]) for at, name in rest)
                for cell in cells
            },
        )


def axis_names(cells: Sequence[CellRow]) -> tuple[str, ...]:
    """Depth, width and the axes that a cell's label has beside them: "in", or for words their values, "ce|mse"."""
    variants = [variant.split() for variant in dict.fromkeys(cell.variant for cell in cells)]
    if len({len(parts) for parts in variants}) != 1:  # words of a user's own: no axes to tell apart
        return SIZES
    found = []
    for tokens in zip(*variants, strict=True):
        name, sign, _ = tokens[0].partition("=")
        found.append(name if sign else "|".join(dict.fromkeys(tokens)))
    return SIZES if len({*SIZES, *found}) < 2 + len(found) else (*SIZES, *found)


def turned(cells: Sequence[CellRow], axes: tuple[str, str], at: int) -> tuple[str, str]:
    """The next axis in place of the one at 0 (downwards) or 1 (to the right); the two change places where they meet."""
    names = axis_names(cells)
    axes = _known(axes, names)
    after = names[(names.index(axes[at]) + 1) % len(names)]
    if after == axes[1 - at]:
        return axes[1], axes[0]
    return (after, axes[1]) if at == 0 else (axes[0], after)


def _known(axes: tuple[str, str], names: Sequence[str]) -> tuple[str, str]:
    """Two of the names: depth and width where these axes are not."""
    return axes if axes[0] != axes[1] and set(axes) <= set(names) else SIZES


def _shortened(column: Sequence[str]) -> dict[str, str]:
    """The values of an axis as they are shown, by what they are in full."""
    known = list(dict.fromkeys(column))
    return dict(zip(known, apart(known), strict=True))


def _values(variant: str) -> list[str]:
    """The value on each axis beside depth and width."""
    tokens = (token.partition("=") for token in variant.split())
    return [value if sign else name for name, sign, value in tokens]


def _spelled(name: str, value: str) -> str:
    return value if "|" in name or name == value else f"{name}={value}"


def _ordered(values: Sequence[str]) -> tuple[str, ...]:
    """Numbers by size, else in the order of the grid."""
    known = list(dict.fromkeys(values))
    numbers = [_number(value) for value in known]
    if any(math.isnan(one) for one in numbers):
        return tuple(known)
    return tuple(sorted(known, key=_number))


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan if value != "-" else 0.0
