"""CIFAR-10's batches as arrays: the binary ones, and the Python ones without Python's unpickler.

A Python batch is a pickle, and pickles can run anything. So the opcodes are read one by one against a grammar: numbers,
texts and bytes, lists, tuples and dictionaries of them, and arrays of whole numbers whose size is that of their bytes.
No object is made that a file names: what it may name are five words of that grammar.
"""

import pickletools
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["INPUTS", "binary_batch", "python_batch"]

Bytes = npt.NDArray[np.uint8]

INPUTS = 3 * 32 * 32
MOST_OPCODES = 400_000  # a batch of 10,000 images has 40,000


def binary_batch(raw: bytes) -> tuple[Bytes, Bytes]:
    """Images [samples, 3072] and labels [samples]. Raises ValueError for bytes that are no such batch."""
    values = np.frombuffer(raw, dtype=np.uint8)
    if not values.size or values.size % (1 + INPUTS):
        raise ValueError("not rows of a label and 3072 bytes")
    rows = values.reshape(-1, 1 + INPUTS)
    return rows[:, 1:], rows[:, 0]


def python_batch(raw: bytes) -> tuple[Bytes, Bytes]:
    """Images [samples, 3072] and labels [samples]. Raises ValueError for bytes that are no such batch."""
    try:
        found = _Grammar(len(raw)).read(raw)
    except (ValueError, LookupError, TypeError, UnicodeError, OverflowError) as error:
        raise ValueError(f"not a pickle of arrays and lists: {error}") from None
    if type(found) is not dict:
        raise ValueError("not a dictionary")
    x, labels = (found.get(name.encode(), found.get(name)) for name in ("data", "labels"))
    if type(labels) is list and all(type(label) is int and 0 <= label <= 255 for label in labels):
        labels = np.array(labels, dtype=np.int64)
    if not isinstance(x, np.ndarray) or not isinstance(labels, np.ndarray):
        raise ValueError("data or labels are missing")
    if x.dtype != np.uint8 or labels.ndim != 1 or not len(labels) or x.shape != (len(labels), INPUTS):
        raise ValueError("data and labels do not fit")
    if labels.min() < 0 or labels.max() > 255:
        raise ValueError("labels out of range")
    return x, labels.astype(np.uint8)


@dataclass(frozen=True)
class _Word:
    """Something that a pickle names, of those that the grammar knows."""

    name: str


