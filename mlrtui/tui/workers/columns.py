"""The list of workers as columns: those that a width has space for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mlrtui.text.lines import clean
from mlrtui.text.numbers import exact, whole
from mlrtui.text.working import pace, size_of_memory, worker_place
from mlrtui_db.work import WorkerRow, WorkRow

__all__ = ["COLUMNS", "Column", "chosen", "worker_rows"]

_STATES = {"lambda0": "λ₀"}


class Column(NamedTuple):
    """One column. ``drop``: those with a larger number go first where there is no space; 0 stays."""

    head: str
    text: Callable[[WorkerRow], str]
    drop: int
    right: bool = True


def _rates(worker: WorkerRow) -> str:
    low, high = worker.eta_low, worker.eta_high
    return "" if low is None or high is None else exact(low, 3) + (f"–{exact(high, 3)}" if high > low else "")


def _step(worker: WorkerRow) -> str:
    if worker.step is None:
        return ""
    return f"{worker.step}/{worker.max_steps}" if worker.max_steps else str(worker.step)


def _busy(worker: WorkerRow) -> str:
    return "" if worker.busy is None else f"{whole(worker.busy)} %"


def _ceiling(worker: WorkerRow) -> str:
    if worker.ceiling is None:
        return "not known" if worker.state == "training" else ""
    return f"{exact(100 * worker.ceiling, 2)} %"


COLUMNS = (
    Column("", lambda one: str(one.slot), 0),
    Column("device", worker_place, 0, right=False),
    Column("", lambda one: _STATES.get(one.state, one.state), 0, right=False),
    Column("cell", lambda one: clean(one.cell), 0, right=False),
    Column("seeds", lambda one: clean(one.seeds), 4, right=False),
    Column("lanes", lambda one: str(one.lanes) if one.cell else "", 3),
    Column("η", _rates, 5),
    Column("step", _step, 2),
    Column("speed", pace, 0),
    Column("busy", _busy, 0),
    Column("memory", size_of_memory, 1),
    Column("of ceiling", _ceiling, 6),
    Column("hardware", lambda one: clean(one.name), 7, right=False),
)


def chosen(workers: Sequence[WorkerRow], width: int) -> list[tuple[Column, int]]:
    """The columns that fit into so many cells, with their widths; those that are empty in all rows are left out."""
    sized = [(one, max((len(one.text(worker)) for worker in workers), default=0)) for one in COLUMNS]
    shown = [(one, max(size, len(one.head))) for one, size in sized if size]
    while len(shown) > 1 and sum(size + 1 for _, size in shown) > width:
        last = max(shown, key=lambda pair: pair[0].drop)
        if not last[0].drop:
            break
        shown.remove(last)
    return shown


def worker_rows(work: WorkRow, width: int) -> tuple[str, list[tuple[WorkerRow, str]]]:
    """The head of the list, and each worker with its row."""
    columns = chosen(work.workers, width - 1)

    def joined(texts: Sequence[str]) -> str:
        cells = (
            text.rjust(size) if one.right else text.ljust(size)
            for (one, size), text in zip(columns, texts, strict=True)
        )
        return " " + " ".join(cells).rstrip()

    head = joined([one.head for one, _ in columns])
    return head, [(worker, joined([one.text(worker) for one, _ in columns])) for worker in work.workers]
