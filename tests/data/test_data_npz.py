"""NumPy files from anybody: what is wrong is said in one line, by its place in the file, before anything is trained."""

import io
import os
import re
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlrtui.config import load_sweep
from mlrtui.data import DataSpec, describe, load
from mlrtui.data.npz import layout_of
from mlrtui.data.words import data_line
from mlrtui.errors import BadInput

RNG = np.random.RandomState(5)
X = RNG.rand(60, 3)
Y = np.arange(60) % 3

SWEEP = """
sweep = { name = "npz" }
data = { name = "npz", path = "data.npz" }
[model]
kind = "mlp"
depth = 1
width = 16
[training]
loss = "ce"
batch = 10
steps = 4
[scan]
eta_lambda0 = [0.5]
"""


def refusal(folder: Path, text: str = SWEEP) -> str:
    """The one line with which a sweep file over ``data.npz`` is refused."""
    (folder / "sweep.toml").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_sweep(folder / "sweep.toml")
    (line,) = caught.value.messages
    assert "\n" not in line
    return line


def npy(array: Any) -> bytes:
    held = io.BytesIO()
    np.save(held, array)
    return held.getvalue()


def written(folder: Path, x: bytes = npy(X), y: bytes = npy(Y), how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(folder / "data.npz", "w", how) as archive:
        archive.writestr("x.npy", x)
        archive.writestr("y.npy", y)
    return folder / "data.npz"


def header(shape: str, descr: str = "'<f8'", fortran: str = "False", version: int = 1) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text


# Labels and values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.where(Y == 1, 2, Y), "class numbers up to 2, but none is 1; number the classes from 0 without gaps"),
        (Y + 1, "class numbers up to 3, but none is 0"),
        (Y * 7, "but none is 1, 2, 3, 4, 5, ...; number"),
        (Y - 1, "class numbers from -1 to 1"),
        (np.full(60, 1), "one class only, 1 in every sample"),
        (np.full(60, 255, np.uint8), "one class only, 255 in every sample"),
        (np.full(60, -4), "one class only, -4 in every sample"),
        (np.ones(60, bool), "one class only, 1 in every sample"),
        (Y.astype(np.uint64) + 2**63, "class numbers up to 9223372036854775810; at most 10000 classes"),
        (Y * 10**6, "at most 10000 classes"),
        (Y / 2, "y of the file is real-valued"),
        (Y.astype(float), 'use loss = "mse", or save class numbers as int64'),
        (Y[:59], "y is [59], but x has 60 samples"),
        (Y[:0], "y is [0], but x has 60 samples"),
        (np.array(3), "y is [], but x has 60 samples"),
        (Y.astype(complex), "y holds complex128, not numbers"),
        (Y.astype("datetime64[s]"), "y holds datetime64[s], not numbers"),
        (np.zeros(60, [("a", "<i8")]), "y holds [('a', '<i8')], not numbers"),
    ],
)
def test_labels_that_are_no_classes(y: Any, said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X, y=y)
    assert said in refusal(tmp_path)


def test_labels_of_any_whole_type_are_classes(tmp_path: Path) -> None:
    for kind in ("i1", "u1", ">i4", "<u8", "?"):
        labels = Y % 2
        np.savez(tmp_path / "data.npz", x=X, y=labels.astype(kind))
        spec = DataSpec("npz", path=str(tmp_path / "data.npz"))
        assert describe(spec).classes == 2
        assert np.array_equal(load(spec).labels, labels[np.random.RandomState(0).permutation(60)])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("shape", "at", "said"),
    [
        ((60, 3), (7, 2), "1 of its values are NaN or infinite, the first in row 7, column 2 of x"),
        ((60, 3), (0, 0), "row 0, column 0 of x"),
        ((60, 2, 2, 3), (41, 1, 0, 2), "row 41, position [1, 0, 2] of x"),
    ],
)
def test_a_nan_is_named_by_its_place_in_the_file(
    shape: tuple[int, ...], at: tuple[int, ...], said: str, order: Any, tmp_path: Path
) -> None:
    x = np.asarray(RNG.rand(*shape), order=order)
    x[at] = np.nan
    np.savez(tmp_path / "data.npz", x=x, y=Y)
    assert said in refusal(tmp_path)
    with pytest.raises(BadInput, match=re.escape(said)):
        load(DataSpec("npz", path=str(tmp_path / "data.npz")))


