"""Write a store's views as files: CSV, JSON lines, or one plain SQLite file that holds them as tables.

A format is registered in `FORMATS`, here or by another package's entry point:

    [project.entry-points."mlrtui.exports"]
    parquet = "my_package:FORMAT"        # an ExportFormat

Every number is written so that reading it back gives the same double. In CSV, text that begins as a formula of a
spreadsheet does gets an apostrophe before it, since a store may come from anybody.
"""

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mlrtui.errors import BadInput, StoreTrouble
from mlrtui_db.copies import whole_or_not
from mlrtui_db.reader import Reader
from mlrtui_db.tables import write_tables
from mlrtui_trainer.registry import Registry, UnknownNameError

__all__ = ["FORMATS", "ExportFormat", "export"]


@dataclass(frozen=True)
class ExportFormat:
    """How views become files."""

    file_name: Callable[[str], str]
    """Of a view's file; the same name for all views puts them into one file."""

    write: Callable[[Reader, Path, Sequence[str], str | None], Sequence[int]]
    """Writes these views, of one sweep or all, into the file at this path; the number of rows of each."""


FORMATS = Registry[ExportFormat]("format", "mlrtui.exports")
"""All formats by name."""

FORMULAS = frozenset("=+-@\t\r＝＋－＠")
_INFINITE = (math.inf, -math.inf)


def export(
    store: Path, folder: Path, *, views: Sequence[str], sweep: str | None, file_format: str, force: bool
) -> list[tuple[Path, int]]:
    """Write views into ``folder`` and return each file with its number of rows.

    Each file is written under another name and renamed when all are whole.

    Raises:
        BadInput: an unknown view, format or sweep, or a file that is there already.
        StoreError: the store cannot be read, or the disk is full; no file was made.
    """
    try:
        how = FORMATS[file_format]
    except UnknownNameError as error:
        raise BadInput(f"--format: {error}") from error
    with Reader.open(store) as reader:
        unknown = [name for name in views if name not in reader.views()]
        if unknown:
            raise BadInput(f"--view {unknown[0]}: unknown view; use one of {', '.join(reader.views())}")
        wanted = list(dict.fromkeys(views)) or list(reader.views())
        names = [row.name for row in reader.sweeps()]
        if sweep is not None and sweep not in names:
            raise BadInput(f"--sweep {sweep!r}: not in this store; it holds {', '.join(map(repr, names)) or 'none'}")
        targets = {name: folder / how.file_name(name) for name in wanted}
        taken = [path for path in dict.fromkeys(targets.values()) if path.exists()]
        if taken and not force:
            raise BadInput(f"{taken[0]}: already exists; use --force to replace it, or another --out")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreTrouble(f"{folder}: cannot write here ({error.strerror})") from None
        with ExitStack() as stack:  # all of them appear, or none
            drafts = {
                path: stack.enter_context(whole_or_not(path, replace=force)) for path in dict.fromkeys(targets.values())
            }
            counts: dict[str, int] = {}
            for path, draft in drafts.items():
                inside = [name for name in wanted if targets[name] == path]
                counts |= zip(inside, how.write(reader, draft, inside, sweep), strict=True)
                _to_disk(draft)
            return [(path, counts[name]) for name, path in targets.items()]


def _to_disk(path: Path) -> None:
    """Flush to disk, so that a file under its final name is complete even after a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _csv(file: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([f"'{v}" if type(v) is str and v[:1] in FORMULAS else v for v in row])
        count += 1
    return count


def _json(row: dict[str, object]) -> str:
    """One JSON object. An infinite product of finite numbers is a number too large for a double, as it was."""
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False)
    except ValueError:
        parts = (
            f"{json.dumps(name)}: {str(value).replace('inf', '1e999') if value in _INFINITE else json.dumps(value)}"
            for name, value in row.items()
        )
        return f"{{{', '.join(parts)}}}"


def _jsonl(file: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    count = 0
    for row in rows:
        file.write(_json(dict(zip(columns, row, strict=True))) + "\n")
        count += 1
    return count


Rows = Callable[[IO[str], Sequence[str], Iterable[Sequence[object]]], int]


def _text(rows_of: Rows) -> Callable[[Reader, Path, Sequence[str], str | None], Sequence[int]]:
    """A format of one text file for each view."""

    def write(reader: Reader, path: Path, views: Sequence[str], sweep: str | None) -> Sequence[int]:
        (view,) = views
        columns, rows = reader.query(view, where_sweep=sweep)
        with path.open("w", newline="", encoding="utf-8") as file:
            return [rows_of(file, columns, rows)]

    return write


FORMATS.register("csv", ExportFormat(lambda view: f"{view}.csv", _text(_csv)))
FORMATS.register("jsonl", ExportFormat(lambda view: f"{view}.jsonl", _text(_jsonl)))
FORMATS.register("sqlite", ExportFormat(lambda view: "mlrtui-export.sqlite", write_tables))
