"""Find the driver that writes a store, and end it: that process, and never another.

A number in a lock file is only a hint. Where the kernel tells (Linux), the driver is whoever holds the lock on the
store's lock file or on its file itself, and was started as a driver; elsewhere start time and command line must be
those in the record. All of it is looked at again right before the signal, through a descriptor of the process (pidfd)
where there is one, so that a number that has passed to another process is never meant.
"""

import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlrtui.errors import StoreTrouble
from mlrtui.stores import open_store
from mlrtui.text.escape import one_line
from mlrtui_db import lock, processes
from mlrtui_db.reader import Reader

__all__ = ["at_work", "stop", "tidy"]

_PAUSE = 0.05  # s


@dataclass(frozen=True)
class _Target:
    """A process and what shows that it is the one that writes the store."""

    pid: int
    files: tuple[os.stat_result, ...]  # it holds a lock on one of them; none: not known on this system
    record: lock.LockHolder | None

    def is_it(self) -> bool:
        """Whether the process is, at this moment, the driver of the store."""
        if self.pid <= 1 or self.pid == os.getpid() or not processes.is_driver(self.pid):
            return False
        if processes.owner(self.pid) != os.geteuid() or processes.namespace(self.pid) != processes.namespace():
            return False
        if self.files:
            return any(processes.holds(self.pid, file) for file in self.files)
        record = self.record
        return record is not None and _matches(record)


def at_work(store: Path) -> tuple[bool, lock.LockHolder | None]:
    """Whether a writer is at work on a store, by whatever name it knows the file, and who where that can be known."""
    held, who = lock.look(store)
    if not held and (found := lock.by_inode(store)) is not None:
        return True, found
    return held, who


def stop(store: Path, *, now: bool = False, timeout: float = 60.0) -> str:
    """End the driver of a store; waits until it has ended.

    Asked, it finishes its commit first. ``now`` kills it, and its workers end with it: what is committed stays,
    trainings that are under way start again when the sweep is resumed.

    Raises:
        StoreTrouble: the driver is on another host or in another container, belongs to somebody else, does not end,
            or what holds the store is no driver.
    """
    target = _find(store)
    if target is None:
        return f"no driver is running on {store}"
    _end(target, store, signal.SIGKILL if now else signal.SIGTERM, timeout)
    if now:
        tidy(store)
    done = f"{'killed' if now else 'stopped'} the driver of {store} (pid {target.pid})"
    return f"{done}; `mlrtui resume --store {store}` continues"


def _find(store: Path) -> _Target | None:
    """The driver of a store; None when there is none.

    Raises:
        StoreTrouble: somebody holds the store who must not, or cannot, be signalled from here.
    """
    held, record = lock.look(store)
    if not processes.knows_holders():
        target = None if record is None else _Target(record.pid, (), record)
        pids = [] if target is None else [target.pid]
        files: tuple[os.stat_result, ...] = ()
    else:
        files = _files(store)
        pids = sorted({pid for file in files for pid in processes.holders(file)})
    targets = [_Target(pid, files, record) for pid in pids]
    for target in targets:
        if target.is_it():
            return target
    if record is not None and not record.is_here():
        raise StoreTrouble(f"{store}: its driver runs elsewhere ({one_line(record.place())}); stop it there")
    if files and pids:
        what = one_line(processes.command_line(pids[0])) or "a program"
        if processes.RECORDER in what:
            raise StoreTrouble(f"{store} is written by the recorder of a script: end the script, which ends the run")
        raise StoreTrouble(
            f"{store} is in use by process {pids[0]} ({what}), which is no driver: wait until it finishes"
        )
    if not held:
        return None
    if record is not None and processes.owner(record.pid) not in (None, os.geteuid()):
        raise StoreTrouble(f"{store}: its driver (pid {record.pid}) belongs to another user")
    raise StoreTrouble(
        f"{store} is in use by a process that cannot be identified from here (the lock file does not name it, or it "
        "runs in another container): stop it where it was started"
    )


def _files(store: Path) -> tuple[os.stat_result, ...]:
    found = []
    for path in (lock.lock_path(store), store):
        with suppress(OSError):
            found.append(path.stat(follow_symlinks=path == store))
    return tuple(found)


def _end(target: _Target, store: Path, kind: signal.Signals, timeout: float) -> None:
    """Signal the process and wait until it has ended.

    Raises:
        StoreTrouble: it does not end.
    """
    descriptor = None
    try:
        if hasattr(os, "pidfd_open"):
            try:
                descriptor = os.pidfd_open(target.pid)
            except ProcessLookupError:
                return
            except OSError:
                descriptor = None  # not on this kernel
        if not target.is_it():
            return  # it has just ended
        with suppress(ProcessLookupError):
            if descriptor is not None:
                signal.pidfd_send_signal(descriptor, kind)
            else:
                os.kill(target.pid, kind)
        deadline = time.monotonic() + timeout
        while not _gone(target, descriptor):
            if time.monotonic() > deadline:
                raise StoreTrouble(
                    f"{store}: the driver (pid {target.pid}) did not stop within {timeout:.0f} s; `mlrtui stop --now` "
                    "kills it"
                )
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _gone(target: _Target, descriptor: int | None) -> bool:
    """Wait a moment; whether the process has ended."""
    if descriptor is not None:
        return bool(select.select([descriptor], [], [], _PAUSE)[0])
    time.sleep(_PAUSE)
    return not target.is_it()


def _matches(record: lock.LockHolder) -> bool:
    return (
        record.is_here()
        and bool(record.process_start)
        and processes.started(record.pid) == record.process_start
        and processes.command_line(record.pid) == record.command
    )


def tidy(store: Path) -> None:
    """After a kill: say in the store what has happened. Not needed for its soundness."""
    with open_store(store, ended=True) as opened, Reader.open(store) as reader, opened.transaction():
        for sweep in reader.sweeps():
            if sweep.status == "open":
                opened.end_sweep(sweep.sweep_id, "stopped")
                opened.add_event(
                    "warning",
                    f"stopped {sweep.name!r} at once; {opened.recovered} trainings start again when it is resumed",
                    sweep.sweep_id,
                )
