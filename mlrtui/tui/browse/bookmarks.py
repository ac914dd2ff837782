"""Bookmarks of sweeps: a small file in the user's state folder, since the screens never write to a store."""

import json
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Bookmarks"]


class Bookmarks:
    """A set of keys, kept in a file; without a path, or where it cannot be written, for this session only."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.keys: frozenset[str] = frozenset()
        self.trouble = ""
        if path is not None:
            with suppress(OSError, ValueError):  # no file yet, or not one of ours: begin anew
                found = json.loads(path.read_text(encoding="utf-8"))
                self.keys = frozenset(key for key in found if isinstance(key, str))

    def toggle(self, key: str) -> None:
        """Set a bookmark, or take it away."""
        self.keys ^= {key}
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            draft.write_text(json.dumps(sorted(self.keys), ensure_ascii=False, indent=1), encoding="utf-8")
            draft.replace(self._path)
            self.trouble = ""
        except OSError as error:
            self.trouble = f"bookmarks stay in this session only: {error.strerror or error}"
