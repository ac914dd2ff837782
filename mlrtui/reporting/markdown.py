"""A report as Markdown, with its figures and tables as files in a folder beside it: for pull requests and wikis."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.kinds import FIGURES
from mlrtui.figures.saving import draw, svg_text
from mlrtui.reporting.blocks import Block, Code, Download, Folded, Picture, Report, Table, Text, cell_text
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted

__all__ = ["page"]


def page(report: Report, folder: str) -> tuple[str, dict[str, bytes]]:
    """The text, and the files of the folder of this name beside it.

    Raises:
        BadInput: matplotlib is not installed.
    """
    files: dict[str, bytes] = {}
    parts = [f"# {_text(report.title)}", _text(report.intro)]
    with style.styled():
        for place, section in enumerate(report.sections):
            parts.append(f"## {_text(section.title)}")
            for number, block in enumerate(section.blocks):
                parts += _block(block, PurePosixPath(folder), f"{place + 1}-{number + 1}", files)
    return "\n\n".join(parts) + "\n", files


def _text(text: str) -> str:
    """Text that is nothing but text, in Markdown and in the HTML that Markdown may hold."""
    return re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", escape(one_line(text), quote=False)).replace("@", "&#64;")


def _block(block: Block, folder: PurePosixPath, name: str, files: dict[str, bytes]) -> Iterator[str]:
    match block:
        case Text(text, kind):
            yield {"answer": "**{}**", "warning": "> {}", "plain": "{}"}[kind].format(_text(text))
        case Table():
            yield _table(block)
        case Picture():
            try:
                axes = draw(FIGURES[block.kind], block.loaded, block.asked, style.DOUBLE)
            except BadInput as error:
                yield f"No figure {_text(block.kind)}: {_text(str(error))}."
                return
            file = f"{name}-{block.kind}.svg"
            files[file] = _standing_alone(svg_text(axes, "", str, transparent=False))
            yield f"![{_text(block.caption)}]({quote(str(folder / file))})"
        case Code(text):
            fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
            lines = "\n".join(map(one_line, text.splitlines()))
            yield f"{fence}\n{lines}\n{fence}"
        case Download(file, csv, rows):
            files[f"{name}-{file}"] = csv.encode()
            yield f"[{_text(file)}]({quote(str(folder / f'{name}-{file}'))}), {counted(rows, 'row')}"
        case Folded(title, blocks):
            inside = [
                part for place, one in enumerate(blocks) for part in _block(one, folder, f"{name}-{place + 1}", files)
            ]
            yield "\n\n".join([f"<details><summary>{escape(one_line(title))}</summary>", *inside, "</details>"])


def _standing_alone(svg: str) -> bytes:
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return svg.replace("<svg ", f"<svg {space} ", 1).encode()


def _table(table: Table) -> str:
    heads = [_text(head) or " " for head in table.columns]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(_text(cell_text(cell)) for cell in row)} |" for row in table.shown]
    note = [f"\n{table.rest}"] if table.rest else []
    return "\n".join([f"{_text(table.caption)}:\n", *lines, *note])
