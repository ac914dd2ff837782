"""What the kernel says about processes: start time, command line, which of them holds a lock on a file.

A number in a file proves nothing: it may be another process by now, or somebody may have written it. On Linux the
answers come from ``/proc``; elsewhere `ps` gives command line and start time, and who holds a lock stays unknown.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "DRIVER",
    "RECORDER",
    "command_line",
    "holders",
    "holds",
    "is_driver",
    "knows_holders",
    "namespace",
    "owner",
    "started",
]

DRIVER = "mlrtui.driver"
"""The module that a driver runs: a word of its command line."""

RECORDER = "mlrtui.loops.writer"
"""The module that a recorder's helper process runs."""

_PROC = Path("/proc")
_LONGEST = 400  # characters of a command line


def knows_holders() -> bool:
    """Whether `holders` can answer on this system."""
    return (_PROC / "self" / "fdinfo").is_dir()


def namespace(pid: int | str = "self") -> str:
    """Where the number of a process is valid: containers number processes by themselves; "" where unknown."""
    try:
        return os.readlink(_PROC / str(pid) / "ns" / "pid")
    except OSError:
        return ""


def owner(pid: int) -> int | None:
    """The user a process belongs to; None when there is no such process, or nothing is known."""
    try:
        return (_PROC / str(pid)).stat().st_uid
    except OSError:
        said = "" if _PROC.joinpath("self").exists() else _ps(pid, "uid")
        return int(said) if said.isdigit() else None


def command_line(pid: int) -> str:
    """The words of a process's command line, the first 400 characters; "" when unknown."""
    try:
        return " ".join(_words(pid))[:_LONGEST]
    except OSError:
        known = _ps(pid, "command") or (" ".join(sys.argv) if pid == os.getpid() else "")
        return known[:_LONGEST]


def is_driver(pid: int) -> bool:
    """Whether a process was started as a driver."""
    try:
        return DRIVER in _words(pid)
    except OSError:
        return DRIVER in _ps(pid, "command").split()


def started(pid: int) -> str:
    """When a process was started, as a text that is the same each time and never that of a later one of its number."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return f"{boot}:{fields[19]}"
    except (OSError, IndexError):
        return _ps(pid, "lstart")


def holders(status: os.stat_result) -> Iterator[int]:
    """Processes of this user that hold a write lock on a file, however they reached it; none where unknown."""
    if not knows_holders():
        return
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and holds(int(folder.name), status):
            yield int(folder.name)


def holds(pid: int, status: os.stat_result) -> bool:
    """Whether a process is this user's and holds a write lock on a file."""
    if owner(pid) != os.geteuid():
        return False
    process = _PROC / str(pid)
    try:
        for number in os.listdir(process / "fd"):
            if _is(process / "fd" / number, status) and _locked(process / "fdinfo" / number):
                return True
    except OSError:
        pass
    return False


def _is(descriptor: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), status)
    except OSError:
        return False


def _locked(info: Path) -> bool:
    try:
        lines = info.read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("lock:") and "WRITE" in line and ("FLOCK" in line or "OFDLCK" in line) for line in lines)


def _words(pid: int) -> list[str]:
    raw = (_PROC / str(pid) / "cmdline").read_bytes()
    return [word.decode(errors="replace") for word in raw.rstrip(b"\0").split(b"\0")]


def _ps(pid: int, column: str) -> str:
    try:
        done = subprocess.run(["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
