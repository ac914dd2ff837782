"""The process that runs the command of ``--notify``, and that notices when the driver is silent or dead.

Its arguments are the command, the store and the seconds of silence that count as a stall. On its standard input the
driver says what happens, one JSON object a line: ``{}`` is a sign of life, ``event`` is to be told, ``end`` ends it.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mlrtui.text.numbers import span
from mlrtui_db import lock

__all__ = ["main"]

_PATIENCE = 300.0  # s, for one run of the command
_CHUNK = 1 << 16


class _Teller:
    """Runs the command, once for each thing that is told."""

    def __init__(self, command: str, store: str) -> None:
        self._command = command
        self._store = store

    def tell(self, event: str, sweep: str, text: str) -> None:
        about = {"MLRTUI_EVENT": event, "MLRTUI_SWEEP": sweep, "MLRTUI_TEXT": text, "MLRTUI_STORE": self._store}
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", self._command],
                stdin=subprocess.DEVNULL,
                env=os.environ | about,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            self._say(f"could not be run: {error}")
        else:
            if done.returncode:
                self._say(f"ended with exit code {done.returncode}")

    def _say(self, text: str) -> None:
        """Into the driver's log, which is the standard output."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} the command of --notify {text}\n"
        os.write(1, line.encode(errors="backslashreplace"))


def _lines(stalled_after: float) -> Iterator[dict[str, object] | None]:
    """What the driver says; None once for each silence of ``stalled_after`` seconds. Ends with the driver."""
    read, silent_since, told = b"", time.monotonic(), False
    while True:
        left = None if told else max(silent_since + stalled_after - time.monotonic(), 0.0)
        if not select.select([0], [], [], left)[0]:
            told = True
            yield None
            continue
        some = os.read(0, _CHUNK)
        if not some:
            return
        *whole, read = (read + some).split(b"\n")
        for line in whole:
            yield json.loads(line)
        silent_since, told = time.monotonic(), False


def _why_silent(store: Path, seconds: float) -> str:
    """What is known of a driver that stores nothing."""
    holder = lock.holder(store)
    note = f" ({holder.note})" if holder is not None and holder.note else ""
    return f"nothing was stored for {span(seconds)}{note}"


def main() -> int:
    """Tell what there is to tell until the driver has ended."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):  # a job's, meant for the driver
        signal.signal(number, lambda *_: None)  # not ignored, which the command would inherit
    command, store, after = sys.argv[1:]
    teller = _Teller(command, store)
    for said in _lines(float(after)):
        if said is None:
            teller.tell("stalled", "", _why_silent(Path(store), float(after)))
        elif said.get("end"):
            return 0
        elif said:
            teller.tell(str(said["event"]), str(said["sweep"]), str(said["text"]))
    teller.tell("failed", "", "the driver was killed: `mlrtui resume` goes on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
