"""Style sheets that are parsed once: the library parses all of them three times when a screen is first visited."""

from textual.css.stylesheet import Stylesheet

__all__ = ["KeptStylesheet"]


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
