"""What all writing functions share: the open transaction, and the numbers as they may be stored."""

import math
import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Transaction:
    """An open BEGIN IMMEDIATE. Rows that it touches get ``rev``; ``now`` is its time, s (Unix time)."""

    connection: sqlite3.Connection
    rev: int
    now: float


def finite(value: float | None) -> float | None:
    """The number as a Python float; None when it is None, NaN or infinite."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def whole(value: int | None) -> int | None:
    """The number as a Python int, or None."""
    return None if value is None else int(value)
