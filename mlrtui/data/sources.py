"""What is known of a data set before it is loaded, and what can be wrong with its files."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["LIMIT_NAME", "DataTrouble", "Floats", "Ints", "Source", "remembered"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LIMIT_NAME = "MLRTUI_DATA_GB"
"""The environment variable that raises the limit on the size of data."""

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
    tokens: int = 0  # of a sample, where each has a class of its own
    raw_shape: tuple[int, ...] = ()  # of x in a NumPy file
    read: Callable[[int], tuple[Floats, Ints]] | None = None
    """The first so many samples of a fixed order, [samples, inputs], and their class numbers, [samples] or
    [samples, tokens]; None: data in files."""


def remembered(look: Callable[[str], Known]) -> Callable[[str], Known]:
    """``look`` at a file, again only when the file has changed: a plan asks for every cell. Troubles are kept, too."""

    @lru_cache(maxsize=16)
    def kept(path: str, *state: object) -> Known | DataTrouble:
        try:
            return look(path)
        except DataTrouble as trouble:
            return trouble

    def looked(path: str) -> Known:
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            return look(path)  # which says what is wrong
        limit = os.environ.get(LIMIT_NAME)
        found = kept(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, limit)
        if isinstance(found, DataTrouble):
            raise DataTrouble(*found.args)
        return found

    return looked
