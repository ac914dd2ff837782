"""Figures as files: vector or pixels by the file's ending, whole or not at all, the same bytes every time."""

import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.kinds import Asked, Figure, Loaded
from mlrtui_db.copies import whole_or_not

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ENDINGS", "draw", "save", "svg_text"]

ENDINGS: dict[str, dict[str, Any]] = {
    ".pdf": {
        "format": "pdf",
        "metadata": {"CreationDate": None, "ModDate": None, "Creator": "mlrtui", "Producer": None},
    },
    ".svg": {"format": "svg", "metadata": {"Date": None, "Creator": "mlrtui"}},
    ".png": {"format": "png", "metadata": {"Software": "mlrtui"}},
}
"""What is written for each ending of a file's name; nothing in it depends on the day."""

_LEGEND_LINE = 0.155  # inches
_TALLEST = 40.0  # inches


def draw(figure: Figure, loaded: Loaded, asked: Asked, size: style.Size) -> "Axes":
    """A figure on new axes. Use within `style.styled`.

    Raises:
        BadInput: there is nothing to draw.
    """
    height = size.height * figure.height + figure.per_row * loaded.rows
    axes = style.new_axes(style.Size(size.width, min(height, _TALLEST)))
    figure.draw(loaded.data, axes, asked)
    legend = axes.get_legend()
    if legend is not None and legend.get_bbox_to_anchor().y0 < axes.bbox.y0:  # it stands under the axes
        lines = sum(text.get_text().count("\n") + 1 for text in legend.get_texts())
        axes.figure.set_size_inches(size.width, min(height + lines * _LEGEND_LINE, _TALLEST))
    return axes


def save(path: Path, figure: Figure, loaded: Loaded, asked: Asked, size: style.Size, *, replace: bool = False) -> None:
    """Draw a figure into a file, which appears when it is whole.

    Raises:
        BadInput: an unknown ending, a file that is there already, nothing to draw, or no matplotlib.
        StoreError: the file cannot be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise BadInput(f"--out {path}: the ending says the format; use one of {', '.join(ENDINGS)}")
    if not replace and (path.exists() or path.is_symlink()):
        raise BadInput(f"{path}: already exists; use --force to replace it, or another --out")
    with style.styled():
        axes = draw(figure, loaded, asked, size)
        how = ENDINGS[path.suffix.lower()]
        data = io.BytesIO()
        axes.figure.savefig(data, **how)
    written = data.getvalue()
    if how["format"] == "svg":
        written = _unique_names(written.decode(), "").encode()
    with whole_or_not(path, replace=replace) as draft:
        draft.write_bytes(written)


def svg_text(axes: "Axes", prefix: str, colour: Callable[[str], str], *, transparent: bool = True) -> str:
    """A figure as SVG to be put into a page.

    Args:
        axes: drawn within `style.styled`.
        prefix: before every name in it, since several figures share one page.
        colour: what stands in the place of each colour.
        transparent: without a ground of its own.
    """
    data = io.StringIO()
    axes.figure.savefig(data, transparent=transparent, **ENDINGS[".svg"])
    text = data.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)  # HTML knows them
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _unique_names(text, prefix)
    text = re.sub(r'href="#', f'href="#{prefix}', text)
    text = re.sub(r"url\(#", f"url(#{prefix}", text)
    return re.sub(r"#[0-9a-f]{6}\b", lambda match: colour(match[0]), text)


def _unique_names(svg: str, prefix: str) -> str:
    """Marks of several groups have one name in our code; in a file each has its own."""
    times: Counter[str] = Counter()

    def name(match: re.Match[str]) -> str:
        times[match[1]] += 1
        again = f"-{times[match[1]]}" if times[match[1]] > 1 else ""
        return f' id="{prefix}{match[1]}{again}"'

    return re.sub(r' id="([^"<>]*)"', name, svg)
