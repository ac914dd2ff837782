"""Metadata for Datasette: meaning and unit of every column of the views, and queries to begin with.

mlrtui export --format datasette --out .
datasette mlrtui.db --metadata metadata.json
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrtui_db.column_docs import TABLES
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection
from mlrtui_db.view_columns import view_text

__all__ = ["write_metadata"]

QUERIES: dict[str, tuple[str, str]] = {  # name -> (title, SQL)
    "eta_star_by_cell": (
        "η* by cell: geometric mean over uncensored nets",
        "SELECT sweep, cell, depth, width, nets, exp(ln_eta_star_mean) AS eta_star, ln_eta_star_sd FROM grid"
        " ORDER BY sweep, depth, width",
    ),
    "exponents_with_intervals": (
        "Fitted exponents",
        "SELECT sweep, fit, term, exponent, low, high, r2, cells FROM exponents ORDER BY sweep, fit, term",
    ),
    "censored_nets": (
        "Nets whose η* is only a bound",
        "SELECT sweep, cell, seed, censored, reason FROM eta_star WHERE censored IS NOT NULL"
        " ORDER BY sweep, cell, seed",
    ),
}


def write_metadata(reader: Reader, selections: Sequence[Selection], path: Path) -> Sequence[int]:
    """Write the metadata of a store; returns how many columns of each view are described."""
    views: dict[str, Any] = {
        asked.view: {
            "description": view_text(asked.view),
            "columns": {column.name: f"{column.text} [{column.unit}]" for column in asked.columns},
        }
        for asked in selections
    }
    tables = {table: {"hidden": True} for table in TABLES}
    database = {
        "tables": {**views, **tables},
        "queries": {name: {"title": title, "sql": sql} for name, (title, sql) in QUERIES.items()},
    }
    found = {
        "title": f"mlrtui: {reader.path.name}",
        "description": "Maximal initial learning rates, sharpness and scaling exponents.",
        "databases": {reader.path.stem: database},
    }
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [len(asked.columns) for asked in selections]
