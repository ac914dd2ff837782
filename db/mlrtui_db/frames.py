"""What goes from one store to a copy of it: lines of JSON, each with the bytes that it announces; rows by columns.

Read as a stranger's: a line and what follows it have a longest length, and columns the types that they announce.
"""

import json
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import IO, Any

__all__ = ["Frame", "NotOurFrame", "packed", "read_frame", "read_frames", "unpacked", "write_frame"]

Frame = tuple[dict[str, Any], bytes]

_LONGEST_LINE = 1 << 24
_LONGEST_BODY = 1 << 28
_LEVEL = 1
_CELLS = frozenset({str, int, float, type(None)})


class NotOurFrame(Exception):
    """What was read is not what `write_frame` or `packed` makes."""


def write_frame(out: IO[bytes], frame: Frame) -> int:
    """Write one; returns its size in bytes."""
    head, body = frame
    line = json.dumps(head | {"size": len(body)}, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    out.write(line)
    out.write(body)
    return len(line) + len(body)


def read_frame(source: IO[bytes]) -> Frame:
    """Read one.

    Raises:
        EOFError: it is not all there.
        NotOurFrame: it is something else.
    """
    line = source.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        if len(line) >= _LONGEST_LINE:
            raise NotOurFrame("a line without end")
        raise EOFError
    try:
        head = json.loads(line)
        size = head["size"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotOurFrame(line[:80].decode(errors="replace").strip()) from None
    if type(size) is not int or not 0 <= size <= _LONGEST_BODY:
        raise NotOurFrame(f"size {size!r}")
    body = source.read(size)
    if len(body) < size:
        raise EOFError
    return head, body


def read_frames(source: IO[bytes]) -> Iterator[Frame]:
    """Read them up to the one that says it is the end; raises what `read_frame` does."""
    while not (frame := read_frame(source))[0].get("end"):
        yield frame
    yield frame


def packed(head: dict[str, Any], names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Frame:
    """A frame of rows: each column as whole numbers, as floats with NaN for NULL (the store has no NaN), or as JSON."""
    columns, parts = [], []
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        kind, part = _column(values)
        columns.append([name, kind, len(part)])
        parts.append(part)
    raw = b"".join(parts)
    return head | {"rows": len(rows), "columns": columns, "raw": len(raw)}, zlib.compress(raw, _LEVEL)


def unpacked(frame: Frame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a frame with just these columns.

    Raises:
        NotOurFrame: it has others, or is damaged.
    """
    head, body = frame
    try:
        count, raw_size = head["rows"], head["raw"]
        if [name for name, _, _ in head["columns"]] != list(names) or not 0 <= raw_size <= _LONGEST_BODY:
            raise NotOurFrame(f"columns {head['columns']!r}"[:200])
        raw = zlib.decompressobj().decompress(body, raw_size + 1)
        columns, at = [], 0
        for _, kind, size in head["columns"]:
            columns.append(_values(kind, raw[at : at + size]))
            at += size
        if at != len(raw) or any(len(column) != count for column in columns):
            raise NotOurFrame("columns of unequal length")
    except (KeyError, TypeError, ValueError, zlib.error, RecursionError) as error:
        raise NotOurFrame(f"{type(error).__name__}: {error}") from None
    return zip(*columns, strict=True)


def _column(values: Sequence[Any]) -> tuple[str, bytes]:
    kinds = set(map(type, values))
    if kinds == {int}:
        return "q", _little(array("q", values)).tobytes()
    if float in kinds and kinds <= {float, type(None)}:
        nan = float("nan")
        return "d", _little(array("d", (nan if value is None else value for value in values))).tobytes()
    return "j", json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _values(kind: str, part: bytes) -> Sequence[Any]:
    if kind == "q":
        return _little(array("q", part)).tolist()
    if kind == "d":
        numbers = _little(array("d", part))
        return [None if number != number else number for number in numbers]
    found = json.loads(part)
    if not isinstance(found, list) or not _CELLS.issuperset(map(type, found)):
        raise NotOurFrame("a column is no list of numbers and texts")
    return found


def _little(column: "array[Any]") -> "array[Any]":
    if sys.byteorder == "big":
        column.byteswap()
    return column
