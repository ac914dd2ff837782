"""What the live screen costs on a real pseudo-terminal: first frame, bytes a tick, time from key to redraw, memory.

`mlrtui watch` runs as a user would run it, over a store of as many steps as asked for. Bytes are counted as they leave
the process; times are taken from outside, so they hold the terminal's side, too.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.machine import describe, save, spread, table
from benchmarks.make_store import Made, made_before, make, restart, steps
from benchmarks.terminal import SIZES, Screen, milliseconds
from mlrtui.tui.feed import Feed
from mlrtui.tui.starting import store_source
from mlrtui.tui.state import Reading, Wanted, cells_beside
from mlrtui.tui.traces import Traces
from mlrtui_db.store import Store

REFRESH = 2.0
STEPS_A_TICK = 40
AHEAD = 10.0  # seconds in which a watcher gets ready for keys, on a busy machine too


@contextlib.contextmanager
def watching(store: Path, size: tuple[int, int]) -> Iterator[Screen]:
    """`mlrtui watch` on a terminal of this size."""
    screen = Screen(size, sys.executable, "-m", "mlrtui.cli", "watch", "--store", str(store), "--refresh", str(REFRESH))
    try:
        yield screen
    finally:
        screen.close()


def interpreter() -> float:
    """Seconds that an interpreter takes to start and end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begun


