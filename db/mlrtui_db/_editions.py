"""What later schemas say of what earlier versions stored: verdicts and phases (4), measures (6).

One home for the step that brings a store up to date and for readers of a store that is not.
"""

import sqlite3

__all__ = ["BEFORE_SCHEMA_4", "BEFORE_SCHEMA_6", "UNDECIDED", "measured_before_6"]

BEFORE_SCHEMA_4 = {
    "verdict": "CASE verdict WHEN 'too-slow' THEN 'not-reached' ELSE verdict END",
    "phase_rule": "CASE WHEN phase IS NOT NULL THEN 1 END",
    "phase_reason": "CASE WHEN phase IS NOT NULL THEN 'named by the first edition of the rules' END",
}
"""Columns of table ``trial`` as SQL on the columns that a store of schema 1, 2 or 3 has."""

UNDECIDED = "named by the first edition of the rules: what is stored does not decide by the second"
"""The reason of a phase that could not be named anew."""

_OTHERS = ("value", "edge", "edge_high", "low", "high", "residual", "products", "forwards", "status", "note", "seconds")


def _read(measure: str, part: str, shown_in: str, **columns: str) -> str:
    """Rows of an earlier table as the view ``measured`` has them; what the table lacks is NULL."""
    others = ", ".join(f"{columns.get(name, 'NULL')} AS {name}" for name in _OTHERS)
    return f"SELECT trial_id, step, {measure} AS measure, {part} AS part, {others}, '{shown_in}' AS shown_in"


BEFORE_SCHEMA_6 = {
    "eigenvalue": (
        _read("'spectrum ' || operator", "CAST(rank AS TEXT)", "spectra", value="value", residual="residual"),
    ),
    "layer": tuple(
        _read(f"'{size}'", "CAST(layer AS TEXT)", "layers", value=size)
        for size in ("activation_rms", "effective_rms", "propagating_rms")
    ),
    "measure": (_read("measure", "''", "measures", **{name: name for name in _OTHERS}),),
}
"""By table of schemas 1 to 5: its rows as the view ``measured`` has them since, as SQL before FROM."""


def measured_before_6(connection: sqlite3.Connection) -> str:
    """The view ``measured`` of a store of schema 1 to 5 as a SELECT on those tables that it has."""
    there = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
    parts = [f"{part} FROM main.{table}" for table, some in BEFORE_SCHEMA_6.items() if table in there for part in some]
    return " UNION ALL ".join(parts)
