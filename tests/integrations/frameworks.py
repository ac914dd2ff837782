"""The frameworks, where they are installed; tests that need one are skipped without it."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

__all__ = ["example", "framework"]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "frameworks.md"


def example(number: int) -> str:
    """A Python block of the guide."""
    return GUIDE.read_text(encoding="utf-8").split("```python\n")[1 + number].split("```")[0]


def framework(name: str, extra: str) -> Any:
    """An imported framework; its warnings at import are its own business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import_module("torchvision")  # which they import if it is installed
        except ImportError:
            pass
        except RuntimeError as error:
            pytest.skip(f"torchvision is for another torch, and {name} imports it: {error}", allow_module_level=True)
        return pytest.importorskip(name, reason=f'{name} is not installed: pip install -e ".[{extra}]"')
