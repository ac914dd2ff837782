"""A command on a pseudo-terminal, with the screen that it draws."""

import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from fcntl import ioctl

import pyte

__all__ = ["PtyTerminal"]


class PtyTerminal:
    """A child on a pty, its screen, and the bytes that it sent."""

    patience = 60.0  # seconds until a condition counts as never met

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int],
        environment: Mapping[str, str],
        *,
        controlling: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start the command; ``controlling``: the pty is its controlling terminal, as one that a user opens."""
        columns, rows = size
        inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.child = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=pass_fds,
            env=inherited | {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
            preexec_fn=_take_terminal if controlling else None,
            start_new_session=True,
        )
        os.close(slave)
        self.sent = b""
        self.ended = False
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def read(self, seconds: float) -> bytes:
        """What comes within the time, at once when something does."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux: the child closed its side
            self.ended = True
            return b""
        self.sent += data
        self._stream.feed(data)
        return data

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Read until the condition holds."""
        deadline = time.monotonic() + self.patience
        while not condition():
            assert not self.ended, "it ended first:\n" + self.text()
            assert time.monotonic() < deadline, "never came:\n" + self.text()
            self.read(0.1)

    def wait_end(self) -> int:
        """Read until the child has left; its exit status."""
        self.wait_for(lambda: self.ended)
        return self.child.wait(self.patience)

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
        self.child.wait(self.patience)
        os.close(self.master)


def _take_terminal() -> None:
    ioctl(0, termios.TIOCSCTTY, 0)
