"""Progress of a running sweep as plain lines, for logs and terminals without a screen."""

import time
from collections.abc import Callable
from pathlib import Path

from mlrtui.report import report, sweep_line
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui_db.errors import StoreError
from mlrtui_db.models import LiveSnapshot
from mlrtui_db.reader import Reader

__all__ = ["follow"]

_PROGRESS_SECONDS = 2.0
_LOOK_SECONDS = 0.5


class _Printer:
    """Prints each event once, a progress line when it changed, and the results of a sweep when it ends."""

    def __init__(self, ascii_only: bool) -> None:
        self._ascii = needs_ascii(ascii_only)
        self._seen_event = 0
        self._reported: set[int] = set()
        self._lines: dict[int, str] = {}
        self._printed_at = 0.0
        self._note = ""

    def show(self, reader: Reader, snapshot: LiveSnapshot) -> None:
        for event in reversed(snapshot.events):
            if event.event_id > self._seen_event:
                self._seen_event = event.event_id
                self._print(f"{_clock(event.at)}  {one_line(event.text)}")
        if snapshot.writer_note != self._note and (snapshot.writer_note or snapshot.writer_alive):
            self._note = snapshot.writer_note
            self._print(f"{_clock(time.time())}  {one_line(self._note) or 'training continues'}")
        sweep, line = snapshot.sweep, sweep_line(snapshot.sweep)
        due = time.monotonic() - self._printed_at >= _PROGRESS_SECONDS
        if due and sweep.status == "open" and line != self._lines.get(sweep.sweep_id):
            self._lines[sweep.sweep_id], self._printed_at = line, time.monotonic()
            self._print(f"          {line}")
        if snapshot.sweep.status == "done" and snapshot.sweep.sweep_id not in self._reported:
            self._reported.add(snapshot.sweep.sweep_id)
            self._print("\n" + report(reader, snapshot, ascii_only=self._ascii) + "\n")

    def _print(self, text: str) -> None:
        show(text, self._ascii)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def follow(store: Path, names: list[str], alive: Callable[[], bool], ascii_only: bool = False) -> None:
    """Print the progress of these sweeps (default: of the newest) until the driver has ended.

    Waits for a store that does not exist yet, or is busy, as long as ``alive``.
    """
    printer = _Printer(ascii_only)
    while True:
        running = alive()  # before reading, so that the last rows are seen
        try:
            with Reader.open(store) as reader:
                known = {sweep.name: sweep.sweep_id for sweep in reader.sweeps()}
                newest: list[int | None] = [] if names else [None]
                for sweep_id in [known[name] for name in names if name in known] or newest:
                    snapshot = reader.live(sweep_id)
                    if snapshot is not None:
                        printer.show(reader, snapshot)
        except StoreError:
            if not running:
                raise
        if not running:
            return
        time.sleep(_LOOK_SECONDS)
