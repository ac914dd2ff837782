"""One number out of what a training hands over."""

from typing import Any

__all__ = ["scalar"]


def scalar(value: Any) -> float:
    """Of a number, or of a tensor or array of one: ``float`` of a tensor with a graph warns.

    >>> scalar(2)
    2.0
    """
    return float(value.item() if hasattr(value, "item") else value)
