"""Data in files: NumPy's, MNIST's and CIFAR-10's, read as they are, refused in a sentence; and the held-out part."""

import gzip
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mlrtui.config import load_sweep
from mlrtui.data import DataShape, DataSpec, describe, load
from mlrtui.errors import BadInput

Arrays = dict[str, Any]
GREY = np.random.RandomState(3)
PIXELS = GREY.randint(0, 256, (7, 5, 4)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9, 2], dtype=np.uint8)


def npz(path: Path, **arrays: Any) -> DataSpec:
    np.savez(path, **arrays)
    return DataSpec("npz", path=str(path))


def order(count: int) -> Any:
    return np.random.RandomState(0).permutation(count)


# NumPy files ----------------------------------------------------------------------------------------------------------


def test_digits_from_a_file_are_the_digits(tmp_path: Path) -> None:
    images, labels = load_digits(return_X_y=True)
    spec = npz(tmp_path / "digits.npz", x=images.reshape(-1, 8, 8).astype(np.float32), y=labels)
    for samples, target, how in ((100, "classes", "global"), ("all", "parity", "feature")):
        mine = load(DataSpec("npz", samples, target, how, path=spec.path))  # type: ignore[arg-type]
        assert mine.data_id == load(DataSpec("digits", samples, target, how)).data_id  # type: ignore[arg-type]
    assert describe(spec) == DataShape(1797, 64, 10, "classes", 10, (1, 8, 8))
    assert describe(DataSpec("digits")).image == (1, 8, 8)


def test_real_targets_are_a_regression(tmp_path: Path) -> None:
    x, y = GREY.rand(9, 3), GREY.rand(9, 2)
    spec = npz(tmp_path / "real.npz", x=x, y=y)
    assert describe(spec) == DataShape(9, 3, 2, "regression", 0)
    dataset = load(spec)
    assert (dataset.kind, dataset.labels.tolist()) == ("regression", [0] * 9)
    assert np.array_equal(dataset.y, y[order(9)])
    assert dataset.x.std() == pytest.approx(1.0)
    assert describe(npz(tmp_path / "flat.npz", x=x, y=y[:, 0])).outputs == 1


@pytest.mark.parametrize(("loss", "refused"), [("mse", False), ("ce", True), ("mse-softmax", True)])
def test_real_targets_go_with_no_loss_of_classes(loss: str, refused: bool, tmp_path: Path) -> None:
    npz(tmp_path / "real.npz", x=GREY.rand(9, 3), y=GREY.rand(9))
    sweep = tmp_path / "real.toml"
    sweep.write_text(
        '[sweep]\nname = "real"\nseeds = [1]\n[data]\nname = "npz"\npath = "real.npz"\n[model]\ndepth = 1\nwidth = 8\n'
        f'[training]\nloss = "{loss}"\nbatch = 3\nepochs = 1\n[scan]\neta = [0.1]\n'
    )
    if not refused:
        assert load_sweep(sweep).training.loss == ("mse",)
        return
    with pytest.raises(BadInput, match="y of the file is real-valued") as caught:
        load_sweep(sweep)
    assert f'training.loss = "{loss}"' in str(caught.value)


def test_a_file_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert describe(npz(path, x=np.ones((4, 3)), y=np.arange(4))).samples == 4
    assert describe(npz(path, x=np.ones((50, 3)), y=np.arange(50))).samples == 50


GOOD: Arrays = {"x": np.ones((4, 3)), "y": np.array([0, 1, 0, 1])}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": None}, "no array y in it"),
        ({"x": np.ones(4)}, "x is [4]; it must be [samples, ...]"),
        ({"x": np.ones((0, 3)), "y": np.arange(0)}, "at least one sample"),
        ({"x": np.full((4, 3), "a")}, "x holds <U1, not numbers"),
        ({"x": np.full((4, 3), 1j)}, "x holds complex128, not numbers"),
        ({"y": np.arange(5)}, "y is [5], but x has 4 samples"),
        ({"y": np.eye(4, dtype=int)}, "class numbers must be [samples], not one-hot"),
        ({"y": np.array([0, -1, 0, 1])}, "class numbers from -1 to 1"),
        ({"y": np.array([0, 0, 0, 0])}, "two or more classes"),
        ({"y": np.array([1.0, np.nan, 0.0, 0.0])}, "y has values that are NaN"),
        ({"y": np.ones((4, 2, 2))}, "real targets must be [samples] or [samples, outputs]"),
        ({"y": np.full(4, "a")}, "y holds <U1"),
        ({"x": np.array([[1.0, np.inf, 0.0]] * 4)}, "4 of its values are NaN or infinite"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(change: Arrays, said: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in (GOOD | change).items() if array is not None}
    with pytest.raises(BadInput, match=re.escape(said)) as caught:
        load(npz(tmp_path / "bad.npz", **arrays))
    assert "\n" not in str(caught.value)


def test_a_pickle_in_a_file_is_never_read(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}] * 4, dtype=object)
    np.savez(tmp_path / "objects.npz", x=objects.reshape(4, 1), y=GOOD["y"])
    with pytest.raises(BadInput, match="x holds object, not numbers"):
        load(DataSpec("npz", path=str(tmp_path / "objects.npz")))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4 cut short"])
def test_what_is_no_file_of_arrays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"not a NumPy \.npz file"):
        load(DataSpec("npz", path=str(path)))
    with pytest.raises(BadInput, match="no such file"):
        load(DataSpec("npz", path=str(tmp_path / "b.npz")))
    with pytest.raises(BadInput, match="cannot be read"):
        load(DataSpec("npz", path=str(tmp_path)))


