"""Whether a store's schema is mlrtui's. A schema is code: triggers, views and expressions run when a store is used.

Tables are compared column by column, views and indexes by their text, each with what this version makes or, for an
older store, with what an earlier one made (`known_schemas.txt`). Plain tables, views and indexes of other tools are
left alone: nothing of ours uses them. Whatever else is in a schema is refused by its name.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from mlrtui_db._schema import SCHEMA_VERSION, schema_names, schema_script
from mlrtui_db._sqltext import Tokens, definitions, identifier, tokens
from mlrtui_db.errors import StoreAltered, StoreDamaged, StoreNewer

__all__ = ["check_schema", "fingerprint", "foreign_objects", "known"]

_OF_SQLITE = re.compile(r"sqlite_(?:stat[1-4]|sequence)")
_HEADS: dict[tuple[str, ...], str] = {
    ("CREATE", "TABLE"): "table",
    ("CREATE", "VIEW"): "view",
    ("CREATE", "INDEX"): "index",
}
_RETIRED = {"eigenvalue": 6, "layer": 6}
"""Tables of ours that earlier versions had, and the schema that has them no more."""

_UNIQUE = ("CREATE", "UNIQUE", "INDEX")
_KINDS = {"TRIGGER": "trigger", "VIRTUAL": "virtual table"}
_SHOWN = 60
_MOST_OBJECTS = 10_000


class _Object(NamedTuple):
    kind: str  # as SQLite says: table, index, view or trigger
    name: str
    table: str  # that it belongs to
    sql: str | None  # None: an index that SQLite made for a key


def check_schema(path: Path, connection: sqlite3.Connection) -> None:
    """Compare a store's schema with what mlrtui makes. Runs nothing of it.

    Raises:
        StoreAltered: something in it was not made by mlrtui and could act, or is not as mlrtui made it.
        StoreDamaged: tables or views are missing.
        StoreNewer: of a later version, and it lacks what this version reads.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    objects = _objects(connection)
    named = {found.name for found in objects}
    missing = [name for name in schema_names() if name not in named]
    if version == SCHEMA_VERSION and missing:
        raise StoreDamaged(f"{path} lacks {', '.join(missing)}: restore a copy, or start a new store with --store")
    if version > SCHEMA_VERSION and missing:
        raise StoreNewer(
            f"{path} was written by a newer mlrtui (schema {version}, this one knows {SCHEMA_VERSION}): "
            "update mlrtui, or choose another --store"
        )
    for found in objects:
        trouble = _trouble(connection, found, version)
        if trouble:
            raise StoreAltered(
                f"{path} is not opened: {trouble}. mlrtui did not make it so, and it could run or spoil what is read; "
                "use a store from a source that you trust"
            )


def foreign_objects(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Tables, views and indexes that other tools have put into a store, in words, by name."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return tuple(
        f"{found.kind} {_quoted(found.name)}"
        for found in _objects(connection)
        if not _is_ours(found.name, version) and found.sql is not None and not _OF_SQLITE.fullmatch(found.name)
    )


def fingerprint(sql: Tokens) -> str:
    """A text of a schema in few letters, for `known_schemas.txt`."""
    return hashlib.sha256("\0".join(sql).encode(errors="surrogatepass")).hexdigest()[:24]


def _objects(connection: sqlite3.Connection) -> list[_Object]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_master LIMIT ?", (_MOST_OBJECTS,))
    return [_Object(str(kind), str(name), str(table), sql and str(sql)) for kind, name, table, sql in rows]


