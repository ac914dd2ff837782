"""The three products of a layer's step by compiled tiles, by SciPy's BLAS and by torch, interleaved in one process.

Samples [batch, width] through a matrix [width, width]: forward, backward, and the matrix' gradient. Tiles take samples
as columns, the others as rows, each as its steps do; all write into memory that is there. One thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import njit
from scipy.linalg import blas

from benchmarks.machine import describe, save, spread, table
from mlrtui_trainer.fast import tiles
from mlrtui_trainer.fast.records import Extent, Rows, Strided

BATCH = 128
WIDTHS = (32, 64, 128, 256, 512)
FLOP = 1e8  # of one timing, at least

Numbers = npt.NDArray[np.float32]
Ways = dict[str, Callable[[int], object]]


@njit  # type: ignore[untyped-decorator]
def by_tiles(times: int, address: int, extent: Any, a: Numbers, strides: Any, b: Numbers, c: Numbers) -> None:
    """So many products of A, with these strides, and B."""
    left = Strided(a.ctypes.data, strides[0], strides[1])
    right, into = Rows(b.ctypes.data, b.shape[1]), Rows(c.ctypes.data, c.shape[1])
    for _ in range(times):
        tiles.multiply(address, extent, np.float32(1.0), left, right, into, 0)


def tiled(width: int, product: str) -> Callable[[int], object]:
    """The product on columns of samples."""
    across = tiles.stride(width, 4)
    w, columns = drawn(width, width), drawn(width, tiles.stride(BATCH, 4))
    sizes, a, strides, b = {
        "forward": ((width, BATCH, width), w, (width, 1), columns),
        "backward": ((width, BATCH, width), w, (1, width), columns),
        "gradient": ((width, width, BATCH), columns, (columns.shape[1], 1), drawn(BATCH, across)),
    }[product]
    c = np.zeros_like(w if product == "gradient" else columns)
    address = tiles.multiply_at(double=False)
    return lambda times: by_tiles(times, address, Extent(*sizes), a, strides, b, c)


def others(width: int, product: str) -> Ways:
    """The product on rows of samples, by SciPy's BLAS (columns first, so all is turned) and by torch."""
    w, rows, signal = drawn(width, width), drawn(BATCH, width), drawn(BATCH, width)
    a, b, flips = {
        "forward": (w.T, rows.T, {"trans_a": 1}),
        "backward": (w.T, signal.T, {}),
        "gradient": (rows.T, signal.T, {"trans_b": 1}),
    }[product]
    c = np.zeros((width, width if product == "gradient" else BATCH), np.float32, order="F")
    left, right = {
        "forward": (torch.from_numpy(rows), torch.from_numpy(w).T),
        "backward": (torch.from_numpy(signal), torch.from_numpy(w)),
        "gradient": (torch.from_numpy(signal).T, torch.from_numpy(rows)),
    }[product]
    out = torch.empty(left.shape[0], right.shape[1])

    def by_scipy(times: int) -> None:
        for _ in range(times):
            blas.sgemm(1.0, a, b, c=c, overwrite_c=1, **flips)

    def by_torch(times: int) -> None:
        for _ in range(times):
            torch.mm(left, right, out=out)

    return {"scipy": by_scipy, "torch": by_torch}


def drawn(rows: int, columns: int) -> Numbers:
    """Normal numbers."""
    return np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)


def rates(width: int, product: str, rounds: int) -> dict[str, list[float]]:
    """GFLOP/s of each way, round by round."""
    ways: Ways = {"tiles": tiled(width, product)} | others(width, product)
    flop = 2.0 * BATCH * width * width
    times = int(FLOP / flop) + 1
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            begun = time.process_time()
            way(times)
            found[name].append(1e-9 * flop * times / (time.process_time() - begun))
    return {name: numbers[1:] for name, numbers in found.items()}  # the first round warms up


def row(width: int, product: str, found: dict[str, list[float]]) -> list[str]:
    """One line of the table."""
    own = found["tiles"]
    beside = [[ours / theirs for ours, theirs in zip(own, found[name], strict=True)] for name in ("scipy", "torch")]
    return [str(width), product, f"{statistics.median(own):.0f}", *map(spread, beside)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.products", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds of every product (9)")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="units of a layer")
    parser.add_argument("--json", type=Path, help="write every rate here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = describe("cpu")
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
    head = ("width", "product", "tiles, GFLOP/s", "times SciPy's BLAS", "times torch")
    measured = [
        (width, product, rates(width, product, options.rounds))
        for width in options.widths
        for product in ("forward", "backward", "gradient")
    ]
    print(table(head, [row(*one) for one in measured]))
    save(options.json, about, [{"width": w, "product": p, "gflops": found} for w, p, found in measured])


if __name__ == "__main__":
    main()
