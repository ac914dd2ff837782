"""Data sets by name: what they are, without loading them."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mlrtui.data import images, npz
from mlrtui.data.built_in import SOURCES
from mlrtui.data.files import refuse_too_large
from mlrtui.data.sources import DataTrouble, Source

__all__ = [
    "FILES",
    "SOURCES",
    "DataShape",
    "DataSpec",
    "Source",
    "describe",
    "held_out_of",
    "refuse_one_class",
    "resolve",
    "source_of",
]

FILES = {
    "npz": "arrays x and y of the NumPy file that path names",
    "torchvision": "images in files as torchvision leaves them in the folder path; which says which",
}


TEST = "test"
"""What ``validation`` says of arrays of their own."""


@dataclass(frozen=True)
class DataSpec:
    """Which samples, as what targets, standardised how. Fields as in a sweep file's [data], each with one value."""

    name: str
    samples: int | Literal["all"] = "all"
    target: str = "classes"  # "classes" | "parity" | "tokens" | "regression", where the data's own are real numbers
    standardize: str = "global"  # "global" | "feature" | "none"
    path: str = ""  # of data in files
    which: str = ""  # of several data sets in one folder
    validation: float | str = 0.0  # share of the samples, the last ones, that is held out; or "test"
    layout: str = ""  # of images [samples, ., ., .] in a NumPy file: one of `npz.LAYOUTS`; "": as they lie there


@dataclass(frozen=True)
class DataShape:
    """Sizes of a data set, as `load` will give it."""

    samples: int  # for training
    inputs: int
    outputs: int
    kind: str  # "classes" | "tokens" | "sign" | "regression", as in mlrtui_trainer.spec.Dataset
    classes: int  # 0 for regression
    image: tuple[int, ...] = ()  # channels, rows, columns, where samples are images
    held_out: int = 0  # for validation, beside the training samples
    tokens: int = 0  # of a sample, where each has a class of its own


def source_of(spec: DataSpec) -> Source:
    """The data set as it comes. Raises UnknownNameError, and DataTrouble for files that cannot be used."""
    if spec.name == "npz":
        source = npz.describe(spec.path)
        if spec.layout == npz.CHANNELS_LAST and len(source.raw_shape) == 4:
            rows, columns, channels = source.image
            return replace(source, image=(channels, rows, columns))
        return source
    if spec.name == "torchvision":
        return images.describe(spec.path, spec.which)
    return SOURCES[spec.name]


def resolve(spec: DataSpec) -> DataSpec:
    """The same data with everything said: "all" as a number, and what real-valued targets fix."""
    source = source_of(spec)
    whole = replace(spec, samples=source.samples if spec.samples == "all" else spec.samples)
    if source.tokens and (spec.target == "tokens" or spec.name not in FILES):
        return replace(whole, target="tokens", standardize="none")
    if source.classes:
        return whole
    return replace(whole, target="regression", standardize="none" if spec.name == "unit" else spec.standardize)


def describe(spec: DataSpec) -> DataShape:
    """Sizes without loading. Raises as `source_of`, and ValueError for more samples than a built-in set has."""
    source, whole = source_of(spec), resolve(spec)
    samples = int(whole.samples)
    if not 1 <= samples <= source.most:
        if spec.name in FILES:
            raise DataTrouble(f"has {source.most} samples, not {samples}; put the data back, or use fewer samples")
        raise ValueError(f"{spec.name} has {source.most} samples, not {samples}")
    if spec.name in FILES:
        used = f"{samples} samples of {source.inputs} numbers (as float64)"
        refuse_too_large(used, 8 * samples * source.inputs, "use fewer samples, or ")
    _refuse_targets(source, whole)
    held_out = share = held_out_of(samples, spec.validation)
    if spec.validation == TEST:
        held_out = npz.describe_tests(spec.path)
    outputs, kind, classes = source.classes, "classes", source.classes
    if whole.target == "regression":
        outputs, kind, classes = source.outputs, "regression", 0
    elif whole.target == "parity":
        outputs, kind, classes = 1, "sign", 2
    if whole.target == "tokens":
        kind = "tokens"
    return DataShape(samples - share, source.inputs, outputs, kind, classes, source.image, held_out, source.tokens)


def held_out_of(samples: int, validation: float | str | None) -> int:
    """How many of these samples are held out; none where those for tests are arrays of their own.

    >>> held_out_of(10, 0.2), held_out_of(10, "test")
    (2, 0)
    """
    return 0 if validation == TEST else round(samples * float(validation or 0.0))


def _refuse_targets(source: Source, spec: DataSpec) -> None:
    """Targets for each token go with target = "tokens", and only they."""
    if source.tokens and spec.target != "tokens":
        text = f"its y is {[source.samples, source.tokens]}; class numbers must be [samples], not one-hot"
        raise DataTrouble(f'{text}; for a class of each token set target = "tokens"')
    if not source.tokens and spec.target == "tokens":
        raise DataTrouble('its y is not [samples, tokens] of whole numbers; save it so, or use target = "classes"')


def refuse_one_class(spec: DataSpec) -> None:
    """Raise DataTrouble where the samples of a file that are for training are all of one class: nothing to learn."""
    shape = describe(spec)
    if spec.name not in FILES or shape.kind in ("regression", "tokens") or shape.samples < 2:
        return
    labels = npz.labels(spec.path) if spec.name == "npz" else images.labels(spec.path, spec.which)
    used = labels[np.random.RandomState(0).permutation(len(labels))[: shape.samples]].astype(np.int64)
    seen = used % 2 if shape.kind == "sign" else used
    if (seen == seen[0]).all():
        which = ("even" if seen[0] == 0 else "odd") if shape.kind == "sign" else f"{seen[0]}"
        raise DataTrouble(f"the {shape.samples} samples for training are all of one class ({which}); use more samples")
