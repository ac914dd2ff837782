"""Progress of a running sweep as text: a block that is redrawn on a terminal, lines in a log or a pipe."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from mlrtui.commands.progress import Progress
from mlrtui.report import report, sweep_line
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui.text.working import doing
from mlrtui_db.errors import StoreError
from mlrtui_db.models import LiveSnapshot
from mlrtui_db.reader import Reader
from mlrtui_db.work import WorkRow

__all__ = ["follow"]

_LINE_SECONDS = 60.0  # between two lines on a sweep in which no net has ended
_LOOK_SECONDS = 0.5


class _Out(Protocol):
    """Where text goes."""

    def print(self, text: str) -> None:
        """A line that stays."""

    def progress(self, at: int, how: Progress) -> None:
        """How far a sweep is; ``at``: its number, 0 before it has one."""

    def ended(self, at: int) -> None:
        """A sweep is done."""


class _Lines:
    """Lines: one a minute, and one when a net has ended or something else goes on."""

    def __init__(self, ascii_only: bool) -> None:
        self._ascii = ascii_only
        self._last: dict[int, tuple[float, int, str]] = {}

    def print(self, text: str) -> None:
        """At once: whoever reads a log wants to see it grow."""
        show(text, self._ascii)

    def progress(self, at: int, how: Progress) -> None:
        """A line, if it is time for one."""
        now = time.monotonic()
        before = self._last.get(at)
        if before is None or now - before[0] >= _LINE_SECONDS or (how.done, how.stage) != before[1:]:
            self._last[at] = (now, how.done, how.stage)
            self.print(f"          {how.text}")

    def ended(self, at: int) -> None:
        """Nothing is redrawn."""


class _Printer:
    """Prints each event once, the progress, and the results of a sweep when it ends."""

    def __init__(self, out: _Out, ascii_only: bool) -> None:
        self._out, self._ascii = out, ascii_only
        self._seen_event = 0
        self._reported: set[int] = set()
        self._note = ""

    def show(self, reader: Reader, snapshot: LiveSnapshot, work: WorkRow | None) -> None:
        for event in reversed(snapshot.events):
            if event.event_id > self._seen_event:
                self._seen_event = event.event_id
                self._out.print(f"{_clock(event.at)}  {one_line(event.text)}")
        if snapshot.writer_note != self._note and (snapshot.writer_note or snapshot.writer_alive):
            self._note = snapshot.writer_note
            self._out.print(f"{_clock(time.time())}  {one_line(self._note) or 'training continues'}")
        sweep = snapshot.sweep
        if sweep.status == "open":
            mine = work if work is not None and work.sweep_id == sweep.sweep_id else None
            words, stage = ("", "") if mine is None else (doing(mine), mine.stage)
            how = Progress(sweep_line(sweep), words, sweep.nets_done, sweep.nets, stage)
            self._out.progress(sweep.sweep_id, how)
        if sweep.status == "done" and sweep.sweep_id not in self._reported:
            self._reported.add(sweep.sweep_id)
            self._out.ended(sweep.sweep_id)
            self._out.print("\n" + report(reader, snapshot, ascii_only=self._ascii) + "\n")

    def loading(self, work: WorkRow | None) -> None:
        """What goes on before a sweep is in the store."""
        if work is not None and work.sweep_id is None:
            self._out.progress(0, Progress("", doing(work), 0, 0, f"{work.stage} {work.sweep}"))


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def follow(store: Path, names: list[str], alive: Callable[[], bool], ascii_only: bool = False) -> None:
    """Print the progress of these sweeps (default: of the newest) until the driver has ended.

    Waits for a store that does not exist yet, or is busy, as long as ``alive``.
    """
    ascii_only = needs_ascii(ascii_only)
    with _opened(ascii_only) as out:
        printer = _Printer(out, ascii_only)
        while True:
            running = alive()  # before reading, so that the last rows are seen
            try:
                with Reader.open(store) as reader:
                    work = reader.work()
                    printer.loading(work)
                    for snapshot in _snapshots(reader, names):
                        printer.show(reader, snapshot, work)
            except StoreError:
                if not running:
                    raise
            if not running:
                return
            time.sleep(_LOOK_SECONDS)


def _snapshots(reader: Reader, names: list[str]) -> Iterator[LiveSnapshot]:
    known = {sweep.name: sweep.sweep_id for sweep in reader.sweeps()}
    newest: list[int | None] = [] if names else [None]
    for sweep_id in [known[name] for name in names if name in known] or newest:
        snapshot = reader.live(sweep_id)
        if snapshot is not None:
            yield snapshot


def _opened(ascii_only: bool) -> AbstractContextManager[_Out]:
    """A block where the terminal can move its cursor, else lines."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return nullcontext(_Lines(ascii_only))
    from mlrtui.commands.follow_block import Block

    return Block(ascii_only)
