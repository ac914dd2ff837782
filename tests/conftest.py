"""Fixtures that several areas share."""

import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # a process for each core: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from mlrtui import cli
from mlrtui_db import lock

settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # of the machine, not ours
settings.load_profile("busy")

FULL = os.environ.get("MLRTUI_TEST_FULL") == "1"


def thinned(*lists: Iterable[object], step: int) -> list[tuple[object, ...]]:
    """For ``parametrize``: with MLRTUI_TEST_FULL=1 all combinations, else one of ``step``, in which each value occurs.

    They lie on diagonals; ``step`` must not be larger than the second longest of the lists.
    """
    chosen = product(*(enumerate(values) for values in lists))
    return [tuple(value for _, value in one) for one in chosen if FULL or sum(number for number, _ in one) % step == 0]


SMALL_SEARCH = """
[sweep]
name = "small search"
seeds = 2
[data]
name = "digits"
samples = 256
[model]
kind = "mlp"
depth = [1, 2]
width = [16, 32]
[training]
loss = "ce"
batch = 32
epochs = 3
[search]
threshold = 0.5
tolerance = 0.3
[sharpness]
every = 0
"""

LONG_SEARCH = (
    SMALL_SEARCH.replace("small search", "long search")
    .replace("depth = [1, 2]", "depth = [2, 3, 4, 5, 6]")
    .replace("width = [16, 32]", "width = [128, 256]")
    .replace("samples = 256", "samples = 1024")
    .replace("epochs = 3", "epochs = 6")
    .replace("tolerance = 0.3", "tolerance = 0.01")
)
"""Long enough on any machine to be interrupted; nobody waits for its end."""

SMALL_SCAN = """
[sweep]
name = "small scan"
seeds = 1
[data]
name = "digits"
samples = 64
target = "parity"
[model]
kind = "mlp"
depth = 1
width = 64
[training]
loss = "mse"
batch = "full"
steps = 60
[scan]
eta_lambda0 = [0.5, 2.6, 9.0]
[sharpness]
every = 5
"""

SMALL_MAP = f"""{SMALL_SCAN.partition("[scan]")[0].replace("small scan", "small map")}
[map]
eta = [0.001, 1.0]
axis = "width"
squares = 8
levels = 2
success = "finite"
""".replace("width = 64", "width = [8, 16, 24, 32, 48, 64]")

Mlrtui = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def file_size_limit(size: int | None) -> Iterator[None]:
    """Real write errors: no file of this process may grow beyond ``size`` bytes; None: any may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def sweep_file(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(text: str, name: str = "sweep.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def mlrtui(tmp_path: Path) -> Mlrtui:
    """Give the command in a folder of its own, without a terminal."""
    return partial(_run, tmp_path)


@pytest.fixture
def made(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A store of finished sweeps of these texts, with made-up numbers: made once, then copied."""

    def make(*texts: str) -> Path:
        if texts not in _made:
            folder = tmp_path_factory.mktemp("made")
            files = [folder / f"{number}.toml" for number in range(len(texts))]
            for file, text in zip(files, texts, strict=True):
                file.write_text(text)
            done = _run(folder, "run", *files, "--devices", "fake")
            assert done.returncode == 0, done.stderr
            _made[texts] = (folder / "mlrtui.db").read_bytes()
        path = tmp_path / "mlrtui.db"
        path.write_bytes(_made[texts])
        return path

    return make


_made: dict[tuple[str, ...], bytes] = {}


@pytest.fixture(scope="session")
def whole_search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run of `SMALL_SEARCH` leaves, trained for real; only to be read."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "sweep.toml").write_text(SMALL_SEARCH)
    done = _run(folder, "run", "sweep.toml", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr
    return folder / "mlrtui.db"


def _run(folder: Path, *args: object) -> "subprocess.CompletedProcess[str]":
    """What the command's own entry point does, in this process: a new one takes a second to start.

    Except for what leaves a driver behind, which must not become a child of the tests.
    """
    words = ["mlrtui", *map(str, args)]
    if "--detach" in words:
        return _run_apart(folder, words[1:])
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), chdir(folder):
        patch.setattr(sys, "argv", words)
        patch.setattr(sys, "stdin", io.StringIO())
        patch.delenv("MLRTUI_STORE", raising=False)
        patch.delenv("NO_COLOR", raising=False)
        code: object = 0
        try:
            cli.main()
        except SystemExit as left:
            code = left.code or 0
    said = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, *said)


def _run_apart(folder: Path, words: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in {"MLRTUI_STORE", "NO_COLOR"}},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture
def no_driver_left(tmp_path: Path) -> Iterator[None]:
    """Kill whatever driver a failing test left behind."""
    yield
    for store in tmp_path.glob("*.db"):
        holder = lock.holder(store)
        if holder is not None:
            os.kill(holder.pid, 9)
