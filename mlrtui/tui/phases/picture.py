"""What the screen Phases draws: one interface for the trials of a sweep and for its maps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mlrtui.text.lines import Line
from mlrtui.text.marks import Marks
from mlrtui.tui.tables import Table

__all__ = ["Picture"]


class Picture(ABC):
    """A picture with a cursor, text beside it, and what is under the cursor; frozen, so a key makes another one."""

    closed = ""  # why enter opens nothing; "": it opens the trial under the cursor
    without_theory = ""  # why theory has no line; "": it may have

    @property
    def page(self) -> str:
        """What has to be read for it."""
        return "phases"

    @property
    def asks(self) -> str:
        """Options of `mlrtui map` for the window around the cursor; "": it has none."""
        return ""

    @property
    def trial_id(self) -> int | None:
        """The trial under the cursor."""
        return None

    def choices(self) -> dict[str, str]:
        """How it is set, as a command line has it."""
        return {}

    @abstractmethod
    def stepped(self, dx: int, dy: int) -> "Picture":
        """The cursor moved by an arrow key."""

    @abstractmethod
    def along_x(self) -> "Picture":
        """The next choice of what is drawn to the right."""

    def upwards(self) -> "Picture":
        """The next choice of what is drawn upwards."""
        return self

    @abstractmethod
    def title(self) -> Line:
        """What is drawn against what."""

    @abstractmethod
    def caption(self, marks: Marks, room: int) -> Line:
        """What the signs mean, in `room` cells."""

    @abstractmethod
    def drawn(self, width: int, height: int, marks: Marks) -> Sequence[Line]:
        """The picture in `width` x `height` cells."""

    @abstractmethod
    def aside_title(self) -> Line:
        """What stands beside it."""

    @abstractmethod
    def aside(self, width: int, marks: Marks) -> Sequence[Line]:
        """What stands beside it, in rows of at most `width` cells."""

    @abstractmethod
    def cursor_title(self) -> Line:
        """What is under the cursor."""

    @abstractmethod
    def under_cursor(self, width: int, marks: Marks) -> Sequence[Line]:
        """What is under the cursor, in rows of at most `width` cells."""

    @abstractmethod
    def tables(self) -> Sequence[Table]:
        """Its data."""
