"""Prints the lines that `known_schemas.txt` lacks of the schema as it is now: ``python -m mlrtui_db._known``."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from mlrtui_db._schema import SCHEMA_VERSION, schema_script
from mlrtui_db._shape import fingerprint, known
from mlrtui_db._sqltext import definitions, tokens

__all__ = ["missing_lines"]


def missing_lines() -> Iterator[str]:
    """Lines of `known_schemas.txt` for every column, constraint, view and index that it does not have."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(schema_script())
        made = fresh.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    for kind, name, sql in made:
        for part in definitions(tokens(sql)) if kind == "table" else (tokens(sql),):
            if (name, fingerprint(part)) not in known(SCHEMA_VERSION):
                yield f"{SCHEMA_VERSION} {name} {fingerprint(part)}"


if __name__ == "__main__":
    print("\n".join(missing_lines()))  # noqa: T201
