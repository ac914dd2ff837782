"""What a driver says of its work while it runs: its stage, the time left, and what each worker does.

Row ``work`` of table ``meta``: JSON, written at most once a second, gone when the driver ends properly. It is text of a
store, so it is read as a stranger's: what cannot be read is not there. Nothing of it is needed to go on with a sweep.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from mlrtui_db._checked import Unreadable, record
from mlrtui_db._meta import read_meta, write_meta

__all__ = ["MOST_WORKERS", "STAGES", "WorkRow", "WorkerRow", "forget_work", "read_work", "write_work"]

STAGES = ("data", "workers", "lambda0", "training", "ending")
"""Of a sweep: its data is loaded; no worker is ready; λ₀ is measured; nets are trained; nothing is left to hand out."""

MOST_WORKERS = 128
"""As many are listed; of further ones the row has the number."""

_KEY = "work"
_LONGEST = 96_000  # characters; `MOST_WORKERS` take about 50 000
_TEXT = 120  # characters of a name

T = TypeVar("T", bound="WorkerRow | WorkRow")


@dataclass(frozen=True)
class WorkerRow:
    """One worker as its driver last heard of it. None, or "": not known, or without meaning now."""

    slot: int
    state: str  # "starting", "idle", "lambda0", "training", "left out"
    host: str = ""  # "": that of the driver
    device: str = ""
    name: str = ""  # of the hardware
    cell: str = ""  # label
    seeds: str = ""  # "0-3,7"
    lanes: int = 0  # nets that it measures, or trains, beside one another
    eta_low: float | None = None
    eta_high: float | None = None
    step: int | None = None  # of the lane that is furthest
    max_steps: int | None = None
    rate: float | None = None  # lane-steps a second, or nets a second while λ₀ is measured
    busy: float | None = None  # percent: of one core by a CPU worker's process, of a GPU by whoever uses it
    memory: int | None = None  # bytes: of a CPU worker's process, of a GPU in use
    memory_total: int | None = None  # bytes: of a GPU
    ceiling: float | None = None  # part of the lane-steps a second that the device could do at most; None: not known
    heard: float | None = None  # when its last record came, or its task began, s (Unix time); None: it has no task


@dataclass(frozen=True)
class WorkRow:
    """What a driver is doing. Times in seconds; ``at`` as Unix time."""

    at: float
    stage: str  # one of `STAGES`
    sweep_id: int | None = None  # None: it is not in the store yet
    sweep: str = ""  # name
    nets: int = 0
    to_measure: int = 0  # nets of which λ₀ is measured before they train
    measured: int = 0
    slots: int = 0
    ready: int = 0  # workers that have started
    rate: float | None = None  # of all workers, as theirs
    left: float | None = None  # time to the end of the sweep; None: not known
    low: float | None = None  # it ends between these in 8 of 10 cases, as far as is known
    high: float | None = None
    workers: tuple[WorkerRow, ...] = ()
    unlisted: int = 0  # further workers


def write_work(connection: sqlite3.Connection, work: WorkRow) -> None:
    """Put it in place of what was said before. Texts are cut, and workers beyond `MOST_WORKERS` are counted only."""
    said = _cut(vars(work))
    said["workers"] = [_packed(worker) for worker in work.workers[:MOST_WORKERS]]
    said["unlisted"] = work.unlisted + max(len(work.workers) - MOST_WORKERS, 0)
    write_meta(connection, _KEY, json.dumps(said, ensure_ascii=False, separators=(",", ":")))


def forget_work(connection: sqlite3.Connection) -> None:
    """Nobody is at work any more."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_KEY,))


def read_work(connection: sqlite3.Connection) -> WorkRow | None:
    """What the row says; None where there is none, or it is none of ours. Whether it still holds is not known here."""
    text = read_meta(connection, _KEY, _LONGEST)
    if text is None:
        return None
    try:
        said = json.loads(text)
        workers = tuple(_taken(WorkerRow, worker) for worker in said.pop("workers")[:MOST_WORKERS])
        work = _taken(WorkRow, said | {"workers": workers})
    except (Unreadable, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return work if work.stage in STAGES else None


def _packed(worker: WorkerRow) -> dict[str, Any]:
    """Without what has no meaning now: the row is written once a second."""
    return {name: value for name, value in _cut(vars(worker)).items() if value not in (None, "")}


def _cut(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[:_TEXT] if isinstance(value, str) else value for name, value in said.items()}


def _taken(kind: type[T], said: Mapping[str, Any]) -> T:
    """A record of this kind. Raises Unreadable or ValueError for values or fields that it does not have."""
    known = {field.name: field.default for field in fields(kind)}
    if said.keys() - known:
        raise ValueError(f"no field of {kind.__name__}")
    values = _cut(known | dict(said))
    return record(kind, tuple(values[name] for name in known), "work")
