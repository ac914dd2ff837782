"""Writing the fits of a sweep; equal content writes nothing."""

import json
from collections.abc import Sequence
from dataclasses import fields

from mlrtui_db._writing import Transaction, finite
from mlrtui_db.errors import StoreError
from mlrtui_db.records import FitRecord

_COLUMNS = tuple(column.name for column in fields(FitRecord))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM fit WHERE sweep_id = ?"
_UPSERT = f"INSERT OR REPLACE INTO fit (sweep_id, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})"

_Row = tuple[str | float | int | None, ...]


def replace_fits(tx: Transaction, sweep_id: int, fits: Sequence[FitRecord]) -> bool:
    """See `Store.replace_fits`."""
    wanted = {(fit.fit, fit.term): _row(fit) for fit in fits}
    stored: dict[tuple[str, str], _Row] = {
        (row[0], row[1]): tuple(row) for row in tx.connection.execute(_SELECT, (sweep_id,))
    }
    gone = [(sweep_id, *key) for key in stored if key not in wanted]
    changed = [(sweep_id, *row) for key, row in wanted.items() if stored.get(key) != row]
    if gone:
        tx.connection.executemany("DELETE FROM fit WHERE sweep_id = ? AND fit = ? AND term = ?", gone)
    if changed:
        tx.connection.executemany(_UPSERT, changed)
    return bool(gone or changed)


def _row(fit: FitRecord) -> _Row:
    if finite(fit.exponent) is None:
        raise StoreError(f"fit {fit.fit!r}: the exponent of {fit.term!r} is {fit.exponent}; leave the fit out")
    values: dict[str, str | float | int | None] = {}
    for name in _COLUMNS:
        value = getattr(fit, name)
        if name == "excluded":
            values[name] = json.dumps(list(value), ensure_ascii=False)
        elif name == "inputs":
            points = [[label, finite(x), finite(y)] for label, x, y in value]
            values[name] = json.dumps(points, ensure_ascii=False, allow_nan=False)
        elif value is None or isinstance(value, str):
            values[name] = value
        else:
            values[name] = int(value) if name == "cells" else finite(value)
    return tuple(values[name] for name in _COLUMNS)
