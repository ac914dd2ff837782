"""A table of rows that are read when they are asked for, as rows, arrays or a frame of pandas, polars or Arrow."""

from collections.abc import Iterator
from html import escape
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlrtui.errors import BadInput
from mlrtui.reading.source import Source
from mlrtui.text.numbers import exact
from mlrtui_db.rows import Batch

if TYPE_CHECKING:
    import numpy as np
    import pandas
    import polars
    import pyarrow

__all__ = ["Table"]

_PREVIEW = 10  # rows that a notebook shows


class Table:
    """Rows of one view of a store. Nothing is read before rows are asked for, and each call reads anew.

    A number is the stored double to the bit. NULL (not measured, does not apply, not finite: `meanings` says which) is
    None in rows, masked in arrays, NA in pandas, null in polars and Arrow. It is never NaN.

    Examples:
        >>> table = store.eta_star(columns=["depth", "width", "eta_star"])  # doctest: +SKIP
        >>> for row in table: print(row["depth"], row["eta_star"])          # doctest: +SKIP
        >>> frame = table.to_pandas()                                       # doctest: +SKIP
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """What the rows are: the name of a view, or "fit"."""
        return self._source.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self._source.columns)

    @property
    def units(self) -> MappingProxyType[str, str]:
        """Unit of each column: "1" is a pure number, "eta" a learning rate, "1/eta" a curvature."""
        return MappingProxyType({column.name: column.unit for column in self._source.columns})

    @property
    def meanings(self) -> MappingProxyType[str, str]:
        """What each column is, as docs/store.md says it."""
        return MappingProxyType({column.name: column.text for column in self._source.columns})

    @property
    def types(self) -> MappingProxyType[str, str]:
        """INTEGER, REAL or TEXT, of each column."""
        return MappingProxyType({column.name: column.type for column in self._source.columns})

    def count(self) -> int:
        """How many rows there are now."""
        return self._source.count()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Each row as a tuple, in the order of the grid; a few thousand rows are in memory at a time."""
        return (row for batch in self._source.batches() for row in batch.whole_rows())

    def batches(self) -> Iterator[Batch]:
        """The rows as the store gives them, some thousands at a time: for what writes files."""
        return self._source.batches()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict."""
        names = self.columns
        return (dict(zip(names, row, strict=True)) for row in self.rows())

    def __getitem__(self, name: str) -> "np.ma.MaskedArray[Any, Any]":
        """One column as a masked array [rows]; no other is read.

        Raises:
            BadInput: there is no such column.
        """
        if name not in self.columns:
            raise BadInput(f"{name!r}: no column of {self._source.name}; it has {', '.join(self.columns)}")
        return Table(self._source.only(name)).to_numpy()[name]

    def to_numpy(self) -> "dict[str, np.ma.MaskedArray[Any, Any]]":
        """Each column as a masked array [rows]: float64, int64, or text as objects."""
        from mlrtui.reading.arrays import all_arrays, masked

        return {column.name: masked(array, words) for column, array, words in all_arrays(self._source)}

    def numpy_batches(self) -> "Iterator[dict[str, np.ma.MaskedArray[Any, Any]]]":
        """The same, some thousands of rows at a time: 10⁷ steps take as little memory as 10⁵."""
        from mlrtui.reading.arrays import Words, arrays_of, masked

        for batch in self._source.batches():
            words: dict[str, Words] = {}
            found = arrays_of(batch, words)
            yield {column.name: masked(array, words.get(column.name)) for column, array in found}

    def to_pandas(self) -> "pandas.DataFrame":
        """A frame with nullable types (Int64, Float64, string; category for texts of views by step).

        ``frame.attrs`` has ``units`` and ``meanings`` by column.

        Raises:
            NotInstalled: pandas is not installed.
        """
        from mlrtui.reading.frames import to_pandas

        return to_pandas(self._source)

    def to_polars(self) -> "polars.DataFrame":
        """A frame of polars (Int64, Float64, String; Categorical for texts of views by step). It keeps no units.

        Raises:
            NotInstalled: polars is not installed.
        """
        from mlrtui.reading.frames import to_polars

        return to_polars(self._source)

    def to_arrow(self) -> "pyarrow.Table":
        """A table of Arrow; each field's metadata has ``unit`` and ``description``.

        Raises:
            NotInstalled: pyarrow is not installed.
        """
        return self.arrow_batches().read_all()

    def arrow_batches(self) -> "pyarrow.RecordBatchReader":
        """The same as a stream of record batches, at flat memory; DuckDB, polars and Parquet writers take it.

        Raises:
            NotInstalled: pyarrow is not installed.
        """
        from mlrtui.reading.frames import arrow_batches

        return arrow_batches(self._source)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's own interface: ``polars.DataFrame(table)``, ``pyarrow.table(table)`` and DuckDB read tables by it."""
        return self.arrow_batches().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        names = self.columns
        shown = ", ".join(names[:_PREVIEW]) + (", ..." if len(names) > _PREVIEW else "")
        return f"<Table {self._source.name} of {self._source.place}: {len(names)} columns ({shown})>"

    def _repr_html_(self) -> str:
        """The first rows, for notebooks."""
        first = list(islice(self.rows(), _PREVIEW + 1))
        heads = "".join(
            f'<th scope="col" title="{escape(f"{column.text} [{column.unit}]")}">{escape(column.name)}</th>'
            for column in self._source.columns
        )
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in first[:_PREVIEW])
        more = f"the first {_PREVIEW} rows" if len(first) > _PREVIEW else f"{len(first)} rows"
        caption = f"{escape(self._source.name)} of {escape(self._source.place)}: {more}"
        return (
            f'<div style="overflow-x:auto"><table><caption>{caption}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def _cell(value: object) -> str:
    if value is None:
        return "<td></td>"
    return f"<td>{escape(exact(value) if isinstance(value, float) else str(value))}</td>"
