"""What every table of a sweep file is made of: the frozen model that it is, and how a key is declared."""

from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

__all__ = ["Reals", "Section", "Whole", "Words", "make_key", "section_of"]

Whole = tuple[int, ...]
Reals = tuple[float, ...]
Words = tuple[str, ...]


def make_key(help: str, example: object, default: Any = ...) -> Any:
    """A key of a table: what it means, a sound value, its default unless it is needed."""
    return Field(default, description=help, examples=[example])


class Section(BaseModel):
    """A table. ``later``: keys that the file format knows and this version does not do yet; ``never``: with why."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    later: ClassVar[tuple[str, ...]] = ()
    never: ClassVar[dict[str, str]] = {}


def section_of(field: FieldInfo) -> type[Section] | None:
    """The table that a key holds, if it holds one rather than a value."""
    kinds = get_args(field.annotation) or (field.annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
