"""A process that ends with the one that started it, whatever it is doing: importing, computing, stopped.

On Linux the kernel kills it when the thread that started it ends (``PR_SET_PDEATHSIG``); elsewhere a thread looks who
the parent is, which can wait while an import holds the interpreter. Imports the standard library alone, since it is
wanted before anything else.
"""

import ctypes
import os
import signal
import sys
import threading
import time

__all__ = ["tie"]

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.25


def tie(parent: int) -> None:
    """End this process when its parent, whose number is given, ends; at once if it has ended already."""
    if not _tied_by_kernel():
        threading.Thread(target=_look, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before we were tied
        os._exit(0)


def _tied_by_kernel() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(0)
