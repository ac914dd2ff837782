"""The block of `run --no-tui` on a terminal: a bar and a line for each sweep, redrawn where they stand."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mlrtui.commands.progress import Progress
from mlrtui.text.lines import ascii_text

__all__ = ["Block"]

_REDRAWN = 1.0  # s at least between two times: over a slow line a block must not hold up what it tells of
_BAR = 20  # cells


class Block:
    """Text above, and below it the block; what has not changed is not sent again. NO_COLOR is respected by rich."""

    def __init__(self, ascii_only: bool) -> None:
        self._ascii = ascii_only
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._rows: dict[int, Progress] = {}
        self._drawn: dict[int, Progress] = {}
        self._at = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw()
        self._live.__exit__(kind, error, trace)

    def print(self, text: str) -> None:
        """Above the block, to stay."""
        self._console.print(Text(self._plain(text)), soft_wrap=True)

    def progress(self, at: int, how: Progress) -> None:
        """The row of a sweep; it is drawn once a second."""
        if at:
            self._rows.pop(0, None)  # what came before it
        self._rows[at] = how
        if self._rows != self._drawn and time.monotonic() - self._at >= _REDRAWN:
            self._draw()

    def ended(self, at: int) -> None:
        """Its report takes the place of its row."""
        self._rows.pop(at, None)
        self._draw()

    def _draw(self) -> None:
        self._drawn, self._at = dict(self._rows), time.monotonic()
        self._live.update(Group(*map(self._picture, self._rows.values())), refresh=True)

    def _picture(self, how: Progress) -> Text:
        """The sweep in a line, what goes on below it."""
        picture = Text(no_wrap=True, overflow="crop")
        if how.line:
            picture.append(self._plain(how.line) + "\n")
        if how.nets:
            full = _BAR * how.done // how.nets
            sign, rest = ("#", "-") if self._ascii else ("━", "─")
            picture.append(sign * full, style="green").append(rest * (_BAR - full), style="dim").append(" ")
        return picture.append(self._plain(how.doing))

    def _plain(self, text: str) -> str:
        return ascii_text(text) if self._ascii else text