def first_frame(store: Path, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Seconds to the frame and to the data of the followed trial, each less the interpreter's own; its work; MiB."""
    own = interpreter()
    with watching(store, size) as screen:
        frame = screen.wait_for(b"mlrtui")
        data = screen.wait_for(b"peak ")
        work = screen.cpu()
        screen.quiet(0.5)
        return frame - own, data - own, work, screen.memory()


def ticks(store: Path, made: Made, size: tuple[int, int], count: int) -> tuple[list[float], float, int]:
    """Bytes of each tick with one live trial, the share of a core, and the bytes of three silent ticks before."""
    trial, start = made.running_trial, 2_000
    with Store.open(store) as writer, contextlib.ExitStack() as stack:
        attempt = restart(writer, trial, start)
        seq = 1
        screen = stack.enter_context(watching(store, size))
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        before = len(screen.sent)
        screen.quiet(3 * REFRESH)
        silent = len(screen.sent) - before
        found = []
        begun, spent = time.perf_counter(), screen.cpu()
        for _ in range(count):
            _append(writer, trial, seq, start, STEPS_A_TICK, attempt)
            seq, start = seq + 1, start + STEPS_A_TICK
            found.append(float(screen.listen(REFRESH)))
        return found, (screen.cpu() - spent) / (time.perf_counter() - begun), silent


def keys(store: Path, size: tuple[int, int], count: int) -> tuple[list[tuple[float, float, int]], float]:
    """Times and bytes of keys on the chart of the long trial, and the CPU seconds of one key."""
    with watching(store, size) as screen:
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        before = len(screen.sent)
        screen.read(0)
        os.write(screen.master, b"[")  # from the running trial to the long one
        screen.wait_for(b"61.8", after=before)
        screen.quiet(REFRESH + 0.5)
        spent = screen.cpu()
        found = [screen.key(key) for key in (b"x", b"y", b"v") for _ in range(count)]
        return found, (screen.cpu() - spent) / len(found)


def drill_down(store: Path, size: tuple[int, int], count: int) -> tuple[list[float], list[float]]:
    """Seconds to a neighbouring trial (`[`) a moment after the last one was shown, and to the newest trial of another
    cell (arrows in the grid), of which nothing was read before.
    """
    with watching(store, size) as screen:
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + 0.5)
        near = []
        for _ in range(count):
            near.append(screen.key(b"[", 0.3)[1])
        return near, [screen.key(key, 0.3)[1] for key in (b"h", b"k") * (count // 2)]


def cell_switches(store: Path, rounds: int) -> tuple[list[float], list[float]]:
    """CPU seconds of the reading thread for a trial of the neighbouring cell: read when the key comes, and read ahead,
    in turn.
    """
    posted: list[Reading] = []
    feed = Feed([store_source(store)], posted.append, Wanted())
    feed.turn()
    then: list[float] = []
    ahead: list[float] = []
    for at in range(2 * rounds):
        feed._wake.clear()  # as its loop does before each turn
        if at % 2:
            feed.read_ahead()
        else:
            feed._traces = Traces()  # nothing of it was read before
        beside = cells_beside(posted[-1])
        feed.want(Wanted(cell_id=beside[at // 2 % len(beside)]))
        begun = time.process_time()
        feed.turn()
        (ahead if at % 2 else then).append(time.process_time() - begun)
    feed.close()
    return then, ahead


def pages(store: Path, size: tuple[int, int]) -> list[tuple[str, float, int, float]]:
    """Seconds from key to last byte, the bytes, and the CPU seconds, for each screen that reads views."""
    with watching(store, size) as screen:
        screen.wait_for(b"peak ")
        screen.quiet(REFRESH + AHEAD)
        found = []
        for name, key in (("Exponents", b"2"), ("Phases", b"6"), ("Log", b"5"), ("Browse", b"3"), ("Live", b"1")):
            spent = screen.cpu()
            _, last, sent = screen.key(key, 0.6)
            found.append((name, last, sent, screen.cpu() - spent))
        return found


def _opened(store: Path, rounds: int, print_: Callable[[str], None]) -> list[dict[str, object]]:
    """Print how long the first opening of each screen takes, by several watchers; a record for each screen and size."""
    rows, cases = [], []
    for size in SIZES:
        watched = [pages(store, size) for _ in range(rounds)]
        for openings in zip(*watched, strict=True):
            name = openings[0][0]
            last, work = ([one[at] for one in openings] for at in (1, 3))
            rows.append([f"{size[0]}x{size[1]}", name, *(spread([1000 * s for s in each], 0) for each in (last, work))])
            cases.append({"size": size, "screen": name, "last_s": last, "cpu_s": work})
    print_(table(("size", "screen", "ms", "CPU ms"), rows))
    return cases


def _switched(store: Path, rounds: int, print_: Callable[[str], None]) -> list[dict[str, object]]:
    """Print what a trial of the neighbouring cell costs the reading thread; a record of it."""
    then, ahead = cell_switches(store, rounds)
    rows = [[name, milliseconds(each)] for name, each in (("read then", then), ("read ahead", ahead))]
    print_(table(("trial of another cell", "CPU ms, median / 95 %"), rows))
    return [{"beside_cpu_s": then, "beside_ahead_cpu_s": ahead}]


def _append(writer: Store, trial: int, seq: int, start: int, count: int, attempt: int) -> None:
    with writer.transaction():
        writer.append_steps(steps(trial, seq, start, count, attempt=attempt))


def _report(store: Path, made: Made, rounds: int, print_: Callable[[str], None]) -> list[dict[str, object]]:
    """Print the table; its figures, a record for each size."""
    rows, cases = [], []
    for size in SIZES:
        frames = [first_frame(store, size) for _ in range(rounds)]
        live, core, silent = ticks(store, made, size, 15)
        every, work = keys(store, size, 30)
        near, far = drill_down(store, size, 6)
        rows += [
            [f"{size[0]}x{size[1]}", "first frame, s", spread([frame for frame, _, _, _ in frames])],
            ["", "data of the followed trial, s", spread([data for _, data, _, _ in frames])],
            ["", "CPU time until then, s", spread([spent for _, _, spent, _ in frames])],
            ["", "resident, MiB", spread([memory for _, _, _, memory in frames], 0)],
            ["", "bytes a tick, one live trial", spread(live, 0)],
            ["", "share of a core meanwhile, %", f"{100 * core:.1f}"],
            ["", "bytes of three ticks without news", str(silent)],
            ["", "key to first byte, ms (median / 95 %)", milliseconds([first for first, _, _ in every])],
            ["", "key to last byte, ms (median / 95 %)", milliseconds([last for _, last, _ in every])],
            ["", "CPU time a key, ms", f"{1000 * work:.1f}"],
            ["", "bytes a key", spread([float(sent) for _, _, sent in every], 0)],
            ["", "to a neighbouring trial, ms (median / 95 %)", milliseconds(near)],
            ["", "to a trial of another cell, ms (median / 95 %)", milliseconds(far)],
        ]
        others = pages(store, size)
        rows += [
            ["", f"to {name}, ms", f"{1000 * last:.0f} ({sent} bytes, {1000 * work:.0f} ms of CPU time)"]
            for name, last, sent, work in others
        ]
        then, ahead = cell_switches(store, 12)
        rows += [
            ["", "CPU time of a trial of the neighbouring cell, ms (median / 95 %)", milliseconds(then)],
            ["", "the same, read ahead", milliseconds(ahead)],
        ]
        cases.append(
            {
                "size": size,
                "first_frames": [
                    {"frame_s": frame, "data_s": data, "cpu_s": spent, "memory_mib": memory}
                    for frame, data, spent, memory in frames
                ],
                "tick_bytes": live,
                "core": core,
                "silent_bytes": silent,
                "keys": [{"first_s": first, "last_s": last, "bytes": sent} for first, last, sent in every],
                "key_cpu_s": work,
                "near_s": near,
                "far_s": far,
                "beside_cpu_s": then,
                "beside_ahead_cpu_s": ahead,
                "screens": [
                    {"name": name, "last_s": last, "bytes": sent, "cpu_s": work} for name, last, sent, work in others
                ],
            }
        )
    print_(table(("size", "measure", "value"), rows))
    return cases


def main() -> None:
    """Make the store, measure at both sizes, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screen_bytes", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps in the store (1000000)")
    parser.add_argument("--rounds", type=int, default=5, help="starts of the screen at each size (5)")
    parser.add_argument("--folder", type=Path, help="where the store is made (the system's temporary folder)")
    parser.add_argument("--store", type=Path, help="one that make_store made, instead of a new one; its steps grow")
    parser.add_argument("--pages", action="store_true", help="only how long it takes to open each screen")
    parser.add_argument("--cells", action="store_true", help="only what a trial of another cell costs to read")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    about = describe()
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="screens-") as folder:
        path = options.store or Path(folder) / "made.db"
        made = made_before(path) if options.store else make(path, options.steps)
        print(f"steps: {made.steps}, store: {path.stat().st_size / 2**20:.0f} MiB", end="\n\n", flush=True)
        rounds = options.rounds
        if options.cells:
            cases = _switched(path, rounds, print)
        else:
            cases = _opened(path, rounds, print) if options.pages else _report(path, made, rounds, print)
    save(options.json, about | {"steps": str(made.steps)}, cases)


if __name__ == "__main__":
    main()
