"""Where SciPy's BLAS lies in memory, and its call from compiled code.

A cached kernel does not notice a change in another file: after one here, touch the files that use it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

from functools import cache

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

__all__ = ["QUICK", "STRICT", "call_gemm", "gemm", "pointer"]

# A division by zero gives what NumPy gives.
STRICT = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True}
QUICK = STRICT | {"fastmath": {"contract", "nsz", "arcp"}}  # leaves NaN and infinity alone
# Who compiles gets the bits of those who load what was kept: hence "forceinline", or the one would call functions as
# they were compiled by themselves, the other as they were compiled into their callers; and no "reassoc", which leaves
# the order of sums to either.


@cache
def gemm(*, double: bool) -> int:
    """The address of gemm for float64 (``double``) or float32."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", "dgemm" if double else "sgemm"))


@intrinsic
def call_gemm(typingctx, address, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """BLAS' gemm at ``address``, every argument by reference, columns first as Fortran has them."""
    real = alpha

    def build(context, builder, signature, args):
        integer, number = ir.IntType(32), context.get_value_type(real)
        text = ir.IntType(8)

        def slot(value, kind):
            place = cgutils.alloca_once(builder, kind)
            builder.store(value, place)
            return place

        def whole(value):
            return slot(builder.trunc(value, integer), integer)

        def letter(flag):
            transposed = builder.icmp_signed("!=", flag, ir.Constant(flag.type, 0))
            return slot(builder.select(transposed, ir.Constant(text, ord("T")), ir.Constant(text, ord("N"))), text)

        def pointer(value):
            return builder.inttoptr(value, number.as_pointer())

        places = [
            letter(args[1]), letter(args[2]), whole(args[3]), whole(args[4]), whole(args[5]), slot(args[6], number),
            pointer(args[7]), whole(args[8]), pointer(args[9]), whole(args[10]), slot(args[11], number),
            pointer(args[12]), whole(args[13]),
        ]  # fmt: skip
        kind = ir.FunctionType(ir.VoidType(), [place.type for place in places])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), places)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, i, i, i, i, real, i, i, i, i, real, i, i), build


@intrinsic
def pointer(typingctx, address, like):
    """An address as a pointer to numbers of the kind that the array ``like`` holds."""
    number = like.dtype

    def build(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_data_type(number).as_pointer())

    return types.CPointer(number)(types.int64, like), build
