"""Data sets: sizes as promised, standardisation, targets, and the same arrays in every run."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import datasets
from sklearn.datasets import load_digits

from mlrtui.data import SOURCES, DataSpec, built_in, describe, load, resolve
from mlrtui.errors import BadInput
from mlrtui_trainer.registry import UnknownNameError

REAL = ["digits", "breast_cancer", "wine"]


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("target", ["classes", "parity"])
def test_description_holds_for_the_loaded_arrays(name: str, target: str) -> None:
    spec = DataSpec(name, "all", target, "none")
    shape, dataset = describe(spec), load(spec)
    assert shape.samples == SOURCES[name].samples
    assert dataset.x.shape == (shape.samples, shape.inputs)
    tokens = (shape.tokens,) if shape.kind == "tokens" else ()
    assert dataset.y.shape == (shape.samples, 0 if tokens else shape.outputs)
    assert dataset.labels.shape == (shape.samples, *tokens)
    assert dataset.kind == shape.kind
    assert [str(array.dtype) for array in (dataset.x, dataset.y, dataset.labels)] == ["float64", "float64", "int64"]
    if tokens:
        assert set(dataset.labels.flat) <= set(range(shape.classes))  # a text need not have every letter
    elif shape.kind == "classes":
        assert set(dataset.labels) == set(range(shape.classes))
    else:
        assert not dataset.labels.any()


def test_sizes_are_pinned() -> None:
    sizes = {name: describe(DataSpec(name)) for name in SOURCES}
    assert {name: (shape.samples, shape.inputs, shape.outputs, shape.kind) for name, shape in sizes.items()} == {
        "digits": (1797, 64, 10, "classes"),
        "breast_cancer": (569, 30, 2, "classes"),
        "wine": (178, 13, 3, "classes"),
        "gaussian": (1024, 64, 2, "classes"),
        "teacher": (10_000, 100, 2, "classes"),
        "mnist5k": (5000, 784, 10, "classes"),
        "sentences": (2048, 32, 28, "tokens"),
        "unit": (1, 1, 1, "regression"),
    }


def test_digits_are_the_first_of_a_fixed_permutation() -> None:
    images, labels = load_digits(return_X_y=True)
    rows = np.random.RandomState(0).permutation(1797)[:100]
    dataset = load(DataSpec("digits", 100, "classes", "none"))
    assert np.array_equal(dataset.x, images[rows])
    assert np.array_equal(dataset.labels, labels[rows])
    assert dataset.labels[:10].tolist() == [2, 8, 2, 6, 6, 7, 1, 9, 8, 5]


@pytest.mark.parametrize("name", REAL)
def test_files_of_a_package_are_read_as_by_the_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    spec, rows = DataSpec(name, "all", "classes", "none"), np.random.RandomState(0).permutation(len(x))
    for table in (built_in._table, lambda file: None):  # the second: another version keeps them elsewhere
        monkeypatch.setattr(built_in, "_table", table)
        dataset = load(spec)
        assert dataset.x.tobytes() == x[rows].tobytes()
        assert dataset.labels.tobytes() == labels[rows].astype(np.int64).tobytes()


@pytest.mark.parametrize("name", [*REAL, "gaussian", "teacher", "mnist5k"])
def test_fewer_samples_are_the_first_of_more(name: str) -> None:
    some, more = (load(DataSpec(name, samples, "classes", "none")) for samples in (50, 120))
    assert np.array_equal(some.x, more.x[:50])
    assert np.array_equal(some.y, more.y[:50])


def test_classes_are_one_hot() -> None:
    dataset = load(DataSpec("wine"))
    assert np.array_equal(dataset.y.argmax(axis=1), dataset.labels)
    assert np.array_equal(np.sort(dataset.y, axis=1), np.tile([0.0, 0.0, 1.0], (178, 1)))


def test_parity_is_plus_one_for_odd_digits() -> None:
    classes, parity = (load(DataSpec("digits", 200, target)) for target in ("classes", "parity"))
    assert np.array_equal(parity.y[:, 0], np.where(classes.labels % 2 == 1, 1.0, -1.0))
    assert np.array_equal(parity.x, classes.x)
    assert parity.data_id != classes.data_id


@pytest.mark.parametrize("name", [*REAL, "gaussian"])
def test_global_standardisation(name: str) -> None:
    raw, dataset = (load(DataSpec(name, 150, "classes", how)) for how in ("none", "global"))
    assert np.abs(dataset.x.mean(axis=0)).max() < 1e-12
    assert dataset.x.std() == pytest.approx(1.0, abs=1e-12)
    centred = raw.x - raw.x.mean(axis=0)
    assert np.allclose(dataset.x * centred.std(), centred)


@pytest.mark.parametrize("name", [*REAL, "gaussian"])
def test_standardisation_by_feature(name: str) -> None:
    raw, dataset = (load(DataSpec(name, 150, "classes", how)) for how in ("none", "feature"))
    constant = raw.x.std(axis=0) == 0
    assert np.abs(dataset.x.mean(axis=0)).max() < 1e-9
    assert np.allclose(dataset.x.std(axis=0)[~constant], 1.0)
    assert not dataset.x[:, constant].any()


def test_digits_have_constant_pixels() -> None:
    assert (load(DataSpec("digits", 150, "classes", "none")).x.std(axis=0) == 0).any()


def test_standardisation_sees_the_chosen_samples_only() -> None:
    some, more = (load(DataSpec("digits", samples)) for samples in (50, 1000))
    assert not np.allclose(some.x, more.x[:50])


def test_gaussians_are_two_classes_two_apart() -> None:
    dataset = load(DataSpec("gaussian", 20_000, "classes", "none"))
    means = [dataset.x[dataset.labels == label].mean(axis=0) for label in (0, 1)]
    assert np.bincount(dataset.labels).tolist() == [10_000, 10_000]
    assert np.allclose(means[0], -0.25, atol=0.05)
    assert np.allclose(means[1], 0.25, atol=0.05)
    best = np.where(dataset.x.sum(axis=1) > 0, 1, 0)
    assert (best == dataset.labels).mean() == pytest.approx(0.977, abs=0.005)


def test_gaussian_numbers_are_pinned() -> None:
    first = load(DataSpec("gaussian", 2, "classes", "none")).x[:, 0]
    assert first == pytest.approx([1.6187442619520862, 1.1729482732791925], abs=1e-12)


def test_unit_is_one_sample() -> None:
    dataset = load(DataSpec("unit"))
    assert (dataset.x.tolist(), dataset.y.tolist(), dataset.labels.tolist()) == ([[1.0]], [[0.0]], [0])
    assert resolve(DataSpec("unit")) == DataSpec("unit", 1, "regression", "none")


def test_data_ids_tell_data_apart_and_nothing_else() -> None:
    specs = [
        DataSpec("digits", 100),
        DataSpec("digits", 101),
        DataSpec("digits", 100, "parity"),
        DataSpec("digits", 100, "classes", "feature"),
        DataSpec("digits", 100, "classes", "none"),
        DataSpec("wine", 100),
        DataSpec("gaussian", 100),
        DataSpec("unit"),
    ]
    ids = [load(spec).data_id for spec in specs]
    assert len(set(ids)) == len(specs)
    assert [load(spec).data_id for spec in specs] == ids
    assert load(DataSpec("wine", "all")).data_id == load(DataSpec("wine", 178)).data_id
    assert all(len(name) == 64 for name in ids)


def test_too_many_samples() -> None:
    with pytest.raises(ValueError, match="wine has 178 samples, not 179"):
        describe(DataSpec("wine", 179))


def test_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="data set 'mnist' is not known; use one of digits, "):
        load(DataSpec("mnist"))


def test_the_teacher_lives_on_the_sphere_and_is_balanced() -> None:
    dataset = load(DataSpec("teacher", standardize="none"))
    assert np.allclose(np.linalg.norm(dataset.x, axis=1), 1.0, rtol=1e-12)
    ones = int(dataset.labels.sum())
    assert abs(ones - 5000) < 4 * 50  # four standard deviations of a fair coin
    half = load(DataSpec("teacher", 2000, standardize="none"))
    fitted = np.linalg.lstsq(half.x, 2.0 * half.labels - 1.0, rcond=None)[0]
    right = np.mean((dataset.x[2000:] @ fitted > 0) == (dataset.labels[2000:] == 1))
    assert 0.8 < right < 0.99  # there is something to learn, and more than a plane


def test_mnist_images_are_images() -> None:
    dataset = load(DataSpec("mnist5k", standardize="none"))
    assert (dataset.x.min(), dataset.x.max()) == (0.0, 1.0)
    assert np.bincount(dataset.labels).tolist() == [500] * 10


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_by_its_place(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(samples: int) -> tuple[Any, Any]:
        x = np.ones((samples, 30))
        x[3, 7] = value
        return x, np.zeros(samples, dtype=np.int64)

    monkeypatch.setitem(SOURCES._here, "breast_cancer", replace(SOURCES["breast_cancer"], read=broken))
    with pytest.raises(BadInput, match=r"1 of its values .* sample 3, feature 7"):
        load(DataSpec("breast_cancer", 10))
