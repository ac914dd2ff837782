"""mlrtui's screen beside others in terminals: LEET, the viewer of wandb, and ltui, a monitor made with Textual.

All show the same curve: a loss of 10^5 steps with a spike of one step. Each runs as its users run it, on a
pseudo-terminal, from an environment of its own; what is not named is left out.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine import describe, save, spread, table
from benchmarks.make_store import Made, make, restart
from benchmarks.terminal import SIZES, Screen, milliseconds
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

STEPS = 100_000
KEYS = 10
BURST = 21  # keys in one write; an odd number, so that the picture after them is another one
BURSTS = 3
BLOCK = 32_768  # bytes of a block in wandb's log of a run

_LOG_A_RUN = """
import array, sys, wandb
values = array.array("d", open(sys.argv[1], "rb").read())
quiet = wandb.Settings(x_disable_stats=True, x_disable_meta=True, console="off")
run = wandb.init(project="peers", dir=sys.argv[2], mode="offline", settings=quiet)
for step, value in enumerate(values):
    run.log({"loss": value}, step=step)
run.finish()
"""


@dataclass(frozen=True)
class Peer:
    """A program and how to tell what it shows."""

    name: str
    command: tuple[str, ...]
    frame: bytes  # what stands in the first frame that has the chart
    whole: bytes  # what stands in the first frame that has the spike; empty: the curve grows until it falls silent
    key: bytes  # logarithmic values and back
    answers: tuple[bytes, bytes]  # what stands in the pictures after it and back; empty: any byte is the answer
    running: tuple[str, ...]  # the command on a run that is marked as running and silent; empty: it knows no such thing


@dataclass(frozen=True)
class Measured:
    """What one program did at one size."""

    frame: list[float]  # seconds to the chart, of each start
    whole: list[float]  # seconds to the whole curve
    loading: float  # bytes until then
    keys: list[float]  # seconds from a key to the picture that answers it
    burst: list[float]  # seconds from a burst of keys to the last byte before a silence
    burst_bytes: int  # of the last of them
    ended: float  # bytes a minute with an ended run
    running: float | None  # the same with a silent one that is marked as running
    core: float  # share of a core meanwhile
    memory: float  # MiB, of all its processes


def measure(peer: Peer, size: tuple[int, int], home: Path, starts: int, seconds: float) -> Measured:
    """Run a program at one size: some starts, then keys and silence in the last of them."""
    more = {"HOME": str(home)}
    frames, wholes, loading = [], [], 0
    for start in range(starts):
        with _shown(peer.command, size, more) as screen:
            frames.append(screen.wait_for(peer.frame))
            whole = screen.wait_for(peer.whole) if peer.whole else 0.0
            while not peer.whole and screen.read(1.0):
                whole = screen.times[-1][0]
            wholes.append(whole)
            loading = len(screen.sent)
            if start == starts - 1:
                screen.listen(3.0)
                pressed = [_key(screen, peer, peer.answers[turn % 2]) for turn in range(KEYS)]
                bursts = [_burst(screen, peer, peer.answers[(KEYS + turn) % 2]) for turn in range(BURSTS)]
                screen.listen(2.0)
                begun, spent = time.perf_counter(), screen.cpu()
                ended = screen.listen(seconds) * 60 / seconds
                core = (screen.cpu() - spent) / (time.perf_counter() - begun)
                memory = screen.memory()
    running = None
    if peer.running:
        with _shown(peer.running, size, more) as screen:
            screen.wait_for(peer.frame)
            screen.listen(12.0)  # until it is loaded, and until mlrtui has said that the trial is quiet
            running = screen.listen(seconds) * 60 / seconds
    burst = [seconds for seconds, _ in bursts]
    return Measured(frames, wholes, loading, pressed, burst, bursts[-1][1], ended, running, core, memory)


def _burst(screen: Screen, peer: Peer, answer: bytes) -> tuple[float, int]:
    """Many keys in one write, in a silence of the screen, if it has any: seconds to the last byte, and the bytes.

    A screen that repaints by itself is never silent: of it, until the picture after them is first there, which may be
    that of an earlier key of them.
    """
    end = time.perf_counter() + 2.0
    while time.perf_counter() < end and screen.read(0.4):
        pass
    if answer:
        before, pressed = len(screen.sent), time.perf_counter() - screen.begun
        os.write(screen.master, peer.key * BURST)
        return screen.wait_for(answer, after=before) - pressed, len(screen.sent) - before
    _, last, sent = screen.key(peer.key * BURST, 0.6)
    return last, sent


def _key(screen: Screen, peer: Peer, answer: bytes) -> float:
    """Press a key in a silence of the screen, if it has any; seconds until the answer is there."""
    end = time.perf_counter() + 2.0
    while time.perf_counter() < end and screen.read(0.4):
        pass
    if not answer:
        return screen.key(peer.key, 0.3)[1]
    before, pressed = len(screen.sent), time.perf_counter() - screen.begun
    os.write(screen.master, peer.key)
    return screen.wait_for(answer, after=before) - pressed


@contextlib.contextmanager
def _shown(command: tuple[str, ...], size: tuple[int, int], more: dict[str, str]) -> Iterator[Screen]:
    screen = Screen(size, *command, more=more)
    try:
        yield screen
    finally:
        screen.close()


def ours(folder: Path) -> tuple[Peer, Made, list[float]]:
    """mlrtui on a store whose long trial is the curve; the trial, and its losses."""
    path = folder / "peers.db"
    made = make(path, STEPS, STEPS)
    with Reader.open(path) as reader:
        loss = reader.curve(made.long_trial).loss.tolist()
    watch = (sys.executable, "-m", "mlrtui.cli", "watch", "--store", str(path), "--trial")
    peer = Peer(
        f"mlrtui {version('mlrtui')}",
        (*watch, str(made.long_trial)),
        b"peak ",
        b"61.8",
        b"y",
        (b"", b""),
        (*watch, str(made.running_trial)),
    )
    return peer, made, loss


def leet(wandb: Path, folder: Path, loss: list[float]) -> Peer:
    """LEET on the same losses, logged offline by the wandb beside it; and on that log without its end."""
    python = wandb.parent / "python"
    column = folder / "loss.bin"
    column.write_bytes(array("d", loss).tobytes())
    more = {"HOME": str(folder), "WANDB_SILENT": "true", "PATH": f"{wandb.parent}:/usr/bin:/bin"}
    subprocess.run([str(python), "-c", _LOG_A_RUN, str(column), str(folder)], check=True, env=more)
    (log,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    cut = folder / "running" / "wandb" / log.parent.name / log.name
    cut.parent.mkdir(parents=True)
    data = log.read_bytes()
    cut.write_bytes(data[: (len(data) // BLOCK - 1) * BLOCK])  # two hundred steps less, and no word of an end
    name = subprocess.run([str(wandb), "--version"], check=True, capture_output=True, text=True, env=more).stdout
    show = (str(wandb), "leet")
    return Peer(
        f"LEET ({' '.join(name.split()).replace(', version', '')})",
        (*show, str(log.parent)),
        b"loss",
        b"",
        b"y",
        (b"", b""),
        (*show, str(cut.parent)),
    )


def textual_peer(ltui: Path, folder: Path, loss: list[float]) -> Peer:
    """ltui on the same losses as Lightning writes them."""
    place = folder / "ltui" / "lightning_logs" / "version_0"
    place.mkdir(parents=True)
    rows = "".join(f"0,{step},{value!r}\n" for step, value in enumerate(loss))
    (place / "metrics.csv").write_text(f"epoch,step,loss\n{rows}", encoding="utf-8")
    asked = "import importlib.metadata as m; print(m.version('lightning-metrics-tui'), 'textual', m.version('textual'))"
    python = str(ltui.parent / "python")
    name = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    # Its value axis ends a little above the spike; it repaints by itself, so only its ticks tell that a key was heard.
    show = (str(ltui), str(folder / "ltui"))
    return Peer(f"ltui {name}", show, b"loss", b"63.", b"y", ("10⁰".encode(), b"20.0"), ())


def _row(size: tuple[int, int], name: str, found: Measured) -> list[str]:
    running = "-" if found.running is None else f"{found.running:,.0f}"
    return [
        f"{size[0]}x{size[1]}",
        name,
        spread(found.frame),
        spread(found.whole),
        f"{found.loading:,}",
        milliseconds(found.keys),
        milliseconds(found.burst),
        f"{found.burst_bytes:,}",
        f"{found.ended:,.0f}",
        running,
        f"{100 * found.core:.1f}",
        f"{found.memory:.0f}",
    ]


HEAD = (
    "size", "program", "chart, s", "whole curve, s", "bytes until then", "key to its picture, ms",
    f"{BURST} keys, ms", "their bytes",
    "bytes a minute, ended", "running but silent", "share of a core, %", "MiB",
)  # fmt: skip


def report(options: argparse.Namespace, folder: Path, print_: Callable[[str], None]) -> list[dict[str, object]]:
    """Measure every program that was named, by turns at each size, and print the table; a record for each."""
    peer, made, loss = ours(folder)
    peers = [peer]
    for name, make_ in (("leet", leet), ("ltui", textual_peer)):
        path = getattr(options, name)
        if path is None:
            print_(f"{name}: not named by --{name}, left out")
        else:
            peers.append(make_(path.absolute(), folder, loss))
    measured = []
    with Store.open(folder / "peers.db") as writer:  # a driver is at work, as in a run that goes on
        restart(writer, made.running_trial, 2_000)
        for size in SIZES:
            measured += [(size, one.name, measure(one, size, folder, options.starts, options.seconds)) for one in peers]
    print_("\n" + table(HEAD, [_row(*one) for one in measured]))
    return [{"size": size, "program": name} | asdict(figures) for size, name, figures in measured]


def main() -> None:
    """Make the curve in every program's own form, measure, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screen_peers", description=__doc__)
    parser.add_argument("--leet", type=Path, help="bin/wandb of an environment with wandb")
    parser.add_argument("--ltui", type=Path, help="bin/ltui of an environment with lightning-metrics-tui")
    parser.add_argument("--starts", type=int, default=3, help="starts of each program at each size (3)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to listen for news (30)")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    for name in ("leet", "ltui"):
        path = getattr(options, name)
        if path is not None and not path.exists():
            parser.error(f"--{name} {path}: no such file")
    about = describe()
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        cases = report(options, Path(folder), lambda words: print(words, flush=True))
    save(options.json, about, cases)


if __name__ == "__main__":
    main()
