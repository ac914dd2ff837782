"""`mlrtui report` and `mlrtui compare-report`: sweeps as one HTML file, or as Markdown with a folder of figures."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.figures import style
from mlrtui.reading.files import write_csv
from mlrtui.reading.fitting import chosen
from mlrtui.reading.store import Store
from mlrtui.reporting import html, markdown
from mlrtui.reporting.blocks import Report
from mlrtui.reporting.comparison import Side, compared
from mlrtui.reporting.content import Csv, section
from mlrtui.text.numbers import counted
from mlrtui.version import __version__
from mlrtui_db.copies import whole_or_not
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection

__all__ = ["compare_report", "report"]

_ENDINGS = (".html", ".md")


def report(store: Path, names: Sequence[str], out: Path, *, force: bool = False) -> list[Path]:
    """Write a report of these sweeps, or of all, and return what was written.

    Raises:
        BadInput: an unknown sweep or ending, a file that is there already, or no matplotlib.
        StoreError: the store cannot be read, or the file not be written; no half file is left.
    """
    _refuse(out, force)
    with Reader.open(store) as reader:
        sweeps = chosen(reader, names)
        if not sweeps:
            raise BadInput(f"{store}: it holds no sweep; nothing to report")
        sections = tuple(section(reader, sweep, _csv(reader)) for sweep in sweeps)
    title = f"{counted(len(sections), 'sweep')} of {store.name}"
    intro = f"Made by mlrtui {__version__} from {store.name}. Every number comes from this store."
    return _written(Report(title, intro, sections), out, force)


def compare_report(stores: Sequence[Path], names: Sequence[str], out: Path, *, force: bool = False) -> list[Path]:
    """Write two sweeps side by side, and return what was written.

    Args:
        stores: one that has both sweeps, or two: the first sweep's and the second's.
        names: of the two sweeps; one name is that of both, in two stores.

    Raises:
        BadInput: as `report`, not two sweeps or stores, or two that cannot be compared.
        StoreError: a store cannot be read, or the file not be written; no half file is left.
    """
    if len(stores) > 2:
        raise BadInput(f"--store: {len(stores)} stores; give one that has both sweeps, or one for each")
    if len(names) not in ((2,) if len(stores) == 1 else (1, 2)) or (len(stores) == 1 and len(set(names)) == 1):
        raise BadInput(
            f"SWEEPS: compare-report takes two names, not {len(names)}: `mlrtui compare-report A B`, both in one store "
            "or with --store twice"
        )
    _refuse(out, force)
    with ExitStack() as opened:
        readers = [opened.enter_context(Reader.open(store)) for store in stores]
        sides = []
        for place, name in enumerate((names[0], names[-1])):
            reader = readers[min(place, len(readers) - 1)]
            (sweep,) = chosen(reader, [name])
            shown = f"{name} ({reader.path})" if names[0] == names[-1] else name
            sides.append(Side(shown, reader, sweep, _csv(reader)))
        files = " and ".join(store.name for store in stores)
        intro = f"Made by mlrtui {__version__} from {files}. Every number comes from there."
        found = compared(sides[0], sides[1], intro)
    return _written(found, out, force)


def _csv(reader: Reader) -> Csv:
    def csv(view: str, sweep: str) -> tuple[str, int]:
        file = BytesIO()
        rows = write_csv(Store(reader).table(Selection(view, sweep=sweep)), file)
        return file.getvalue().decode(), rows

    return csv


def _refuse(out: Path, force: bool) -> None:
    if out.suffix.lower() not in _ENDINGS:
        raise BadInput(f"--out {out}: the ending says the format; use one of {', '.join(_ENDINGS)}")
    folder = out.with_name(f"{out.stem}_files")
    for path in (out, folder) if out.suffix.lower() == ".md" else (out,):
        if not force and (path.exists() or path.is_symlink()):
            raise BadInput(f"{path}: already exists; use --force to replace it, or another --out")
    with style.styled():
        pass  # says at once where matplotlib is missing


def _written(found: Report, out: Path, force: bool) -> list[Path]:
    folder = out.with_name(f"{out.stem}_files")
    if out.suffix.lower() == ".html":
        _write(out, html.page(found).encode(), force)
        return [out]
    text, files = markdown.page(found, folder.name)
    _write_folder(folder, files, force)
    _write(out, text.encode(), force)
    return [out, folder]


def _write(path: Path, data: bytes, replace: bool) -> None:
    with whole_or_not(path, replace=replace) as draft:
        draft.write_bytes(data)


def _write_folder(folder: Path, files: dict[str, bytes], replace: bool) -> None:
    """Write all files under another name first; the folder appears whole."""
    draft = folder.with_name(f".{folder.name}.part")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, draft, ignore_errors=True)
        shutil.rmtree(draft, ignore_errors=True)
        try:
            draft.mkdir()
            for name, data in files.items():
                (draft / name).write_bytes(data)
            if replace and folder.is_dir() and not folder.is_symlink():
                for name in files:  # what else lies in it is not ours to remove
                    (draft / name).replace(folder / name)
            else:
                draft.rename(folder)
        except OSError as error:
            raise StoreTrouble(f"{folder}: cannot be made ({error.strerror}): check the folder above it") from None
