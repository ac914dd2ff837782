"""Help: made from the table of keys and the words of the field; `/` leaves the rows that hold what is typed."""

import itertools
from collections.abc import Sequence

from textual.app import ComposeResult

from mlrtui.text.lines import Line, fit, flowed, holds, join, line, plain, wrapped
from mlrtui.text.marks import STATE_WORDS, Marks
from mlrtui.tui.alarms import RULES
from mlrtui.tui.keymap import KEYS, Key, Keys, bindings, shown_keys
from mlrtui.tui.live.sheets import PHASE_LETTERS
from mlrtui.tui.screen import FilterScreen
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.rows import RowsPane
from mlrtui.tui.widgets.typed import Prompt

__all__ = ["WORDS", "HelpPage", "HelpScreen", "help_lines"]

WORDS = (
    ("η", "learning rate"),
    ("η*", "largest constant learning rate at which a fresh network still succeeds"),
    ("λ, sharpness", "top eigenvalue of the curvature of the training loss; λ₀ at initialisation"),
    ("ηλ₀", "learning rate in units of the initial curvature; gradient descent on a quadratic is stable below 2"),
    ("λη/2", "sharpness over its edge 2/η (momentum, adam: another): above 1 training is unstable"),
    ("lazy", "squared loss: the loss falls all along"),
    ("stable", "the same under cross-entropy and the softmax's squared loss"),
    ("edge", "edge of stability: λη/2 stays near 1 and the loss ripples down"),
    ("controlled", "cross-entropy: outputs grow at once, hidden activations do not, training goes on"),
    ("catapult", "the loss rises above its start by an instability and ends below it"),
    ("unfinished", "the steps ended before the outcome was clear"),
    ("collapsed", "after a shock the outputs are as good as constant, and training stands still"),
    ("divergent", "the loss ends non-finite or above the limit"),
    ("catastrophic", "the same under cross-entropy and the softmax's squared loss"),
    (
        "phases of a cell",
        "v in Live; letters: " + ", ".join(f"{letter} {name}" for name, letter in PHASE_LETTERS.items()),
    ),
    ("@14", "at step 14: there training blew up; of a catapult or controlled phase, there the loss peaked"),
    ("cell, net, trial", "a grid point; a network with its seed; one training of it at one learning rate"),
    ("censored", "η* lies at the end of the range that was searched"),
)


class HelpPage(RowsPane):
    """The page."""

    def __init__(self, look: Look, about: str = "") -> None:
        super().__init__(look, id="page", classes="pane")
        self.filter = ""
        self._about = about

    def title(self) -> Line:
        """What it is."""
        return line("help", "title")

    def rows(self, width: int) -> Sequence[Line]:
        """Keys, marks, words; of these what holds all the words of the filter."""
        if not self.filter.strip():
            return help_lines(width, self.look.marks, self.look.keys, self._about)
        found = [row for row in plain_help(width, self.look) if holds(plain(row), self.filter)]
        return found or [line(" nothing here is called so", "note")]


class HelpScreen(FilterScreen, inherit_bindings=False):
    """Over whichever screen was up."""

    CSS_PATH = "screen.tcss"
    PASSING = True
    BINDINGS = [*bindings("help")]  # noqa: RUF012
    AUTO_FOCUS = "#page"

    def __init__(self, about: str = "") -> None:
        """`about` is the name of the screen below."""
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        """The page, what is sought in it, the footer."""
        yield HelpPage(self.look, self._about)
        yield Prompt(self.look, "find", "all; / types words that a row must hold")
        yield Footer(self.look, "help")

    def typed(self, text: str) -> None:
        """The page follows every letter."""
        page = self.query_one(HelpPage)
        page.filter = text
        page.update_rows()

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.query_one(HelpPage).move(dx, dy)

    def action_back(self) -> None:
        """Back to the screen below."""
        self.owner.pop_screen()


def plain_help(width: int, look: Look) -> list[Line]:
    """Every key and word on a row of its own, with where it holds."""
    ascii_only = look.marks.ascii_only
    rows = [
        (*_key_line(shown_keys(key, ascii_only, look.keys), f"{key.help:<26}"), (f" {_where(key)}", "dim"))
        for key in KEYS
    ]
    return rows + _explained((*RULES, *WORDS), width)


def help_lines(width: int, marks: Marks, keys: Keys, about: str = "") -> list[Line]:
    """The whole page: keys of the screen below, all keys in two columns where there is room, marks, words."""
    groups = [
        [line(f" {group}", "title"), *(_key_line(*entry) for entry in _entries(group, marks.ascii_only, keys)), line()]
        for group in dict.fromkeys(key.group for key in KEYS)
    ]
    rows: list[Line] = _of_screen(about, width, marks.ascii_only, keys)
    if width >= 76:
        half = width // 2
        left, right = groups[0], [row for group in groups[1:] for row in group]
        rows += [join(fit(a, half), b) for a, b in itertools.zip_longest(left, right, fillvalue=line())]
    else:
        rows += [row for group in groups for row in group]
    rows.append(line(" Marks", "title"))
    rows += flowed(
        [((f" {marks.glyph(state)}", state), (f" {name} ", "")) for state, name in STATE_WORDS.items()], width
    )
    rows += flowed(
        [
            ((f" {glyph} ", role), (name, ""))
            for glyph, role, name in (
                (marks.live, "live", "live: a commit in the last 10 s "),
                (marks.quiet, "quiet", "quiet "),
                (marks.stale, "stale", "stale: none for 10 min "),
            )
        ],
        width,
    )
    cross = "x" if marks.ascii_only else "×"
    rows += _explained(((cross, "on a chart's edge: a value that is not finite; the line breaks there"),), width)
    rows += [line(), line(" Alarms, under the header while a driver is at work", "title"), *_explained(RULES, width)]
    rows += [line(), line(" Words", "title"), *_explained(WORDS, width)]
    rows += [line(), line(" Charts keep the minimum and maximum of every column: a peak of one step is drawn.", "dim")]
    return rows


def _of_screen(about: str, width: int, ascii_only: bool, keys: Keys) -> list[Line]:
    """The keys of one screen alone, those of its footer first."""
    mine = sorted((key for key in KEYS if about in key.screens), key=lambda key: key.footer or 1000)
    shown = [_key_line(shown_keys(key, ascii_only, keys), key.help) for key in mine]
    if not shown:
        return []
    if width >= 76:
        half = -(-len(shown) // 2)
        pairs = itertools.zip_longest(shown[:half], shown[half:], fillvalue=line())
        shown = [join(fit(left, width // 2), right) for left, right in pairs]
    return [line(f" {about.capitalize()}: keys of this screen", "title"), *shown, line()]


def _where(key: Key) -> str:
    return ", ".join(key.screens) or "everywhere"


def _entries(group: str, ascii_only: bool, keys: Keys) -> list[tuple[str, str]]:
    return [(shown_keys(key, ascii_only, keys), key.help) for key in KEYS if key.group == group]


def _key_line(keys: str, text: str) -> Line:
    return ((f"  {keys:<11} ", "key"), (text, ""))


def _explained(words: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """Words with their meaning, the meaning wrapped beside the word."""
    rows: list[Line] = []
    room = max(width - 20, 20)
    for word, meaning in words:
        parts = wrapped(meaning, room)
        rows.append(((f"  {word:<17}", "key"), (parts[0], "")))
        rows += [line(" " * 19 + part) for part in parts[1:]]
    return rows
