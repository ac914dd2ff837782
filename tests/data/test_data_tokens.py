"""Targets for each token, and test samples of one's own: what is read, and what is refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlrtui.config import parse_sweep
from mlrtui.data import DataSpec, DataTrouble, describe, load
from mlrtui.data.words import data_line
from mlrtui.errors import BadInput

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 7, (20, 5)), RNG.integers(0, 7, (20, 5))
Y[0, 0] = 6


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "my.npz", **arrays)
    return str(folder / "my.npz")


def test_a_class_for_each_token(tmp_path: Path) -> None:
    spec = DataSpec("npz", samples=8, target="tokens", path=saved(tmp_path, x=X, y=Y), validation=0.25)
    shape, data = describe(spec), load(spec)
    assert (shape.kind, shape.samples, shape.held_out, shape.outputs, shape.tokens) == ("tokens", 6, 2, 7, 5)
    rows = np.random.RandomState(0).permutation(20)[:8]
    np.testing.assert_array_equal(data.labels, Y[rows])
    np.testing.assert_array_equal(data.x, X[rows])  # tokens are never standardised
    assert (data.kind, data.classes, data.y.shape) == ("tokens", 7, (8, 0))
    assert "one of 7 classes for each of 5 tokens" in data_line(spec)


def test_what_is_not_asked_for_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = saved(tmp_path, x=X, y=Y)
    with pytest.raises(DataTrouble, match=r'not one-hot; for a class of each token set target = "tokens"'):
        describe(DataSpec("npz", path=path))
    path = saved(tmp_path, x=X, y=np.arange(20) % 7)
    with pytest.raises(DataTrouble, match=r"its y is not \[samples, tokens\] of whole numbers"):
        describe(DataSpec("npz", path=path, target="tokens"))


def test_sentences_are_characters_and_the_characters_after_them() -> None:
    data, more = load(DataSpec("sentences", samples=10)), load(DataSpec("sentences", samples=40))
    np.testing.assert_array_equal(data.labels[:, :-1], data.x[:, 1:])
    np.testing.assert_array_equal(data.labels[:-1, -1], data.x[1:, 0])
    np.testing.assert_array_equal(more.x[:10], data.x)
    assert data.classes == 28
    text = "".join(" .abcdefghijklmnopqrstuvwxyz"[int(c)] for c in more.x.flatten())
    assert all(3 <= len(sentence.split()) <= 7 for sentence in text.split(".")[1:-1])


def test_test_samples_of_the_file(tmp_path: Path) -> None:
    x, y = RNG.standard_normal((30, 4)), np.arange(30) % 3
    path = saved(tmp_path, x=x, y=y, x_test=x[:6] + 1.0, y_test=y[:6])
    spec = DataSpec("npz", path=path, validation="test")
    shape, data = describe(spec), load(spec)
    assert (shape.samples, shape.held_out, data.held_out, len(data.x)) == (30, 6, 6, 36)
    rows = np.random.RandomState(0).permutation(30)
    scale = (x - x.mean(0)).std()
    np.testing.assert_allclose(data.x[:30], ((x - x.mean(0)) / scale)[rows])
    np.testing.assert_allclose(data.x[30:], (x[:6] + 1.0 - x.mean(0)) / scale)  # by the training samples' numbers
    np.testing.assert_array_equal(data.labels[30:], y[:6])
    fewer = load(DataSpec("npz", samples=10, path=path, validation="test"))
    assert (len(fewer.x), fewer.held_out) == (16, 6)


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ({}, "has no test samples; save it with x_test=..., y_test=... too, or give validation a share"),
        ({"x_test": np.zeros((2, 3)), "y_test": [0, 1]}, r"its x_test is \[2, 3\]; it must be"),
        ({"x_test": np.zeros((2, 4)), "y_test": [0]}, r"its y_test is \[1\], for 2 samples of x_test"),
        ({"x_test": np.zeros((2, 4)), "y_test": [0, 5]}, "class numbers from 0 to 5, but y only 0 to 2"),
        ({"x_test": np.zeros((2, 4)), "y_test": [0.0, 1.0]}, "its y_test holds float64, other numbers than y"),
        (
            {"x_test": np.full((2, 4), np.nan), "y_test": [0, 1]},
            "NaN or infinite, the first in row 0, column 0 of x_test",
        ),
        ({"x_test": np.zeros((2, 4))}, "no array y_test in it"),
    ],
)
def test_test_samples_that_do_not_fit(tests: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = saved(tmp_path, x=RNG.standard_normal((30, 4)), y=np.arange(30) % 3, **tests)
    with pytest.raises(DataTrouble, match=told):
        describe(DataSpec("npz", path=path, validation="test"))
    assert describe(DataSpec("npz", path=path, validation=0.2)).held_out == 6  # who does not ask is not told


GOOD = {
    "sweep": {"name": "t"},
    "data": {"name": "sentences", "samples": 64},
    "model": {"kind": "nets:make", "depth": 1, "width": 8},
    "training": {"loss": "ce", "batch": 8, "steps": 4},
    "scan": {"eta": [0.1]},
}


@pytest.mark.parametrize(
    ("table", "key", "value", "told"),
    [
        ("model", "kind", "mlp", 'model.kind = "mlp": has one output vector a sample, not one a token'),
        ("data", "target", "parity", 'data.target = "parity": data "sentences" has a class for each token'),
        ("data", "standardize", "global", 'data.standardize = "global": tokens are numbers of words; use "none"'),
        ("data", "name", "digits", 'data.target = "tokens": data "digits" has one target a sample'),
        ("data", "validation", "test", 'data.validation = "test": is for name = "npz", with arrays x_test and y_test'),
        ("training", "precision", "bf16", None),
        ("model", "mode", "train", None),
    ],
)
def test_what_goes_with_tokens(table: str, key: str, value: str, told: str | None) -> None:
    document = {name: dict(keys) for name, keys in GOOD.items()}
    document[table][key] = value
    if value == "digits":
        document["data"]["target"] = "tokens"
    if told is None:
        assert parse_sweep(document, "file").training.loss == ("ce",)
        return
    with pytest.raises(BadInput) as refused:
        parse_sweep(document, "file")
    assert any(message.startswith(f"file: {told}") for message in refused.value.messages), refused.value.messages
