"""Why a worker is gone: of Ray's long texts the part that a person can use."""

from mlrtui.text.escape import one_line

__all__ = ["reason_of"]

_LONGEST = 240


def reason_of(error: BaseException) -> str:
    """The kind of an error of Ray, and the last line of its text without the advice.

    >>> reason_of(ValueError("The actor died.\\n\\tpid: 7\\nWorker exit detail: End of file. Some common causes: ..."))
    'ValueError: End of file.'
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = one_line(lines[-1].strip()) if lines else ""
    last = last.rpartition("Worker exit detail: ")[2].partition("Some common causes")[0].strip()
    return f"{type(error).__name__}: {last[:_LONGEST]}" if last else type(error).__name__
