"""The base of all panes: a widget that is a list of lines, of which only changed rows are repainted."""

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from mlrtui.text.lines import Line, ascii_line, boxed, clean, fit, fit_plain, shown_in
from mlrtui.tui.palette import style_of
from mlrtui.tui.state import Look, Reading

__all__ = ["LinesWidget", "Pane"]


class LinesWidget(Widget):
    """Draws `lines()`. What is already on the screen is never sent again."""

    def __init__(self, look: Look, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.look = look
        self.reading: Reading | None = None
        self._lines: list[Line] = []
        self._made_for = Size(0, 0)
        self._cuts: dict[int, tuple[int, int]] = {}  # by row: the cells that changed last

    def lines(self, width: int, height: int) -> list[Line]:
        """The content as lines of `width` cells."""
        raise NotImplementedError

    def show(self, reading: Reading | None, look: Look) -> None:
        """Take new data and repaint the rows that differ."""
        self.reading, self.look = reading, look
        self.update_rows()

    def update_rows(self) -> None:
        """Build the lines anew and repaint those that differ."""
        if not self.is_mounted or not self.size.width or not self.size.height:
            return
        resized = self._made_for != self.size
        old, new = self._lines, self._build()
        if resized:
            self._cuts = {}
            self.refresh()
            return
        self._cuts = {
            row: _changed_cells(now, before, self.size.width)
            for row, (now, before) in enumerate(zip(new, old, strict=True))
            if now != before
        }
        if self._cuts:
            self.refresh(*(Region(start, row, end - start, 1) for row, (start, end) in self._cuts.items()))

    def picture(self) -> list[Line]:
        """The lines as they are on the screen; none while hidden."""
        return list(self._build()) if self.region else []

    def render_line(self, y: int) -> Strip:
        """One row, as the terminal library asks for it."""
        if self._made_for != self.size:
            self._build()
        runs = self._lines[y] if y < len(self._lines) else ()
        color = not self.app.no_color
        segments = [Segment(text, style_of(role, color, self.look.light)) for text, role in runs]
        strip = Strip(segments, self.size.width)
        if y not in self._cuts:
            return strip
        start, end = self._cuts[y]  # whole segments are sent, so one begins and one ends where the row changed
        return Strip.join(strip.divide([cut for cut in (start, end) if 0 < cut < self.size.width] + [self.size.width]))

    def _build(self) -> list[Line]:
        """Make the lines for the present size, which may have changed without an event yet."""
        width, height = self.size
        # Most texts come from a store: none of them may reach the terminal as anything but text.
        with shown_in(self.look.marks.ascii_only):
            lines = self.lines(width, height)[:height]
        made = [tuple((clean(text), role) for text, role in runs) for runs in lines]
        if self.look.marks.ascii_only:
            made = [ascii_line(runs) for runs in made]
        fitted = [fit_plain(runs, width, self.look.marks.ascii_only) for runs in made]
        self._lines = fitted + [fit((), width)] * (height - len(fitted))
        self._made_for = self.size
        return self._lines


class Pane(LinesWidget, can_focus=True):
    """A framed pane with a title, a caption and perhaps a cursor.

    With `GROWS` it is as high as it needs where its style sheet says auto.
    """

    GROWS = False
    OPENS = False  # a double click does what enter does
    _tall = 0  # rows that it needed when its data last came

    def title(self) -> Line:
        """What the upper edge says."""
        return ()

    def caption(self) -> Line:
        """What the lower edge says; asked for after `body`."""
        return ()

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The lines within the frame."""
        raise NotImplementedError

    def needed(self, width: int) -> int:
        """Rows that the content takes in `width` cells, without the frame; asked for where the pane grows."""
        raise NotImplementedError

    def show(self, reading: Reading | None, look: Look) -> None:
        """Take new data; other data may need another height."""
        super().show(reading, look)
        if self.GROWS and self._tall != (tall := self._needed(self.size.width)):
            self._tall = tall
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Rows of the content with its frame."""
        return self._needed(width) + 2 if self.GROWS else super().get_content_height(container, viewport, width)

    def _needed(self, width: int) -> int:
        with shown_in(self.look.marks.ascii_only):
            return self.needed(max(width - 2, 0))

    def move(self, dx: int, dy: int) -> bool:
        """An arrow key while this pane is the current one; False: its cursor is the screen's."""
        return False

    def lines(self, width: int, height: int) -> list[Line]:
        """The framed body."""
        body = self.body(max(width - 2, 0), max(height - 2, 0))
        return boxed(
            body,
            width,
            height,
            title=self.title(),
            caption=self.caption(),
            focused=self.has_focus,
            ascii_only=self.look.marks.ascii_only,
        )

    def on_click(self, event: events.Click) -> None:
        """The first click chose what is under the pointer, the second opens it."""
        if self.OPENS and event.chain == 2:
            self.call_later(self.screen.run_action, "open")

    def on_focus(self) -> None:
        """The frame shows the focus."""
        self.call_later(self.update_rows)  # the library notes the focus after this

    def on_blur(self) -> None:
        """The frame shows the focus."""
        self.call_later(self.update_rows)  # the library notes the focus after this


def _changed_cells(now: Line, before: Line, width: int) -> tuple[int, int]:
    """First and one past the last cell in which two lines differ; the whole row where one of them has wide letters."""
    new, old = ([(char, role) for text, role in runs for char in text] for runs in (now, before))
    if not len(new) == len(old) == width:
        return 0, width
    differing = [at for at, (one, other) in enumerate(zip(new, old, strict=True)) if one != other]
    return (differing[0], differing[-1] + 1) if differing else (0, width)
