"""Our ends of the sockets to processes of ours: none of these may hold up the driver, or fill its memory."""

import socket
import struct
import subprocess
from collections.abc import Iterator
from enum import Enum
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar

__all__ = ["HUNG_UP", "MESSAGES_PER_POLL", "ROWS_PER_POLL", "arrivals", "post", "socket_pair"]

MESSAGES_PER_POLL = 200
"""Of one socket; keeps one commit bounded while workers send fast."""

ROWS_PER_POLL = 100_000
"""Of all sockets: what is sent beyond it waits in them, and then so do the workers."""

T = TypeVar("T")


class _End(Enum):
    HUNG_UP = "hung up"


HUNG_UP: Literal[_End.HUNG_UP] = _End.HUNG_UP
"""The last of `arrivals` where the other end is closed."""


def socket_pair(patience: float) -> "tuple[Connection[Any, Any], socket.socket]":
    """Our end, on which sending fails after about so many seconds in which nothing is taken in, and theirs."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(patience) or 1, 0))
    return Connection(ours.detach()), theirs


def post(process: "subprocess.Popen[bytes]", connection: "Connection[Any, Any]", *messages: object) -> None:
    """Send to a process, and kill it where it takes nothing in: that it is gone is seen by `arrivals`."""
    try:
        for message in messages:
            connection.send(message)
    except (BrokenPipeError, ConnectionResetError):
        pass
    except BlockingIOError:
        process.kill()


def arrivals(connection: "Connection[Any, T]") -> "Iterator[T | Literal[_End.HUNG_UP]]":
    """What is there to be read, one after the other; read no further than it is asked for."""
    while True:
        try:
            if not connection.poll():
                return
            message = connection.recv()
        except (EOFError, OSError):
            yield HUNG_UP
            return
        yield message
