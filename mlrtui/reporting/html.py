"""A report as one HTML file: no request, light and dark, printable, readable without its one small script.

The page's own policy forbids every request and every script but the one that sorts tables, which is named by its hash.
All text is escaped here and nowhere else, since a store may come from anybody.
"""

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from html import escape

from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.kinds import FIGURES
from mlrtui.figures.saving import draw, svg_text
from mlrtui.reporting.blocks import (
    Block,
    Cell,
    Code,
    Download,
    Folded,
    Picture,
    Report,
    Section,
    Table,
    Text,
    cell_text,
    is_number,
)
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted

__all__ = ["POLICY", "SCRIPT", "page"]

SCRIPT = """
document.querySelectorAll("table.sorts th").forEach(function (head) {
  var button = head.querySelector("button");
  button.addEventListener("click", function () {
    var body = head.closest("table").tBodies[0], place = head.cellIndex;
    var up = head.getAttribute("aria-sort") !== "ascending";
    head.parentNode.querySelectorAll("th").forEach(function (one) { one.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    var key = function (row) {
      var cell = row.cells[place], value = cell.dataset.v;
      return value === undefined ? [1, cell.textContent] : [0, Number(value)];
    };
    Array.from(body.rows).map(function (row) { return [key(row), row]; }).sort(function (a, b) {
      var order = a[0][0] - b[0][0] || (a[0][1] < b[0][1] ? -1 : a[0][1] > b[0][1] ? 1 : 0);
      return up ? order : -order;
    }).forEach(function (pair) { body.appendChild(pair[1]); });
  });
});
"""

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-"
    + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    + "'"
)

_LIGHT = {
    "ink": style.INK,
    "ground": style.GROUND,
    "muted": "#595959",
    "pale": style.PALE,
    "warn": "#8a3b00",
    "link": "#004f8a",
}
_DARK = {
    "ink": "#e8e8e8",
    "ground": "#121417",
    "muted": "#a6a6a6",
    "pale": "#3a3a3a",
    "warn": "#f2b36b",
    "link": "#7ab8f5",
}
_DARK_GROUPS = ("#56b4e9", "#e69f00", "#2fc79a", "#e79ac3", "#8ab6f0", "#f0c75e", "#c3a5e0")
_DARK_ORDERED = (
    "#2c718e", "#287c8e", "#25858e", "#21918c", "#1f9a8a", "#25ac82",
    "#40bd72", "#5ec962", "#84d44b", "#addc30", "#d8e219", "#fde725",
)  # fmt: skip
"""viridis from 0.35 to 1: each at least 3:1 on the dark ground."""
_DARK_PHASES = ("#7fb2e5", "#5fc271", "#f0a030", "#d77fae", "#e58ac0")

_LONG = 48  # letters of a cell that is given space

_CSS = """
body{margin:0 auto;max-width:52rem;padding:1rem;font:16px/1.5 system-ui,sans-serif}
body{color:var(--ink);background:var(--ground)}
h1{font-size:1.6rem}h2{font-size:1.25rem;border-top:1px solid var(--pale);padding-top:1rem;overflow-wrap:anywhere}
a{color:var(--link)}.answer{font-size:1.1rem;font-weight:600}
.warning{color:var(--warn)}.warning::before{content:"Note: "}
.muted,figcaption,caption{color:var(--muted);font-size:.875rem;text-align:left}
figure{margin:1rem 0}figure svg{max-width:44rem;width:100%;height:auto;display:block}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid var(--pale);vertical-align:top}td.n{text-align:right}
td.long{min-width:22rem}
th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:left}
th[aria-sort=ascending] button::after{content:" ▲"}th[aria-sort=descending] button::after{content:" ▼"}
pre{background:none;border:1px solid var(--pale);padding:.6rem;overflow-x:auto;font-size:.8125rem}
details{margin:.6rem 0}summary{cursor:pointer}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem}
@media screen and (max-width:36rem){figure{overflow-x:auto}figure svg{min-width:34rem}}
@media print{body{max-width:none;font-size:11px}.download,.skip{display:none}figure,tr{break-inside:avoid}
h2{break-after:avoid}}
"""


def page(report: Report) -> str:
    """The whole file.

    Raises:
        BadInput: matplotlib is not installed.
    """
    with style.styled():
        body = "\n".join(part for place, one in enumerate(report.sections) for part in _section(one, f"s{place}"))
    names = "".join(f'<li><a href="#s{n}">{_text(one.title)}</a></li>' for n, one in enumerate(report.sections))
    contents = f"<nav><ul>{names}</ul></nav>" if len(report.sections) > 1 else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(report.title)}</title>
