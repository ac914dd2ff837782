"""`mlrtui export`: write a store's views as files, or one of them to standard output.

A format is registered in `FORMATS`, here or by another package's entry point:

    [project.entry-points."mlrtui.exports"]
    feather = "my_package:FORMAT"        # an ExportFormat

The formats and how they write what is no finite number: `mlrtui.reading.files`.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from mlrtui.commands.datasette import write_metadata
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.reading import files
from mlrtui.reading.documents import document
from mlrtui.reading.store import Store
from mlrtui.reading.table import Table
from mlrtui_db.copies import whole_or_not
from mlrtui_db.errors import BadQuery
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection
from mlrtui_trainer.registry import Registry, UnknownNameError

__all__ = ["FORMATS", "STDOUT", "Asked", "ExportFormat", "Wanted", "export"]

STDOUT = Path("-")
"""The name of standard output, as the option has it."""


@dataclass(frozen=True)
class Asked:
    """What is exported."""

    views: tuple[str, ...] = ()  # none: all
    sweep: str | None = None  # None: all
    columns: tuple[str, ...] = ()  # none: all
    where: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a format gets to write."""

    tables: Sequence[Table]  # of each view, in order
    selections: Sequence[Selection]  # the same as the store's reader takes them
    reader: Reader
    progress: Callable[[int], None]  # to be called with a number of rows; tables call it themselves


@dataclass(frozen=True)
class ExportFormat:
    """How views become files: by ``stream``, one view each, or by ``write``, any number in one file."""

    file_name: Callable[[str], str]
    """Of a view's file; the same name for all views puts them into one file."""

    stream: Callable[[Table, IO[bytes]], int] | None = None
    """Writes a table into a file that need not be seekable, such as standard output; returns the number of rows."""

    write: Callable[[Wanted, Path], Sequence[int]] | None = None
    """Writes tables into the file at this path; returns the number of rows of each. Used where there is no stream."""


FORMATS = Registry[ExportFormat]("format", "mlrtui.exports")
"""All formats by name."""


def export(store: Path, out: Path, asked: Asked, *, file_format: str, force: bool = False) -> list[tuple[Path, int]]:
    """Write views into the folder ``out``, or one view to standard output; returns each file with its number of rows.

    Each file is written under another name and renamed when all are whole. A terminal sees how many rows are done.

    Raises:
        BadInput: an unknown view, column, format or sweep, a condition that cannot be read, or a file that is there.
        StoreError: the store cannot be read, or the disk is full; no file was made.
    """
    try:
        how = FORMATS[file_format]
    except UnknownNameError as error:
        raise BadInput(f"--format: {error}") from error
    with Reader.open(store) as reader, _progress() as progress:
        wanted = _wanted(reader, asked, progress)
        if out == STDOUT:
            return [(out, _to_stdout(how, wanted, file_format))]
        return _to_files(how, wanted, out, force)


def _wanted(reader: Reader, asked: Asked, progress: Callable[[int], None]) -> Wanted:
    """Everything that is to be written, once it is clear that it can be read."""
    unknown = [name for name in asked.views if name not in reader.views()]
    if unknown:
        raise BadInput(f"--view {unknown[0]}: unknown view; use one of {', '.join(reader.views())}")
    names = [row.name for row in reader.sweeps()]
    if asked.sweep is not None and asked.sweep not in names:
        raise BadInput(f"--sweep {asked.sweep!r}: not in this store; it holds {', '.join(map(repr, names)) or 'none'}")
    views = list(dict.fromkeys(asked.views)) or list(reader.views())
    selections = [Selection(view, asked.columns, asked.where, asked.sweep) for view in views]
    store = Store(reader)
    for selection in selections:
        for option, check in (("--columns", lambda one: one.columns), ("--where", reader.check)):
            try:
                check(selection)
            except BadQuery as error:
                raise BadInput(f"{option}: {error}") from None
    return Wanted([store.table(one, progress) for one in selections], selections, reader, progress)


def _to_stdout(how: ExportFormat, wanted: Wanted, file_format: str) -> int:
    if how.stream is None:
        raise BadInput(f"--out -: {file_format} needs a file; name a folder, or use csv, tsv, json, jsonl or parquet")
    if len(wanted.tables) != 1:
        raise BadInput("--out -: standard output takes one view; name it with --view")
    out = sys.stdout.buffer
    if file_format == "parquet" and out.isatty():
        raise BadInput("--out -: parquet is not text, and this is a terminal; send it to a file or a program")
    rows = how.stream(wanted.tables[0], out)
    out.flush()
    return rows


def _to_files(how: ExportFormat, wanted: Wanted, folder: Path, force: bool) -> list[tuple[Path, int]]:
    views = [one.view for one in wanted.selections]
    targets = {view: folder / how.file_name(view) for view in views}
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
            inside = [at for at, view in enumerate(views) if targets[view] == path]
            part = Wanted(
                [wanted.tables[at] for at in inside],
                [wanted.selections[at] for at in inside],
                wanted.reader,
                wanted.progress,
            )
            counts |= zip((views[at] for at in inside), _write(how, part, draft), strict=True)
            _to_disk(draft)
        return [(path, counts[view]) for view, path in targets.items()]


def _write(how: ExportFormat, wanted: Wanted, path: Path) -> Sequence[int]:
    if how.stream is not None:
        with path.open("wb") as file:
            return [how.stream(table, file) for table in wanted.tables]
    if how.write is None:
        raise BadInput("--format: this format has neither stream nor write; tell the package that brings it")
    return how.write(wanted, path)


def _to_disk(path: Path) -> None:
    """Flush to disk, so that a file under its final name is complete even after a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """What takes numbers of rows and shows their sum on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda rows: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn("line"), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("export", total=None)
        yield partial(shown.advance, task)


def _sqlite(wanted: Wanted, path: Path) -> Sequence[int]:
    return files.write_sqlite(wanted.reader, path, wanted.selections, wanted.progress)


def _json(table: Table, file: IO[bytes]) -> int:
    return files.write_json(table, file, document({}))


def _datasette(wanted: Wanted, path: Path) -> Sequence[int]:
    return write_metadata(wanted.reader, wanted.selections, path)


FORMATS.register("csv", ExportFormat(lambda view: f"{view}.csv", files.write_csv))
FORMATS.register("tsv", ExportFormat(lambda view: f"{view}.tsv", files.write_tsv))
FORMATS.register("json", ExportFormat(lambda view: f"{view}.json", _json))
FORMATS.register("jsonl", ExportFormat(lambda view: f"{view}.jsonl", files.write_json_lines))
FORMATS.register("ndjson", ExportFormat(lambda view: f"{view}.ndjson", files.write_json_lines))
FORMATS.register("parquet", ExportFormat(lambda view: f"{view}.parquet", files.write_parquet))
FORMATS.register("sqlite", ExportFormat(lambda view: "mlrtui-export.sqlite", write=_sqlite))
FORMATS.register("datasette", ExportFormat(lambda view: "metadata.json", write=_datasette))