# Images ---------------------------------------------------------------------------------------------------------------


def idx(array: Any) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, packed: bool = False, images: bytes | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "train-images-idx3-ubyte": idx(PIXELS) if images is None else images,
        "train-labels-idx1-ubyte": idx(LABELS),
    }
    for name, content in files.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize(("place", "packed"), [("FashionMNIST/raw", False), ("raw", True), (".", True)])
def test_mnist_from_its_files(place: str, packed: bool, tmp_path: Path) -> None:
    write_mnist(tmp_path / place, packed)
    spec = DataSpec("torchvision", 5, standardize="none", path=str(tmp_path), which="FashionMNIST")
    assert describe(spec) == DataShape(5, 20, 10, "classes", 10, (1, 5, 4))
    dataset = load(spec)
    assert np.array_equal(dataset.x, PIXELS.reshape(7, 20)[order(7)[:5]] / 255.0)
    assert np.array_equal(dataset.labels, LABELS[order(7)[:5]])


def binary(folder: Path, rows: Any) -> None:
    folder.mkdir()
    for number in range(5):
        (folder / f"data_batch_{number + 1}.bin").write_bytes(rows[number::5].tobytes())


def pickled(folder: Path, rows: Any) -> None:
    folder.mkdir()
    for number in range(5):
        part = rows[number::5]
        batch = {b"labels": part[:, 0].tolist(), b"data": np.ascontiguousarray(part[:, 1:]), b"batch_label": b"a batch"}
        (folder / f"data_batch_{number + 1}").write_bytes(pickle.dumps(batch, protocol=2))


@pytest.mark.parametrize(("write", "name"), [(binary, "cifar-10-batches-bin"), (pickled, "cifar-10-batches-py")])
def test_cifar_from_its_batches(write: Callable[[Path, Any], None], name: str, tmp_path: Path) -> None:
    rows = GREY.randint(0, 256, (15, 1 + 3072)).astype(np.uint8)
    rows[:, 0] %= 10
    write(tmp_path / name, rows)
    spec = DataSpec("torchvision", standardize="none", path=str(tmp_path), which="CIFAR10")
    assert describe(spec) == DataShape(15, 3072, 10, "classes", 10, (3, 32, 32))
    dataset = load(spec)
    in_order = np.concatenate([rows[number::5] for number in range(5)])[order(15)]
    assert np.array_equal(dataset.x, in_order[:, 1:] / 255.0)
    assert np.array_equal(dataset.labels, in_order[:, 0])


class Hostile:
    """Runs a command when it is unpickled by whoever lets it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("what", ["hostile", "text", "cut", "other"])
def test_a_batch_that_is_not_one_is_refused_unrun(what: str, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    content = {
        "hostile": pickle.dumps({b"data": Hostile(mark), b"labels": [1]}),
        "text": b"no pickle",
        "cut": pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1]})[:-20],
        "other": pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [1, 2]}),
    }[what]
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}").write_bytes(content)
    with pytest.raises(BadInput, match="is not a Python batch of CIFAR-10"):
        load(DataSpec("torchvision", path=str(tmp_path), which="CIFAR10"))
    assert not mark.exists()
    pickle.loads(pickle.dumps(Hostile(mark)))
    assert mark.exists()  # so it would have run


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (idx(PIXELS)[:-3], "train-images-idx3-ubyte there is cut short"),
        (b"\0\0\x0d\3" + idx(PIXELS)[4:], "is not an idx file of bytes"),
        (b"", "is not an idx file of bytes"),
        (idx(PIXELS[:4]), "images [4, 5, 4] and labels [7], which do not fit"),
        (idx(LABELS), "images [7] and labels [7], which do not fit"),
    ],
)
def test_damaged_images_are_refused(images: bytes, said: str, tmp_path: Path) -> None:
    write_mnist(tmp_path, images=images)
    with pytest.raises(BadInput, match=re.escape(said)):
        load(DataSpec("torchvision", path=str(tmp_path), which="MNIST"))


def test_a_damaged_archive_and_missing_files(tmp_path: Path) -> None:
    spec = DataSpec("torchvision", path=str(tmp_path), which="MNIST")
    with pytest.raises(BadInput, match="holds no MNIST: looked for train-images-idx3-ubyte in it, MNIST/raw"):
        load(spec)
    write_mnist(tmp_path, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(BadInput, match="is damaged; download it again"):
        load(spec)
    (tmp_path / "data_batch_1.bin").write_bytes(b"short")
    for number in range(2, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(b"")
    with pytest.raises(BadInput, match="not a binary batch of CIFAR-10"):
        load(DataSpec("torchvision", path=str(tmp_path), which="CIFAR10"))
    with pytest.raises(BadInput, match="no such folder"):
        load(DataSpec("torchvision", path=str(tmp_path / "none"), which="MNIST"))


# The held-out part ----------------------------------------------------------------------------------------------------


def test_the_last_samples_are_held_out_and_seen_by_nothing() -> None:
    whole, split = DataSpec("digits", 100, standardize="none"), DataSpec("digits", 100, validation=0.25)
    shape, dataset = describe(split), load(split)
    assert (shape.samples, shape.held_out, dataset.held_out) == (75, 25, 25)
    raw = load(whole).x
    centred = raw - raw[:75].mean(axis=0)
    assert np.allclose(dataset.x, centred / centred[:75].std())
    assert np.array_equal(dataset.labels, load(whole).labels)
    ids = {load(DataSpec("digits", 100, standardize="none", validation=share)).data_id for share in (0.0, 0.1, 0.25)}
    assert len(ids) == 3
