"""The columns of the views: name, type, unit, meaning, and whether all rows of a trial share one value.

SQLite knows the type of a column that is taken from a table, and none of one that is computed. Those have theirs here,
by unit or name, so that a frame or a file has the same types whether a column's first values are NULL or not.

>>> [column.type for column in view_columns("curves") if column.name in ("step", "loss", "loss_state")]
['INTEGER', 'REAL', 'TEXT']
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from mlrtui_db._schema import schema_script, view_names
from mlrtui_db._store_page import WHAT
from mlrtui_db.column_docs import OF_A_TRIAL, VIEWS
from mlrtui_db.errors import BadQuery

__all__ = ["BY_STEP", "Column", "view_columns", "view_text"]

Type = Literal["INTEGER", "REAL", "TEXT"]

BY_STEP = {
    "curves": ("step",),
    "spectra": ("step", "operator", "rank"),
    "layers": ("step", "layer"),
    "measures": ("step", "measure", "part"),
}
"""Views with rows per step, and what orders the rows of a trial and is unique among them; a part may be NULL."""

_TYPES: tuple[Type, ...] = get_args(Type)
_TEXT_UNITS = frozenset({"text", "JSON"})
_WHOLE_UNITS = frozenset({"0 or 1", "id", "bits", "steps", "units", "layers"})
_COUNTS = frozenset(
    {
        *("cells", "nets", "nets_done", "trials", "trials_done", "given_up", "diverged"),
        *("phase_rule", "rank", "layer", "products", "forwards"),
    }
)


@dataclass(frozen=True)
class Column:
    """A column of a view."""

    name: str
    type: Type
    unit: str
    text: str  # its meaning
    is_computed: bool = False  # not taken from a table: a product of finite numbers may be infinite
    is_of_trial: bool = False  # in a view of `BY_STEP`: one value in all rows of a trial


@cache
def view_columns(view: str) -> tuple[Column, ...]:
    """The columns of a view, in order.

    Raises:
        BadQuery: there is no such view.
    """
    if view not in view_names():
        raise BadQuery(f"the store has no view {view!r}: use one of {', '.join(view_names())}")
    return _all_columns()[view]


def view_text(view: str) -> str:
    """What the rows of a view are."""
    return WHAT[view]


@cache
def _all_columns() -> dict[str, tuple[Column, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:  # a store of another version may know fewer types
        connection.executescript(schema_script())
        return {
            view: tuple(
                _column(view, str(row[1]), str(row[2])) for row in connection.execute(f'PRAGMA table_info("{view}")')
            )
            for view in view_names()
        }


def _column(view: str, name: str, declared: str) -> Column:
    unit, text = VIEWS[view][name]
    computed: Type = "TEXT" if unit in _TEXT_UNITS else "INTEGER" if unit in _WHOLE_UNITS or name in _COUNTS else "REAL"
    kind = next((one for one in _TYPES if one == declared), computed)
    shared = view in BY_STEP and (name in OF_A_TRIAL or (name == "edge" and view != "measures"))
    return Column(name, kind, unit, text, is_computed=not declared, is_of_trial=shared)
