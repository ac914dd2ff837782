"""Where a store lies that is named as ``user@host:path`` or ``ssh://user@host:port/path``."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line

__all__ = ["Address", "local_or_remote"]

_HOST = r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<host>[\w.-]+))"
_USER = r"(?:(?P<user>[\w.+%$-]+)@)?"
_SCP = re.compile(f"{_USER}{_HOST}:(?P<path>.*)", re.DOTALL)
_URL = re.compile(f"ssh://{_USER}{_HOST}(?::(?P<port>[0-9]{{1,5}}))?(?P<path>/.*)?", re.DOTALL)
_LAST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """A path on another machine.

    ``host`` is what ssh connects to, with the user if one was given; ``path`` may begin with ``~``, and is relative to
    the home folder there unless it is absolute; ``port`` is None where ssh's own configuration decides.
    """

    host: str
    path: str
    port: int | None = None

    def __str__(self) -> str:
        bracketed = re.sub(r"([^@]*:.*)", r"[\1]", self.host) if ":" in self.host else self.host
        if self.port is None:
            return f"{bracketed}:{self.path}"
        return f"ssh://{bracketed}:{self.port}/{self.path.removeprefix('/')}"


def local_or_remote(text: str) -> Address | Path:
    """The address that ``text`` is, or the path. A file that exists here, or a ``/`` before the colon, makes it a path.

    Raises:
        BadInput: an address without a path, or with a host that ssh could take for an option.

    >>> local_or_remote("me@gpu1:runs/a.db")
    Address(host='me@gpu1', path='runs/a.db', port=None)
    >>> local_or_remote("ssh://gpu1:2222/data/a.db")
    Address(host='gpu1', path='/data/a.db', port=2222)
    >>> local_or_remote("./a:b.db") == Path("a:b.db")
    True
    """
    url = text.startswith("ssh://")
    if not url and os.path.lexists(text):
        return Path(text)
    found = (_URL if url else _SCP).fullmatch(text)
    shown = one_line(text)
    if found is None:
        if url:
            raise BadInput(f"{shown}: not an address; write it as ssh://user@host:port/path")
        return Path(text)
    parts = found.groupdict()
    user, host, path = parts["user"], parts["v6"] or parts["host"], parts["path"] or ""
    if host.startswith("-") or (user or "").startswith("-"):
        raise BadInput(f"{shown}: a host or user cannot begin with '-'; for a file of this name write ./{shown}")
    if url and path.startswith("/~"):
        path = path[1:]
    if path in ("", "/"):
        raise BadInput(f"{shown}: names no store; add its path, as in {shown.rstrip(':/')}:runs/mlrtui.db")
    if not path.isprintable():
        raise BadInput(f"{shown}: a path on another machine cannot have control characters; rename it there")
    port = None if parts.get("port") is None else int(parts["port"])
    if port is not None and not 0 < port <= _LAST_PORT:
        raise BadInput(f"{shown}: port {port} does not exist; use 1 to {_LAST_PORT}")
    return Address(host if user is None else f"{user}@{host}", path, port)
