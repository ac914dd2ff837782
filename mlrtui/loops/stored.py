"""A search for η* that is kept in a store: a driver owns the file and asks, the script trains.

The driver is a process of its own, at the other end of a socket. So the script holds no lock that its forked children
would inherit, a slow disk delays it by no more than the socket's buffer, and if it is killed the store is closed
properly.
"""

import os
import socket
import weakref
from collections.abc import Callable
from math import inf, nan
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlrtui.config import LoopSweep, changes
from mlrtui.config.loops import IN_SCRIPT
from mlrtui.config.rules import RuleError
from mlrtui.driver.launch import DriverProcess, launch
from mlrtui.engines.caller import DEVICE
from mlrtui.errors import BadInput, MlrtuiError, StoreTrouble
from mlrtui.loops.results import Trial
from mlrtui.stores import make_current
from mlrtui_db.errors import StoreError
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader
from mlrtui_trainer.loops.code import Train
from mlrtui_trainer.loops.process import Difference, Failure, Job, Line, Returned
from mlrtui_trainer.loops.records import verdict_of
from mlrtui_trainer.loops.reports import LoopError, Reported, Reports, difference
from mlrtui_trainer.raised import said_in_short
from mlrtui_trainer.search import Boundary, Search, SearchSpec

__all__ = ["searched_in_store", "sweep_of"]

Progress = Callable[[Trial], object] | None
Found = tuple[dict[int, Boundary], tuple[Trial, ...], bool | None]

_lines: "weakref.WeakSet[_Caller]" = weakref.WeakSet()


def sweep_of(
    name: str, seeds: tuple[int, ...], rules: SearchSpec, start: float, threshold: float | None, check: bool
) -> LoopSweep:
    """The search as a sweep that only a script goes on with.

    Raises:
        BadInput: a sweep cannot have this name, or these numbers.
    """
    search = {"success": rules.success, "tolerance": rules.tolerance, "eta_min": rules.eta_min, "start": start}
    search |= {"eta_max": rules.eta_max, "method": "bisect"} | ({} if threshold is None else {"threshold": threshold})
    try:
        return LoopSweep.model_validate(
            {
                "sweep": {"name": name, "seeds": list(seeds)},
                "training": {"loop": IN_SCRIPT, "check": check},
                "search": search,
            }
        )
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        refused, field = detail.get("ctx", {}).get("error"), str(detail["loc"][-1])
        field = "key" if field == "name" else field
        text = refused.faults[0].text if isinstance(refused, RuleError) else str(detail["msg"])
        raise BadInput(f"{field} is {detail['input']!r}: {text}, where the search is kept in a store") from None


def searched_in_store(train: Train, spec: LoopSweep, rules: SearchSpec, store: Path, progress: Progress) -> Found:
    """Boundaries by seed, all trials and whether the first one was repeatable: of what the store has, and the rest.

    Raises:
        BadInput: the store has a search of this key with other settings.
        StoreTrouble: the store cannot be used, or the search was stopped from outside.
    """
    try:
        row = _stored(store, spec)
        if row is None or row.status != "done":
            _search(train, spec, store, progress)
        return _found(store, spec, rules)
    except StoreError as error:
        raise StoreTrouble(str(error)) from error


def _stored(store: Path, spec: LoopSweep) -> SweepRow | None:
    """The sweep of this key, if the store has one."""
    if not store.exists() or (store.is_file() and store.stat().st_size == 0):
        return None
    make_current(store)
    with Reader.open(store) as reader:
        reader.refuse_if_incomplete()
        row = next((one for one in reader.sweeps() if one.name == spec.sweep.name), None)
    changed = [] if row is None else changes(row.spec, spec)
    if changed:
        raise BadInput(
            f"key is {spec.sweep.name!r}: {store} has a search or sweep of this name with other settings "
            f"({'; '.join(changed)}); use another key"
        )
    return row


def _search(train: Train, spec: LoopSweep, store: Path, progress: Progress) -> None:
    ours, theirs = socket.socketpair()
    try:
        driver = launch(store, [spec.canonical()], [DEVICE], caller=theirs.fileno())
    except BaseException as error:
        ours.close()
        if isinstance(error, MlrtuiError):
            raise StoreTrouble(*error.messages) from error
        raise
    finally:
        theirs.close()
    caller = _Caller(Connection(ours.detach()))
    try:
        caller.serve(train, progress)
    except BaseException as error:
        caller.leave(error)
        driver.end()
        raise
    finally:
        caller.close()
    _refuse_an_early_end(driver, spec, store)


