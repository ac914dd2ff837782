"""The driver's process: reads its job from standard input, says "ready" or what is wrong, then runs to the end.

Started by `mlrtui.driver.launch`, in a process session of its own or (``--foreground``) tied to the command that starts
it, with standard output and error going to the log file beside the store. It never ends in silence: of what it ends, it
tells the launcher through a pipe, readers through the store (or the lock file, where the store takes nothing), and the
log, in full.
"""

import faulthandler
import json
import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

from mlrtui import tether
from mlrtui.errors import STOPPED, DriverDied, MlrtuiError
from mlrtui.version import __version__

if TYPE_CHECKING:
    from mlrtui.driver.loop import SweepEnd
    from mlrtui.driver.notices import Notices
    from mlrtui.driver.terms import Terms
    from mlrtui.engines.base import Engine
    from mlrtui.engines.caller import CallerEngine
    from mlrtui_db.store import Store

__all__ = ["main"]


class _Stop:
    """Set by signals: finish the current commit, leave the rest for a resume."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, signum: int, frame: FrameType | None) -> None:
        self.asked = True


def _say(text: str) -> None:
    """A line into the log. Never fails: the log may be on a full disk, and it is told just when that is the case."""
    _log(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def _log(text: str) -> None:
    # Not by print: what a failed write leaves in a buffer would fail again, at the latest when Python ends.
    with suppress(OSError):
        os.write(1, text.encode(errors="backslashreplace"))


def _answer(fd: int, **fields: object) -> None:
    """Tell the launcher, which may be gone."""
    with suppress(OSError):
        os.write(fd, json.dumps(fields).encode() + b"\n")


def _run(job: dict[str, object], answer_fd: int, stop: _Stop) -> int:
    from mlrtui import data, planning
    from mlrtui.config import LoopSweep, read_sweep
    from mlrtui.driver.backups import Backups
    from mlrtui.driver.loop import Driver
    from mlrtui.driver.notices import Notices
    from mlrtui.driver.shards import Shard, part
    from mlrtui.driver.terms import Terms
    from mlrtui.engines.loops import LoopEngine
    from mlrtui.engines.registry import engine_of
    from mlrtui.stores import open_store

    specs = [read_sweep(str(text)) for text in job["specs"]]  # type: ignore[attr-defined]
    caller, terms = _caller(job.get("caller")), Terms.of_json(job["terms"])  # type: ignore[arg-type]
    store = open_store(str(job["store"]))
    backups = Backups(store, terms.backup, lambda level, text: _note(store, text, level), _say)
    notices = Notices(terms.notify, store.path, terms.stalled_after, _say)
    engines: list[Engine] = []
    drivers: dict[bool, Driver] = {}  # of nets, of users' trainings: each engine is opened when its first sweep comes

    def each_turn() -> None:
        backups.turn()
        notices.turn(store.rev)

    try:
        _report(store)
        if terms.until is not None:
            store.ends(terms.until)
            _note(store, f"stops at {terms.until_words()} (--until)")
        _answer(answer_fd, ready=True, pid=os.getpid())
        driver_id = f"{socket.gethostname()}:{os.getpid()}:{int(time.time())}"
        names = [str(name) for name in job["devices"]]  # type: ignore[attr-defined]
        opened, options = engine_of(str(job["engine"])).open, dict(job["options"])  # type: ignore[call-overload]
        failed = done = 0
        for spec, shard in zip(specs, job["shards"], strict=True):  # type: ignore[call-overload]
            _show_loading(store, spec.sweep.name)
            loop = isinstance(spec, LoopSweep)
            if loop not in drivers:
                engine = caller or (LoopEngine(names) if loop else opened(names, options))
                engines.append(engine)
                drivers[loop] = Driver(
                    store,
                    engine,
                    driver_id=driver_id,
                    should_stop=lambda: stop.asked or terms.passed() or (caller is not None and bool(caller.gone)),
                    why_stopped=lambda: _why(stop, terms, caller),
                    each_turn=each_turn,
                    say=_say,
                )
            plan = planning.plan(spec, data.load)
            end = drivers[loop].run_sweep(spec, plan if shard is None else part(plan, Shard.parse(shard)))
            failed += end.failed
            done += end.status == "done"
            _tell(notices, end, _why(stop, terms, caller))
            if stop.asked or terms.passed() or end.status == "stopped":
                break
        _show_loading(store, "")
        kept = backups.finish()
        return STOPPED if done < len(specs) else 1 if failed or not kept else 0
    except BaseException as error:
        store.record_death(_words(error))
        notices.tell("failed", "", _words(error))
        raise
    finally:
        for close in (*(engine.close for engine in engines), backups.finish, store.close, notices.close):
            try:
                close()
            except Exception:  # it must not take the place of what the driver ends of
                _log(traceback.format_exc())


def _tell(notices: "Notices", end: "SweepEnd", why: str) -> None:
    """News of a sweep: not that there was nothing to do, or that the user stopped it."""
    if end.status == "done" and not end.already:
        failed = f", {end.failed} trainings failed" if end.failed else ""
        notices.tell("failed" if end.failed else "done", end.name, f"{end.name!r} is done{failed}")
    elif end.status == "stopped" and why:
        notices.tell("stopped", end.name, f"{end.name!r} was stopped: {why}")


def _caller(descriptor: object) -> "CallerEngine | None":
    """The script that asked for the search and trains by itself, where there is one."""
    if not isinstance(descriptor, int):
        return None
    from multiprocessing.connection import Connection

    from mlrtui.engines.caller import CallerEngine

    return CallerEngine(Connection(descriptor))


def _why(stop: _Stop, terms: "Terms", caller: "CallerEngine | None") -> str:
    """Why training stops before its end; "" where the user asked for it."""
    if caller is not None and caller.gone:
        return caller.gone
    return f"--until {terms.until_words()}" if terms.passed() and not stop.asked else ""


def _note(store: "Store", text: str, level: str = "info") -> None:
    """An event of no single sweep, also in the log."""
    from mlrtui_db.errors import StoreIOError

    _say(text)
    with suppress(StoreIOError), store.transaction():  # a full disk must not end what goes on without the event
        store.add_event(level, text)


def _show_loading(store: "Store", sweep: str) -> None:
    """Readers see what goes on before there is a sweep: reading data may take a while. "": nothing any more."""
    from mlrtui_db.errors import StoreError
    from mlrtui_db.work import WorkRow

    with suppress(StoreError), store.transaction():  # of trouble that stays the next commit tells
        store.show_work(WorkRow(time.time(), "data", sweep=sweep) if sweep else None)


def _report(store: "Store") -> None:
    """Put into the log what this driver is, and what it found when it came; its store has the events."""
    from mlrtui_db import filesystem

    _say(f"mlrtui {__version__} runs with {sys.executable}")  # `mlrtui.remote.finding` reads it
    if store.predecessor:
        _say(store.predecessor)
    store.forget_death()
    if (network := filesystem.network_kind(store.path)) is not None:
        _note(store, filesystem.network_warning(store.path, network), "warning")


def _words(error: BaseException) -> str:
    """What is wrong, in one line: the sentence of an error that is ours, else the last line of its traceback."""
    from mlrtui_db.errors import StoreError

    text = " ".join(str(error).split())
    if isinstance(error, MlrtuiError | StoreError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _code(error: BaseException) -> int:
    return error.exit_code if isinstance(error, MlrtuiError) else 3 if _is_of_store(error) else DriverDied.exit_code


def _is_of_store(error: BaseException) -> bool:
    from mlrtui_db.errors import StoreError

    return isinstance(error, StoreError)


def main() -> int:
    """Run the job on standard input; 0 done, 1 something failed, 2 bad input, 3 store trouble, 4 death, 75 stopped."""
    answer_fd, *parent = map(int, sys.argv[1:])
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, stop.ask)  # a job's warning may go to all of its processes
    signal.signal(signal.SIGINT, signal.SIG_IGN if parent else stop.ask)  # Ctrl-C is the command's to pass on
    if parent:
        tether.tie(parent[0])
    faulthandler.enable(2)  # a crash of the interpreter itself leaves its traceback in the log
    try:
        code = _run(json.load(sys.stdin), answer_fd, stop)
    except BaseException as error:
        words, code = _words(error), _code(error)
        if code == DriverDied.exit_code:
            _log("".join(traceback.format_exception(error)))
        _say(f"ended: {words}")
        _answer(answer_fd, ready=False, error=words, code=code)
    else:
        _answer(answer_fd, ready=False, error="", code=code)
    return code


if __name__ == "__main__":
    sys.exit(main())
