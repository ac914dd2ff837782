"""How far a sweep is, for whatever shows it as text."""

from typing import NamedTuple

__all__ = ["Progress"]


class Progress(NamedTuple):
    """How far a sweep is."""

    line: str
    doing: str  # "": not known
    done: int  # nets
    nets: int
    stage: str

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.line} · {self.doing}" if self.doing and self.line else self.line or self.doing
