"""Where SciPy's BLAS lies in memory: what compiled code calls for its products."""

from functools import cache

from numba.extending import get_cython_function_address

__all__ = ["gemm"]


@cache
def gemm(*, double: bool) -> int:
    """The address of gemm for float64 (``double``) or float32."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", "dgemm" if double else "sgemm"))
