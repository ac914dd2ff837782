"""What the doctor says of stores and machines, and what to do."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import SMALL_SCAN

from mlrtui import doctor
from mlrtui_db.store import Store

WriteSweep = Callable[..., Path]


@pytest.fixture
def store(made: Callable[..., Path]) -> Path:
    return made(SMALL_SCAN)


def findings(store: Path) -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in doctor.store(store)}


def test_a_store_that_needs_something(store: Path) -> None:
    assert all(finding.fine for finding in findings(store).values())
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE trial SET status = 'failed', verdict = 'failed' WHERE trial_id = 1")
        connection.execute("UPDATE sweep SET status = 'stopped', finished_at = NULL")
        connection.commit()
    found = findings(store)
    assert found["store"].fine
    assert found["failed trials"] == doctor.Finding(
        "failed trials", False, f"in 'small scan': `mlrtui rerun --failed --store {store}` trains them again"
    )
    assert f"`mlrtui resume --store {store}`" in found["unfinished"].text


def test_a_driver_that_waits_and_a_log_that_grows(store: Path) -> None:
    with Store.open(store) as opened:
        assert "is at work" in findings(store)["driver"].text
        opened.note("training waits: the disk is full")
        waiting = findings(store)["driver"]
        assert (waiting.fine, waiting.text.endswith("training waits: the disk is full")) == (False, True)
    log = store.with_name(store.name + "-wal")
    with log.open("wb") as file:
        file.truncate((64 << 20) + 1)  # nothing valid in it: SQLite ignores it
    assert "some reader holds an old view open" in findings(store)["driver"].text


def test_a_gpu_that_torch_cannot_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_TORCH_PROBE", """print('{"version": "2.9", "cuda": [], "numba": ""}')""")
    monkeypatch.setattr(doctor, "_NVIDIA", tmp_path / "version")
    assert next(f for f in doctor.machine() if f.subject == "torch").fine
    (tmp_path / "version").touch()
    torch = next(f for f in doctor.machine() if f.subject == "torch")
    assert not torch.fine
    assert "built for CUDA" in torch.text


@pytest.mark.parametrize("off", [True, False])
def test_it_says_whether_steps_are_compiled(off: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLRTUI_FAST", "0" if off else "1")
    said = next(f for f in doctor.machine() if f.subject == "compiled steps")
    assert said.fine
    installed = not off and find_spec("numba") is not None
    assert said.text.startswith("numba " if installed else "not in use")
