"""How compiled code is compiled, and its pointers.

A cached kernel does not notice a change in another file: after one here, touch the files that use it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

from numba import types
from numba.extending import intrinsic

__all__ = ["QUICK", "STRICT", "pointer"]

# A division by zero gives what NumPy gives.
STRICT = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True}
QUICK = STRICT | {"fastmath": {"contract", "nsz", "arcp"}}  # leaves NaN and infinity alone
# Who compiles gets the bits of those who load what was kept: hence "forceinline", or the one would call functions as
# they were compiled by themselves, the other as they were compiled into their callers; and no "reassoc", which leaves
# the order of sums to either.


@intrinsic
def pointer(typingctx, address, like):
    """An address as a pointer to numbers of the kind that the array ``like`` holds."""
    number = like.dtype

    def build(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_data_type(number).as_pointer())

    return types.CPointer(number)(types.int64, like), build
