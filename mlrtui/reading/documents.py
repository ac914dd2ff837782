"""The JSON that commands print: objects with the number of their contract, which docs/json.md describes."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mlrtui_db.column_docs import TABLES, VIEWS
from mlrtui_db.models import FitRow, SweepRow

__all__ = ["SCHEMA", "document", "plain", "sweep_object", "text", "unpacked"]

SCHEMA = 1
"""Grows when a field goes or changes its meaning; fields may be added at any time."""


def document(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A whole answer of a command."""
    return {"schema": SCHEMA, **fields}


def sweep_object(row: SweepRow, fits: Sequence[FitRow]) -> dict[str, Any]:
    """A sweep with its progress, settings and fits."""
    return asdict(row) | {"spec": json.loads(row.spec), "fits": [asdict(fit) for fit in fits]}


def unpacked(column: str, value: Any) -> Any:
    """The value of a column of a table or view; what is JSON in the store as what it says."""
    if not isinstance(value, str) or column not in _JSON_COLUMNS:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


_JSON_COLUMNS = frozenset(
    {column for docs in (*TABLES.values(), *VIEWS.values()) for column, (unit, _) in docs.items() if unit == "JSON"}
    | {"arguments", "code"}  # settings of a cell without a column of their own
)


def plain(value: Any) -> Any:
    """The value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def text(fields: Mapping[str, Any]) -> str:
    """An answer as it is printed: one line, with numbers that give the same double again."""
    return json.dumps(plain(document(fields)), ensure_ascii=False, allow_nan=False)
