"""Products by vector instructions: NumPy's answers at every size, in place, and nothing beside them touched."""

import os
import platform
import subprocess
import sys
from math import fsum

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("numba")
tiles = pytest.importorskip("mlrtui_trainer.fast.tiles")

from numba import njit  # noqa: E402

from mlrtui_trainer.fast.records import Extent, Rows, Strided  # noqa: E402

Numbers = npt.NDArray[np.floating]

SIZES = [(1, 1, 1), (2, 3, 5), (7, 4, 17), (13, 7, 64), (48, 5, 33)]  # rows, vectors a row, terms of a sum
KINDS = [np.float32, np.float64]


@njit
def multiplied(
    address: int, extent: Extent, factor: float, a: Numbers, at: tuple[int, int], b: Numbers, c: Numbers, add: int
) -> None:
    left = Strided(a.ctypes.data, at[0], at[1])
    right, into = Rows(b.ctypes.data, b.shape[1]), Rows(c.ctypes.data, c.shape[1])
    tiles.multiply(address, extent, factor, left, right, into, add)


@njit
def outer(address: int, factor: float, a: Numbers, b: Numbers, c: Numbers, add: int, room: Numbers) -> None:
    extent = Extent(c.shape[0], c.shape[1], b.shape[0])
    left, right = Rows(a.ctypes.data, a.shape[1]), Rows(b.ctypes.data, b.shape[1])
    tiles.add_outer(address, extent, factor, left, right, c.ctypes.data, add, room)


@njit
def transposed(source: Numbers, rows: int, columns: int, target: Numbers) -> None:
    tiles.transpose(
        source.ctypes.data, source.shape[1], rows, columns, target.ctypes.data, target.shape[1], target.reshape(-1)
    )


@njit
def summed(total: float, vectors: int, a: Numbers, b: Numbers) -> float:
    return tiles.dot(total, vectors, a, a.ctypes.data, b.ctypes.data)


def drawn(rows: int, columns: int, kind: type[np.floating]) -> Numbers:
    return np.random.default_rng(rows * columns).normal(size=(rows, columns)).astype(kind)


def vector(kind: type[np.floating]) -> int:
    return int(tiles.VECTOR // np.dtype(kind).itemsize)


def check_products(m: int, vectors: int, k: int, kind: type[np.floating], *, flip: bool, add: bool) -> None:
    n = vectors * vector(kind)
    a, b, before = drawn(m, k, kind), drawn(k, n + 3, kind), drawn(m, n + 5, kind)
    c, factor = before.copy(), kind(-0.75)
    stored, strides = (np.ascontiguousarray(a.T), (1, m)) if flip else (a, (k, 1))
    address = tiles.multiply_at(double=kind is np.float64)
    multiplied(address, Extent(m, n, k), factor, stored, strides, b, c, int(add))
    right = factor * (a.astype(np.float64) @ b[:, :n]) + (before[:, :n] if add else 0.0)
    assert c[:, :n] == pytest.approx(right, rel=1e-4, abs=40 * np.finfo(kind).eps)
    assert np.array_equal(c[:, n:], before[:, n:])
    alone = before[m - 1 :, n - vector(kind) :].copy()  # the last vector of the last row, by itself
    own, beside = np.ascontiguousarray(a[m - 1 :]), np.ascontiguousarray(b[:, n - vector(kind) :])
    multiplied(address, Extent(1, vector(kind), k), factor, own, (k, 1), beside, alone, int(add))
    assert np.array_equal(alone[:, : vector(kind)], c[m - 1 :, n - vector(kind) : n])


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_product_is_numpys_and_a_number_of_it_does_not_know_its_neighbours(
    size: tuple[int, int, int], kind: type[np.floating], flip: bool, add: bool
) -> None:
    check_products(*size, kind, flip=flip, add=add)


def test_what_was_there_plays_no_part_where_a_product_is_set() -> None:
    n = vector(np.float32)
    a, b, c = drawn(3, 4, np.float32), drawn(4, n, np.float32), np.full((3, n), np.nan, np.float32)
    multiplied(tiles.multiply_at(double=False), Extent(3, n, 4), np.float32(1.0), a, (4, 1), b, c, 0)
    assert np.isfinite(c).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_product_is_rectified_as_it_is_written(kind: type[np.floating]) -> None:
    n = 3 * vector(kind)
    a, b = drawn(11, 9, kind), drawn(9, n, kind)
    b[4, 2], plain = np.nan, drawn(11, n, kind)
    rectified, address = plain.copy(), tiles.multiply_at(double=kind is np.float64)
    for c, how in ((plain, tiles.SET), (rectified, tiles.RECTIFIED)):
        multiplied(address, Extent(11, n, 9), kind(0.5), a, (9, 1), b, c, how)
    assert np.isnan(rectified[:, 2]).all()
    assert (plain < 0.0).any()
    assert np.array_equal(rectified, np.where(plain <= 0.0, kind(0.0), plain), equal_nan=True)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [1, 10, 16, 17, 40])
def test_a_gradient_is_written_without_gaps(columns: int, kind: type[np.floating], add: bool) -> None:
    wide = -(-columns // vector(kind)) * vector(kind)
    a, b, before = drawn(7, 31, kind), drawn(29, wide, kind), drawn(7, columns, kind)
    c = before.copy()
    outer(tiles.multiply_at(double=kind is np.float64), kind(0.5), a, b, c, int(add), np.zeros(7 * vector(kind), kind))
    right = 0.5 * (a[:, :29].astype(np.float64) @ b[:, :columns]) + (before if add else 0.0)
    assert c == pytest.approx(right, rel=1e-4, abs=40 * np.finfo(kind).eps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 40), (16, 16), (33, 17), (64, 10)])
def test_rows_become_columns(rows: int, columns: int, kind: type[np.floating]) -> None:
    source, target = drawn(rows, columns + 2, kind), np.full((columns, rows + 3), 7.0, kind)
    transposed(source, rows, columns, target)
    assert np.array_equal(target[:, :rows], source[:, :columns].T)
    assert (target[:, rows:] == 7.0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vectors", [0, 1, 4, 7, 21])
def test_a_sum_is_exact_to_rounding_in_its_own_precision(vectors: int, kind: type[np.floating]) -> None:
    a, b = drawn(2, max(vectors, 1) * vector(kind), kind)
    n = vectors * vector(kind)
    right = fsum(a[:n].astype(np.float64) * b[:n].astype(np.float64))
    assert summed(2.5, vectors, a, b) - 2.5 == pytest.approx(right, rel=1e-12, abs=1e-12)
    assert summed(kind(0.0), vectors, a, b) == pytest.approx(right, rel=1e-5, abs=50 * np.finfo(kind).eps)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_lie_an_odd_number_of_vectors_apart(kind: type[np.floating]) -> None:
    for numbers in range(1, 300, 7):
        apart = tiles.stride(numbers, np.dtype(kind).itemsize)
        assert numbers <= apart < numbers + 2 * vector(kind)
        assert apart % (2 * vector(kind)) == vector(kind)


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names an x86 processor")
def test_half_as_wide_vectors_do_as_well() -> None:
    code = (
        "import numpy as np, test_trainer_tiles as t\n"
        "assert t.tiles.VECTOR == 32 and t.tiles.ROWS == 6\n"
        "for size in t.SIZES:\n"
        "    for kind in t.KINDS:\n"
        "        t.check_products(*size, kind, flip=False, add=True)\n"
    )
    here = os.path.dirname(__file__)
    environment = os.environ | {
        "NUMBA_CPU_NAME": "x86-64-v3",
        "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
