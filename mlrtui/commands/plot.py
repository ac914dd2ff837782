"""`mlrtui plot`: a figure of stored results, as a file or in the terminal."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrtui.charts.plain import chart_text
from mlrtui.errors import BadInput
from mlrtui.figures.kinds import FIGURES, Asked, Figure
from mlrtui.figures.saving import ENDINGS, save
from mlrtui.figures.style import SIZES
from mlrtui.reading.plots import drawn_sweeps
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui_db.reader import Reader
from mlrtui_trainer.registry import UnknownNameError

__all__ = ["How", "plot"]


@dataclass(frozen=True)
class How:
    """Where a figure goes and how large it is."""

    out: Path | None = None
    size: str = "single"
    as_text: bool = False
    ascii_only: bool = False
    force: bool = False


def plot(store: Path, kind: str, names: Sequence[str], asked: Asked, how: How) -> None:
    """Draw one kind of figure of these sweeps, or of all that have it.

    Raises:
        BadInput: an option, or nothing to draw.
        StoreError: the store cannot be read, or the file not be written; no half file is left.
    """
    figure = _figure(kind)
    _refuse(kind, figure, asked, how)
    with Reader.open(store) as reader:
        sweeps = drawn_sweeps(reader, kind, figure, names)
        loaded = figure.load(reader, sweeps, asked)
    if how.as_text:
        columns, rows = shutil.get_terminal_size((80, 24))
        chart = figure.plain(loaded.data, asked)
        size = columns, max(rows - len(chart.head) - 2, 8)
        show(chart_text(chart, size, needs_ascii(how.ascii_only)), how.ascii_only)
    else:
        assert how.out is not None
        save(how.out, figure, loaded, asked, SIZES[how.size], replace=how.force)
        print(f"{how.out}")
    for note in loaded.notes:
        print(one_line(note))


def _figure(kind: str) -> Figure:
    try:
        return FIGURES[kind]
    except UnknownNameError as error:
        raise BadInput(f"KIND: {error}") from None


def _refuse(kind: str, figure: Figure, asked: Asked, how: How) -> None:
    if how.as_text and how.out is not None:
        raise BadInput("--text prints the figure, --out writes it: give one of them")
    if how.out is None and not how.as_text:
        raise BadInput(f"plot needs --out FILE (one of {', '.join(ENDINGS)}), or --text")
    if how.size not in SIZES:
        raise BadInput(f"--size {how.size!r}: use {' or '.join(SIZES)}")
    figure.refuse(kind, asked, lambda name: f"--{name.replace('_', '-')}:")
