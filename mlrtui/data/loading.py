"""Data sets as arrays of float64. Deterministic: the same `DataSpec` gives the same arrays in every run."""

import hashlib

import numpy as np

from mlrtui.data import images, npz
from mlrtui.data.built_in import SOURCES
from mlrtui.data.shapes import FILES, TEST, DataSpec, describe, refuse_one_class, resolve
from mlrtui.data.sources import DataTrouble, Floats, Ints
from mlrtui.errors import BadInput
from mlrtui_trainer.spec import Dataset

__all__ = ["data_id", "load"]


def load(spec: DataSpec) -> Dataset:
    """The first ``samples`` rows of a fixed permutation, standardised over those of them that are for training.

    The permutation is ``numpy.random.RandomState(0).permutation(all rows)``; generated data is random already and is
    not permuted. "global": the mean row is subtracted, then all is divided by one standard deviation. "feature": each
    feature has mean 0 and standard deviation 1; a constant feature is only centred. The last rows are held out for
    validation, and standardised as the others are. Raises UnknownNameError for an unknown name, ValueError for more
    samples than there are, and BadInput for files that cannot be used and for values that are not finite.
    """
    try:
        shape, whole = describe(spec), resolve(spec)
        refuse_one_class(spec)
        x, labels, y = _rows(whole)  # [samples, inputs], [samples(, tokens)], [samples, outputs]
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
    elif shape.kind == "tokens":
        y = np.zeros((len(x), 0))
    if shape.kind not in ("classes", "tokens"):
        labels = np.zeros_like(labels)
    named = data_id(shape.kind, x, y, labels, shape.held_out)
    return Dataset(named, shape.kind, x, y, labels, shape.held_out, shape.classes if shape.kind == "tokens" else 0)


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
        read = SOURCES[spec.name].read
        assert read is not None, spec.name
        x, labels = read(samples)
        return x, labels, np.zeros((samples, 1))
    raw, targets = npz.read(spec.path, spec.layout) if spec.name == "npz" else images.read(spec.path, spec.which)
    rows = np.random.RandomState(0).permutation(len(raw))[:samples]
    x, t = np.asarray(raw[rows], dtype=np.float64), targets[rows]
    if spec.validation == TEST:
        more, theirs = npz.read_tests(spec.path, spec.layout)
        x, t = np.concatenate([x, more]), np.concatenate([t, theirs])
        samples = len(x)
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
