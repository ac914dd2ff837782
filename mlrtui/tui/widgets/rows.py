"""A pane of rows, perhaps more of them than fit: the arrows scroll, the lower edge says which part is visible."""

from collections.abc import Sequence

from mlrtui.text.lines import Line, clean, line, wrapped
from mlrtui.tui.widgets.pane import Pane

__all__ = ["RowsPane", "sentence", "window"]


class RowsPane(Pane):
    """`rows` scroll under `head`."""

    _first = 0
    _part = ""

    def head(self, width: int) -> Sequence[Line]:
        """The lines that stay."""
        return ()

    def rows(self, width: int) -> Sequence[Line]:
        """All lines that scroll."""
        raise NotImplementedError

    def caption(self) -> Line:
        """Which part is visible, where it is not all."""
        return line(self._part, "dim") if self._part else ()

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The head and the visible rows."""
        head, rows = self.head(width), self.rows(width)
        room = max(height - len(head), 0)
        self._first = min(self._first, max(len(rows) - room, 0))
        shown = rows[self._first : self._first + room]
        last = self._first + len(shown)
        self._part = f"{self._first + 1}-{last} of {len(rows)}" if len(shown) < len(rows) else ""
        return [*head, *shown]

    def move(self, dx: int, dy: int) -> bool:
        """Scroll; sideways is for the screen."""
        if dy:
            self._first = max(self._first + dy, 0)
            self.update_rows()
        return not dx

    def on_mouse_scroll_down(self) -> None:
        """The wheel scrolls."""
        self.move(0, 3)

    def on_mouse_scroll_up(self) -> None:
        """The wheel scrolls."""
        self.move(0, -3)

    def needed(self, width: int) -> int:
        """Head and rows."""
        return len(self.head(width)) + len(self.rows(width))


def sentence(text: str, role: str, width: int, lead: str = " ", hang: str = "   ") -> list[Line]:
    """A text wrapped into `width` cells less a margin, its first row after `lead`, the others after `hang`."""
    parts = wrapped(clean(text), max(width - max(len(lead), len(hang)) - 1, 10))
    return [line(f"{hang if at else lead}{part}", role) for at, part in enumerate(parts)]


def window(count: int, cursor: int, room: int) -> range:
    """`room` consecutive indices of a list of `count` that hold the cursor, as far up as possible."""
    if count <= room:
        return range(count)
    room = max(room, 1)
    first = min(max(cursor - room + 1, 0), count - room)
    return range(first, first + room)
