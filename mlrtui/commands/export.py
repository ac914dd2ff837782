"""Write a store's views as files: CSV, JSON lines, or one plain SQLite file that holds them as tables.

Every number is written so that reading it back gives the same double. In CSV, text that begins as a formula of a
spreadsheet does gets an apostrophe before it, since a store may come from anybody.
"""

import csv
import json
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from mlrtui.errors import BadInput, StoreTrouble
from mlrtui_db.copies import whole_or_not
from mlrtui_db.reader import Reader
from mlrtui_db.tables import write_tables

__all__ = ["FORMATS", "export"]

FORMATS = ("csv", "jsonl", "sqlite")
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
    if file_format not in FORMATS:
        raise BadInput(f"--format {file_format}: unknown format; use one of {', '.join(FORMATS)}")
    with Reader.open(store) as reader:
        unknown = [name for name in views if name not in reader.views()]
        if unknown:
            raise BadInput(f"--view {unknown[0]}: unknown view; use one of {', '.join(reader.views())}")
        wanted = list(dict.fromkeys(views)) or list(reader.views())
        names = [row.name for row in reader.sweeps()]
        if sweep is not None and sweep not in names:
            raise BadInput(f"--sweep {sweep!r}: not in this store; it holds {', '.join(map(repr, names)) or 'none'}")
        targets = {name: folder / f"{name}.{file_format}" for name in wanted}
        if file_format == "sqlite":
            targets = dict.fromkeys(wanted, folder / "mlrtui-export.sqlite")
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
            if file_format == "sqlite":
                (path, draft), *_ = drafts.items()
                counts = write_tables(reader, draft, wanted, sweep)
                _to_disk(draft)
                return [(path, count) for count in counts]
            return [(path, _text(reader, drafts[path], name, sweep, file_format)) for name, path in targets.items()]


def _text(reader: Reader, path: Path, view: str, sweep: str | None, file_format: str) -> int:
    columns, rows = reader.query(view, where_sweep=sweep)
    with path.open("w", newline="", encoding="utf-8") as file:
        count = (_csv if file_format == "csv" else _jsonl)(file, columns, rows)
    _to_disk(path)
    return count


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
