"""What the doctor says of stores and machines, and what to do."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import SMALL_SCAN

from mlrtui.commands import doctor
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
        "failed trials", False, f"in 'small scan': `mlrtui rerun --failed --store {store}` retries them"
    )
    assert f"`mlrtui resume --store {store}`" in found["unfinished"].text


def test_trainings_that_are_not_those_of_the_settings_are_named_by_their_cells(store: Path) -> None:
    assert "keys" not in findings(store)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE trial SET trial_key = substr(trial_key, 2) || 'x' WHERE trial_id = 1")
        connection.commit()
        ((label,),) = connection.execute(
            "SELECT label FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id) WHERE trial_id = 1"
        )
        ((count,),) = connection.execute("SELECT count(*) FROM trial")
    found = findings(store)["keys"]
    assert not found.fine
    assert found.text.startswith(
        f"small scan: 1 of {count} trainings are not those of its settings by this version, in "
    )
    assert f", in {label}: " in found.text
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE trial SET trial_key = substr(trial_key, 2) || 'y'")
        connection.commit()
    assert findings(store)["keys"].fine


def test_a_driver_that_waits_and_a_log_that_grows(store: Path) -> None:
    with Store.open(store) as opened:
        assert "is running" in findings(store)["driver"].text
        opened.note("training waits: the disk is full")
        waiting = findings(store)["driver"]
        assert (waiting.fine, waiting.text.endswith("training waits: the disk is full")) == (False, True)
    log = store.with_name(store.name + "-wal")
    with log.open("wb") as file:
        file.truncate((64 << 20) + 1)  # nothing valid in it: SQLite ignores it
    assert "a reader keeps an old snapshot open" in findings(store)["driver"].text


TORCH = {
    "version": "2.9", "numba": "", "cuda": [], "capability": [], "built": None, "rocm": None, "mps": False, "code": [],
}  # fmt: skip
H100 = {"cuda": ["NVIDIA H100"], "capability": ["9.0"], "built": "12.8", "code": ["sm_80", "sm_90"]}


def of_gpu(found: dict[str, object], driver: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> doctor.Finding:
    """What is said of a GPU where torch finds this, and the driver's tool prints that (nothing: there is none)."""
    probe = folder / "probe.json"
    probe.write_text(json.dumps(TORCH | found))
    monkeypatch.setattr(doctor, "_TORCH_PROBE", f"print(open({str(probe)!r}).read())")
    monkeypatch.setattr(doctor, "_DRIVER_QUERY", ("echo", driver) if driver else (str(folder / "missing"),))
    monkeypatch.setattr(doctor, "_NVIDIA", folder / "version")
    return next((f for f in doctor.machine() if f.subject == "gpu"), doctor.Finding("gpu", True, ""))


@pytest.mark.parametrize(
    ("found", "driver", "fine", "said"),
    [
        ({}, "", True, ""),
        ({}, "580.1, [N/A]", False, "not built for CUDA"),
        ({"built": "13.0"}, "470.2, [N/A]", False, "it may need a newer driver"),
        ({"built": "13.0"}, "", True, "no NVIDIA driver"),
        (H100, "580.1, Disabled", True, "CUDA 12.8, driver 580.1"),
        (H100, "580.1, Enabled", True, "MIG is on"),
        (H100 | {"code": ["sm_50", "sm_70"]}, "580.1, Disabled", False, "no code for NVIDIA H100"),
        (H100 | {"code": ["sm_50", "compute_80"]}, "580.1, Disabled", True, "CUDA 12.8"),
        (H100 | {"code": ["sm_90a", "sm_100f"]}, "580.1, Disabled", True, "CUDA 12.8"),
        (H100 | {"rocm": "6.3"}, "", False, "ROCm 6.3, which is not supported"),
        ({"mps": True}, "", True, "MPS"),
    ],
)
def test_what_a_gpu_box_lacks_is_named(
    found: dict[str, object], driver: str, fine: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = of_gpu(found, driver, tmp_path, monkeypatch)
    assert (finding.fine, said in finding.text) == (fine, True), finding


def test_the_driver_is_found_without_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").touch()
    assert not of_gpu({}, "", tmp_path, monkeypatch).fine


def test_the_probe_of_torch_runs_here() -> None:
    subjects = {finding.subject: finding for finding in doctor.machine()}
    assert subjects["torch"].fine
    assert subjects["torch"].text.split(";")[0] == version("torch")


@pytest.mark.parametrize("off", [True, False])
def test_it_says_whether_steps_are_compiled(off: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLRTUI_FAST", "0" if off else "1")
    said = next(f for f in doctor.machine() if f.subject == "compiled steps")
    assert said.fine
    installed = not off and find_spec("numba") is not None
    assert said.text.startswith("numba " if installed else "not in use")
