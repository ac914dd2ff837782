"""The helper process of a recorder: it owns the store's file and writes what comes down a pipe.

Started as ``python -m mlrtui.loops.writer``, so that nothing of the script runs here: it needs no ``__main__`` guard,
and no lock or connection is open in a process that forks. It ends with the script, however that ends.
"""

import itertools
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

from mlrtui.stores import open_store
from mlrtui.version import __version__
from mlrtui_db.errors import StoreBusy, StoreError, StoreFull, StoreLocked
from mlrtui_db.flags import FLAG_SHARPNESS_NOT_CONVERGED, FLAG_STEP_SKIPPED
from mlrtui_db.own import own_cell
from mlrtui_db.records import MeasureRow, NetRecord, Segment, StepRows, SweepRecord, TrialRecord
from mlrtui_db.store import Store

__all__ = ["COMMIT_SECONDS", "Writing", "main", "place_of"]

COMMIT_SECONDS = 0.2
LIFE_SECONDS = 2.0
"""A run without new steps shows that it lives as often."""

MOST_ROWS = 50_000
"""Rows that wait for a disk; beyond them the pipe is not read, and the script leaves steps out."""

_CHUNK = 1 << 20
_SMALLEST = 1e-300  # learning rate of a trial before its first step, where the optimizer's is 0
_LONGEST_WAIT = 60.0  # s, for a disk after the end of the run


class Writing:
    """One run in an open store."""

    def __init__(self, store: Store, run: dict[str, Any], pid: int) -> None:
        self._store = store
        self._rows: list[list[Any]] = []
        self._events: list[tuple[str, str]] = []
        self._seq = self._steps = 0
        self._waits = False
        self._committed_at = self._alive_at = time.monotonic()
        name = store.free_name(str(run["name"]))
        kept = {key: run[key] for key in ("settings", "script", "measures", "overhead", "every")}
        spec = json.dumps({"name": name, "recorded": {**kept, "started": time.time(), "pid": pid}}, sort_keys=True)
        key = sha256(spec.encode()).hexdigest()
        how = run["every"]
        schedule = f"within {run['overhead']:g} of the training's time" if how is None else f"every {how} steps"
        net = NetRecord(0, "hessian", "own", "the batch of each step", schedule)
        known = {name: run[name] for name in ("n_params", "model", "optimizer", "dtype")}
        cell = own_cell(run["settings"], [net], **known)
        with store.transaction():
            self.sweep_id = store.add_sweep(SweepRecord(name, key, spec, "recorded", f"mlrtui {__version__}", (cell,)))
            (net_id,) = [found.net_id for found in store.sweep_state(self.sweep_id).nets]
            store.open_net(net_id, None)
            eta = float(run["eta"]) or _SMALLEST
            (self.trial_id,) = store.add_trials([TrialRecord(net_id, key, eta, None, 0, 0)])
            host = socket.gethostname()
            self._attempt = store.open_attempts([self.trial_id], f"{host}:{pid}", run["device"], run["env"])
            store.add_event("info", f"recording {run['script']} (process {pid})", self.sweep_id, self.trial_id)

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the disk that no more should be read."""
        return len(self._rows) >= MOST_ROWS

    def take(self, message: Sequence[Any]) -> None:
        """A line of the pipe: a step or an event."""
        kind, *content = message
        if kind == "step":
            self._rows.append(content)
        elif kind == "event":
            self._events.append((str(content[0]), str(content[1])))

    def commit_if_due(self) -> None:
        """Write what has come, at most every `COMMIT_SECONDS`; show life every `LIFE_SECONDS`."""
        now = time.monotonic()
        self._store.watch()
        if now - self._committed_at >= COMMIT_SECONDS and (self._rows or self._events):
            self.commit()
        elif now - self._alive_at >= LIFE_SECONDS:
            self._try(lambda: self._store.show_life(self.trial_id))

    def commit(self) -> bool:
        """Write what has come; False where the disk is full or another program holds the store."""
        self._committed_at = time.monotonic()
        done = self._try(self._write)
        if done:
            self._steps += len(self._rows)
            self._seq += bool(self._rows)
            self._rows, self._events = [], []
        return done

    def finish(self, outcome: str, error: str | None) -> None:
        """The last commit, and how the run ended.

        Raises:
            StoreError: the disk did not take it for a minute.
        """
        deadline = time.monotonic() + _LONGEST_WAIT
        while not self.commit() and time.monotonic() < deadline:
            time.sleep(COMMIT_SECONDS)
        with self._store.transaction():
            self._store.finish_recording(self.trial_id, outcome, error)
            level, how = ("warning", error) if error else ("info", "the script ended the recording")
            self._store.add_event(level, f"{how}; {self._steps} steps", self.sweep_id, self.trial_id)

    def _write(self) -> None:
        if self._rows:
            self._store.append_steps(_step_rows(self._rows, self.trial_id, self._attempt[self.trial_id], self._seq))
            rates = [float(row[3]) for row in self._rows if 0.0 < row[3] < 1e300]
            if rates:
                self._store.raise_eta(self.trial_id, max(rates))
        for level, text in self._events:
            self._store.add_event(level, text, self.sweep_id, self.trial_id)

    def _try(self, write: Callable[[], None]) -> bool:
        self._alive_at = time.monotonic()
        try:
            with self._store.transaction():
                write()
        except (StoreFull, StoreBusy) as error:
            self._store.note(f"the recorder waits: {error}")
            self._waits = True
            return False
        if self._waits:
            self._store.note("")
            self._waits = False
        return True


def place_of(store: str, name: str, pid: int) -> Path:
    """The file of a run: ``store`` itself, or a new one of the run's own where it is a folder.

    >>> place_of("runs/", "gpt 3e-4", 7).name.startswith("gpt-3e-4-")
    True
    """
    path = Path(store)
    if not store.endswith(("/", os.sep)) and not path.is_dir():
        return path
    path.mkdir(parents=True, exist_ok=True)
    plain = "".join(letter if letter.isalnum() or letter in "._+" else "-" for letter in name)[:60].strip("-.") or "run"
    stem = f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}-{pid}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(free for free in (path / f"{name}.db" for name in names) if not free.exists())


def _step_rows(rows: Sequence[Sequence[Any]], trial_id: int, attempt: int, seq: int) -> StepRows:
    readings = [(place, one) for place, row in enumerate(rows) for one in row[5]]
    values: dict[int, Sequence[Any]] = {place: one for place, one in readings if one[0] == "lambda"}
    found = [values[place] if place in values and isfinite(values[place][1]) else None for place in range(len(rows))]
    flags = [
        FLAG_STEP_SKIPPED * bool(row[4])
        | FLAG_SHARPNESS_NOT_CONVERGED * (one is not None and one[9] == "not-converged")
        for row, one in zip(rows, found, strict=True)
    ]
    return StepRows(
        segments=(Segment(trial_id, attempt, seq, 0, len(rows)),),
        step=[row[0] for row in rows],
        loss=[row[1] for row in rows],
        accuracy=[None if row[2] != row[2] else row[2] for row in rows],
        sharpness=[None if one is None else one[1] for one in found],
        sharpness_residual=[None if one is None else one[6] for one in found],
        products=[None if one is None else one[7] for one in found],
        flags=flags,
        eta=[row[3] for row in rows],
        measures=[MeasureRow(place, *one) for place, one in readings],
    )


class _Lines:
    """Whole lines of a pipe, as they come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.ended = False

    def read(self) -> Iterator[list[Any]]:
        """What is there now, without waiting."""
        try:
            some = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        self.ended = not some
        *lines, self._rest = (self._rest + some).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def read_all(self) -> Iterator[list[Any]]:
        """All that is left, also while somebody else keeps the other end open."""
        while select.select([self._descriptor], [], [], 0)[0] and not self.ended:
            yield from self.read()


