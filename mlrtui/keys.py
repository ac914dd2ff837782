"""Identities: canonical JSON, its SHA-256, and the name of the code that trains."""

import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path

from mlrtui.version import __version__

__all__ = ["canonical_json", "code_id", "digest"]


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. Raises ValueError for NaN and infinities."""
    return _CANONICAL.encode(value)


def digest(text: str) -> str:
    """SHA-256 of a text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_id() -> str:
    """Version and 12 hexadecimal digits over the sources of the trainer: which code gave a number."""
    found = importlib.util.find_spec("mlrtui_trainer")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("mlrtui_trainer is not installed")
    root = Path(found.origin).parent
    sources = hashlib.sha256()
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        sources.update(path.relative_to(root).as_posix().encode() + b"\0")
        sources.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"{__version__}+{sources.hexdigest()[:12]}"
