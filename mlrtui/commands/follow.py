"""Progress of a running sweep as text: a block that is redrawn on a terminal, lines in a log or a pipe."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from mlrtui.commands.progress import Progress
from mlrtui.report import report, sweep_line
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui.text.working import doing
from mlrtui_db import lock
from mlrtui_db.errors import StoreError
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader
from mlrtui_db.work import WorkRow

__all__ = ["follow"]

_LINE_SECONDS = 60.0  # between two lines on a sweep in which no net has ended
_LOOK_SECONDS = 0.5
_PAUSES = 9  # times what a look took: of a large sweep, whose trainings need the core, it takes a tenth at most
_OLD_EVENTS = 200


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
        self._seen_event: int | None = None
        self._reported: set[int] = set()
        self._note = ""

    def show(self, reader: Reader, names: list[str]) -> None:
        """What a look finds that is new."""
        if self._seen_event is None:  # what a store tells of earlier may be long; from here on nothing is left out
            self._seen_event = min((event.event_id for event in reader.log(limit=_OLD_EVENTS)), default=1) - 1
        work, sweeps = reader.work(), reader.sweeps()
        if work is not None and work.sweep_id is None:  # before the sweep is in the store
            self._out.progress(0, Progress("", doing(work), 0, 0, f"{work.stage} {work.sweep}"))
        known = {sweep.name: sweep for sweep in sweeps}
        shown = [known[name] for name in names if name in known] if names else list(sweeps[:1])
        if not shown:
            return
        self._events(reader, {sweep.sweep_id for sweep in shown}, sweeps[0].sweep_id)
        self._writer(reader.path)
        for sweep in shown:
            self._sweep(reader, sweep, work if work is not None and work.sweep_id == sweep.sweep_id else None)

    def _events(self, reader: Reader, shown: set[int], newest: int) -> None:
        for event in reader.log(self._seen_event or 0):
            if event.sweep_id is not None and event.sweep_id > newest:
                return  # its sweep came after the others were read: the next look shows both
            self._seen_event = event.event_id
            if event.sweep_id is None or event.sweep_id in shown:
                self._out.print(f"{_clock(event.at)}  {one_line(event.text)}")

    def _writer(self, store: Path) -> None:
        held, writer = lock.look(store)
        note = "" if writer is None else writer.note
        if note != self._note and (note or held):
            self._note = note
            self._out.print(f"{_clock(time.time())}  {one_line(note) or 'training continues'}")

    def _sweep(self, reader: Reader, sweep: SweepRow, work: WorkRow | None) -> None:
        if sweep.status == "open":
            words, stage = ("", "") if work is None else (doing(work), work.stage)
            self._out.progress(sweep.sweep_id, Progress(sweep_line(sweep), words, sweep.nets_done, sweep.nets, stage))
        if sweep.status == "done" and sweep.sweep_id not in self._reported:
            if (snapshot := reader.live(sweep.sweep_id)) is None:
                return
            results = report(reader, snapshot, ascii_only=self._ascii)
            self._reported.add(sweep.sweep_id)
            self._out.ended(sweep.sweep_id)
            self._out.print(f"\n{results}\n")


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def follow(store: Path, names: list[str], alive: Callable[[], bool], ascii_only: bool = False) -> None:
    """Print the progress of these sweeps (default: of the newest) until the driver has ended.

    Waits for a store that does not exist yet, or is busy, as long as ``alive``.
    """
    ascii_only = needs_ascii(ascii_only)
    with _opened(ascii_only) as out:
        printer, due = _Printer(out, ascii_only), 0.0
        while True:
            running = alive()  # before reading, so that the last rows are seen
            if not running or time.monotonic() >= due:
                begun = time.process_time()
                try:
                    with Reader.open(store) as reader:
                        printer.show(reader, names)
                except StoreError:
                    if not running:
                        raise
                due = time.monotonic() + _PAUSES * (time.process_time() - begun)
            if not running:
                return
            time.sleep(_LOOK_SECONDS)


def _opened(ascii_only: bool) -> AbstractContextManager[_Out]:
    """A block where the terminal can move its cursor, else lines."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return nullcontext(_Lines(ascii_only))
    from mlrtui.commands.follow_block import Block

    return Block(ascii_only)
