"""Data files from strangers, by the whole command: one line and exit code 2 before anything starts, and in the driver.

F1 and F8 of the fault campaign, and their relatives; F10: links in the way of copies, and readers that leave.
"""

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_SCAN, Mlrtui
from faults_tools import drive

from mlrtui.engines.fake import FakeEngine

pytestmark = pytest.mark.usefixtures("no_driver_left")
WriteSweep = Callable[..., Path]

NPZ = SMALL_SCAN.replace('name = "digits"\nsamples = 64', 'name = "npz"\npath = "data.npz"')
CIFAR = SMALL_SCAN.replace('"digits"\nsamples = 64', '"torchvision"\npath = "."\nwhich = "CIFAR10"\nsamples = 8')
MNIST = CIFAR.replace("CIFAR10", "MNIST")
POINTER = (  # labels that hold np.ndarray((1,), dtype("O"), b"A" * 8): a pointer out of the file's bytes
    b"\x80\x03}(U\x04dataK\x01U\x06labels]cnumpy\nndarray\nK\x01\x85cnumpy\ndtype\nU\x01O\x85RC\x08AAAAAAAA\x87Rau."
)
DEEP = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."


def command(folder: Path, *words: object, stdout: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, whose crash would not be ours."""
    return subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", *map(str, words)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "MLRTUI_STORE"},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def good(path: Path, **changed: object) -> None:
    rng = np.random.RandomState(2)
    np.savez(path, **({"x": rng.rand(64, 5), "y": np.arange(64) % 2} | changed))  # type: ignore[arg-type]


def _batches(folder: Path, content: bytes) -> None:
    for number in range(1, 6):
        (folder / f"data_batch_{number}").write_bytes(content)


def _batch(**changed: object) -> bytes:
    sound = {b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2, 3]}
    return pickle.dumps(sound | {key.encode(): value for key, value in changed.items()}, protocol=2)


def _idx(folder: Path, images: bytes, labels: bytes) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)


def _idx_header(*sizes: int) -> bytes:
    return b"\0\0\x08" + bytes([len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


LABELS = _idx_header(9) + bytes(range(9))
IMAGES = _idx_header(9, 4, 4) + bytes(9 * 16)

HOSTILE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "F1 pointer": (CIFAR, lambda folder: _batches(folder, POINTER), "is not a Python batch of CIFAR-10"),
    "F1 deep": (CIFAR, lambda folder: _batches(folder, DEEP), "not a Python batch"),
    "F1 objects": (CIFAR, lambda folder: _batches(folder, _batch(labels=np.array([1, {}]))), "not a Python batch"),
    "F1 one class": (CIFAR, lambda folder: _batches(folder, _batch(labels=[3] * 4)), "one class only, 3"),
    "F1 label": (CIFAR, lambda folder: _batches(folder, _batch(labels=[0, 1, 2, 12])), "a class number of 12"),
    "F8 device": (NPZ, lambda folder: (folder / "data.npz").symlink_to("/dev/zero"), "it is a device"),
    "F8 pipe": (NPZ, lambda folder: os.mkfifo(folder / "data.npz"), "it is a named pipe"),
    "F8 folder": (NPZ, lambda folder: (folder / "data.npz").mkdir(), "it is a folder"),
    "F8 sparse": (NPZ, lambda folder: _sparse(folder / "data.npz"), "not a NumPy .npz file"),
    "F8 batch pipe": (CIFAR, lambda folder: os.mkfifo(folder / "data_batch_1"), "holds no CIFAR10"),
    "F8 batch sparse": (
        CIFAR,
        lambda folder: [_sparse(folder / f"data_batch_{number}") for number in range(1, 6)],
        "limit of 0.1",
    ),
    "F8 images device": (
        MNIST,
        lambda folder: (
            _idx(folder, IMAGES, LABELS),
            (folder / "train-images-idx3-ubyte").unlink(),
            (folder / "train-images-idx3-ubyte").symlink_to("/dev/zero"),
        ),
        "holds no MNIST",
    ),
    "idx huge": (MNIST, lambda folder: _idx(folder, _idx_header(*[2**32 - 1] * 3), LABELS), "than the limit of 2 GB"),
    "idx short": (MNIST, lambda folder: _idx(folder, IMAGES[:-1], LABELS), "cut short or too long"),
    "idx long": (MNIST, lambda folder: _idx(folder, IMAGES + b"x", LABELS), "cut short or too long"),
    "idx label": (MNIST, lambda folder: _idx(folder, IMAGES, LABELS[:-1] + b"\x63"), "a class number of 99"),
    "idx one class": (MNIST, lambda folder: _idx(folder, IMAGES, _idx_header(9) + b"\4" * 9), "one class only, 4"),
}  # fmt: skip


def _sparse(path: Path) -> None:
    """A terabyte of nothing, which takes no space."""
    with path.open("wb") as file:
        file.truncate(10**12)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_data_is_one_line_before_anything_starts(sweep_file: WriteSweep, tmp_path: Path, kind: str) -> None:
    text, make, said = HOSTILE[kind]
    make(tmp_path)
    sweep = sweep_file(text)
    before = {path: path.lstat() for path in tmp_path.iterdir()}
    done = command(tmp_path, "run", sweep.name, "--dry-run")
    assert done.returncode == 2, (done.returncode, done.stderr)
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "data.path" in line
    assert done.stdout == ""
    assert {path: path.lstat() for path in tmp_path.iterdir()}.keys() == before.keys()


def test_a_run_over_damaged_data_starts_nothing(sweep_file: WriteSweep, tmp_path: Path, mlrtui: Mlrtui) -> None:
    good(tmp_path / "data.npz")
    raw = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "data.npz").write_bytes(raw[:-200])
    done = mlrtui("run", sweep_file(NPZ), "--devices", "cpu:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "data.npz" in done.stderr
    assert not list(tmp_path.glob("*.db*"))


RESUMED: dict[str, tuple[dict[str, object], str]] = {
    "nan": ({"x": np.full((64, 5), np.nan)}, "NaN or infinite, the first in row 0, column 0"),
    "fewer": ({"x": np.ones((8, 5)), "y": np.arange(8) % 2}, "has 8 samples, not 64"),
    "classes": ({"y": np.full(64, 1)}, "one class only"),
    "objects": ({"x": np.array([[None] * 5] * 64)}, "its x holds object"),
    "gone": ({}, "no such file"),
    "other": ({"x": np.eye(64, 5)}, "no longer the data with which"),
}


@pytest.mark.parametrize("kind", RESUMED)
def test_data_that_has_changed_since_is_one_line_when_a_sweep_is_resumed(
    sweep_file: WriteSweep, tmp_path: Path, mlrtui: Mlrtui, kind: str
) -> None:
    """A resumed sweep has no file that would be checked; the last kind is only noticed by the driver."""
    changed, said = RESUMED[kind]
    good(tmp_path / "data.npz")
    sweep = sweep_file(NPZ.replace('"data.npz"', '"data.npz"\nsamples = 64'))
    assert drive(tmp_path / "mlrtui.db", sweep, FakeEngine(), stop_after=3).status == "stopped"
    if changed:
        good(tmp_path / "data.npz", **changed)
    else:
        (tmp_path / "data.npz").unlink()
    done = mlrtui("resume", "--devices", "cpu:1")
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "this is a bug" not in line


# F10 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("place", ["quickstart-catapult.toml", "catapult", "."])
def test_examples_are_not_copied_through_links(mlrtui: Mlrtui, tmp_path: Path, place: str, dangling: bool) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "mine"
    if not dangling:
        outside.mkdir()
    if place != ".":
        folder.mkdir()
    (folder / place).symlink_to(outside)
    done = mlrtui("examples", "--copy", "mine")
    if place == "." and not dangling:  # the folder that was named
        assert done.returncode == 0
        return
    assert done.returncode == 2
    assert "symbolic link" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert outside.exists() == (not dangling)
    assert not dangling or not [path for path in tmp_path.rglob("*.toml") if path.is_file()]
    assert dangling or not list(outside.iterdir())


def test_a_reader_that_leaves_is_not_told_of(made: Callable[..., Path], tmp_path: Path) -> None:
    """As any program that SIGPIPE ends: exit code 141, not a word; also where all fits into a buffer."""
    made(SMALL_SCAN)
    for words in (
        ("status",),
        ("status", "--json"),
        ("watch", "--once"),
        ("browse", "--once"),
        ("examples",),
        ("examples", "--copy", "mine"),
        ("doctor", "mlrtui.db"),
        ("export", "--force"),
        ("run", "--dry-run"),
        ("--help",),
    ):
        reading, writing = os.pipe()
        os.close(reading)
        done = command(tmp_path, *words, stdout=writing)
        os.close(writing)
        assert (done.stderr, done.returncode) == ("", 141), words