class _DType:
    """A type of whole numbers, little-endian where that matters."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ordered = name == "u1"  # the byte order is said by a BUILD

    def array(self, shape: object, raw: object, fortran: object) -> npt.NDArray[Any]:
        """The array of these bytes. Raises ValueError where they are not as many as the shape says."""
        if type(raw) is bytearray:
            raw = bytes(raw)
        if type(shape) is not tuple or len(shape) > 2 or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("an array of another shape")
        dtype = np.dtype(f"<{self.name}")
        if type(raw) is not bytes or len(raw) != prod(shape) * dtype.itemsize or not self.ordered:
            raise ValueError("an array of another size")
        return np.frombuffer(raw, dtype=dtype).reshape(shape, order="F" if fortran is True else "C")


class _Unbuilt:
    """An array of which the content is not said yet, and where in the memo it is kept for later."""

    def __init__(self) -> None:
        self.places: list[int] = []


_RECONSTRUCT, _NDARRAY, _DTYPE, _FROMBUFFER, _ENCODE = map(
    _Word, ("_reconstruct", "ndarray", "dtype", "_frombuffer", "encode")
)
_NAMES: Final = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _RECONSTRUCT for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FROMBUFFER for core in ("core", "_core")},
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DTYPE,
    ("_codecs", "encode"): _ENCODE,
}
_DTYPES: Final = ("u1", "i4", "i8")
_MARK: Final = object()
_PLAIN: Final = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Grammar:
    """A machine with a stack, as a pickle expects it. ``room``: how many bytes may be made out of texts."""

    def __init__(self, room: int) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._room = room

    def read(self, raw: bytes) -> Any:
        """What the pickle holds. Raises ValueError, LookupError or TypeError where it is outside of the grammar."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(raw)):
            if count > MOST_OPCODES:
                raise ValueError("too many opcodes")
            if opcode.name == "STOP":
                break
            self._step(opcode.name, argument)
        (found,) = self._stack
        return found

    def _step(self, name: str, argument: Any) -> None:
        push = self._stack.append
        if name in _PLAIN:
            # bytes of Python 2 come as text, one letter a byte
            push(argument.encode("latin1") if name in ("BINSTRING", "SHORT_BINSTRING") else argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _TUPLES:
            items = [self._pop() for _ in range(_TUPLES[name])]
            push(tuple(reversed(items)))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            push(self._word(name, argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._remember(argument)
        elif name == "MEMOIZE":
            self._remember(len(self._memo))
        elif name in ("BINGET", "LONG_BINGET"):
            push(self._memo[argument])
        elif name not in ("PROTO", "FRAME"):
            _ACTIONS[name](self)

    def _word(self, name: str, argument: Any) -> _Word:
        if name == "STACK_GLOBAL":
            attribute, module = self._pop(), self._pop()
        else:
            module, _, attribute = argument.partition(" ")
        if type(module) is not str or type(attribute) is not str or (module, attribute) not in _NAMES:
            raise ValueError("names what has no place in a batch of images")
        return _NAMES[module, attribute]

    def _remember(self, place: int) -> None:
        self._memo[place] = top = self._top()
        if type(top) is _Unbuilt:
            top.places.append(place)

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("nothing on the stack")
        return self._stack[-1]

    def _pop(self) -> Any:
        top = self._top()
        self._stack.pop()
        return top

    def _marked(self) -> list[Any]:
        """What lies above the last mark, which goes with it."""
        at = len(self._stack) - 1
        while at >= 0 and self._stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise ValueError("no mark on the stack")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _append(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise ValueError("appends to what is no list")
        target.extend(items)

    def _set(self, items: list[Any]) -> None:
        target, keys = self._top(), items[::2]
        if type(target) is not dict or len(items) % 2 or not all(type(key) in (bytes, str) for key in keys):
            raise ValueError("sets items of what is no dictionary of names")
        target.update(zip(keys, items[1::2], strict=True))

    def _reduce(self) -> None:
        arguments, word = self._pop(), self._pop()
        if type(arguments) is not tuple or type(word) is not _Word:
            raise ValueError("calls what has no place in a batch of images")
        self._stack.append(self._called(word, arguments))

    def _called(self, word: _Word, arguments: tuple[Any, ...]) -> Any:
        if word is _RECONSTRUCT:
            kind, shape, letter = arguments
            if kind is _NDARRAY and type(shape) is tuple and len(shape) == 1 and type(letter) in (bytes, str):
                return _Unbuilt()
        elif word is _DTYPE:
            text = arguments[0].decode() if type(arguments[0]) is bytes else arguments[0]
            if type(text) is str and text.lstrip("|<") in _DTYPES:
                return _DType(text.lstrip("|<"))
        elif word is _FROMBUFFER:
            raw, dtype, shape, order = arguments
            if type(dtype) is _DType:
                return dtype.array(shape, raw, type(order) is str and order == "F")
        elif word is _ENCODE:
            text, encoding = arguments
            if type(text) is str and type(encoding) is str and encoding == "latin1":
                self._room -= len(text)  # the same text again and again would fill the memory
                if self._room >= 0:
                    return text.encode("latin1")
        raise ValueError("calls something otherwise than a batch of images does")

    def _build(self) -> None:
        """Give an array its content, or a type its byte order."""
        state, target = self._pop(), self._pop()
        if type(state) is not tuple:
            raise ValueError("an unknown state")
        if type(target) is _DType:
            order = state[1].decode() if type(state[1]) is bytes else state[1]
            if type(order) is not str or order not in ("<", "|") or not all(part is None for part in state[2:5]):
                raise ValueError("a type of another kind")
            target.ordered = True
            self._stack.append(target)
        elif type(target) is _Unbuilt:
            _, shape, dtype, fortran, raw = state
            if type(dtype) is not _DType:
                raise ValueError("an array of another type")
            made = dtype.array(shape, raw, fortran)
            for place in target.places:
                self._memo[place] = made
            self._stack.append(made)
        else:
            raise ValueError("builds what has no place in a batch of images")


_ACTIONS: Final = {
    "MARK": lambda machine: machine._stack.append(_MARK),
    "EMPTY_DICT": lambda machine: machine._stack.append({}),
    "EMPTY_LIST": lambda machine: machine._stack.append([]),
    "EMPTY_TUPLE": lambda machine: machine._stack.append(()),
    "TUPLE": lambda machine: machine._stack.append(tuple(machine._marked())),
    "LIST": lambda machine: machine._stack.append(machine._marked()),
    "APPEND": lambda machine: machine._append([machine._pop()]),
    "APPENDS": lambda machine: machine._append(machine._marked()),
    "SETITEM": lambda machine: machine._set([machine._pop(), machine._pop()][::-1]),
    "SETITEMS": lambda machine: machine._set(machine._marked()),
    "REDUCE": lambda machine: machine._reduce(),
    "BUILD": lambda machine: machine._build(),
}
