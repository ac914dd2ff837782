"""Data in a NumPy file: array x [samples, ...], and y [samples], whole numbers for classes or real targets.

The file may come from anybody. Nothing in it is run (arrays of objects are pickles, and refused), and sizes are read
from the headers before anything else is; then the arrays are read in blocks, so that a look at a file takes little
memory, whatever it unpacks to.
"""

import ast
import errno
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mlrtui.data.files import open_regular, refuse_too_large
from mlrtui.data.sources import DataTrouble, Source, remembered
from mlrtui.text.escape import one_line

__all__ = [
    "CHANNELS_FIRST",
    "CHANNELS_LAST",
    "LAYOUTS",
    "LAYOUT_HELP",
    "MOST_CLASSES",
    "describe",
    "describe_tests",
    "labels",
    "layout_of",
    "read",
    "read_tests",
]

MOST_CLASSES = 10_000
CHANNELS_FIRST, CHANNELS_LAST = LAYOUTS = ("channels-first", "channels-last")
LAYOUT_HELP = (
    "Of images x [samples, ., ., .] in an npz file: channels-first is [samples, channels, rows, columns], "
    "channels-last is [samples, rows, columns, channels]. A cnn or transformer needs it where the sizes leave a doubt; "
    "`--dry-run` prints what is understood."
)
SAVE = "save it with numpy.savez(path, x=..., y=...)"

_LIKE_CHANNELS = range(1, 5)  # grey, grey and alpha, RGB, RGBA
_LARGEST = 1e100  # squares of larger values overflow when they are summed
_BLOCK = 1 << 22  # bytes
_MOST_AT_ONCE = 1 << 23  # bytes that zipfile may read at once: an archive's list of contents among them
_LONGEST_HEADER = 4096
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of numpy.savez; others may take memory without limit
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, LookupError, OverflowError)

Array = npt.NDArray[Any]


def read(path: str, layout: str = "") -> tuple[Array, Array]:
    """The arrays, x as [samples, inputs], images with their channels first; refuses whatever `describe` refuses."""
    describe(path)
    return _pair(path, layout, "x", "y")


def _pair(path: str, layout: str, inputs: str, targets: str) -> tuple[Array, Array]:
    x, y = _whole(path, inputs), _whole(path, targets)
    if layout == CHANNELS_LAST and x.ndim == 4:
        x = np.moveaxis(x, -1, 1)
    if len(x) != len(y):
        raise DataTrouble("it was changed while it was read; try again")
    return x.reshape(len(x), -1), y


def read_tests(path: str, layout: str = "") -> tuple[Array, Array]:
    """`read` of x_test and y_test."""
    describe_tests(path)
    return _pair(path, layout, "x_test", "y_test")


@remembered
def labels(path: str) -> Array:
    """y alone, of a file that `describe` finds to have classes."""
    describe(path)
    return _whole(path, "y")


@remembered
def describe(path: str) -> Source:
    """Sizes, once both arrays have been looked through. Raises DataTrouble."""
    with _opened(path, "x") as x:
        _refuse_other_than_numbers(x, "not numbers; save it as float32 or uint8")
        if len(x.shape) < 2 or 0 in x.shape:
            raise DataTrouble(f"its x is {list(x.shape)}; it must be [samples, ...], with at least one sample")
        _refuse_non_finite(x)
    samples, inputs = x.shape[0], prod(x.shape[1:])
    image = (1, *x.shape[1:]) if len(x.shape) == 3 else x.shape[1:] if len(x.shape) == 4 else ()
    with _opened(path, "y") as y:
        if y.shape[:1] != (samples,):
            raise DataTrouble(f"its y is {list(y.shape)}, but x has {samples} samples; give each its target")
        _refuse_other_than_numbers(y, "not numbers; save class numbers as int64, or real targets as float64")
        classes, outputs = _real_targets(y) if y.dtype.kind == "f" else (_classes(y), 1)
        tokens = y.shape[1] if y.dtype.kind != "f" and len(y.shape) == 2 else 0
    return Source(
        samples,
        inputs,
        classes,
        samples,
        "a NumPy file",
        image=image,
        outputs=outputs,
        raw_shape=x.shape,
        tokens=tokens,
    )


@remembered
def describe_tests(path: str) -> int:
    """How many samples x_test and y_test hold, once both have been looked through; they must be as x and y are."""
    source = describe(path)
    if not _has(path, "x_test"):
        raise DataTrouble("has no test samples; save it with x_test=..., y_test=... too, or give validation a share")
    with _opened(path, "x_test") as x:
        _refuse_other_than_numbers(x, "not numbers; save it as float32 or uint8")
        if x.shape[1:] != source.raw_shape[1:] or 0 in x.shape:
            like = list(source.raw_shape[1:])
            raise DataTrouble(f"its x_test is {list(x.shape)}; it must be [samples, ...] as x is, {like} each")
        _refuse_non_finite(x)
    targets = (source.tokens,) if source.tokens else ()
    with _opened(path, "y_test") as y:
        real = y.dtype.kind == "f"
        fits = prod(y.shape[1:]) == source.outputs if real else y.shape[1:] == targets
        if y.shape[:1] != x.shape[:1] or not fits:
            raise DataTrouble(
                f"its y_test is {list(y.shape)}, for {x.shape[0]} samples of x_test; give each its target"
            )
        _refuse_other_than_numbers(y, "not numbers; save it as y is")
        if real == bool(source.classes):
            raise DataTrouble(f"its y_test holds {y.dtype}, other numbers than y; save both alike")
        if real:
            _refuse_non_finite(y)
            return x.shape[0]
        for values in y.blocks():
            low, high = int(values.min()), int(values.max())
            if low < 0 or high >= source.classes:
                last = source.classes - 1
                raise DataTrouble(f"its y_test has class numbers from {low} to {high}, but y only 0 to {last}")
    return x.shape[0]


