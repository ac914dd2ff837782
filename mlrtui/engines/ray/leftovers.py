"""Ending a cluster of ours: every process that carries its mark, and its folder.

Ray's own end leaves its folders behind, and after a SIGKILL of the process that used it two of its agents. A mark in
the environment is inherited by all of them; other clusters of the user have none, or another.
"""

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["MARK", "clear", "new_folder", "processes"]

MARK = "RAY_CLUSTER_OF_MLRTUI"
"""Environment variable whose value is the folder of the cluster."""

_LONGEST_NAME = 40  # bytes: Ray makes sockets below it, whose paths may have 107


def new_folder() -> Path:
    """A folder for a cluster's files, with a short name."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="mlrtui-ray-", dir=base if len(base) <= _LONGEST_NAME - 20 else "/tmp"))


def processes(folder: Path) -> list[int]:
    """Processes of this cluster that still run, this one apart. None where there is no /proc."""
    others = (entry for entry in Path("/proc").glob("[0-9]*") if int(entry.name) != os.getpid())
    return [int(entry.name) for entry in others if _belongs(entry, folder)]


def _belongs(process: Path, folder: Path) -> bool:
    """Whether it has the mark, or, of those of Ray, which overwrite what others see of them, a file there."""
    try:
        if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        if f"{MARK}={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
            return True
        if b"ray" not in (process / "cmdline").read_bytes():
            return False
        return any(str(link.readlink()).startswith(f"{folder}/") for link in (process / "fd").iterdir())
    except OSError:  # another user's, or gone
        return False


def clear(folder: Path, seconds: float = 10.0) -> list[int]:
    """Kill the cluster's processes and remove its folder; returns what is still there after so many seconds."""
    until = time.monotonic() + seconds
    while (left := processes(folder)) and time.monotonic() < until:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)
    return left