def _refuse_an_early_end(driver: DriverProcess, spec: LoopSweep, store: Path) -> None:
    end = driver.end()
    if end.words:
        raise StoreTrouble(f"the process that keeps {store} ended: {end.words}")
    with Reader.open(store) as reader:
        row = next(one for one in reader.sweeps() if one.name == spec.sweep.name)
    if row.status != "done":
        raise StoreTrouble(f"the search {spec.sweep.name!r} was stopped: call find_max_lr again with this key to go on")


class _Caller:
    """The script's end of the socket."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self._connection = connection
        self._line = Line(connection)
        _lines.add(self)

    def serve(self, train: Train, progress: Progress) -> None:
        """Train what the driver asks for, until it hangs up."""
        while True:
            try:
                job = self._connection.recv()
            except (EOFError, OSError):
                return
            assert isinstance(job, Job)
            if not self._one(train, job, progress):
                return

    def leave(self, error: BaseException) -> None:
        """Say why nothing more comes."""
        words = str(error) if isinstance(error, LoopError) else f"train_fn raised {said_in_short(error)}"
        self._send(Failure("interrupted" if isinstance(error, KeyboardInterrupt) else " ".join(words.split()), False))

    def close(self) -> None:
        """Hang up."""
        _lines.discard(self)
        self._connection.close()

    def _one(self, train: Train, job: Job, progress: Progress) -> bool:
        """One training; False where the driver has hung up meanwhile."""
        there = True
        first: list[Reported] = []
        run = self._line.begin(job.loop, job.lr, first if job.check else None)

        def report(step: int, loss: Any, accuracy: Any = None) -> bool:
            nonlocal there
            try:
                return there and self._line.report(step, loss, accuracy)
            except (BrokenPipeError, ConnectionResetError):
                there = False
                return False

        train(job.lr, report, job.seed)
        if not there:
            return False
        end = run.ending(job.lr)
        try:
            self._line.end()
        except (BrokenPipeError, ConnectionResetError):
            return False
        if job.check:
            again = Reports(job.loop)
            train(job.lr, again, job.seed)
            there = self._send(Difference(difference(first, again.take(all_of_it=True))))
        if there and progress is not None:
            progress(Trial.of(job.seed, job.lr, verdict_of(job.loop, end), end))
        return there and self._send(Returned(0.0))

    def _send(self, message: object) -> bool:
        try:
            self._line.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True


def _close_all() -> None:
    for caller in list(_lines):
        caller.close()


os.register_at_fork(after_in_child=_close_all)  # the socket is the parent's alone


def _found(store: Path, spec: LoopSweep, rules: SearchSpec) -> Found:
    """From the rows of the store, in the order in which they were asked for."""
    trials: list[Trial] = []
    start = spec.search.start if spec.search is not None else nan
    assert isinstance(start, float)
    searches = {seed: Search(rules, start) for seed in spec.sweep.seeds}
    with Reader.open(store) as reader:
        sweep = next(one for one in reader.sweeps() if one.name == spec.sweep.name)
        columns, rows = reader.query("phases", where_sweep=spec.sweep.name)
        for values in sorted((dict(zip(columns, row, strict=True)) for row in rows), key=_order):
            more = reader.trial(int(str(values["trial_id"])))
            assert more is not None
            bad = {"nan": nan, "+inf": inf, "-inf": -inf}.get(str(values["bad_kind"]), nan)
            first, last = (_number(values[name], bad) for name in ("loss_initial", "loss_final"))
            best = _number(more.best_accuracy, nan)
            trials.append(Trial(more.seed, more.eta, str(more.verdict), more.last_step or 0, first, last, best))
            searches[more.seed].tell(more.eta, str(more.verdict))
    boundaries = {seed: search.boundary() for seed, search in searches.items()}
    return boundaries, tuple(trials), None if sweep.repeatable is None else bool(sweep.repeatable)


def _order(values: dict[str, object]) -> tuple[int, int]:
    return int(str(values["seed"])), int(str(values["trial_id"]))


def _number(value: object, missing: float) -> float:
    return float(value) if isinstance(value, int | float) else missing
