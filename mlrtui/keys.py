"""Identities: canonical JSON, its SHA-256, and the name of the code that trains."""

import hashlib
import json

from mlrtui.version import __version__
from mlrtui_trainer.identity import sources_digest

__all__ = ["canonical_json", "code_id", "digest"]


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. Raises ValueError for NaN and infinities."""
    return _CANONICAL.encode(value)


def digest(text: str) -> str:
    """SHA-256 of a text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def code_id() -> str:
    """Version and 12 hexadecimal digits over the sources of the trainer: which code gave a number."""
    return f"{__version__}+{sources_digest()}"