def test_the_first_of_many_and_those_far_behind(tmp_path: Path) -> None:
    x = np.zeros((3000, 500))  # several blocks
    x[2999, 499], x[1500, 3], x[1500, 7] = np.inf, -np.inf, np.nan
    np.savez_compressed(tmp_path / "data.npz", x=x, y=np.arange(3000) % 2)
    assert "3 of its values are NaN or infinite, the first in row 1500, column 3" in refusal(tmp_path)


def test_values_whose_squares_overflow(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X * 1e200, y=Y)
    assert "values as large as" in refusal(tmp_path)
    np.savez(tmp_path / "data.npz", x=X * 1e90, y=Y)
    assert np.isfinite(load(DataSpec("npz", path=str(tmp_path / "data.npz"))).x).all()


def test_samples_that_are_all_of_one_class(tmp_path: Path) -> None:
    labels = np.zeros(60, int)
    labels[np.random.RandomState(0).permutation(60)[40:]] = 1  # the first 40 that are used have class 0
    np.savez(tmp_path / "data.npz", x=X, y=labels)
    said = "the 30 samples for training are all of one class (0); use more samples"
    assert said in refusal(tmp_path, SWEEP.replace('"data.npz"', '"data.npz", samples = 30'))
    with pytest.raises(BadInput, match=re.escape(said)):
        load(DataSpec("npz", 30, path=str(tmp_path / "data.npz")))
    np.savez(tmp_path / "data.npz", x=X, y=np.where(labels, 1, np.arange(60) % 2 * 2))
    parity = SWEEP.replace('"data.npz"', '"data.npz", samples = 30, target = "parity"').replace('"ce"', '"mse"')
    assert "are all of one class (even)" in refusal(tmp_path, parity)


# Layout ---------------------------------------------------------------------------------------------------------------

CNN = SWEEP.replace('"mlp"', '"cnn"')


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((3, 8, 8), "channels-first"),
        ((8, 8, 3), "channels-last"),
        ((1, 28, 28), "channels-first"),
        ((28, 28, 1), "channels-last"),
        ((4, 32, 20), "channels-first"),
        ((20, 32, 4), "channels-last"),
        ((64, 8, 8), "channels-first"),
        ((8, 8, 64), "channels-last"),
        ((1, 4, 4), "channels-first"),
        ((4, 4, 1), "channels-last"),
        ((3, 3, 3), ""),
        ((8, 8, 8), ""),
        ((3, 8, 3), ""),
        ((5, 7, 9), ""),
    ],
)
def test_the_layout_as_far_as_sizes_tell(shape: tuple[int, ...], layout: str, tmp_path: Path) -> None:
    assert layout_of((60, *shape)) == layout
    np.savez(tmp_path / "data.npz", x=RNG.rand(60, *shape), y=Y)
    (tmp_path / "sweep.toml").write_text(CNN)
    if layout == "channels-first":
        assert load_sweep(tmp_path / "sweep.toml").data.layout is None
        return
    line = refusal(tmp_path, CNN)
    assert "data.layout: missing" in line
    assert 'layout = "channels-last"' in line
    assert 'layout = "channels-first"' in line
    for way in ("channels-first", "channels-last"):
        assert load_sweep(tmp_path / "sweep.toml", [f"data.layout={way}"]).data.layout == way
    assert load_sweep(tmp_path / "sweep.toml", ["model.kind=mlp"]).data.layout is None  # to which it is all the same


