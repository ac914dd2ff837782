"""On what terms a driver runs: bound to the command that starts it, until when, with which backup."""

import re
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from mlrtui.errors import BadInput
from mlrtui.text.numbers import moment

__all__ = ["EVERY", "Backup", "Terms", "duration", "until_time"]

EVERY = "10m"
"""Time between two backups, where none is given."""

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_LONGEST = 100 * 366 * 86400  # s
_SHORTEST_PAUSE = 1  # s


@dataclass(frozen=True)
class Backup:
    """Where a driver keeps a copy of its store, and how often it brings it up to date."""

    path: str
    """The copy's file, absolute and without links."""

    every: float
    """s"""


@dataclass(frozen=True)
class Terms:
    """On what terms a driver runs; by default in the background until all is done."""

    foreground: bool = False
    """It ends with the command that started it."""

    until: float | None = None
    """When it stops by itself, s (Unix time)."""

    backup: Backup | None = None

    notify: str | None = None
    """A command for the shell that runs when there is news."""

    stalled_after: float = 600.0
    """So many seconds in which nothing is stored are news, too."""

    @classmethod
    def parse(
        cls,
        *,
        foreground: bool,
        detach: bool,
        until: str | None,
        backup_to: Path | None,
        backup_every: str | None,
        notify: str | None = None,
    ) -> Self:
        """The options of a command.

        Raises:
            BadInput: one of them is not what it should be.
        """
        if foreground and detach:
            raise BadInput("--foreground: contradicts --detach; use one of them")
        if backup_every is not None and backup_to is None:
            raise BadInput(f"--backup-every {backup_every}: needs --backup-to PATH")
        if notify is not None and (not notify.strip() or "\0" in notify):
            raise BadInput(f"--notify {notify!r}: not a command; give what a shell runs, such as 'mail -s mlrtui me'")
        at = None if until is None else until_time(until, time.time())
        backup = None if backup_to is None else _backup(backup_to, backup_every or EVERY)
        return cls(foreground, at, backup, notify)

    def as_json(self) -> dict[str, object]:
        """What travels to the driver."""
        return asdict(self)

    @classmethod
    def of_json(cls, fields: dict[str, object]) -> Self:
        """The terms out of `as_json`."""
        backup = fields["backup"]
        known = fields | {"backup": Backup(**backup) if isinstance(backup, dict) else None}
        return cls(**known)  # type: ignore[arg-type]

    def passed(self) -> bool:
        """Whether it is time to stop."""
        return self.until is not None and time.time() >= self.until

    def until_words(self) -> str:
        """The time of `until`, as events and status give it."""
        return "" if self.until is None else moment(self.until)


def until_time(text: str, now: float) -> float:
    """The moment that ``--until`` names, s (Unix time): a time of day, a date with a time, or a duration from now.

    >>> until_time("90m", 1000.0)
    6400.0

    Raises:
        BadInput: it is none of these, or it is over.
    """
    word = text.strip()
    if (seconds := duration(word.removeprefix("+"))) is not None:
        return now + seconds
    if clock := _CLOCK.fullmatch(word):
        today = datetime.fromtimestamp(now)
        hour, minute, second = (int(part or 0) for part in clock.groups())
        then = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return (then if then > today else then + timedelta(days=1)).timestamp()
    try:
        at = datetime.fromisoformat(word).timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadInput(
            f"--until {text}: not a time; use a time of day (23:30), a date and time (2026-12-01T07:00) or a duration "
            "(+6h, 90m, 1h30m)"
        ) from None
    if at <= now:
        raise BadInput(f"--until {text}: is in the past; give a later time, or a duration such as +6h")
    return at


def duration(text: str) -> float | None:
    """Seconds of a duration such as 90m, 1h30m or 2d; None where it is none, or not between 1 s and 100 years.

    >>> duration("1h30m")
    5400.0
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    seconds = float(sum(int(part or 0) * scale for part, scale in zip(found.groups(), _UNITS.values(), strict=True)))
    return seconds if _SHORTEST_PAUSE <= seconds <= _LONGEST else None


def _backup(path: Path, every: str) -> Backup:
    seconds = duration(every.strip())
    if seconds is None:
        raise BadInput(f"--backup-every {every}: not a duration; use such as 10m, 1h or 90s")
    target = path.resolve()
    if target.is_dir():
        raise BadInput(f"--backup-to {path}: is a folder; name a file in it")
    if not target.parent.is_dir():
        raise BadInput(f"--backup-to {path}: the folder {target.parent} does not exist; make it first")
    return Backup(str(target), seconds)
