"""The last thing that happens to a row before it is sent."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["NoColour"]


class NoColour(LineFilter):
    """Drops every colour and keeps bold, underline and reverse: NO_COLOR means that no colour code is sent at all."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The row without colours."""
        return [
            Segment(text, None if style is None else style.without_color, control) for text, style, control in segments
        ]