def test_channels_last_are_the_same_images(tmp_path: Path) -> None:
    images = RNG.rand(60, 3, 5, 4)
    np.savez(tmp_path / "first.npz", x=images, y=Y)
    np.savez(tmp_path / "last.npz", x=np.moveaxis(images, 1, -1), y=Y)
    first = DataSpec("npz", path=str(tmp_path / "first.npz"))
    last = DataSpec("npz", path=str(tmp_path / "last.npz"), layout="channels-last")
    assert describe(first) == describe(last)
    assert describe(last).image == (3, 5, 4)
    assert load(first).data_id == load(last).data_id
    assert data_line(last) == (
        "last.npz: 60 samples, images of 3 channels, 5 rows, 4 columns (channels-last in the file), "
        "x [60, 5, 4, 3] in the file, 3 classes"
    )


def test_a_layout_without_images_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    assert 'data.layout = "channels-last": x of the file is [60, 3]' in refusal(
        tmp_path, SWEEP.replace('"data.npz"', '"data.npz", layout = "channels-last"')
    )
    text = SWEEP.replace('"npz", path = "data.npz"', '"digits", layout = "channels-last"')
    assert 'only for name = "npz"' in refusal(tmp_path, text)


# The file itself ------------------------------------------------------------------------------------------------------

HUGE = 10**15


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (header(f"({HUGE}, 3)") + b"\0" * 24, "would take 2.4e+07 GB, more than the limit of 2 GB"),
        (header(f"({HUGE}, {HUGE}, {HUGE})"), "more than the limit"),
        (header("(60, 3)") + b"\0" * 100, "its x is cut short: its header promises 1440 bytes, 100 are there"),
        (header("(60, 3)") + b"\0" * 2000, "its x is longer than it says"),
        (header("(60, -3)"), "its x is not a NumPy array"),
        (header("(60, 3.0)"), "its x is not a NumPy array"),
        (header("(60, True)"), "its x is not a NumPy array"),
        (header("[60, 3]"), "its x is not a NumPy array"),
        (header("(60, 3)", descr="'f'*10**9"), "its x is not a NumPy array"),
        (header("(60, 3)", descr="'<q9'"), "its x is not a NumPy array"),
        (header("(60, 3)", descr="__import__('os').getpid()"), "its x is not a NumPy array"),
        (header("(60, 3)", descr="'O'"), "its x holds object, not numbers"),
        (header("(60, 3)", descr="[('a', '<f8')]"), "its x holds [('a', '<f8')], not numbers"),
        (header("(60, 3)", descr="('<f8', (1000000000,))"), "its x is not a NumPy array"),
        (header("(60, 3)", fortran="1"), "its x is not a NumPy array"),
        (header("(" * 3000), "its x is not a NumPy array"),
        (header("1" * 3000), "its x is not a NumPy array"),
        (header("(60, 3)" + " " * 70000, version=2), "has a header of"),
        (header("(60, 3)", version=9), "its x is not a NumPy array"),
        (b"\x93NUMPY\1\0\xff\xff", "has a header of 65535 bytes"),
        (b"\x93NUM", "its x is not a NumPy array"),
        (b"", "its x is not a NumPy array"),
        (npy(X)[:-9], "its x is cut short"),
    ],
)
def test_headers_that_lie(x: bytes, said: str, tmp_path: Path) -> None:
    written(tmp_path, x)
    assert said in refusal(tmp_path)


@pytest.mark.parametrize("descr", ['{"descr": "<f8", "fortran_order": False, "shape": (60, 3)}', None])
def test_headers_that_others_write(descr: str | None, tmp_path: Path) -> None:
    text = (descr or "{'shape': (60L, 3L), 'fortran_order': False, 'descr': '<f8'}").encode() + b"   \n"
    written(tmp_path, b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + X.tobytes())
    spec = DataSpec("npz", standardize="none", path=str(tmp_path / "data.npz"))
    assert np.array_equal(load(spec).x, X[np.random.RandomState(0).permutation(60)])


