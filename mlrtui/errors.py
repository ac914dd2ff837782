"""The errors that reach a user, each with its exit code.

MlrtuiError                 one or more sentences
├── BadInput         (2)    a sweep file, an option or a value is wrong; all mistakes at once
│   └── NotInstalled (2)    what is asked for needs a package of an extra
├── StoreTrouble     (3)    the store cannot be used
└── DriverDied       (4)    the driver died: any other error
    └── EngineFailed (4)    no worker can train
"""

from collections.abc import Iterable

__all__ = ["BadInput", "DriverDied", "EngineFailed", "MlrtuiError", "NotInstalled", "StoreTrouble"]


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


class DriverDied(MlrtuiError):
    """The driver died of an unexpected error, or was killed."""

    exit_code = 4


class EngineFailed(DriverDied):
    """No worker could be started, or all of them died."""