<style>{_colours()}{_CSS}</style>
</head>
<body>
<a class="skip" href="#s0">To the first sweep</a>
<main>
<h1>{_text(report.title)}</h1>
<p class="muted">{_text(report.intro)}</p>
{contents}
{body}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)


def _section(section: Section, name: str) -> Iterator[str]:
    yield f'<section id="{name}"><h2>{_text(section.title)}</h2>'
    for place, block in enumerate(section.blocks):
        yield _block(block, f"{name}b{place}")
    yield "</section>"


def _block(block: Block, name: str) -> str:
    match block:
        case Text(text, kind):
            return f'<p class="{kind}">{_text(text).replace("`", "")}</p>'
        case Table():
            return _table(block)
        case Picture():
            return _picture(block, name)
        case Code(text):
            lines = "\n".join(map(_text, text.splitlines()))
            return f"<pre>{lines}</pre>"
        case Download(file, csv, rows):
            data = base64.b64encode(csv.encode()).decode()
            link = f'<a download="{_text(file)}" href="data:text/csv;base64,{data}">{_text(file)}</a>'
            return f'<p class="download">{link} <span class="muted">{counted(rows, "row")}</span></p>'
        case Folded(title, blocks):
            inside = "\n".join(_block(one, f"{name}f{place}") for place, one in enumerate(blocks))
            return f"<details><summary>{_text(title)}</summary>\n{inside}\n</details>"


def _table(table: Table) -> str:
    shown = [_text(head) for head in table.columns]
    if table.sortable:
        shown = [f'<button type="button">{head}</button>' for head in shown]
    heads = "".join(f'<th scope="col">{head}</th>' for head in shown)
    head = f"<thead><tr>{heads}</tr></thead>" if any(table.columns) else ""
    first_heads = not table.sortable
    body = "\n".join(
        f"<tr>{''.join(_td(cell, first_heads and not place) for place, cell in enumerate(row))}</tr>"
        for row in table.shown
    )
    note = f'<p class="muted">{table.rest}</p>' if table.rest else ""
    kind = ' class="sorts"' if table.sortable else ""
    label = _text(table.caption)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table{kind}><caption>{label}</caption>'
        f"{head}<tbody>\n{body}\n</tbody></table></div>{note}"
    )


def _td(cell: Cell, head: bool = False) -> str:
    text = _text(cell_text(cell))
    if is_number(cell):
        return f'<td class="n" data-v="{float(cell)!r}">{text}</td>'
    if head:
        return f'<th scope="row">{text}</th>'
    return f"<td>{text}</td>" if len(text) <= _LONG else f'<td class="long">{text}</td>'


def _picture(picture: Picture, name: str) -> str:
    try:
        axes = draw(FIGURES[picture.kind], picture.loaded, picture.asked, style.DOUBLE)
        svg = svg_text(axes, f"{name}-", _variable)
    except BadInput as error:
        return f'<p class="muted">No figure {_text(picture.kind)}: {_text(str(error))}.</p>'
    label = _text(picture.caption)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return f"<figure>{svg}<figcaption>{label}</figcaption></figure>"


@cache
def _names() -> dict[str, tuple[str, str]]:
    """Each colour of a figure on white: the name that it has in the page, and what it is on dark."""
    found = {
        style.PALE: ("pale", _DARK["pale"]), style.GROUND: ("ground", _DARK["ground"]),
        style.MUTED: ("muted", _DARK["muted"]),
    }  # fmt: skip
    found |= {one: (f"g{place}", _DARK_GROUPS[place]) for place, one in enumerate(style.GROUPS)}
    found |= {one: (f"o{place}", _DARK_ORDERED[place]) for place, one in enumerate(style.ORDERED)}
    shades = dict.fromkeys(colour for colour, _ in style.PHASES.values() if colour not in found)
    return found | {one: (f"p{place}", _DARK_PHASES[place]) for place, one in enumerate(shades)}


def _variable(colour: str) -> str:
    if colour in (style.INK, "#000000"):
        return "currentColor"
    name = _names().get(colour)
    return f"var(--{name[0]})" if name else colour


def _colours() -> str:
    """Variables for both schemes. What is printed is light, whatever the screen was."""
    light = _LIGHT | {name: one for one, (name, _) in _names().items() if name not in _LIGHT}
    dark = _DARK | {name: other for name, other in _names().values() if name not in _DARK}
    set_light, set_dark = (";".join(f"--{name}:{one}" for name, one in those.items()) for those in (light, dark))
    screen = f":root{{{set_light}}}@media screen and (prefers-color-scheme:dark){{:root{{{set_dark}}}}}"
    return f":root{{color-scheme:light dark}}{screen}@media print{{:root{{color-scheme:light}}}}"
