"""`mlrtui pull`: a copy of a store on another machine, or another disk, that can be brought up to date.

The first time the whole store comes, later only what is new. The far side reads and sends (`mlrtui export-delta` or,
where its version lacks that, `mlrtui backup`); this side checks and writes.
"""

import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mlrtui.errors import BadInput
from mlrtui.remote.address import Address
from mlrtui.remote.ssh import LacksCommand, Pipes, RemoteFailed, backup, ending_orderly, session
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted, megabytes
from mlrtui_db import deltas, replicas
from mlrtui_db.errors import StoreDamaged
from mlrtui_db.frames import Frame, NotOurFrame, read_frame

__all__ = ["export_delta", "pull"]

_MOST_NOISE = 1000  # lines that a shell's start-up files may print before the answer
_PIECE = 1 << 18  # bytes
_GZIP = 31  # zlib's name for the format

Ask = Callable[[dict[str, Any] | None], Iterator[Frame]]
"""What brings a copy of this state up to date: a head, then what `mlrtui_db.deltas.answer` gives."""


@dataclass(frozen=True)
class _Pulled:
    """What came, in words, "" if nothing; and whether a driver is at work there."""

    words: str
    running: bool


def export_delta(store: Path) -> None:
    """The far side of a pull: answer requests on standard input until it ends."""
    deltas.serve(store, sys.stdin.buffer, sys.stdout.buffer)


def pull(source: Address | Path, out: Path | None, *, every: float | None = None) -> int:
    """Copy a store, or bring a copy of it up to date; returns the exit code.

    Args:
        source: the store.
        out: the copy; None: of the same name, in this folder.
        every: seconds between pulls while a driver is at work there; None: pull once.

    Raises:
        BadInput: the copy would be the store itself.
        MlrtuiError, StoreError: it cannot be read there, or written here; the copy is as it was.
    """
    name = one_line(str(source))
    copy = out or Path(Path(source.path if isinstance(source, Address) else source).name)
    if isinstance(source, Path) and source.resolve() == copy.resolve():
        raise BadInput(f"{name}: cannot be pulled into itself; name another file for the copy")
    with ending_orderly(), replicas.alone(copy):
        replicas.state(copy)  # refuses a file that is no copy before anybody is asked
        if isinstance(source, Path):
            path = source.absolute()
            return _repeat(lambda since: deltas.answer(path, {"since": since}), copy, str(path), every)
        try:
            with session(source, ["export-delta", "--store"]) as pipes:
                return _repeat(_Line(pipes).ask, copy, name, every)
        except LacksCommand:
            return _pull_backup(source, copy, name)
        except RemoteFailed as failed:
            return failed.code or 1


class _Line:
    """Questions and answers through the pipes of a session."""

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes
        self._heard = False

    def ask(self, since: dict[str, Any] | None) -> Iterator[Frame]:
        """The answer, frame by frame; all of it must be taken before the next question."""
        self._pipes.requests.write(replicas.as_text(since))
        self._pipes.requests.flush()
        frame = self._following() if self._heard else self._first()
        if frame[0].get("mlrtui") != deltas.FORMAT:
            raise LacksCommand
        self._heard = True
        yield frame
        while not frame[0].get("end"):
            yield (frame := self._following())

    def _following(self) -> Frame:
        try:
            return read_frame(self._pipes.answers)
        except NotOurFrame as error:
            raise StoreDamaged(f"what came is not what was sent ({one_line(str(error))}): try again") from None

    def _first(self) -> Frame:
        for _ in range(_MOST_NOISE):
            try:
                return read_frame(self._pipes.answers)
            except NotOurFrame:
                continue
        raise LacksCommand


def _repeat(ask: Ask, copy: Path, name: str, every: float | None) -> int:
    while True:
        pulled = _once(ask, copy, name)
        if pulled.words or every is None:
            print(f"{copy}: {pulled.words or f'nothing new in {name}'}", flush=True)
        if every is None:
            return 0
        if not pulled.running:
            print(f"{copy}: complete, no driver is at work on {name}", flush=True)
            return 0
        time.sleep(every)


def _once(ask: Ask, copy: Path, name: str) -> _Pulled:
    since = replicas.state(copy)
    frames = ask(since)
    head, _ = next(frames)
    running = bool(head.get("running"))
    why = str(head.get("why") or "its tables are of another version")
    if head.get("kind") == "delta":
        meter = _Meter(frames)
        try:
            applied = replicas.apply(copy, name, meter)
        except replicas.OutOfStep as error:
            why = f"what is new does not fit it ({error})"
            for _ in frames:
                pass  # the line is free for the next question only when all has come
            frames = ask(None)
            next(frames)
        else:
            rows = f"{counted(applied.trials, 'trial')} changed, {counted(applied.steps, 'new step')}"
            news = f"{rows} ({megabytes(meter.size)})"
            return _Pulled(news if applied.trials or applied.events else "", running)
    if copy.exists():
        print(f"mlrtui: {copy} is copied anew: {one_line(why)}", file=sys.stderr)
    meter = _Meter(frames)
    size = replicas.receive(copy, name, replicas.pieces(meter, name))
    return _Pulled(f"{megabytes(size)}, a copy of {name} ({megabytes(meter.size)} compressed)", running)


class _Meter(Iterator[Frame]):
    """Frames, and how many bytes they had."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.size = 0

    def __next__(self) -> Frame:
        frame = next(self._frames)
        self.size += len(repr(frame[0])) + len(frame[1])
        return frame


def _pull_backup(source: Address, copy: Path, name: str) -> int:
    """All of the store, from a version there that cannot send what is new."""
    print(
        f"mlrtui: the mlrtui on {source.host} is older and cannot send what is new: all of {name} is copied",
        file=sys.stderr,
    )
    try:
        with backup(source) as answers:
            size = replicas.receive(copy, name, _unzipped(answers))
    except RemoteFailed as failed:
        return failed.code or 1
    print(f"{copy}: {megabytes(size)}, a copy of {name}", flush=True)
    return 0


def _unzipped(stream: IO[bytes]) -> Iterator[bytes]:
    squeezed = zlib.decompressobj(_GZIP)
    while some := stream.read(_PIECE):
        try:
            yield squeezed.decompress(some)
        except zlib.error:
            raise StoreDamaged("what came is not what was sent: try again") from None
    if not squeezed.eof:
        raise EOFError
