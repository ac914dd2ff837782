"""Where the source of a module lies, found without running anything of it."""

import os
import sys
from hashlib import sha256
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["is_factory", "module_of", "origin_of", "source_hash", "source_of"]


def is_factory(kind: str) -> bool:
    """Whether a kind of net is a function that is no part of this package: "package.module:function"."""
    return ":" in kind


def module_of(kind: str) -> str:
    """The module of a factory."""
    return kind.partition(":")[0]


def source_of(module: str, folder: str) -> Path | None:
    """The file of a dotted module, sought among the installed packages and then in ``folder``; None: none to read."""
    path: list[str] | None = [entry for entry in sys.path if entry != folder] + [folder]
    found = None
    for part in module.split("."):
        found = None if path is None else PathFinder.find_spec(part, path)
        if found is None:
            return None
        path = None if found.submodule_search_locations is None else list(found.submodule_search_locations)
    origin = None if found is None or not found.has_location or found.origin is None else Path(found.origin)
    return origin if origin is not None and origin.is_file() and os.access(origin, os.R_OK) else None


def origin_of(name: str, folder: str, code_hash: str, refusal: type[Exception]) -> Path:
    """The file of "package.module:thing", whose source must have this hash; raises ``refusal`` where it is another."""
    module = module_of(name)
    origin = source_of(module, folder)
    if origin is None:
        raise refusal(f"{name}: no module {module!r} in {folder} or among the installed packages")
    if source_hash(origin) != code_hash:
        raise refusal(f"{name}: {origin} has changed since the sweep was planned; start the sweep again")
    return origin


def source_hash(origin: Path) -> str:
    """SHA-256 of a source file."""
    return sha256(origin.read_bytes()).hexdigest()
