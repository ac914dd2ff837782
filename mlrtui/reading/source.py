"""Where the rows of a table come from: what tables, arrays and frames ask of it."""

from collections.abc import Iterator
from typing import Protocol

from mlrtui_db.rows import Batch
from mlrtui_db.view_columns import Column

__all__ = ["Source"]


class Source(Protocol):
    """Where the rows of a table come from."""

    @property
    def name(self) -> str:
        """What the rows are: the name of a view."""

    @property
    def place(self) -> str:
        """Whose rows: sweep and store, for people."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order."""

    @property
    def by_step(self) -> bool:
        """Whether texts repeat so often that frames keep each of them once."""

    def batches(self) -> Iterator[Batch]:
        """All rows, from the first one again at each call."""

    def only(self, name: str) -> "Source":
        """The same rows with one of the columns."""

    def count(self) -> int:
        """How many rows there are now."""
