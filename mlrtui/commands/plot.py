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
from mlrtui.reading.fitting import chosen
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui_db.models import SweepRow
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
        sweeps = _sweeps(reader, kind, figure, names)
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
    if asked.group_by is not None and "group_by" not in figure.takes:
        raise BadInput(f"--group-by: the figure {kind} has no groups; leave it out")
    if asked.x != Asked().x and "x" not in figure.takes:
        raise BadInput(f"--x: the figure {kind} has no variable to choose; leave it out")


def _sweeps(reader: Reader, kind: str, figure: Figure, names: Sequence[str]) -> list[SweepRow]:
    rows = chosen(reader, names)
    if names:
        if other := [row for row in rows if row.mode not in figure.modes]:
            raise BadInput(f"{other[0].name!r} is a {other[0].mode}: the figure {kind} needs a {figure.modes[0]}")
        return rows
    for mode in figure.modes:
        if found := [row for row in rows if row.mode == mode]:
            return [row for row in found if row.cells > 1] or found  # sweeps of one cell only where all are
    raise BadInput(f"{reader.path}: no sweep in it is a {' or '.join(figure.modes)}; the figure {kind} needs one")
