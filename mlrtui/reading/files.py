"""Tables as files: CSV, TSV, JSON, JSON lines, Parquet, and an SQLite file with declared types. Memory stays flat.

Every number is written so that reading it back gives the same double. How each format writes what is no finite number:

| format | NULL | NaN | infinity |
| --- | --- | --- | --- |
| csv, tsv | nothing between the separators; an empty text is `""` | nan | inf, -inf |
| json, jsonl | null | the text "NaN", as JSON has no such number | 1e999, -1e999, which readers take for infinity |
| parquet | null | NaN | infinity |
| sqlite | NULL | cannot be stored | Inf |

A store holds no NaN and its views give none; infinities come from products of large numbers.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from json.encoder import encode_basestring
from pathlib import Path
from typing import IO, Any

from mlrtui.reading.frames import package
from mlrtui.reading.table import Table
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Batch, Selection
from mlrtui_db.tables import fill_tables
from mlrtui_db.view_columns import Column

__all__ = ["write_csv", "write_json", "write_json_lines", "write_parquet", "write_sqlite", "write_tsv"]

FORMULAS = frozenset("=+-@\t\r＝＋－＠")
"""What begins a formula of a spreadsheet. Such text gets an apostrophe in CSV: a store may come from anybody."""

ROW_GROUP = 20_000  # rows of Parquet that are packed together

_LINES = 2_000  # that are written at once

Cells = Callable[[Column, Sequence[Any]], Sequence[str]]
"""What writes the values of a column."""


def write_csv(table: Table, file: IO[bytes]) -> int:
    """Comma-separated values with a head; returns the number of rows."""
    return _separated(table, file, ",")


def write_tsv(table: Table, file: IO[bytes]) -> int:
    """The same, separated by tabs."""
    return _separated(table, file, "\t")


def write_json_lines(table: Table, file: IO[bytes]) -> int:
    """One JSON object a line; returns the number of rows."""
    count = 0
    for batch in table.batches():
        _put(file, _objects(batch))
        count += len(batch.rows)
    return count


def write_json(table: Table, file: IO[bytes], head: Mapping[str, object]) -> int:
    """One JSON object: ``head``, the columns with their units, and ``rows``; returns their number."""
    columns = [
        {"name": name, "type": table.types[name], "unit": table.units[name], "text": table.meanings[name]}
        for name in table.columns
    ]
    start = json.dumps({**head, "view": table.name, "columns": columns}, ensure_ascii=False)
    file.write(f'{start[:-1]}, "rows": ['.encode())
    count = 0
    for batch in table.batches():
        lines = _objects(batch)
        first = [",\n" + line if count else "\n" + line for line in islice(lines, 1)]
        _put(file, chain(first, (",\n" + line for line in lines)), "")
        count += len(batch.rows)
    file.write(b"\n]}\n")
    return count


def write_parquet(table: Table, file: IO[bytes]) -> int:
    """Parquet, packed by zstd; each field has unit and description. Returns the number of rows.

    Raises:
        NotInstalled: pyarrow is not installed.
    """
    pa, parquet = package("pyarrow", "Parquet"), package("pyarrow.parquet", "Parquet")
    count = 0
    with table.arrow_batches() as batches, parquet.ParquetWriter(file, batches.schema, compression="zstd") as writer:
        for group in _groups(batches):
            writer.write_table(pa.Table.from_batches(group, batches.schema).unify_dictionaries())
            count += sum(batch.num_rows for batch in group)
    return count


def write_sqlite(
    reader: Reader, path: Path, selections: Sequence[Selection], progress: Callable[[int], None]
) -> Sequence[int]:
    """Strict tables of these names in an empty file, and `column_doc` with unit and meaning of their columns.

    The tables are made by sqlite-utils and filled by the store itself, in one statement where it can: two hundred times
    as quick as rows that pass through sqlite-utils.
    """
    from sqlite_utils import Database

    made = Database(path)
    try:
        for asked in selections:
            made.table(asked.view).create({column.name: column.type for column in asked.columns}, strict=True)
        documents: Any = made.table("column_doc")
        documents.create(dict.fromkeys(("tbl", "col", "unit", "text"), "TEXT"), pk=("tbl", "col"), strict=True)
        documents.insert_all(
            {"tbl": asked.view, "col": column.name, "unit": column.unit, "text": column.text}
            for asked in selections
            for column in asked.columns
        )
    finally:
        made.close()
    return fill_tables(reader, path, selections, progress)


# Lines of text --------------------------------------------------------------------------------------------------------


def _put(file: IO[bytes], lines: Iterator[str], end: str = "\n") -> None:
    """Write lines, a megabyte or two at a time."""
    while some := list(islice(lines, _LINES)):
        file.write((end.join(some) + end).encode())


def _lines(batch: Batch, cells: Cells, line: Callable[[Sequence[str]], str]) -> Iterator[str]:
    """A line of each row; what the rows of a trial share is written once and copied."""
    each: list[Sequence[str]] = []  # what differs, by columns
    shared: list[Sequence[str]] = []  # what does not, by columns: one of each run
    for column, runs, values in batch.values():
        if runs is None:
            each.append(cells(column, values))
            shared.append(["%s"] * len(batch.runs))
        else:
            texts = cells(column, [value for _, value in runs])
            shared.append([text.replace("%", "%%") for text in texts])
    rows = zip(*each, strict=True) if each else iter(repeat((), len(batch.rows)))
    for (length, _), template in zip(batch.runs, map(line, zip(*shared, strict=True)), strict=True):
        yield from map(template.__mod__, islice(rows, length))


def _separated(table: Table, file: IO[bytes], separator: str) -> int:
    quoted = frozenset(f'"\r\n{separator}')
    null = '""' if len(table.columns) == 1 else ""  # a line of nothing would be no row

    def text(value: str) -> str:
        if value[:1] in FORMULAS:
            value = f"'{value}"
        if not value or not quoted.isdisjoint(value):
            return '"' + value.replace('"', '""') + '"'
        return value

    def cells(column: Column, values: Sequence[Any]) -> list[str]:
        return _texts(column, values, null, text, float.__repr__)

    file.write((separator.join(map(text, table.columns)) + "\n").encode())
    count = 0
    for batch in table.batches():
        _put(file, _lines(batch, cells, separator.join))
        count += len(batch.rows)
    return count


def _objects(batch: Batch) -> Iterator[str]:
    """Each row as a JSON object."""
    keys = [f"{encode_basestring(column.name)}: " for column in batch.columns]

    def line(cells: Sequence[str]) -> str:
        return f"{{{', '.join(map(str.__add__, keys, cells))}}}"

    def cells(column: Column, values: Sequence[Any]) -> list[str]:
        return _texts(
            column, values, "null", _json_in_json if column.unit == "JSON" else encode_basestring, _json_number
        )

    return _lines(batch, cells, line)


def _json_in_json(text: str) -> str:
    """What is JSON in the store as what it says, not as a text."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, allow_nan=False)
    except ValueError:
        return encode_basestring(text)


def _texts(
    column: Column,
    values: Sequence[Any],
    null: str,
    text: Callable[[str], str],
    real: Callable[[float], str],
) -> list[str]:
    """The values of a column as they are written."""
    if column.type == "TEXT":
        known = {value: null if value is None else text(value) for value in set(values)}
        return [known[value] for value in values]
    write: Callable[[Any], str] = str if column.type == "INTEGER" else real
    if column.type == "REAL" and int in set(map(type, values)):  # of a computed column
        write = _real_or_int(real)
    return [null if value is None else write(value) for value in values] if None in values else list(map(write, values))


def _real_or_int(real: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: real(value) if type(value) is float else str(value)


def _json_number(value: float) -> str:
    found = float.__repr__(value)
    return _NOT_FINITE.get(found, found)


_NOT_FINITE = {"inf": "1e999", "-inf": "-1e999", "nan": '"NaN"'}


def _groups(batches: Iterable[Any]) -> Iterator[list[Any]]:
    """Record batches in groups of some `ROW_GROUP` rows."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if sum(one.num_rows for one in group) >= ROW_GROUP:
            yield group
            group = []
    if group:
        yield group
