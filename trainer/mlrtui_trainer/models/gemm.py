"""Matrix products over stacked lanes that give every lane the bits it would get alone (CPU, one thread).

Two things make a BLAS answer differently for the same numbers: where a matrix starts within a 64-byte line, and a
shortcut for matrix-vector products that a batch does not take. So lanes run together only where `aligned` holds for
every matrix of a lane, and a product with a single column is always given to the batched routine.
"""

import torch
from torch import Tensor

__all__ = ["LINE_BYTES", "accumulate_", "aligned", "matmul"]

LINE_BYTES = 64
"""Bytes at which vector instructions load without crossing a cache line."""


def aligned(counts: list[int], itemsize: int) -> bool:
    """Whether matrices with these numbers of elements, stacked without gaps, all start on the same boundary."""
    return all(count * itemsize % LINE_BYTES == 0 for count in counts)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` per lane: [lanes, rows, k] × [lanes, k, columns] → [lanes, rows, columns]."""
    if a.shape[0] == 1 and b.shape[2] == 1:
        return torch.bmm(a.expand(2, -1, -1), b.expand(2, -1, -1))[:1]
    return torch.bmm(a, b)


def accumulate_(total: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0) -> Tensor:
    """``total += alpha * a @ b`` per lane, in place."""
    if total.shape[2] == 1:
        return total.add_(matmul(a, b).mul_(alpha))
    return total.baddbmm_(a, b, alpha=alpha)
