"""Data in a NumPy file: array x [samples, ...], and y [samples], whole numbers for classes or real targets."""

import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from mlrtui.data.sources import DataTrouble, Source, remembered

__all__ = ["describe", "read"]

MOST_CLASSES = 10_000


def read(path: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The arrays, x as [samples, inputs]; whatever `describe` refuses is refused here too."""
    describe(path)
    with np.load(path, allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    return x.reshape(len(x), -1), y


@remembered
def describe(path: str) -> Source:
    """Sizes, from the header of x and from y. Raises DataTrouble."""
    shape, dtype = _header(path, "x")
    if dtype.kind not in "fiub":
        raise DataTrouble(f"its x holds {dtype}, not numbers; save it as float32 or uint8")
    if len(shape) < 2 or 0 in shape:
        raise DataTrouble(f"its x is {list(shape)}; it must be [samples, ...], with at least one sample")
    samples, inputs = shape[0], int(np.prod(shape[1:]))
    image = (1, *shape[1:]) if len(shape) == 3 else shape[1:] if len(shape) == 4 else ()
    classes, outputs = _targets(path, samples)
    return Source(samples, inputs, classes, samples, "a NumPy file", image=image, outputs=outputs)


def _targets(path: str, samples: int) -> tuple[int, int]:
    """(classes, outputs); no classes where the targets are real numbers."""
    shape, dtype = _header(path, "y")
    if shape[:1] != (samples,):
        raise DataTrouble(f"its y is {list(shape)}, but x has {samples} samples; give each its target")
    if dtype.kind not in "fiub":
        raise DataTrouble(f"its y holds {dtype}; save class numbers as int64, or real targets as float64")
    with np.load(path, allow_pickle=False) as arrays:
        y = arrays["y"]
    if dtype.kind == "f":
        if len(shape) > 2 or 0 in shape:
            raise DataTrouble(f"its y is {list(shape)}; real targets must be [samples] or [samples, outputs]")
        if not np.isfinite(y).all():
            raise DataTrouble("its y has values that are NaN or infinite; repair or drop these samples")
        return 0, int(np.prod(shape[1:]))
    if len(shape) != 1:
        raise DataTrouble(f"its y is {list(shape)}; class numbers must be [samples], not one-hot")
    low, high = int(y.min()), int(y.max())
    if low < 0 or not 1 <= high < MOST_CLASSES:
        raise DataTrouble(f"its y has class numbers from {low} to {high}; number two or more classes from 0")
    return high + 1, 1


def _header(path: str, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of one array, of which nothing else is read."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = reader(file)
    except FileNotFoundError:
        raise DataTrouble("no such file; a path starts at the sweep file's folder") from None
    except KeyError:
        raise DataTrouble(f"no array {name} in it; save it with numpy.savez(path, x=..., y=...)") from None
    except (zipfile.BadZipFile, ValueError, EOFError):
        raise DataTrouble("not a NumPy .npz file; save it with numpy.savez(path, x=..., y=...)") from None
    except OSError as error:
        raise DataTrouble(f"cannot be read ({error.strerror}); give the path of a .npz file") from None
    return tuple(int(size) for size in shape), dtype
