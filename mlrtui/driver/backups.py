"""Backups while a sweep runs: each is made by a process of its own, between two commits nobody waits for it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlrtui.driver.terms import Backup
from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import span
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

__all__ = ["Backups", "refuse_other_backup"]

_PATIENCE = 600.0  # s, for the last one
_LONGEST = 300  # characters of what a failed one said


class Backups:
    """The backup of one store. A backup that fails is an event; training goes on, and it is tried again."""

    def __init__(
        self, store: Store, backup: Backup | None, note: Callable[[str, str], None], say: Callable[[str], None]
    ) -> None:
        self._store = store
        self._backup = backup
        self._note = note  # level, text
        self._say = say
        self._process: subprocess.Popen[str] | None = None
        self._due = 0.0  # of `time.monotonic`; the first at once, so that a wrong place is known early
        self._taken = -1  # the store's `rev` when the process started
        self._kept = -1  # ... of the last one that is whole
        self._trouble: str | None = None  # of the last one, "" for none; None: there was none yet
        self._finished = False

    def turn(self) -> None:
        """Look after it: start one that is due, take the result of one that has ended."""
        if self._backup is None:
            return
        if self._process is not None:
            if self._process.poll() is not None:
                self._heed(self._process)
        elif time.monotonic() >= self._due and self._store.rev != self._kept:
            self._start(self._backup)

    def finish(self) -> bool:
        """Make the last one, with all that was committed, and wait for it; whether it is whole. Never raises."""
        if self._backup is None or self._finished:
            return self._trouble in (None, "")
        self._finished = True
        with suppress(Exception):  # what ends the driver must not be hidden by this
            if self._process is not None:
                self._wait(self._process)
            self._store.note("the last backup is being made")
            process = self._start(self._backup)
            self._wait(process)
            if (process.returncode or 0) < 0:  # by a signal to all of a job, before it could ignore it
                self._wait(self._start(self._backup))
        return self._trouble == ""

    def _start(self, backup: Backup) -> "subprocess.Popen[str]":
        self._due = time.monotonic() + backup.every
        self._taken = self._store.rev
        words = [str(os.getpid()), str(self._store.path), backup.path]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlrtui.driver.backup_process", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        return self._process

    def _wait(self, process: "subprocess.Popen[str]") -> None:
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            self._process = None  # not waited for: what does not answer may not end, either
            self._tell(f"it was not done after {span(_PATIENCE)}")
        else:
            self._heed(process)

    def _heed(self, process: "subprocess.Popen[str]") -> None:
        self._process = None
        assert process.stderr is not None
        with process.stderr as stream:
            text = one_line(stream.read())[-_LONGEST:]
        code = process.returncode
        self._tell("" if code == 0 else text or f"its process ended with {code}")

    def _tell(self, trouble: str) -> None:
        """Keep how it went; an event where that has changed."""
        assert self._backup is not None
        before, self._trouble = self._trouble, trouble
        if not trouble:
            self._kept = self._taken
            text = f"backed up to {self._backup.path}"
            if before == "":
                self._say(text)
            else:
                self._note("info", text if self._finished else f"{text}; again every {span(self._backup.every)}")
        elif trouble != before or self._finished:
            again = "training goes on" if not self._finished else "the store itself has everything"
            self._note("warning", f"no backup: {trouble}; {again}")


def refuse_other_backup(backup: Backup | None, store: Path) -> None:
    """Refuse to replace what is not an earlier state of the store.

    Raises:
        BadInput: the file holds other sweeps, or more of them than the store; or it is the store.
        StoreError: the file is no store.
    """
    if backup is None:
        return
    path = Path(backup.path)
    if path == store.resolve():
        raise BadInput(f"--backup-to {path}: is the store itself; name another file")
    if not path.exists() or path.stat().st_size == 0:
        return
    held = {}
    if store.exists() and store.stat().st_size:
        with Reader.open(store) as reader:
            held = {(row.name, row.created_at): row.trials_done for row in reader.sweeps()}
    with Reader.open(path) as reader:
        for row in reader.sweeps():
            here = held.get((row.name, row.created_at))
            if here is None or row.trials_done > here:
                lacks = (
                    f"another {row.name!r}" if here is None else f"{row.trials_done - here} more trials of {row.name!r}"
                )
                raise BadInput(
                    f"--backup-to {path}: holds {lacks} than {store}: copy it to {store} to go on from it, or name "
                    "another file"
                )
