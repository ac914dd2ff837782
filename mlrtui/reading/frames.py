"""Tables as frames of pandas, polars and Arrow, each imported only here and only when it is asked for."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlrtui.errors import NotInstalled
from mlrtui.reading.arrays import NULL, Array, Words, all_arrays, arrays_of
from mlrtui_db.view_columns import Column

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from mlrtui.reading.source import Source

__all__ = ["EXTRA", "arrow_batches", "package", "to_pandas", "to_polars"]

EXTRA = "frames"
"""The extra of this package that has pandas, polars and pyarrow."""


def package(name: str, what_for: str) -> Any:
    """Import a package that may be missing.

    Raises:
        NotInstalled: it is.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != name:
            raise
        raise NotInstalled(
            f"{what_for} needs {name}, which is not installed: `pip install {name}`, or "
            f"`pip install 'mlrtui[{EXTRA}]'` for pandas, polars and pyarrow"
        ) from None


def to_pandas(source: "Source") -> "pandas.DataFrame":
    """See `Table.to_pandas`."""
    pd = package("pandas", "to_pandas()")
    columns = {column.name: _of_pandas(pd, source, array, words) for column, array, words in all_arrays(source)}
    frame: pandas.DataFrame = pd.DataFrame(columns, copy=False)
    frame.attrs["units"] = {column.name: column.unit for column in source.columns}
    frame.attrs["meanings"] = {column.name: column.text for column in source.columns}
    return frame


def _of_pandas(pd: Any, source: "Source", array: Array, words: Words | None) -> Any:
    if words is None:
        kind = pd.arrays.FloatingArray if array.data.dtype.kind == "f" else pd.arrays.IntegerArray
        return kind(array.data, array.mask)  # by its parts: the other ways make NA of NaN
    if source.by_step:
        return pd.Categorical.from_codes(array.data, categories=pd.Index(words.texts(), dtype="object"))
    return pd.array(words.objects(array.data), dtype="string")


def to_polars(source: "Source") -> "polars.DataFrame":
    """See `Table.to_polars`."""
    pl = package("polars", "to_polars()")
    frame: polars.DataFrame = pl.DataFrame(
        [_of_polars(pl, source, column, array, words) for column, array, words in all_arrays(source)]
    )
    return frame


def _of_polars(pl: Any, source: "Source", column: Column, array: Array, words: Words | None) -> Any:
    numbers = pl.Series(column.name, array.data)
    if array.mask.any():
        there = pl.Series("there", ~array.mask)
        numbers = pl.select(pl.when(there).then(numbers).alias(column.name)).to_series()
    if words is None:
        return numbers
    texts = pl.Series(column.name, words.texts(), dtype=pl.String).gather(numbers)
    return texts.cast(pl.Categorical) if source.by_step else texts


def arrow_batches(source: "Source") -> "pyarrow.RecordBatchReader":
    """See `Table.arrow_batches`."""
    pa = package("pyarrow", "to_arrow()")
    types = {"REAL": pa.float64(), "INTEGER": pa.int64(), "TEXT": pa.string()}
    if source.by_step:
        types["TEXT"] = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        pa.field(column.name, types[column.type], metadata={"unit": column.unit, "description": column.text})
        for column in source.columns
    )

    def batches() -> Iterator[Any]:
        for batch in source.batches():
            words: dict[str, Words] = {}
            arrays = [_of_arrow(pa, source, array, words.get(column.name)) for column, array in arrays_of(batch, words)]
            yield pa.record_batch(arrays, schema=schema)

    reader: pyarrow.RecordBatchReader = pa.RecordBatchReader.from_batches(schema, batches())
    return reader


def _of_arrow(pa: Any, source: "Source", array: Array, words: Words | None) -> Any:
    if words is None:
        return pa.array(array.data, mask=array.mask)
    codes = pa.array(array.data, mask=array.data == NULL)
    texts = pa.DictionaryArray.from_arrays(codes, pa.array(words.texts(), type=pa.string()))
    return texts if source.by_step else texts.dictionary_decode()
