"""What a report consists of. Plain values; `html` and `markdown` turn them into text and escape everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from mlrtui.figures.kinds import Asked, Loaded
from mlrtui.text.numbers import exact

__all__ = [
    "MOST_ROWS",
    "Block",
    "Cell",
    "Code",
    "Download",
    "Folded",
    "Picture",
    "Report",
    "Section",
    "Table",
    "Text",
    "cell_text",
    "is_number",
]

Cell = str | float | int | None

MOST_ROWS = 2000
"""Rows of a table that are shown; the CSV beside it has all."""


def is_number(cell: Cell) -> TypeGuard[float]:
    """Whether a cell is a number, to stand on the right and to be sorted as one."""
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def cell_text(cell: Cell) -> str:
    """A cell in four digits, or as the text that it is."""
    if is_number(cell):
        return exact(cell, 4)
    return "–" if cell is None else str(cell)


@dataclass(frozen=True)
class Text:
    """A paragraph: the answer, what is wrong with it, or anything else."""

    text: str
    kind: Literal["answer", "warning", "plain"] = "plain"


@dataclass(frozen=True)
class Table:
    """Rows under a caption."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    sortable: bool = True

    @property
    def shown(self) -> Sequence[Sequence[Cell]]:
        """The rows that are shown."""
        return self.rows[:MOST_ROWS]

    @property
    def rest(self) -> str:
        """A sentence on the rows that are not shown; "" where all are."""
        more = len(self.rows) - MOST_ROWS
        return f"{more} more rows are in the CSV." if more > 0 else ""


@dataclass(frozen=True)
class Picture:
    """A figure of `FIGURES`, and what it says in words."""

    kind: str
    loaded: Loaded
    asked: Asked
    caption: str


@dataclass(frozen=True)
class Code:
    """Text to copy."""

    text: str


@dataclass(frozen=True)
class Download:
    """A view as CSV."""

    name: str
    csv: str
    rows: int


@dataclass(frozen=True)
class Folded:
    """What few readers need, behind a title."""

    title: str
    blocks: tuple["Block", ...]


Block = Text | Table | Picture | Code | Download | Folded


@dataclass(frozen=True)
class Section:
    """One sweep."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """All of it."""

    title: str
    intro: str
    sections: tuple[Section, ...]
