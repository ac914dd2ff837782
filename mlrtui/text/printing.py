"""Plain text on a stream that may not show Greek letters."""

import sys

from mlrtui.text.lines import ascii_text
from mlrtui.text.terminal import ascii_output

__all__ = ["needs_ascii", "show"]


def needs_ascii(asked: bool = False) -> bool:
    """Whether standard output gets ASCII alone: where it was asked for, or where the locale asks for it."""
    return asked or ascii_output(sys.stdout)


def show(text: str, ascii_only: bool = False) -> None:
    """Print a line or several; spelled out in ASCII where that is needed."""
    print(ascii_text(text) if needs_ascii(ascii_only) else text, flush=True)
