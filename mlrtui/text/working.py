"""What a driver does, in words: the same on screens, in `status` and in the lines of `run --no-tui`."""

from collections.abc import Sequence

from mlrtui.text.lines import clean
from mlrtui.text.numbers import about, counted, exact, gibibytes, many, number, whole
from mlrtui_db.work import WorkerRow, WorkRow

__all__ = ["doing", "pace", "size_of_memory", "time_left", "worker_place", "workers_in_short"]


def time_left(work: WorkRow) -> str:
    """How long the sweep still takes: about 12 min (9–17); "" where it is not known."""
    return "" if work.left is None or work.stage == "ending" else about(work.left, work.low, work.high)


def doing(work: WorkRow) -> str:
    """What goes on, from the first second: starting workers 0/2 · 16 nets; then λ₀ 22/32 · 3 nets/s · about ..."""
    left = time_left(work)
    if work.stage == "data":
        parts = [f"reading the data of {clean(work.sweep)}"]
    elif work.stage == "workers":
        parts = [f"starting workers {work.ready}/{work.slots}", counted(work.nets, "net")]
    elif work.stage == "lambda0":
        parts = [f"λ₀ {work.measured}/{work.to_measure}", _rate(work.rate, "nets/s")]
    elif work.stage == "ending":
        parts = ["the last workers end"]
    else:
        parts = ["training", _rate(work.rate, "steps/s")]
    return " · ".join(part for part in (*parts, left) if part)


def pace(worker: WorkerRow) -> str:
    """How fast a worker is: 4.1k steps/s; "" where it is not known."""
    return _rate(worker.rate, "nets/s" if worker.state == "lambda0" else "steps/s")


def size_of_memory(worker: WorkerRow) -> str:
    """412 MiB, or 3.1/80 GiB of a device that has memory of its own; "" where it is not known."""
    if worker.memory is None:
        return ""
    if worker.memory_total:
        return f"{exact(worker.memory / 2**30, 2)}/{gibibytes(worker.memory_total)}"
    return f"{whole(worker.memory / 2**20)} MiB" if worker.memory < 2**30 else gibibytes(worker.memory)


def worker_place(worker: WorkerRow) -> str:
    """Its device, and the machine where that is another one: cuda:1 on node7."""
    return f"{clean(worker.device)} on {clean(worker.host)}" if worker.host else clean(worker.device)


def workers_in_short(work: WorkRow) -> str:
    """All workers in a few words: 2 of 2 workers at work · cpu 97–99 % · 4.1k steps/s."""
    busy = sum(worker.state in ("training", "lambda0") for worker in work.workers)
    words = f"{busy} of {work.slots} workers at work" if not work.unlisted else counted(work.slots, "worker")
    return " · ".join(part for part in (words, _loads(work.workers), _rate(work.rate, _unit(work))) if part)


def _loads(workers: Sequence[WorkerRow]) -> str:
    known = [worker for worker in workers if worker.busy is not None]
    if not known:
        return ""
    kind = "gpu" if known[0].memory_total else "cpu"
    low, high = (whole(side(worker.busy or 0.0 for worker in known)) for side in (min, max))
    return f"{kind} {low if low == high else f'{low}–{high}'} %"


def _unit(work: WorkRow) -> str:
    return "nets/s" if work.stage == "lambda0" else "steps/s"


def _rate(rate: float | None, unit: str) -> str:
    return "" if rate is None else f"{many(rate) if rate >= 0.1 else number(rate, 2)} {unit}"
