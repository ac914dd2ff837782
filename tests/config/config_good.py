"""A small good sweep file that the tests change."""

from typing import Any

GOOD: dict[str, Any] = {
    "sweep": {"name": "a test", "seeds": 2},
    "data": {"name": "digits", "samples": 1024},
    "model": {"depth": [2, 3], "width": [64, 128]},
    "training": {"loss": "ce", "batch": 64, "epochs": 3},
    "search": {"threshold": 0.5},
}
