"""News of a run for its user: a command of theirs runs when a sweep is done, when something failed, when nothing moves.

The command is run by a process of its own, which outlives the driver: a driver that is killed is news, too.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["BEAT_SECONDS", "Notices"]

BEAT_SECONDS = 1.0
"""Time between two signs of life at least."""

_LONGEST = 400
"""Characters of a text: a message must fit into PIPE_BUF (4096 bytes), so that it is passed on whole or not at all."""


class Notices:
    """What the driver says to the process that runs the command. Nothing here ever ends or delays a driver."""

    def __init__(self, command: str | None, store: Path, stalled_after: float, say: Callable[[str], None]) -> None:
        self._say = say
        self._pipe: int | None = None
        self._rev, self._said = -1, 0.0
        self._stuck = False  # the last message could not be passed on
        self._process: subprocess.Popen[bytes] | None = None  # kept, and never waited for
        if command is None:
            return
        theirs, ours = os.pipe()  # no other process holds ours, so that its end is the driver's
        os.set_blocking(ours, False)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mlrtui.driver.notice_process", command, str(store), repr(stalled_after)],
                stdin=theirs,
                start_new_session=True,  # a signal to all of the driver's processes is no reason to say nothing
            )
        except OSError as error:
            os.close(ours)
            say(f"--notify: no process can be started ({error.strerror}); nobody will be told")
        else:
            self._pipe = ours
        finally:
            os.close(theirs)

    def turn(self, rev: int) -> None:
        """Show life where something new was stored since the last call; ``rev`` is the store's."""
        if self._pipe is not None and rev != self._rev and time.monotonic() - self._said >= BEAT_SECONDS:
            self._rev, self._said = rev, time.monotonic()
            self._send({})

    def tell(self, event: str, sweep: str, text: str) -> None:
        """Have the command run.

        Args:
            event: "done", "failed" or "stopped".
            sweep: its name; "" for the run as a whole.
            text: what happened, in one line.
        """
        self._send({"event": event, "sweep": sweep[:_LONGEST], "text": text[:_LONGEST]})

    def close(self) -> None:
        """Say that the driver ends and all is told. Without it, the end of the driver is a death."""
        self._send({"end": True})
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe = None

    def _send(self, message: dict[str, object]) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, json.dumps(message, ensure_ascii=False).encode(errors="replace") + b"\n")
            self._stuck = False
        except BlockingIOError:  # it reads nothing, as when it is stopped
            if not self._stuck:
                self._say("--notify: its process takes nothing; messages are lost")
            self._stuck = True
        except BrokenPipeError:
            self._say("--notify: its process is gone; nobody will be told any more")
            with suppress(OSError):
                os.close(self._pipe)
            self._pipe = None