def _trouble(connection: sqlite3.Connection, found: _Object, version: int) -> str | None:
    """What is wrong with an object of a schema; None: nothing."""
    if found.sql is None:
        fine = found.kind == "index" and found.name.startswith("sqlite_autoindex_")
        return None if fine else f"it holds {_quoted(found.name)}, which has no definition"
    text = tokens(found.sql)
    head = tuple(word.upper() for word in text[:3])
    unique = head == _UNIQUE
    kind = "index" if unique else _HEADS.get(head[:2])
    if kind is None:
        unknown = next((_KINDS[word] for word in head if word in _KINDS), "object of an unknown kind")
        return f"it holds the {unknown} {_quoted(found.name)}"
    name = text[3 if unique else 2] if len(text) > 3 else ""
    if kind != found.kind or name != identifier(found.name) or "\0" in found.sql:
        return f"the definition of {found.kind} {_quoted(found.name)} is of something else"
    if _is_ours(found.name, version) or _is_ours(found.name.lower(), version):
        return _trouble_of_ours(connection, found, text, version)
    if _OF_SQLITE.fullmatch(found.name) and kind == "table":
        return None
    return _trouble_of_others(connection, found, text, unique, version)


def _trouble_of_ours(connection: sqlite3.Connection, found: _Object, text: Tokens, version: int) -> str | None:
    wanted = _current().get(found.name)
    if found.kind == "table" and found.name in _RETIRED:
        fine = all((found.name, fingerprint(part)) in known(version) for part in definitions(text))
        return None if fine else f"table {_quoted(found.name)} has other columns or conditions than mlrtui's"
    if wanted is None or wanted.kind != found.kind:
        return f"{found.kind} {_quoted(found.name)} is not mlrtui's"
    if found.kind == "table":
        parts = definitions(text)
        if version > SCHEMA_VERSION:
            fine = not _computes(connection, found.name)
        else:
            fine = all((found.name, fingerprint(part)) in known(version) for part in parts)
        if version == SCHEMA_VERSION:  # a store that was brought up to date may have another default
            complete = definitions(tokens(str(wanted.sql)))
            fine = fine and sorted(part[:1] for part in parts) == sorted(part[:1] for part in complete)
        return None if fine else f"table {_quoted(found.name)} has other columns or conditions than mlrtui's"
    if version > SCHEMA_VERSION:
        return None  # its views are not used, see `_older`; its indexes are looked at as those of others
    same = text == tokens(str(wanted.sql)) or (found.name, fingerprint(text)) in known(version)
    return None if same else f"{found.kind} {_quoted(found.name)} is not as mlrtui made it"


def _trouble_of_others(
    connection: sqlite3.Connection, found: _Object, text: Tokens, unique: bool, version: int
) -> str | None:
    if found.kind == "index":
        ours = _is_ours(found.table.lower(), version)
        if "(" not in text:
            return f"the index {_quoted(found.name)} has no columns"
        inside = text[text.index("(") + 1 :]
        plain = "(" not in inside and inside.count(")") == 1 and inside[-1] == ")"
        if not plain or (ours and unique):
            return f"it holds the index {_quoted(found.name)}, which does more than to find rows by their columns"
    elif found.kind == "table" and _computes(connection, found.name):
        return f"it holds the table {_quoted(found.name)} with a computed column"
    return None


def _is_ours(name: str, version: int) -> bool:
    """Whether a store of a version has something of ours by this name."""
    return name in _current() or version < _RETIRED.get(name, 0)


def _computes(connection: sqlite3.Connection, table: str) -> bool:
    """Whether a table has a column that is computed, or hidden."""
    rows = connection.execute("SELECT hidden FROM pragma_table_xinfo(?, 'main')", (table,))
    return any(hidden for (hidden,) in rows)


@cache
def _current() -> dict[str, _Object]:
    """What a new store of this version holds, by name."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(schema_script())
        return {found.name: found for found in _objects(fresh) if found.sql is not None}


@cache
def known(version: int) -> frozenset[tuple[str, str]]:
    """Names of tables, views and indexes with the fingerprints of the texts that stores up to this version may have."""
    return frozenset((name, print_) for since, name, print_ in _earlier() if since <= version)


def _earlier() -> Iterator[tuple[int, str, str]]:
    for line in (files("mlrtui_db") / "known_schemas.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            since, name, print_ = line.split()
            yield int(since), name, print_


def _quoted(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")
