"""`mlrtui report`: sweeps as one HTML file, or as Markdown with a folder of figures."""

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
from mlrtui.reporting.content import section
from mlrtui.version import __version__
from mlrtui_db.copies import whole_or_not
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection

__all__ = ["report"]

_ENDINGS = (".html", ".md")


def report(store: Path, names: Sequence[str], out: Path, *, force: bool = False) -> list[Path]:
    """Write a report of these sweeps, or of all, and return what was written.

    Raises:
        BadInput: an unknown sweep or ending, a file that is there already, or no matplotlib.
        StoreError: the store cannot be read, or the file not be written; no half file is left.
    """
    if out.suffix.lower() not in _ENDINGS:
        raise BadInput(f"--out {out}: the ending says the format; use one of {', '.join(_ENDINGS)}")
    folder = out.with_name(f"{out.stem}_files")
    for path in (out, folder) if out.suffix.lower() == ".md" else (out,):
        if not force and (path.exists() or path.is_symlink()):
            raise BadInput(f"{path}: already exists; use --force to replace it, or another --out")
    with style.styled():
        pass  # says at once where matplotlib is missing
    with Reader.open(store) as reader:

        def csv(view: str, sweep: str) -> tuple[str, int]:
            file = BytesIO()
            rows = write_csv(Store(reader).table(Selection(view, sweep=sweep)), file)
            return file.getvalue().decode(), rows

        sweeps = chosen(reader, names)
        if not sweeps:
            raise BadInput(f"{store}: it holds no sweep; nothing to report")
        sections = tuple(section(reader, sweep, csv) for sweep in sweeps)
    title = f"{len(sections)} sweep{'s' * (len(sections) != 1)} of {store.name}"
    intro = f"Made by mlrtui {__version__} from {store.name}. Every number comes from this store."
    found = Report(title, intro, sections)
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
