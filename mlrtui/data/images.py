"""Images in files as torchvision leaves them: MNIST's idx files, CIFAR-10's batches. Only the training part.

The files may come from anybody: sizes are read from the headers, and compared with the limit, before anything else is.
Of CIFAR-10 the binary batches are taken where both are there; `cifar` reads the others, which are pickles.
"""

import gzip
import io
import zlib
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlrtui.data import cifar
from mlrtui.data.files import byte_limit, open_regular, refuse_too_large
from mlrtui.data.sources import DataTrouble, Source, remembered

__all__ = ["WHICH", "describe", "labels", "read"]

Bytes = npt.NDArray[np.uint8]

WHICH = ("MNIST", "FashionMNIST", "CIFAR10")
CLASSES = 10
CIFAR_SHAPE = (3, 32, 32)
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
BATCH_SHARE = 0.05  # of the limit: a batch of CIFAR-10 has 31 MB, and five of them are kept
_BLOCK = 1 << 22


def describe(path: str, which: str) -> Source:
    """Sizes of a data set's training part in a folder, once its files have been looked through. Raises DataTrouble."""
    folder = _folder(path)
    if which == "CIFAR10":
        labels, shape = [_batch(str(file))[1] for file in _batches(folder)], CIFAR_SHAPE
        samples = sum(map(len, labels))
        low, high = min(int(part.min()) for part in labels), max(int(part.max()) for part in labels)
    else:
        images, labelled = (_idx_looked_through(str(file)) for file in _idx_files(folder, which))
        sizes = images[0]
        if len(sizes) != 3 or sizes[:1] != labelled[0] or 0 in sizes:
            found = f"images {list(sizes)} and labels {list(labelled[0])}"
            raise DataTrouble(f"{which} there has {found}, which do not fit; download it again")
        samples, shape, (_, low, high) = sizes[0], (1, *sizes[1:]), labelled
    if high >= CLASSES:
        raise DataTrouble(f"{which} there has a class number of {high}; it must be below {CLASSES}")
    if low == high:
        raise DataTrouble(f"{which} there holds one class only, {low} in every sample; there must be two or more")
    return Source(samples, prod(shape), CLASSES, samples, which, image=shape)


def read(path: str, which: str) -> tuple[Bytes, Bytes]:
    """The images [samples, inputs], values from 0 to 255, and their class numbers. Raises DataTrouble."""
    samples = describe(path, which).samples
    folder = _folder(path)
    if which == "CIFAR10":
        batches = [_batch(str(file)) for file in _batches(folder)]
        x, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    else:
        x, labels = (_idx(file) for file in _idx_files(folder, which))
        x = x.reshape(len(x), -1)
    if not len(x) == len(labels) == samples or labels.max() >= CLASSES:
        raise DataTrouble(f"{which} there was changed while it was read; try again")
    return x, labels


def labels(path: str, which: str) -> Bytes:
    """The class numbers alone. Raises DataTrouble."""
    folder = _folder(path)
    if which == "CIFAR10":
        return np.concatenate([_batch(str(file))[1] for file in _batches(folder)])
    return _idx(_idx_files(folder, which)[1])


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise DataTrouble("no such folder; a path starts at the sweep file's folder")
    return folder


def _found(folder: Path, names: tuple[str, ...], within: tuple[str, ...], which: str) -> list[Path]:
    """Files of these names, packed by gzip or not, together in the folder or in one of these below it."""
    for place in (folder, *(folder / inner for inner in within)):
        files = [file for name in names for file in (place / name, place / f"{name}.gz") if file.is_file()]
        if len(files) >= len(names):
            return [next(file for file in files if file.name in (name, f"{name}.gz")) for name in names]
    looked = ", ".join(("it", *within))
    raise DataTrouble(f"holds no {which}: looked for {names[0]} in {looked}; download {which} there first")


# MNIST and its kin ---------------------------------------------------------------------------------------------------


def _idx_files(folder: Path, which: str) -> list[Path]:
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    return _found(folder, names, (f"{which}/raw", "raw", which), which)


@remembered
def _idx_looked_through(path: str) -> tuple[tuple[int, ...], int, int]:
    """(sizes, smallest value, largest value) of an idx file of bytes."""
    low, high = 255, 0
    with _Stream(Path(path)) as stream:
        sizes = _idx_header(stream)
        left = prod(sizes)
        while left:
            values = np.frombuffer(stream.read(min(left, _BLOCK)), dtype=np.uint8)
            if not values.size:
                break
            left -= values.size
            low, high = min(low, int(values.min())), max(high, int(values.max()))
        if left or stream.read(1):
            raise DataTrouble(f"{stream.name} there is cut short or too long; download it again")
    return sizes, low, high


def _idx(file: Path) -> Bytes:
    with _Stream(file) as stream:
        sizes = _idx_header(stream)
        values = np.frombuffer(stream.read(prod(sizes)), dtype=np.uint8)
    if values.size != prod(sizes):
        raise DataTrouble(f"{file.name} there was changed while it was read; try again")
    return values.reshape(sizes)


def _idx_header(stream: "_Stream") -> tuple[int, ...]:
    """The sizes that an idx file of bytes begins with; the stream then stands at its values."""
    start = stream.read(4)
    dimensions = start[3] if len(start) == 4 else 0
    raw = stream.read(4 * dimensions) if 1 <= dimensions <= 3 else b""
    if start[:3] != b"\0\0\x08" or len(raw) < 4 or len(raw) != 4 * dimensions:
        raise DataTrouble(f"{stream.name} there is not an idx file of bytes; download it again")
    sizes = tuple(int(size) for size in np.frombuffer(raw, dtype=">u4"))
    refuse_too_large(f"{stream.name} there, {list(sizes)} by its header,", prod(sizes))
    return sizes


class _Stream:
    """A regular file, unpacked where its name says that it is packed; what is wrong with it is said as DataTrouble."""

    def __init__(self, file: Path) -> None:
        self.name = file.name
        try:
            self._raw = open_regular(file)
        except OSError as error:
            raise self._unreadable(error) from None
        buffered = io.BufferedReader(self._raw)
        self._stream = gzip.GzipFile(fileobj=buffered) if file.suffix == ".gz" else buffered

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._raw.close()

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end of the file."""
        try:
            return self._stream.read(size) or b""
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DataTrouble(f"{self.name} there is damaged; download it again") from None
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> DataTrouble:
        return DataTrouble(f"{self.name} there cannot be read ({error.strerror or error}); check it")


# CIFAR-10 ------------------------------------------------------------------------------------------------------------


def _batches(folder: Path) -> list[Path]:
    binary = tuple(f"{name}.bin" for name in BATCHES)
    try:
        return _found(folder, binary, ("cifar-10-batches-bin",), "CIFAR10")
    except DataTrouble:
        return _found(folder, BATCHES, ("cifar-10-batches-py",), "CIFAR10")


@remembered
def _batch(path: str) -> tuple[Bytes, Bytes]:
    """Images [samples, 3072] and labels of one batch; kept, since a plan asks how many there are for every cell."""
    file = Path(path)
    with _Stream(file) as stream:
        most = int(byte_limit() * BATCH_SHARE)
        raw = stream.read(most + 1)
    refuse_too_large(f"{file.name} there", len(raw), share=BATCH_SHARE)
    kind, parse = ("binary", cifar.binary_batch) if ".bin" in file.name else ("Python", cifar.python_batch)
    try:
        return parse(raw)
    except ValueError:
        raise DataTrouble(f"{file.name} there is not a {kind} batch of CIFAR-10; download it again") from None
