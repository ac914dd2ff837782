"""Fixtures that several areas share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mlrtui_db import lock

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

Mlrtui = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sweep_file(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(text: str, name: str = "sweep.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def mlrtui(tmp_path: Path) -> Mlrtui:
    """Run the command in a folder of its own, without a terminal."""
    return partial(_run, tmp_path)


@pytest.fixture(scope="session")
def whole_search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run of `SMALL_SEARCH` leaves, trained for real; only to be read."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "sweep.toml").write_text(SMALL_SEARCH)
    done = _run(folder, "run", "sweep.toml", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr
    return folder / "mlrtui.db"


def _run(folder: Path, *args: object, **kwargs: object) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if k not in {"MLRTUI_STORE", "NO_COLOR"}}
    return subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", *map(str, args)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
        **kwargs,  # type: ignore[call-overload]
    )


@pytest.fixture
def no_driver_left(tmp_path: Path) -> Iterator[None]:
    """Kill whatever driver a failing test left behind."""
    yield
    for store in tmp_path.glob("*.db"):
        holder = lock.holder(store)
        if holder is not None:
            os.kill(holder.pid, 9)
