"""Settings of a training that is not ours: flat, by the user's names; the object ``own`` of a cell's settings.

Where an axis has the name of one and its type, the axis has its value, too: in the columns of every view.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, get_type_hints

from mlrtui_db.axes import AXES, label

if TYPE_CHECKING:  # screens read settings; only writers make records
    from mlrtui_db.records import CellRecord, NetRecord

__all__ = ["Own", "own_cell", "own_columns", "own_settings", "own_values"]

Own = dict[str, str | float | int | bool | None]

_LONGEST_NAME = 100
_LARGEST = 2**53


def own_settings(settings: Mapping[str, object]) -> Own:
    """Settings as a cell keeps them: flat, of numbers, texts, truths and None.

    Raises:
        ValueError: one line with the name, the value and the remedy.

    >>> own_settings({"heads": 4, "rope": True})
    {'heads': 4, 'rope': True}
    """
    kept: Own = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise ValueError(f"settings: {str(name)[:60]!r} is no name: use a text of 1 to {_LONGEST_NAME} letters")
        number: Any = value.item() if hasattr(value, "item") else value  # NumPy's and torch's numbers
        if isinstance(number, float) and not isfinite(number):
            raise ValueError(f"settings.{name} is {number}: use a finite number, or a text")
        whole = isinstance(number, int) and abs(number) < _LARGEST
        if not (number is None or whole or isinstance(number, str | float)):
            raise ValueError(f"settings.{name} is {str(number)[:60]}: use a number, a text, True, False or None")
        kept[name] = number
    return kept


def own_columns(own: Mapping[str, object]) -> dict[str, str | float | int]:
    """Those settings that an axis has a name and a type for, by the axis's name.

    >>> own_columns({"width": 256, "loss": 0.3, "momentum": 0.9, "heads": 4})
    {'momentum': 0.9, 'width': 256}
    """
    found: dict[str, str | float | int] = {}
    for axis in AXES:
        value: Any = own.get(axis.name)
        if axis.follows or axis.name == "bias" or isinstance(value, bool):
            continue
        whole = _types().get(axis.name) == int | None or "AS INTEGER" in axis.sql
        number = isinstance(value, int) and value > 0 if whole else isinstance(value, int | float)
        if number if axis.is_number else isinstance(value, str):
            found[axis.name] = value
    return found


def own_values(own: object) -> dict[str, float | str]:
    """Column ``own`` of a view as an expression takes it: numbers as floats, truths as 0 or 1, texts; None is left out.

    >>> own_values('{"heads": 4, "rope": true}')
    {'heads': 4.0, 'rope': 1.0}
    """
    try:
        found = json.loads(own) if isinstance(own, str) else {}
        return {
            name: value if isinstance(value, str) else float(value)
            for name, value in (found.items() if isinstance(found, dict) else ())
            if isinstance(value, str | int | float)
        }
    except (ValueError, OverflowError, RecursionError):  # not JSON that mlrtui writes
        return {}


def own_cell(
    own: Own,
    nets: "Sequence[NetRecord]",
    *,
    position: int = 0,
    shown: Sequence[str] | None = None,
    **known: Any,
) -> "CellRecord":
    """A cell of a training that is not ours.

    Args:
        own: its settings, of `own_settings`.
        nets: one for each seed.
        position: in the sweep.
        shown: names of the settings that its label shows; None: all of them.
        known: fields of `CellRecord` that are known otherwise, such as ``n_params``; before those of ``own``.

    >>> own_cell({"width": 64, "heads": 4}, ()).label
    'width=64 heads=4'
    """
    from mlrtui_db.records import CellRecord

    columns: dict[str, Any] = own_columns(own) | {name: value for name, value in known.items() if value is not None}
    stored = {axis.name for axis in AXES if axis.is_stored}
    sizes = {name: columns.get(name) for name in ("depth", "width")}
    names = [name for name in (own if shown is None else shown) if name not in sizes or sizes[name] != own[name]]
    fields = {name: value for name, value in columns.items() if name in stored or name in known}
    settings = {name: value for name, value in columns.items() if name not in fields} | {"own": own}
    return CellRecord(
        position=position,
        label=known.get("label") or label(sizes, (), {name: own[name] for name in names}) or "run",
        settings=json.dumps({**fields, **settings}, sort_keys=True, allow_nan=False),
        nets=tuple(nets),
        **{"edge": 0.0, "accuracy_on": "own", **{name: value for name, value in fields.items() if name != "label"}},
    )


@cache
def _types() -> dict[str, Any]:
    """Of a cell's fields."""
    from mlrtui_db.records import CellRecord

    return get_type_hints(CellRecord)
