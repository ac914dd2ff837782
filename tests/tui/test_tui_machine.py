"""The machine line: what is read, and that it never moves by itself."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_tui_screens import shown
from tui_fakes import scan_store

from mlrtui.tui.machine import Gpu, Load, Machine, load_text


def kernel(folder: Path, busy: int, idle: int) -> None:
    (folder / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n")
    (folder / "meminfo").write_text("MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n")


def test_processors_and_memory(tmp_path: Path) -> None:
    kernel(tmp_path, 100, 900)
    machine = Machine(tmp_path, "no_such_library")
    assert machine.look() == Load(None, 4.0, 16.0)  # use of the processors needs two looks
    kernel(tmp_path, 130, 970)
    assert machine.look() == Load(30, 4.0, 16.0)
    assert load_text(Load(30, 4.0, 16.0)) == "cpu 30% · mem 4/16G"


@pytest.mark.parametrize("text", ["", "cpu x y", "cpu 1 2"])
def test_a_machine_without_these_files_shows_nothing(tmp_path: Path, text: str) -> None:
    machine = Machine(tmp_path, "no_such_library")
    assert load_text(machine.look()) == ""
    (tmp_path / "stat").write_text(text)
    (tmp_path / "meminfo").write_text("MemTotal\n")
    assert load_text(machine.look()) == ""


def test_gpus_are_read_and_may_get_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=2 * 1024**3, total=80 * 1024**3),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=97),
    )
    monkeypatch.setitem(sys.modules, "a_gpu_library", library)  # type: ignore[arg-type]
    machine = Machine(tmp_path, "a_gpu_library")
    assert machine.look().gpus == (Gpu(97, 2.0, 80.0),)
    assert load_text(machine.look()) == "gpu0 97% 2/80G"

    def lost(handle: int) -> None:
        raise RuntimeError("GPU is lost")

    library.nvmlDeviceGetMemoryInfo = lost  # type: ignore[assignment]
    assert machine.look().gpus == ()


async def test_the_line_moves_with_the_store_and_not_by_itself() -> None:
    store, looks = scan_store(), [0]

    def look() -> Load:
        looks[0] += 1
        return Load(10 + looks[0], 4.0, 16.0)

    async with shown(store, (160, 48), machine=look) as view:
        assert "cpu 11% · mem 4/16G" in view.text()
        await view.press("r", "r", "r")
        await view.press("left_square_bracket")
        await view.until(lambda: view.reading.trial_id == 6)
        assert "cpu 11%" in view.text()
        store.commit()
        await view.press("r")
        await view.until(lambda: "cpu 12%" in view.text())


async def test_a_sweep_that_has_ended_has_no_machine_line() -> None:
    async with shown(scan_store("done", False), (160, 48), machine=lambda: Load(50, 4.0, 16.0)) as view:
        assert "cpu 50%" not in view.text()
