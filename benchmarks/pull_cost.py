"""What `mlrtui pull` transfers and costs, without the line: all of a store, then what is new beside its open writer.

CPU time of the far side is that of reading and compressing, of this side that of checking and writing. Rows are random
digits, which compress worst.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from benchmarks.machine import describe, save, table
from benchmarks.store_writes import batches, live_trials
from mlrtui_db import deltas, replicas
from mlrtui_db.frames import read_frame, read_frames
from mlrtui_db.records import StepRows
from mlrtui_db.store import Store

TRIALS, ROWS = 64, 20  # live trials, rows of each in a transaction


@dataclass(frozen=True)
class Pulled:
    """One pull."""

    kind: str
    new_rows: int
    bytes: int
    far: float  # CPU s
    here: float  # CPU s


def pull(source: Path, copy: Path, new_rows: int) -> Pulled:
    """Bring a copy up to date through memory."""
    line = io.BytesIO()
    request = replicas.as_text(replicas.state(copy))
    begun = time.process_time()
    deltas.serve(source, io.BytesIO(request), line)
    far, size = time.process_time() - begun, line.tell()
    line.seek(0)
    begun = time.process_time()
    head, _ = read_frame(line)
    if head["kind"] == "delta":
        replicas.apply(copy, "there", read_frames(line))
    else:
        replicas.receive(copy, "there", replicas.pieces(read_frames(line), "there"))
    return Pulled(str(head["kind"]), new_rows, size, far, time.process_time() - begun)


def write(store: Store, data: Iterator[StepRows], rows: int) -> int:
    """Store at least as many rows; how many."""
    count = -(-rows // (TRIALS * ROWS))
    for batch in islice(data, count):
        with store.transaction():
            store.append_steps(batch)
    return count * TRIALS * ROWS


def measure(folder: Path, first: int, later: list[int]) -> list[Pulled]:
    """All of a store of ``first`` rows, then each of ``later`` more."""
    source, copy = folder / "source.db", folder / "copy.db"
    with closing(Store.open(source)) as store:
        data = batches(live_trials(store, TRIALS), ROWS, 10**6)
        return [pull(source, copy, write(store, data, rows)) for rows in (first, *later)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pull_cost", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the store (1000000)")
    later = [0, 1_000, 30_000, 300_000]
    parser.add_argument("--later", type=int, nargs="+", default=later, help="new rows of each pull")
    parser.add_argument("--json", type=Path, help="where to put the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = measure(Path(folder), options.rows, options.later)
    rows = [
        [one.kind, f"{one.new_rows:,}", f"{one.bytes / 1e6:.3f}", f"{one.far:.2f}", f"{one.here:.2f}"] for one in done
    ]
    print(table(["what comes", "new rows", "MB sent", "far side, CPU s", "here, CPU s"], rows))
    save(options.json, describe(), [asdict(one) for one in done])


if __name__ == "__main__":
    main()
