"""What a terminal, or a pipe, can be trusted to show."""

import os
import select
import sys
import threading
from collections.abc import Mapping
from typing import TextIO

__all__ = ["ascii_needed", "ascii_output", "leave_with_terminal"]


def ascii_needed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this terminal cannot be trusted with braille: a locale that is not UTF-8, or a plain console.

    LC_CTYPE=C.UTF-8 does not count, since Python itself sets it under LANG=C. Without any locale, as in most
    containers, UTF-8 is assumed.
    """
    if environment.get("TERM", "dumb") in ("", "dumb", "linux", "unknown"):
        return True
    ctype = environment.get("LC_CTYPE", "")
    named = environment.get("LC_ALL") or (ctype if ctype != "C.UTF-8" else "") or environment.get("LANG")
    return bool(named) and "utf" not in str(named).lower()


def ascii_output(out: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether plain text written to ``out`` must be ASCII. What a pipe ends in is not known: the locale decides."""
    if "utf" not in (out.encoding or "").lower():
        return True
    return ascii_needed(environment if out.isatty() else {**environment, "TERM": "xterm"})


def leave_with_terminal() -> None:
    """End this process at once when its terminal is gone, also where no SIGHUP says so.

    Without it a screen whose terminal was taken away (under nohup, or when the session's leader died first) would read
    from it without end.
    """
    if not hasattr(select, "poll") or not sys.stdin.isatty():
        return
    hang_up = select.poll()
    hang_up.register(sys.stdin.fileno(), 0)  # errors and hang-ups are reported without being asked for

    def wait() -> None:
        hang_up.poll()
        os._exit(129)  # nothing can be drawn any more, and nothing here is worth keeping

    threading.Thread(target=wait, name="terminal", daemon=True).start()
