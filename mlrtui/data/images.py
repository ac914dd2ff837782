"""Images in files as torchvision leaves them: MNIST's idx files, CIFAR-10's batches. Only the training part.

CIFAR-10's Python batches are pickles, which can run anything: they are read by an unpickler that knows nothing but
lists, dictionaries, bytes and NumPy arrays. The binary batches are taken where both are there.
"""

import codecs
import gzip
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlrtui.data.sources import DataTrouble, Source, remembered

__all__ = ["WHICH", "describe", "read"]

Bytes = npt.NDArray[np.uint8]

WHICH = ("MNIST", "FashionMNIST", "CIFAR10")
CLASSES = 10
CIFAR_SHAPE = (3, 32, 32)
CIFAR_INPUTS = 3 * 32 * 32
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


def describe(path: str, which: str) -> Source:
    """Sizes of a data set's training part in a folder. Raises DataTrouble."""
    folder = _folder(path)
    if which == "CIFAR10":
        samples, shape = sum(len(_batch(str(file))[1]) for file in _batches(folder)), CIFAR_SHAPE
    else:
        samples, rows, columns = _idx_sizes(folder, which)
        shape = (1, rows, columns)
    return Source(samples, shape[0] * shape[1] * shape[2], CLASSES, samples, which, image=shape)


def read(path: str, which: str) -> tuple[Bytes, Bytes]:
    """The images [samples, inputs], values from 0 to 255, and their class numbers. Raises DataTrouble."""
    folder = _folder(path)
    if which == "CIFAR10":
        batches = [_batch(str(file)) for file in _batches(folder)]
        x, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    else:
        x, labels = (_idx(file) for file in _idx_files(folder, which))
        x = x.reshape(len(x), -1)
    if labels.max(initial=0) >= CLASSES:
        raise DataTrouble(f"{which} there has a class number of {labels.max()}; it must be below {CLASSES}")
    return x, labels


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


def _idx_sizes(folder: Path, which: str) -> tuple[int, int, int]:
    sizes, labelled = (_idx_header(file, _unpacked(file, 16)) for file in _idx_files(folder, which))
    if len(sizes) != 3 or sizes[:1] != labelled or 0 in sizes:
        found = f"images {list(sizes)} and labels {list(labelled)}"
        raise DataTrouble(f"{which} there has {found}, which do not fit; download it again")
    return sizes[0], sizes[1], sizes[2]


def _idx(file: Path) -> Bytes:
    raw = _unpacked(file)
    shape = _idx_header(file, raw)
    values = np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * len(shape))
    if values.size != np.prod(shape):
        raise DataTrouble(f"{file.name} there is cut short or too long; download it again")
    return values.reshape(shape)


def _idx_header(file: Path, raw: bytes) -> tuple[int, ...]:
    """The sizes that an idx file of bytes begins with."""
    dimensions = raw[3] if len(raw) >= 4 else 0
    if raw[:3] != b"\0\0\x08" or not 1 <= dimensions <= 3 or len(raw) < 4 + 4 * dimensions:
        raise DataTrouble(f"{file.name} there is not an idx file of bytes; download it again")
    return tuple(int(size) for size in np.frombuffer(raw, dtype=">u4", count=dimensions, offset=4))


def _unpacked(file: Path, size: int = -1) -> bytes:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataTrouble(f"{file.name} there is damaged; download it again") from None
    except OSError as error:
        raise DataTrouble(f"{file.name} there cannot be read ({error.strerror}); check it") from None


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
    return _binary_batch(file) if ".bin" in file.name else _pickled_batch(file)


def _binary_batch(file: Path) -> tuple[Bytes, Bytes]:
    raw = np.frombuffer(_unpacked(file), dtype=np.uint8)
    if not raw.size or raw.size % (1 + CIFAR_INPUTS):
        raise DataTrouble(f"{file.name} there is not a binary batch of CIFAR-10; download it again")
    rows = raw.reshape(-1, 1 + CIFAR_INPUTS)
    return rows[:, 1:], rows[:, 0]


def _pickled_batch(file: Path) -> tuple[Bytes, Bytes]:
    wrong = DataTrouble(f"{file.name} there is not a Python batch of CIFAR-10; download it again")
    try:
        with file.open("rb") as stream:
            found = _ArraysOnly(stream, encoding="bytes").load()
        x, labels = found[b"data"], np.asarray(found[b"labels"])
    except OSError as error:
        raise DataTrouble(f"{file.name} there cannot be read ({error.strerror}); check it") from None
    except Exception:  # a damaged or hostile pickle can raise anything
        raise wrong from None
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.shape != (len(labels), CIFAR_INPUTS) or not len(x):
        raise wrong
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or labels.min() < 0 or labels.max() > 255:
        raise wrong
    return x, labels.astype(np.uint8)


class _ArraysOnly(pickle.Unpickler):
    """Finds what an array of bytes is made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """One of four functions, however NumPy's own modules were called when the file was written."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.ndarray.__reduce__(np.empty(0, np.uint8))[0]
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a batch of images")


def _latin1(text: str, encoding: str) -> bytes:
    if codecs.lookup(encoding).name != "iso8859-1":
        raise pickle.UnpicklingError(f"bytes as {encoding}")
    return text.encode("latin1")