def test_an_archive_that_unpacks_to_more_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 MB of zeros in 0.3 MB, made without taking as much memory; nothing of it is unpacked."""
    monkeypatch.setenv("MLRTUI_DATA_GB", "0.2")
    with zipfile.ZipFile(tmp_path / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w") as file:
            file.write(header("(300, 1000000)", descr="'|u1'"))
            for _ in range(300):
                file.write(bytes(1_000_000))
        archive.writestr("y.npy", npy(np.arange(300) % 2))
    assert (tmp_path / "data.npz").stat().st_size < 4e5
    said = (
        "would take 0.3 GB, more than the limit of 0.2 GB; set the environment variable MLRTUI_DATA_GB=1 if you trust"
    )
    assert said in refusal(tmp_path)


def test_the_limit_is_raised_and_lowered_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    spec = DataSpec("npz", path=str(tmp_path / "data.npz"))
    assert describe(spec).samples == 60
    monkeypatch.setenv("MLRTUI_DATA_GB", "0.000001")
    assert "its x, [60, 3] of float64, would take 1.44e-06 GB, more than the limit of 1e-06 GB" in refusal(tmp_path)
    np.savez(tmp_path / "data.npz", x=X[:, :1].astype(np.float16), y=Y.astype(np.int8))
    monkeypatch.setenv("MLRTUI_DATA_GB", "0.0000004")
    assert "60 samples of 1 numbers (as float64) would take 4.8e-07 GB" in refusal(tmp_path)
    assert "use fewer samples, or set the environment variable" in refusal(tmp_path)
    monkeypatch.setenv("MLRTUI_DATA_GB", "0.0000005")
    assert describe(spec).samples == 60
    for wrong in ("many", "-1", "0", "nan", "inf"):
        monkeypatch.setenv("MLRTUI_DATA_GB", wrong)
        with pytest.raises(BadInput, match=r"MLRTUI_DATA_GB = .* must be a positive number of gigabytes"):
            describe(spec)


def _flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    at = raw.index(X.tobytes()[:64]) + 100
    raw[at] ^= 1
    path.write_bytes(raw)


def _encrypted(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(magic) + at] |= 1
    path.write_bytes(raw)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "checksum": (_flipped, "its x is damaged (Bad CRC-32"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "not a NumPy .npz file"),
    "front cut": (lambda path: path.write_bytes(path.read_bytes()[100:]), "data.npz"),
    "text": (lambda path: path.write_text("1, 2, 3\n" * 100), "not a NumPy .npz file"),
    "npy": (lambda path: path.write_bytes(npy(X)), "not a NumPy .npz file"),
    "encrypted": (_encrypted, "its x is encrypted"),
    "empty": (lambda path: path.write_bytes(b""), "not a NumPy .npz file"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_archives(kind: str, tmp_path: Path) -> None:
    damage, said = DAMAGE[kind]
    damage(written(tmp_path, how=zipfile.ZIP_STORED))
    assert said in refusal(tmp_path)


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_numpy_does_not_write(how: int, tmp_path: Path) -> None:
    written(tmp_path, how=how)
    assert "packed by an unusual method" in refusal(tmp_path)


def test_a_list_of_contents_without_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{'long' * 60}{number}", b"")
    assert "not a NumPy .npz file" in refusal(tmp_path)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's name must be short
    try:
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(path.name)
    finally:
        os.chdir(here)


IRREGULAR: dict[str, tuple[Callable[[Path], Any], str]] = {
    "pipe": (os.mkfifo, "it is a named pipe"),
    "folder": (Path.mkdir, "it is a folder"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
    "socket": (_socket, "it is a socket"),
    "nothing": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "loop": (lambda path: path.symlink_to(path.name), "cannot be read"),
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_regular_file(kind: str, tmp_path: Path) -> None:
    make, said = IRREGULAR[kind]
    make(tmp_path / "data.npz")
    line = refusal(tmp_path)
    assert said in line
    assert "data.npz" in line


def test_a_file_that_is_replaced_by_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlrtui.data import files

    path = written(tmp_path)
    regular = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(files.os, "stat", lambda *_: regular)
    with pytest.raises(files.DataTrouble, match="it is a named pipe"):
        files.open_regular(path)
