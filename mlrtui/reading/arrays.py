"""Batches of rows as arrays: numbers with a mask for NULL, text as codes. A NaN stays a NaN, and NULL is no NaN."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlrtui.reading.source import Source
from mlrtui_db.rows import Batch
from mlrtui_db.view_columns import Column

__all__ = ["NULL", "Array", "Words", "all_arrays", "arrays_of", "masked"]

NULL = -1
"""The code of a text that is NULL."""


class Array(NamedTuple):
    """A column of some rows: numbers, or codes of text."""

    data: npt.NDArray[Any]  # float64, int64; of text int32 codes
    mask: npt.NDArray[np.bool_]  # True where NULL


@dataclass
class Words:
    """The texts of a column, each with a code in the order in which they were met."""

    codes: dict[str, int] = field(default_factory=dict)

    def code(self, text: str | None) -> int:
        """The code of a text, a new one where it is new."""
        return NULL if text is None else self.codes.setdefault(text, len(self.codes))

    def texts(self) -> list[str]:
        """All texts by code."""
        return list(self.codes)

    def objects(self, codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The texts of these codes, None where it is `NULL`."""
        found: npt.NDArray[Any] = np.array([*self.codes, None], dtype=object)[codes]  # NULL is the last place
        return found


def arrays_of(batch: Batch, words: dict[str, Words]) -> Iterator[tuple[Column, Array]]:
    """Each column of a batch; ``words`` are those of the text columns, which may grow."""
    for column, runs, values in batch.values():
        known = words.setdefault(column.name, Words()) if column.type == "TEXT" else None
        if runs is None:
            yield column, _array(values, column, known)
        else:
            one_each = _array([value for _, value in runs], column, known)
            lengths = [length for length, _ in runs]
            yield column, Array(np.repeat(one_each.data, lengths), np.repeat(one_each.mask, lengths))


def _joined(parts: Sequence[Array], column: Column, words: Words | None) -> Array:
    """One array of many."""
    if not parts:
        return _array((), column, words)
    return Array(np.concatenate([part.data for part in parts]), np.concatenate([part.mask for part in parts]))


def masked(array: Array, words: Words | None) -> "np.ma.MaskedArray[Any, Any]":
    """The column as people use it: a text as itself; masked where NULL."""
    return np.ma.MaskedArray(array.data if words is None else words.objects(array.data), mask=array.mask)


def _array(values: Sequence[Any], column: Column, words: Words | None) -> Array:
    if words is not None:
        codes = np.fromiter(map(words.code, values), dtype=np.int32)
        return Array(codes, codes == NULL)
    if column.type == "REAL":
        numbers = np.array(values, dtype=np.float64)  # None becomes NaN
        mask = np.isnan(numbers)
        for at in np.flatnonzero(mask).tolist():
            mask[at] = values[at] is None
        return Array(numbers, mask)
    if None not in values:
        return Array(np.array(values, dtype=np.int64), np.zeros(len(values), dtype=np.bool_))
    missing = np.array([value is None for value in values], dtype=np.bool_)
    return Array(np.array([0 if value is None else value for value in values], dtype=np.int64), missing)


def all_arrays(source: Source) -> Iterator[tuple[Column, Array, Words | None]]:
    """Each column of all rows. What a column was joined from is let go before the next one is joined."""
    words = {column.name: Words() for column in source.columns if column.type == "TEXT"}
    parts: dict[str, list[Array]] = {column.name: [] for column in source.columns}
    for batch in source.batches():
        for column, array in arrays_of(batch, words):
            parts[column.name].append(array)
    for column in source.columns:
        known = words.get(column.name)
        yield column, _joined(parts.pop(column.name), column, known), known
