"""The driver's process: reads its job from standard input, says "ready" or what is wrong, then runs to the end.

Started by `mlrtui.driver.launch` in a process session of its own, with standard output and error going to the log file
beside the store.
"""

import json
import os
import signal
import socket
import sys
import time
import traceback
from types import FrameType
from typing import TYPE_CHECKING

from mlrtui.errors import MlrtuiError

if TYPE_CHECKING:
    from mlrtui_db.store import Store

__all__ = ["main"]


class _Stop:
    """Set by SIGTERM and SIGINT: finish the current commit, leave the rest for a resume."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, signum: int, frame: FrameType | None) -> None:
        self.asked = True


def _say(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def _answer(fd: int, **fields: object) -> None:
    """Tell the launcher, which may be gone."""
    try:
        os.write(fd, json.dumps(fields).encode() + b"\n")
        os.close(fd)
    except OSError:
        pass


def _run(job: dict[str, object], answer_fd: int, stop: _Stop) -> int:
    from mlrtui import data, planning
    from mlrtui.config import SweepSpec
    from mlrtui.driver.loop import Driver
    from mlrtui.engines.open import open_engine
    from mlrtui.stores import open_store

    specs = [SweepSpec.from_canonical(str(text)) for text in job["specs"]]  # type: ignore[attr-defined]
    store = open_store(str(job["store"]))
    engine = None
    try:
        _report(store)
        _answer(answer_fd, ready=True, pid=os.getpid())
        driver_id = f"{socket.gethostname()}:{os.getpid()}:{int(time.time())}"
        engine = open_engine([str(name) for name in job["devices"]])  # type: ignore[attr-defined]
        driver = Driver(store, engine, driver_id=driver_id, should_stop=lambda: stop.asked, say=_say)
        failed = 0
        for spec in specs:
            end = driver.run_sweep(spec, planning.plan(spec, data.load))
            failed += end.failed
            if stop.asked:
                break
        return 1 if failed else 0
    finally:
        if engine is not None:
            engine.close()
        store.close()


def _report(store: "Store") -> None:
    """Put into the log what this driver found when it came."""
    from mlrtui_db import filesystem

    found = []
    if store.recovered:
        found.append(f"the driver before this one died; {store.recovered} trainings start again")
    if (network := filesystem.network_kind(store.path)) is not None:
        found.append(filesystem.network_warning(store.path, network))
    if found:
        with store.transaction():
            for text in found:
                _say(text)
                store.add_event("warning", text)


def main() -> int:
    """Run the job on standard input; 0 done, 1 something failed, 2 bad input, 3 store trouble."""
    from mlrtui_db.errors import StoreError

    answer_fd = int(sys.argv[1])
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop.ask)
    signal.signal(signal.SIGINT, stop.ask)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return _run(json.load(sys.stdin), answer_fd, stop)
    except (MlrtuiError, StoreError) as error:
        code = error.exit_code if isinstance(error, MlrtuiError) else 3
        _say(f"ended: {' '.join(str(error).split())}")
        _answer(answer_fd, ready=False, error=str(error), code=code)
        return code
    except Exception as error:
        traceback.print_exc()
        _answer(answer_fd, ready=False, error=f"the driver broke: {type(error).__name__}: {error}", code=1)
        return 1


if __name__ == "__main__":
    sys.exit(main())
