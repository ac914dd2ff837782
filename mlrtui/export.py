"""Write a store's views as files: CSV, JSON lines, or one plain SQLite file that holds them as tables."""

import csv
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO

from mlrtui.errors import BadInput, StoreTrouble
from mlrtui_db.copies import whole_or_not
from mlrtui_db.reader import Reader

__all__ = ["FORMATS", "VIEWS", "export"]

FORMATS = ("csv", "jsonl", "sqlite")
VIEWS = ("eta_star", "boundaries", "grid", "curves", "spectra", "phases", "onsets", "exponents")


def export(
    store: Path, folder: Path, *, views: Sequence[str], sweep: str | None, file_format: str, force: bool
) -> list[tuple[Path, int]]:
    """Write views into ``folder`` and return each file with its number of rows.

    Each file is written under another name and renamed when all are whole.

    Raises:
        BadInput: an unknown view, format or sweep, or a file that is there already.
        StoreError: the store cannot be read, or there is no room; no file was made.
    """
    unknown = [name for name in views if name not in VIEWS]
    if unknown:
        raise BadInput(f"--view {unknown[0]}: there is no such view; use one of {', '.join(VIEWS)}")
    if file_format not in FORMATS:
        raise BadInput(f"--format {file_format}: not a format; use one of {', '.join(FORMATS)}")
    wanted = list(views) or list(VIEWS)
    with Reader.open(store) as reader:
        names = [row.name for row in reader.sweeps()]
        if sweep is not None and sweep not in names:
            raise BadInput(f"--sweep {sweep!r}: not in this store; it holds {', '.join(map(repr, names)) or 'none'}")
        targets = {name: folder / f"{name}.{file_format}" for name in wanted}
        if file_format == "sqlite":
            targets = dict.fromkeys(wanted, folder / "mlrtui-export.sqlite")
        taken = [path for path in dict.fromkeys(targets.values()) if path.exists()]
        if taken and not force:
            raise BadInput(f"{taken[0]}: is there already; use --force to replace it, or another --out")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreTrouble(f"{folder}: cannot write here ({error.strerror})") from None
        with ExitStack() as stack:  # all of them appear, or none
            drafts = {
                path: stack.enter_context(whole_or_not(path, replace=force)) for path in dict.fromkeys(targets.values())
            }
            if file_format == "sqlite":
                (path, draft), *_ = drafts.items()
                return [(path, count) for count in _sqlite(reader, draft, wanted, sweep)]
            return [(path, _text(reader, drafts[path], name, sweep, file_format)) for name, path in targets.items()]


def _text(reader: Reader, path: Path, view: str, sweep: str | None, file_format: str) -> int:
    columns, rows = reader.query(view, where_sweep=sweep)
    with path.open("w", newline="", encoding="utf-8") as file:
        count = (_csv if file_format == "csv" else _jsonl)(file, columns, rows)
        file.flush()
        os.fsync(file.fileno())
    return count


def _csv(file: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _jsonl(file: IO[str], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    count = 0
    for row in rows:
        file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _sqlite(reader: Reader, path: Path, views: Sequence[str], sweep: str | None) -> list[int]:
    import sqlite_utils

    counts = []
    with closing(sqlite_utils.Database(path)) as database:
        for view in views:
            columns, rows = reader.query(view, where_sweep=sweep)
            table = database.table(view)
            table.insert_all((dict(zip(columns, row, strict=True)) for row in rows), batch_size=1000)
            if not table.exists():
                database.execute(f"CREATE TABLE [{view}] ({', '.join(f'[{name}]' for name in columns)})")
            counts.append(table.count)
    return counts
