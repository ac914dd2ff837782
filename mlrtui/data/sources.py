"""What is known of a data set before it is loaded, and what can be wrong with its files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

__all__ = ["DataTrouble", "Source", "remembered"]

Known = TypeVar("Known")


class DataTrouble(Exception):
    """Files of data that cannot be used: what is wrong with ``path`` of [data], and the remedy."""


@dataclass(frozen=True)
class Source:
    """A data set as it comes: its size, and ``classes`` (0: real-valued targets)."""

    samples: int
    inputs: int
    classes: int
    most: int  # samples that may be asked for; generated data has more than "all" gives
    title: str
    package: str = ""  # an optional package that holds the data
    extra: str = ""  # the extra of mlrtui that installs it
    image: tuple[int, ...] = ()  # channels, rows, columns
    outputs: int = 1  # real numbers in a target, where there are no classes


def remembered(look: Callable[[str], Known]) -> Callable[[str], Known]:
    """``look`` at a file, again only when the file has changed: a plan asks for every cell."""

    @lru_cache(maxsize=16)
    def kept(path: str, size: int, changed: int) -> Known:
        return look(path)

    def looked(path: str) -> Known:
        try:
            seen = Path(path).stat()
        except OSError:
            return look(path)  # which says what is wrong
        return kept(path, seen.st_size, seen.st_mtime_ns)

    return looked
