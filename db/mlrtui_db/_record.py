"""The record in a lock file: who holds the lock, what it waits for, of what it died. Read as a stranger's text."""

import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, fields

from mlrtui_db import processes

ROOM = 4096  # bytes of the lock file: a note is written into space that the file has already, also on a full disk
LONGEST = 400  # characters of a command, a note or a reason
_MOST_BYTES = 2 * ROOM
LAST_TIME = 253402214400.0  # s: the year 9999, beyond which no calendar goes
_LARGEST_PID = 2**31 - 1


@dataclass(frozen=True)
class LockHolder:
    """Who holds a writer's lock, or held it last."""

    pid: int
    host: str
    started_at: float  # s (Unix time)
    command: str
    namespace: str = ""  # where the number is valid: containers number processes by themselves; "" where unknown
    note: str = ""  # what the holder waits for, "" while all is well
    process_start: str = ""  # as `processes.started` gives it: with it, the number is one process for ever
    token: str = ""  # the same as in the store's own mark
    died: str = ""  # of what, when it could say so nowhere else
    until: float | None = None  # s (Unix time), when it stops by itself; None: when all is done
    python: str = ""  # that runs it: `mlrtui.remote.finding` looks for mlrtui beside it

    def is_here(self) -> bool:
        """Whether ``pid`` names a process of this machine and this container."""
        return self.host == socket.gethostname() and self.namespace == processes.namespace()

    def place(self) -> str:
        """Which process it is, in words; a number means nothing outside its own container."""
        if self.host == socket.gethostname() and self.namespace != processes.namespace():
            return f"process {self.pid} of another container on {self.host}"
        return f"process {self.pid} on {self.host}"


def written(descriptor: int, holder: LockHolder) -> None:
    """Put the record into an open lock file, in place of what it held.

    Raises:
        OSError: it cannot be written.
    """
    os.pwrite(descriptor, encoded(holder), 0)


def encoded(holder: LockHolder) -> bytes:
    """The record as the bytes of a lock file."""
    text = json.dumps(asdict(holder), ensure_ascii=False).encode(errors="replace")
    if len(text) >= ROOM:  # texts of four bytes a letter
        short = {field.name: str(getattr(holder, field.name))[: LONGEST // 8] for field in fields(holder)}
        kept = asdict(holder) | {name: short[name] for name in ("command", "note", "died")}
        text = json.dumps(kept).encode()
    return text.ljust(ROOM - 1) + b"\n"


def read(descriptor: int) -> LockHolder | None:
    """The record of an open lock file; None when there is none, or it is not one that we would write."""
    try:
        raw = os.pread(descriptor, _MOST_BYTES, 0)
    except OSError:
        return None
    return decoded(raw)


def decoded(raw: bytes | str) -> LockHolder | None:
    """A record out of its text; None when it is not one that we would write."""
    if len(raw) > _MOST_BYTES:
        return None
    with suppress(ValueError, RecursionError):  # not JSON, no numbers of ours, or nested without end
        said = json.loads(raw)
        if isinstance(said, dict):
            return _checked(said)
    return None


def _checked(said: dict[str, object]) -> LockHolder | None:
    pid, at, until = said.get("pid"), _time(said.get("started_at")), _time(said.get("until"))
    texts = {field.name: said.get(field.name, "") for field in fields(LockHolder) if field.type in (str, "str")}
    if not isinstance(pid, int) or isinstance(pid, bool) or not 1 <= pid <= _LARGEST_PID:
        return None
    if at is None or (until is None and said.get("until") is not None):
        return None
    if not said.get("host") or not all(isinstance(text, str) for text in texts.values()):
        return None
    words = {name: str(text)[:LONGEST] for name, text in texts.items()}
    return LockHolder(pid=pid, started_at=at, until=until, **words)


def _time(value: object) -> float | None:
    """The number as a time, s (Unix time); None when it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LAST_TIME:
        return float(value)
    return None