def layout_of(shape: tuple[int, ...]) -> str:
    """Which axis of images [samples, ., ., .] counts the channels, as far as the sizes tell; "" where they do not.

    The channels are few (at most 4) where rows and columns are not; else, rows and columns are equal where the
    channels are another number.
    """
    first, middle, last = shape[1:]
    if (first in _LIKE_CHANNELS) != (last in _LIKE_CHANNELS):
        return CHANNELS_FIRST if first in _LIKE_CHANNELS else CHANNELS_LAST
    if (first == middle) != (middle == last):
        return CHANNELS_FIRST if middle == last else CHANNELS_LAST
    return ""


# What the values must be ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stored:
    """An array in the file: what its header says, and the bytes that follow."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool  # the first index runs fastest
    stream: IO[bytes]

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return prod(self.shape) * self.dtype.itemsize

    def blocks(self) -> Iterator[Array]:
        """The values one after another as they lie in the file, some at a time; raises where they end early."""
        left, step = self.size, max(_BLOCK // self.dtype.itemsize, 1) * self.dtype.itemsize
        while left:
            raw = self.stream.read(min(step, left))
            left -= len(raw)
            if len(raw) < min(step, left + len(raw)):
                raise DataTrouble(f"its {self.name} is cut short: its header promises {self.size} bytes; {SAVE}")
            yield np.frombuffer(raw, dtype=self.dtype)
        self.stream.read(1)  # the checksum is compared at the end

    def place(self, at: int) -> str:
        """Where the value number ``at`` stands, as its indices count."""
        row, *rest = (int(i) for i in np.unravel_index(at, self.shape, order="F" if self.fortran else "C"))
        where = f", column {rest[0]}" if len(rest) == 1 else f", position {rest}" if rest else ""
        return f"row {row}{where} of {self.name} (counted from 0)"


def _refuse_other_than_numbers(array: _Stored, what: str) -> None:
    if array.dtype.kind not in "fiub":
        raise DataTrouble(f"its {array.name} holds {one_line(str(array.dtype)[:60])}, {what}")
    refuse_too_large(f"its {array.name}, {list(array.shape)} of {array.dtype},", array.size)


def _refuse_non_finite(array: _Stored) -> None:
    """One NaN would make every loss NaN, and every learning rate a failure."""
    if array.dtype.kind != "f":
        for _ in array.blocks():  # looked through for its checksum alone
            pass
        return
    count, first, largest, before = 0, 0, 0.0, 0
    for values in array.blocks():
        finite = np.isfinite(values)
        if not finite.all():
            first = first if count else before + int(np.argmin(finite))
            count += int((~finite).sum())
        else:
            largest = max(largest, float(np.abs(values).max()))
        before += len(values)
    if count:
        known = f"{count} of its values are" if array.name == "x" else f"its {array.name} has values that are"
        raise DataTrouble(f"{known} NaN or infinite, the first in {array.place(first)}; repair or drop these samples")
    if largest > _LARGEST:
        raise DataTrouble(f"its {array.name} has values as large as {largest:.1e}; rescale them below {_LARGEST:.0e}")


def _real_targets(y: _Stored) -> tuple[int, int]:
    """(no classes, outputs)."""
    if len(y.shape) > 2 or 0 in y.shape:
        raise DataTrouble(f"its y is {list(y.shape)}; real targets must be [samples] or [samples, outputs]")
    _refuse_non_finite(y)
    return 0, prod(y.shape[1:])


def _classes(y: _Stored) -> int:
    """How many classes: two or more, numbered from 0 without gaps."""
    if len(y.shape) > 2 or 0 in y.shape:
        raise DataTrouble(f"its y is {list(y.shape)}; class numbers must be [samples], not one-hot")
    present, low, high = np.zeros(MOST_CLASSES, dtype=bool), 0, 0
    for number, values in enumerate(y.blocks()):
        least, most = int(values.min()), int(values.max())
        low, high = (min(low, least), max(high, most)) if number else (least, most)
        if least >= 0 and most < MOST_CLASSES:
            present[values.astype(np.int64)] = True
    if low == high:
        raise DataTrouble(f"its y holds one class only, {low} in every sample; there must be two or more classes")
    if low < 0:
        raise DataTrouble(f"its y has class numbers from {low} to {high}; number two or more classes from 0")
    if high >= MOST_CLASSES:
        raise DataTrouble(
            f"its y has class numbers up to {high}; at most {MOST_CLASSES} classes, numbered from 0 without gaps "
            "(save real targets as float64)"
        )
    missing = np.flatnonzero(~present[:high])
    if len(missing) and len(y.shape) == 1:  # a text need not have every token
        listed = ", ".join(map(str, islice(missing, 5))) + (", ..." if len(missing) > 5 else "")
        raise DataTrouble(
            f"its y has class numbers up to {high}, but none is {listed}; number the classes from 0 without gaps, "
            "e.g. y = numpy.unique(y, return_inverse=True)[1]"
        )
    return high + 1


# The file itself ------------------------------------------------------------------------------------------------------


def _whole(path: str, name: str) -> Array:
    with _opened(path, name) as array:
        refuse_too_large(f"its {name}", array.size)
        flat = np.empty(prod(array.shape), dtype=array.dtype)
        at = 0
        for values in array.blocks():
            flat[at : at + len(values)] = values
            at += len(values)
        return flat.reshape(array.shape, order="F" if array.fortran else "C")


class _Bounded(io.BufferedReader):
    """A file of which only so much is read at once: an archive may claim a list of contents of any length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises BadZipFile for more."""
        if size is None or size < 0 or size > _MOST_AT_ONCE:
            size = _MOST_AT_ONCE + 1
        raw = super().read(size) or b""
        if len(raw) > _MOST_AT_ONCE:
            raise zipfile.BadZipFile("its list of contents is too long")
        return raw


def _has(path: str, name: str) -> bool:
    """Whether the file, which has been looked at, holds an array of this name."""
    with _Bounded(open_regular(path)) as bounded, zipfile.ZipFile(bounded) as archive:
        return f"{name}.npy" in archive.namelist()


@contextmanager
def _opened(path: str, name: str) -> Iterator[_Stored]:
    """One array of the file, its header read. What goes wrong inside the block is said as DataTrouble."""
    archive = None
    try:
        with _Bounded(open_regular(path)) as bounded, zipfile.ZipFile(bounded) as archive:
            try:
                member = archive.getinfo(f"{name}.npy")
            except KeyError:
                raise DataTrouble(f"no array {name} in it; {SAVE}") from None
            if member.compress_type not in _METHODS or member.flag_bits & 1:
                how = "encrypted" if member.flag_bits & 1 else "packed by an unusual method"
                raise DataTrouble(f"its {name} is {how}; {SAVE}")
            with archive.open(member) as stream:
                yield _header(stream, name, member.file_size)
    except DataTrouble:
        raise
    except FileNotFoundError:
        raise DataTrouble("no such file; a path starts at the sweep file's folder") from None
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a seek to where an archive points wrongly
            raise DataTrouble(f"cannot be read ({error.strerror or error}); give the path of a .npz file") from None
        if archive is None:
            raise DataTrouble(f"not a NumPy .npz file; {SAVE}") from None
        said = one_line(" ".join(str(error).split())[:100]) or type(error).__name__
        raise DataTrouble(f"its {name} is damaged ({said}); make or download the file again") from None


def _header(stream: IO[bytes], name: str, size: int) -> _Stored:
    """What an array's header says. ``size``: bytes of header and values as the archive lists them."""
    wrong = DataTrouble(f"its {name} is not a NumPy array; {SAVE}")
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:7] not in (b"\1", b"\2", b"\3"):
        raise wrong
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > _LONGEST_HEADER:
        raise DataTrouble(f"its {name} has a header of {length} bytes, too many for an array of numbers; {SAVE}")
    text = stream.read(length).decode("utf-8" if start[6] == 3 else "latin1")
    try:
        shape, dtype, fortran = _parsed(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise wrong from None
    array = _Stored(name, shape, dtype, fortran, stream)
    held = size - (8 + width + length)
    if dtype.kind in "fiub" and array.size != held:
        refuse_too_large(f"its {name}, {list(shape)} of {dtype},", array.size)
        what = "cut short" if held < array.size else "longer than it says"
        raise DataTrouble(f"its {name} is {what}: its header promises {array.size} bytes, {held} are there; {SAVE}")
    return array


def _parsed(text: str) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """(shape, type, whether the first index runs fastest) of a header, a Python dictionary in writing.

    Raises ValueError, or what parsing raises. Only short text of names, numbers and few brackets is parsed, so that
    no text can take time or memory.
    """
    if re.search(r"[^\w\s'\"{}()\[\],:<>|=?.]", text) or len(re.findall(r"[({\[]", text)) > 50:
        raise ValueError(text)
    said = ast.literal_eval(re.sub(r"(?<=\d)L\b", "", text.strip()))
    if not isinstance(said, dict) or set(said) != {"descr", "fortran_order", "shape"}:
        raise ValueError(text)
    shape, fortran = said["shape"], said["fortran_order"]
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(text)
    if not isinstance(fortran, bool):
        raise ValueError(text)
    return shape, np.dtype(said["descr"]), fortran
