"""Style sheets that are parsed once: the library parses all of them three times when a screen is first visited."""

from rich.segment import Segment
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.filter import LineFilter

__all__ = ["KeptStylesheet", "NoColour"]


class KeptStylesheet(Stylesheet):
    """Parses again only what is new, and everything when the variables differ."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parsed_with = dict(variables or {})

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take the variables; what was parsed is dropped where they are others."""
        if variables != self._parsed_with:
            self._parsed_with = dict(variables)
            super().set_variables(variables)

    def reparse(self) -> None:
        """Bring the rules up to date."""
        self.parse()


class NoColour(LineFilter):
    """Drops every colour and keeps bold, underline and reverse: NO_COLOR means that no colour code is sent at all."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The row without colours."""
        return [
            Segment(text, None if style is None else style.without_color, control) for text, style, control in segments
        ]
