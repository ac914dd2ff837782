"""`--foreground`: the driver ends with the command that starts it, as batch jobs, containers and services need."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mlrtui.commands.follow import follow
from mlrtui.driver import stopping
from mlrtui.driver.launch import DriverProcess
from mlrtui.errors import STOPPED, DriverDied
from mlrtui_db.errors import StoreError

__all__ = ["Signals", "attend", "follow_driver", "watching"]

_ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
_TOGETHER = 1.0  # s; job managers send a signal to every process, and some send several at once: that is one request


class Signals:
    """What was asked of this command: the first signal stops the driver cleanly, one that comes later kills it."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._at = 0.0
        self._driver: DriverProcess | None = None

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.first is None:
            self.first, self._at = number, time.monotonic()
            if self._driver is not None:
                self._driver.process.terminate()
        elif time.monotonic() - self._at >= _TOGETHER:
            if self._driver is None:
                raise SystemExit(self.code())  # what was being started is tied to us
            self._driver.process.kill()

    def guard(self, driver: DriverProcess) -> None:
        """Pass signals on to this driver, also one that has come already."""
        self._driver = driver
        if self.first is not None:
            driver.process.terminate()

    def code(self) -> int:
        """Exit code of a command that was stopped: 130 by Ctrl-C, as everywhere, else `STOPPED`."""
        return 128 + signal.SIGINT if self.first == signal.SIGINT else STOPPED


@contextmanager
def watching() -> Iterator[Signals]:
    """Take the signals that ask for an end, except those that whoever started us wants ignored (nohup, ``&``)."""
    signals = Signals()
    before = {number: signal.getsignal(number) for number in _ASKING}
    taken = {number: how for number, how in before.items() if how not in (signal.SIG_IGN, None)}
    for number in taken:
        signal.signal(number, signals.take)
    try:
        yield signals
    finally:
        for number, how in taken.items():  # once asked to end, nothing that comes while we do changes the exit code
            signal.signal(number, how if signals.first is None else signal.SIG_IGN)


def follow_driver(driver: DriverProcess, store: Path, names: Sequence[str], ascii_only: bool) -> None:
    """Print the progress of a driver's sweeps until it has ended.

    Raises:
        StoreError: the store cannot be read, and the driver has not said so itself.
    """
    try:
        follow(store, list(names), driver.running, ascii_only)
    except StoreError:
        if not driver.end().words:
            raise


def attend(
    start: Callable[[], DriverProcess], signals: Signals, store: Path, names: Sequence[str], ascii_only: bool
) -> tuple[DriverProcess | None, int]:
    """Start a driver and print its progress until it has ended.

    Args:
        start: starts it.
        signals: of this command.
        store: that it writes.
        names: of its sweeps.
        ascii_only: as for `follow`.

    Returns:
        The driver, None if it was ended before it was ready, and the exit code.

    Raises:
        StoreError: the store cannot be read, and the driver has not said so itself.
    """
    if signals.first is not None:
        return None, signals.code()
    try:
        driver = start()
    except DriverDied:
        if signals.first is None:
            raise
        return None, signals.code()  # the signal met it, too, before it could handle one
    signals.guard(driver)
    follow_driver(driver, store, names, ascii_only)
    code = driver.end().code
    if signals.first is not None and code == DriverDied.exit_code and driver.process.returncode == -signal.SIGKILL:
        stopping.tidy(store)
        print("mlrtui: the driver was killed; what was committed is kept", file=sys.stderr)
        return None, signals.code()
    return driver, signals.code() if code == STOPPED else code
