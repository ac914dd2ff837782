"""Where the store is: `--store`, else `MLRTUI_STORE`, else `mlrtui.db` in the working folder."""

import os
from pathlib import Path

__all__ = ["store_path"]


def store_path(option: Path | None) -> Path:
    """Path of the store that a command works on; it need not exist."""
    return option or Path(os.environ.get("MLRTUI_STORE") or "mlrtui.db")
