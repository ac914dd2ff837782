"""Ending a process by its own hand before one of the statements that it gives the store as its writer."""

import os
import signal
from collections.abc import Callable

import pytest

from mlrtui_db._guard import GuardedConnection

__all__ = ["killed_at", "statements_of"]


def statements_of(work: Callable[[], object], kill_at: int | None = None) -> int:
    """Do the work; how many statements it took. The process kills itself before the one of this number, from 1."""
    execute, count = GuardedConnection.execute, 0

    def counted(self: GuardedConnection, *args: object) -> object:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuardedConnection, "execute", counted)
        work()
    return count


def killed_at(statement: int, work: Callable[[], object]) -> bool:
    """Do the work in a fork that is killed before this statement; whether it got that far."""
    child = os.fork()
    if child == 0:
        try:
            statements_of(work, statement)
        except BaseException:
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.WIFSIGNALED(status)
