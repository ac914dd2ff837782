"""Sweep files on disk, and the overrides of the command line."""

import os
import re
import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrtui.config.mistakes import one_line, toml_text
from mlrtui.config.parsing import parse_sweep
from mlrtui.config.sections import AnySweep
from mlrtui.errors import BadInput
from mlrtui_trainer.models.sources import is_factory, module_of, source_hash, source_of

__all__ = ["apply_overrides", "load_sweep"]

MAX_BYTES = 1_000_000
MAX_SQUARES = 10_000_000  # of the parts of dotted keys: the parser's time grows with the sum of their squares
START = "start from one that `mlrtui examples` lists"


def load_sweep(path: Path, overrides: Sequence[str] = ()) -> AnySweep:
    """Read, override and check a sweep file.

    ``overrides`` are texts like ``training.epochs=3``. Raises BadInput with every mistake, one line each.
    """
    place = one_line(str(path))
    document = _document(_text(path, place), place)
    apply_overrides(document, overrides)
    if not document:
        raise BadInput(f"{place}: no settings in it; {START}")
    _anchor(document, path.parent)
    return parse_sweep(document, place)


def apply_overrides(document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Set keys of a parsed document in place. A value is TOML; a bare word is text. Raises BadInput."""
    mistakes = []
    for override in overrides:
        try:
            _apply(document, override)
        except ValueError as error:
            mistakes.append(f"--set {one_line(override[:80])}: {error}")
    if mistakes:
        raise BadInput(*mistakes)


def _text(path: Path, place: str) -> str:
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise BadInput(f"{place}: a folder; give the path of a sweep file inside it")
        if not stat.S_ISREG(kind):
            raise BadInput(f"{place}: not a regular file; give the path of a sweep file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(f"{place}: no such file; check the path, or {START}") from None
    except PermissionError:
        raise BadInput(f"{place}: may not be read; ask for read permission on it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"{place}: cannot be read ({reason}); give the path of a sweep file") from None
    if raw.startswith(b"SQLite format 3\0"):
        raise BadInput(f"{place}: a store, not a sweep file; look at it with `mlrtui browse`")
    if len(raw) > MAX_BYTES:
        raise BadInput(f"{place}: larger than {MAX_BYTES} bytes; a sweep file is small, check the path")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise BadInput(f"{place}: not a UTF-8 text ({wrong}); save it as UTF-8, or check the path") from None


def _anchor(document: dict[str, Any], folder: Path) -> None:
    """Make paths in the document absolute, in place: a driver, or a later resume, works in another folder."""
    here = Path(os.path.abspath(folder))
    data, model, training = (document.get(name) for name in ("data", "model", "training"))
    for table in (data, model, training):
        if isinstance(table, dict) and isinstance(table.get("path"), str) and table["path"].strip():
            table["path"] = os.path.normpath(here / table["path"].strip())
    if isinstance(model, dict):
        _say_which_code(model, model, ("kind",), here)
    if isinstance(training, dict):
        if isinstance(model, dict):
            _say_which_code(training, model, ("loss", "optimizer", "schedule"), here)
        _say_which_code(training, training, ("loop",), here)


def _say_which_code(table: dict[str, Any], home: dict[str, Any], keys: Sequence[str], here: Path) -> None:
    """Fill in where the code that a table names lies (in ``home``) and which it is, in place; none of it is run."""
    values = [table.get(key) for key in keys]
    listed = [one for value in values for one in (value if isinstance(value, list) else [value])]
    modules = [module_of(name) for name in listed if isinstance(name, str) and is_factory(name)]
    if not modules:
        return
    path = home.setdefault("path", str(here))
    found = [source_of(module, path) if isinstance(path, str) else None for module in modules]
    if "code_hash" not in table and all(found):
        table["code_hash"] = [source_hash(origin) for origin in dict.fromkeys(found) if origin is not None]


_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{20,}}+")


def _deep_keys(text: str) -> bool:
    """Whether the dotted keys have so many parts that parsing them would take seconds, or minutes."""
    return sum(found.group().count(".") ** 2 for found in _DOTTED.finditer(text)) > MAX_SQUARES


def _document(text: str, place: str) -> dict[str, Any]:
    if _deep_keys(text):
        raise BadInput(f"{place}: not TOML that can be read: dotted keys of thousands of parts; flatten them")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, where = str(error).partition(" (at ")
        spot = re.fullmatch(r"line (\d+), column (\d+)\)", where)
        at = f"line {spot[1]}, column {spot[2]}" if spot else "the end of the file"
        raise BadInput(f"{place}: not TOML at {at}: {one_line(said)}; correct it there") from None
    except RecursionError:
        raise BadInput(f"{place}: not TOML that can be read: nested too deeply; flatten it") from None
    except ValueError:  # the interpreter's limit on the digits of an integer
        raise BadInput(f"{place}: not TOML that can be read: a number has thousands of digits; shorten it") from None


def _apply(document: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    *tables, key = (part.strip() for part in dotted.split("."))
    if not equals or not tables or not all((*tables, key)):
        raise ValueError("must be TABLE.KEY=VALUE; write e.g. --set training.epochs=3")
    value = _value(text.strip())
    table: Any = document
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"{name} is not one table in the file; change it there")
    table[key] = value


def _value(text: str) -> Any:
    if re.fullmatch(r"[A-Za-z][\w:.-]*", text) and text not in {"true", "false", "nan", "inf"}:
        return text
    try:
        if _deep_keys(text):
            raise ValueError(text)
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        raise ValueError(f'{toml_text(text)} is not a TOML value; write e.g. 3, [2, 4] or "full"') from None
    if set(values) != {"value"}:
        raise ValueError("must be one value on one line")
    return values["value"]
