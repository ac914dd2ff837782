"""How a process of an engine ended, in words."""

import signal

__all__ = ["MAX_DEATHS", "MAX_STARTS", "after", "cause_of_end"]

MAX_STARTS = 4
"""Workers of a slot in a row that end before they say anything: it cannot run there."""

MAX_DEATHS = 20
"""... in a row without a finished task; more than halving a round of thousands down to one takes."""


def after(what: str, seconds: float) -> str:
    """Of a process that was killed because it did something for too long."""
    return f"{what} for {seconds:g} s and was killed"


def cause_of_end(returncode: int) -> str:
    """Of a process that has ended by itself, or was killed."""
    if returncode < 0:
        name = signal.Signals(-returncode).name
        hint = " (often the kernel's out-of-memory killer)" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}"
    return f"ended with exit code {returncode}; its last words are in the log beside the store"
