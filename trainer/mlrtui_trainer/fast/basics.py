"""How this package's code is compiled and cached, and its pointers."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,no-any-return"

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from numba import cfunc, njit, types
from numba.core import config
from numba.extending import intrinsic

__all__ = ["callback", "pointer", "quick", "strict"]

STRICT = {"nogil": True, "error_model": "numpy", "forceinline": True}  # a division by zero gives what NumPy gives
QUICK = STRICT | {"fastmath": {"contract", "nsz", "arcp"}}  # leaves NaN and infinity alone
# The compiling process gets the bits of those that load the cached code: hence "forceinline", or the one would call
# functions as they were compiled by themselves, the other as they were compiled into their callers; and no "reassoc",
# which leaves the order of sums to either.


def _place() -> str:
    """A folder for what is compiled from these sources: numba looks at a function's own file alone, not at those that
    it calls into, so that another version must not find it.

    Raises RuntimeError where no folder can be written.
    """
    here = Path(__file__).parent
    sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(here.glob("*.py")))).hexdigest()[:16]
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlrtui"
    for folder in [Path(config.CACHE_DIR)] if config.CACHE_DIR else [here / "__pycache__", own]:
        with suppress(OSError):
            (folder / sources).mkdir(parents=True, exist_ok=True)
            if os.access(folder / sources, os.W_OK):
                return str(folder / sources)
    raise RuntimeError("there is nowhere to keep what is compiled")


PLACE = _place()


@contextmanager
def _kept() -> Iterator[None]:
    """What is decorated meanwhile is cached in `PLACE`."""
    before = config.CACHE_DIR
    config.CACHE_DIR = PLACE
    try:
        yield
    finally:
        config.CACHE_DIR = before


def quick(function):
    """Compile with products and sums fused, which rounds once; for arithmetic on arrays."""
    with _kept():
        return njit(cache=True, **QUICK)(function)


def strict(function):
    """Compile as it stands; for decisions."""
    with _kept():
        return njit(cache=True, **STRICT)(function)


def callback(function, signature) -> int:
    """Compile by itself; the address."""
    with _kept():
        return int(cfunc(signature, cache=True, error_model="numpy")(function).address)


@intrinsic
def pointer(typingctx, address, like):
    """An address as a pointer to numbers of the kind that the array ``like`` holds."""
    number = like.dtype

    def build(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_data_type(number).as_pointer())

    return types.CPointer(number)(types.int64, like), build
