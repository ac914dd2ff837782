"""Lines of styled text: what every pane and every chart is made of.

A line is a tuple of runs, a run is (text, role). Roles are names such as "axis"; the palette gives them colours.

On a terminal of ASCII alone signs are spelled out, and η becomes eta: longer. What measures, wraps or cuts text here
does so to the text as it will be shown, while `shown_in` says so.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from rich.cells import cell_len, set_cell_size

__all__ = [
    "Line",
    "Run",
    "as_shown",
    "ascii_line",
    "ascii_text",
    "boxed",
    "centred",
    "clean",
    "fit",
    "fit_parts",
    "fit_plain",
    "holds",
    "join",
    "line",
    "merge",
    "plain",
    "shown_in",
    "width_of",
    "wrapped",
]

Run = tuple[str, str]
Line = tuple[Run, ...]

# Words and signs of the screens that are not ASCII, and how a plain terminal spells them.
_SPELLED = {
    "η": "eta",
    "λ": "lam",
    "₀": "0",
    "∝": "~",
    "·": ".",
    "×": "x",
    "−": "-",
    "–": "-",
    "…": "~",
    "±": "+-",
    "²": "^2",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "≈": "~",
    "‹": "<",
    "›": ">",
    "↑": "^",
    "↓": "v",
    "←": "<-",
    "•": "*",
    "★": "$",
}


_ASCII_ONLY: ContextVar[bool] = ContextVar("ASCII alone", default=False)


@contextmanager
def shown_in(ascii_only: bool) -> Iterator[None]:
    """Lay text out, within, for a terminal that shows ASCII alone, or for any other one."""
    token = _ASCII_ONLY.set(ascii_only)
    try:
        yield
    finally:
        _ASCII_ONLY.reset(token)


def as_shown(text: str) -> str:
    """The text as `shown_in` asks for it: spelled out, or as it is."""
    return ascii_text(text) if _ASCII_ONLY.get() else text


def line(text: str = "", role: str = "") -> Line:
    """A line of one run."""
    return ((text, role),)


def join(*parts: Iterable[Run]) -> Line:
    """Lines put behind one another."""
    return tuple(run for part in parts for run in part)


def merge(cells: Sequence[Run]) -> Line:
    """Neighbours of equal role as one run; blanks join the run before them, unless its role shows on blanks."""
    runs: list[Run] = []
    texts: list[str] = []
    now, covers = "", False  # the role of these texts, and whether it may cover blanks
    for text, role in cells:
        if texts and (role == now or (covers and (text == " " or not text.strip()))):
            texts.append(text)
            continue
        if texts:
            runs.append(("".join(texts), now))
        texts, now, covers = [text], role, not _shows_on_blanks(role)
    return (*runs, ("".join(texts), now)) if texts else ()


def _shows_on_blanks(role: str) -> bool:
    """Whether a role is drawn in reverse: that of what is under a cursor."""
    return role == "cursor" or role.endswith("-chosen")


def plain(runs: Line) -> str:
    """The text of a line without its roles."""
    return "".join(text for text, _ in runs)


def width_of(runs: Line) -> int:
    """How many terminal cells a line takes."""
    return sum(cell_len(as_shown(text)) for text, _ in runs)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters, broken at spaces."""
    rows = [""]
    for word in as_shown(text).split():
        if rows[-1] and len(rows[-1]) + 1 + len(word) > width:
            rows.append(word)
        else:
            rows[-1] = f"{rows[-1]} {word}".strip()
    return rows


