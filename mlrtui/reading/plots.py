"""Figures of a store or a sweep for scripts and notebooks; matplotlib is loaded by the first one."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mlrtui.errors import BadInput
from mlrtui.reading.fitting import chosen
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mlrtui.figures.kinds import Figure

__all__ = ["Plots", "drawn_sweeps"]


def drawn_sweeps(reader: Reader, kind: str, figure: "Figure", names: Sequence[str]) -> list[SweepRow]:
    """The sweeps that a figure shows: those of these names, else all of the first kind of sweep that has it.

    Raises:
        BadInput: an unknown name, a sweep that has no such figure, or none that has it.
    """
    rows = chosen(reader, names)
    if names:
        if other := [row for row in rows if row.mode not in figure.modes]:
            raise BadInput(f"{other[0].name!r} is a {other[0].mode}: the figure {kind} needs a {figure.modes[0]}")
        return rows
    for mode in figure.modes:
        if found := [row for row in rows if row.mode == mode]:
            return [row for row in found if row.cells > 1] or found  # sweeps of one cell only where all are
    raise BadInput(f"{reader.path}: no sweep in it is a {' or '.join(figure.modes)}; the figure {kind} needs one")


class Plots:
    """The figures of `mlrtui plot` as methods: ``eta_star``, ``transfer``, ``phases`` and the others.

    Each takes ``(ax=None, *, x="", where="", group_by=None, predict=False, size="single")``, draws on the Axes that it
    is given and returns it. Without one it makes a figure of the command's look and size, which is ``ax.figure``.
    """

    def __init__(self, reader: Callable[[], Reader], names: Sequence[str] = ()) -> None:
        self._reader = reader
        self._names = tuple(names)

    def __getattr__(self, name: str) -> "Callable[..., Axes]":
        from mlrtui.figures.kinds import FIGURES

        kind = name.replace("_", "-")
        if name.startswith("_") or kind not in FIGURES:
            raise AttributeError(f"there is no figure {name!r}; there are {', '.join(self.__dir__())}")
        return partial(self._draw, kind)

    def __dir__(self) -> list[str]:
        from mlrtui.figures.kinds import FIGURES

        return [name.replace("-", "_") for name in FIGURES]

    def _draw(
        self,
        kind: str,
        ax: "Axes | None" = None,
        *,
        x: str = "",
        where: str = "",
        group_by: Sequence[str] | None = None,
        predict: bool = False,
        size: str = "single",
    ) -> "Axes":
        from mlrtui.figures import style
        from mlrtui.figures.kinds import FIGURES, Asked
        from mlrtui.figures.saving import draw

        figure, reader = FIGURES[kind], self._reader()
        asked = Asked(x, where, None if group_by is None else tuple(group_by), predict)
        figure.refuse(kind, asked, "{}=".format)
        if size not in style.SIZES:
            raise BadInput(f"size={size!r}: use {' or '.join(style.SIZES)}")
        loaded = figure.load(reader, drawn_sweeps(reader, kind, figure, self._names), asked)
        if ax is not None:
            return figure.draw(loaded.data, ax, asked)
        with style.styled():
            return draw(figure, loaded, asked, style.SIZES[size])

    def __repr__(self) -> str:
        return f"<figures: {', '.join(self.__dir__())}>"
