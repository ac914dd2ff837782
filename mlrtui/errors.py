"""The errors that reach a user, each with its exit code.

MlrtuiError                 one or more sentences
├── BadInput         (2)    a sweep file, an option or a value is wrong; all mistakes at once
│   └── NotInstalled (2)    what is asked for needs a package of an extra
├── StoreTrouble     (3)    the store cannot be used
├── ConnectionLost (255)    the other machine cannot be reached, or no longer
└── DriverDied       (4)    the driver died: any other error
    └── EngineFailed (4)    no worker can train

A sweep that was stopped is no error; who waited for its end learns of it by exit code 75 (`STOPPED`).
"""

from collections.abc import Iterable

__all__ = [
    "STOPPED",
    "BadInput",
    "ConnectionLost",
    "DriverDied",
    "EngineFailed",
    "MlrtuiError",
    "NotInstalled",
    "StoreTrouble",
]

STOPPED = 75
"""Exit code: stopped before the end, and the same command goes on. The number is that of ``EX_TEMPFAIL``."""


class MlrtuiError(Exception):
    """An error for the user; printed as lines, never as a traceback."""

    exit_code = 1

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class BadInput(MlrtuiError):
    """Wrong input: each message names the field, the value and the remedy."""

    exit_code = 2

    @classmethod
    def gather(cls, messages: Iterable[str]) -> "BadInput":
        """One error out of many messages."""
        return cls(*messages)


class NotInstalled(BadInput, ImportError):
    """A package that comes with an extra is not installed; the message names both."""


class StoreTrouble(MlrtuiError):
    """The store cannot be opened, read or written."""

    exit_code = 3


class ConnectionLost(MlrtuiError):
    """ssh could not connect, or its connection broke."""

    exit_code = 255


class DriverDied(MlrtuiError):
    """The driver died of an unexpected error, or was killed."""

    exit_code = 4


class EngineFailed(DriverDied):
    """No worker could be started, or all of them died."""