def centred(words: str, width: int, height: int) -> list[Line]:
    """A note in the middle of an otherwise empty area, on as many rows as it needs."""
    said = wrapped(words, max(width - 2, 8))[:height]
    before = max((height - len(said) + 1) // 2, 0)
    notes = [fit(line(" " * ((width - len(text)) // 2) + text, "note"), width) for text in said]
    return [fit((), width)] * before + notes + [fit((), width)] * (height - before - len(said))


def holds(text: str, words: str) -> bool:
    """Whether all words occur, in any order and case."""
    low = text.lower()
    return all(word in low for word in words.lower().split())


def clean(text: str) -> str:
    """Text from a store, made safe for a terminal: control and formatting characters become visible dots."""
    if text.isprintable():
        return text
    return "".join("·" if unicodedata.category(char)[0] == "C" else char for char in text)


def fit(runs: Line, width: int, role: str = "") -> Line:
    """A line of exactly `width` cells: padded, or cut with an ellipsis."""
    if _ASCII_ONLY.get():
        runs = ascii_line(runs)
    have = width_of(runs)
    if have == width:
        return runs
    if have < width:
        return (*runs, (" " * (width - have), role))
    if width <= 0:
        return ()
    kept: list[Run] = []
    left = width - 1
    for text, run_role in runs:
        size = cell_len(text)
        if size > left:
            kept.append((set_cell_size(text, left) + as_shown("…"), run_role))
            break
        kept.append((text, run_role))
        left -= size
    return tuple(kept)


def ascii_line(runs: Line) -> Line:
    """The line in ASCII alone: known signs spelled out, others as question marks."""
    return tuple((ascii_text(text), role) for text, role in runs)


def ascii_text(text: str) -> str:
    """The text in ASCII alone."""
    if text.isascii():
        return text
    for product, spelled in (("ηλ₀", "eta*lam0"), ("λη", "lam*eta")):
        text = text.replace(product, spelled)
    return "".join(char if char.isascii() else _SPELLED.get(char, "?") for char in text)


def flowed(items: Sequence[Line], width: int) -> list[Line]:
    """Items one after another, on as many rows as they need."""
    rows: list[Line] = [((" ", ""),)]
    for item in items:
        if width_of((*rows[-1], *item)) > width:
            rows.append(((" ", ""),))
        rows[-1] = (*rows[-1], *item)
    return rows


def boxed(
    body: Sequence[Line],
    width: int,
    height: int,
    *,
    title: Line = (),
    caption: Line = (),
    focused: bool = False,
    ascii_only: bool = False,
) -> list[Line]:
    """The body in a frame of exactly `width` x `height` cells, title above and caption below.

    The frame is text and not a border of the terminal library: then a new caption repaints one row, not the pane.
    """
    if width < 4 or height < 2:
        return [fit((), width)] * height
    if ascii_only:
        across, down, corners = ("=", "|", "++++") if focused else ("-", "|", "++++")
    else:
        across, down, corners = ("━", "┃", "┏┓┗┛") if focused else ("─", "│", "┌┐└┘")
    role = "frame-focus" if focused else "frame"
    inner = width - 2
    convert = ascii_line if ascii_only else _same
    lines = [_edge(convert(title), inner, across, corners[:2], role, right=False)]
    side: Run = (down, role)
    for row in range(height - 2):
        content = convert(body[row]) if row < len(body) else ()
        lines.append((side, *fit_plain(content, inner, ascii_only), side))
    lines.append(_edge(convert(caption), inner, across, corners[2:], role, right=True))
    return lines


def fit_parts(runs: Line, width: int) -> Line:
    """As many parts of a line as there is room for, at least the first, so that no number is cut.

    Parts begin at " · " and at two spaces; of a list with commas the rest is an ellipsis.
    """
    if width_of(runs) <= width:
        return runs
    parts = [(part, role) for text, role in runs for part in _PARTS.split(text) if part]
    more: Line = ()
    while len(parts) > 1 and width_of((*parts, *more)) > width:
        text, role = parts.pop()
        more = ((", …", role),) if text.startswith(", ") else ()
    return (*parts, *more)


_PARTS = re.compile("(?= [·.] )|(?=, )|(?<! )(?=  )")


def fit_plain(runs: Line, width: int, ascii_only: bool) -> Line:
    """`fit`, with the ellipsis in ASCII where asked."""
    fitted = fit(runs, width)
    return ascii_line(fitted) if ascii_only else fitted


def _same(runs: Line) -> Line:
    return runs


def _edge(label: Line, inner: int, across: str, corners: str, role: str, *, right: bool) -> Line:
    """The upper or lower edge of a frame with its label."""
    ascii_only = across.isascii()
    if not width_of(label):
        return ((corners[0] + across * inner + corners[1], role),)
    shown = fit_parts(label, inner - 4)
    if width_of(shown) > inner - 4:
        shown = fit_plain(shown, inner - 4, ascii_only)
    rest = inner - width_of(shown) - 2
    lead = rest - 1 if right else 1
    return (
        (corners[0] + across * lead + " ", role),
        *shown,
        (" " + across * (rest - lead) + corners[1], role),
    )