def _watched(parent: int) -> int | None:
    """A descriptor that is readable once the script has died; None where the system has none."""
    try:
        return os.pidfd_open(parent)
    except (AttributeError, OSError):
        return None


def _say(**words: object) -> None:
    with suppress(OSError):
        os.write(1, json.dumps(words).encode() + b"\n")


def _serve(store: Store, writing: Writing, lines: _Lines, parent: int) -> None:
    """Until the run ends."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    tied = _watched(parent)
    while True:
        waits = [] if writing.is_full else [0]
        ready, _, _ = select.select([*waits, *([] if tied is None else [tied])], [], [], COMMIT_SECONDS / 2)
        dead = (tied is not None and tied in ready) or os.getppid() != parent
        for message in lines.read_all() if dead else lines.read() if 0 in ready else ():
            if message[0] == "end":
                error = message[1]
                writing.finish("cancelled" if error else "done", error and f"the script stopped: {error}")
                return
            writing.take(message)
        if dead or lines.ended:
            writing.finish("lost", "the script died without a word (killed, or a crash)")
            return
        if asked:
            writing.finish("lost", "the process that writes the store was told to end")
            _say(error="it was told to end")
            return
        writing.commit_if_due()


def main() -> int:
    """Serve the script on standard input; 0 where the run was stored to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(0, True)
    lines = _Lines(0)
    first = next((message for _ in iter(lambda: lines.ended, True) for message in lines.read()), None)
    if first is None:
        return 1
    _, store_name, parent, run = first
    try:
        path = place_of(store_name, str(run["name"]), parent)
        store = open_store(path)
    except StoreLocked as error:
        words = f'{error}. A store has one writer: give each run a file of its own, as with store="runs/"'
        _say(error=words, kind="input")
        return 2
    except (StoreError, OSError) as error:
        _say(error=str(error), kind="store")
        return 3
    with store:
        try:
            writing = Writing(store, run, parent)
            _say(path=str(path.absolute()))
            os.set_blocking(0, False)
            _serve(store, writing, lines, parent)
        except (StoreError, OSError) as error:
            store.record_death(str(error))
            _say(error=str(error))
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
