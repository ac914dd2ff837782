"""How busy a worker's device is: its own process, and a GPU through a library that stands in for NVIDIA's."""

import itertools
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from mlrtui_trainer.devices import LANES, LAUNCHES, ROWS, WIDTH, ceilings
from mlrtui_trainer.load import LoadMeter
from mlrtui_trainer.spec import TaskDone, WorkerLoad

UUID = "8f1e-77"


class Nvml(ModuleType):
    """Knows one device, by its UUID."""

    def __init__(self) -> None:
        super().__init__("nvml_of_a_test")
        self.inits = 0

    def nvmlInit(self) -> None:
        self.inits += 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        assert uuid == f"GPU-{UUID}"
        return "handle"

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:
        assert handle == "handle"
        return SimpleNamespace(gpu=97)

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:
        return SimpleNamespace(used=3 << 30, total=80 << 30)


def on_gpu(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(torch.cuda, "mem_get_info", lambda device: (70 << 30, 80 << 30))
    patch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=UUID))


def test_a_cpu_worker_reads_its_own_process() -> None:
    meter = LoadMeter("cpu")
    begun = time.process_time()
    while time.process_time() - begun < 0.05:  # something to do
        pass
    load = meter.look()
    assert load.busy is not None
    assert 0 < load.busy < 10_000
    assert load.memory_total is None
    if sys.platform == "linux":
        assert load.memory is not None
        assert load.memory > 10_000_000  # torch is in it


def test_without_the_kernels_files_memory_is_not_known(tmp_path: Path) -> None:
    assert LoadMeter("cpu", statm=tmp_path / "none").look().memory is None


def test_a_gpu_is_found_by_its_uuid_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu(monkeypatch)
    library = Nvml()
    monkeypatch.setitem(sys.modules, library.__name__, library)
    meter = LoadMeter("cuda:1", library.__name__)
    assert [meter.look() for _ in range(2)] == [WorkerLoad(97.0, 3 << 30, 80 << 30)] * 2
    assert library.inits == 1


def test_without_the_library_torch_knows_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu(monkeypatch)
    assert LoadMeter("cuda:0", "no_such_library").look() == WorkerLoad(None, 10 << 30, 80 << 30)


def test_a_gpu_that_is_lost_ends_nothing() -> None:
    assert LoadMeter("cuda:77", "no_such_library").look() == WorkerLoad(None, None, None)


def test_it_is_said_among_a_tasks_records_and_never_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(
        "mlrtui_trainer.load.time", SimpleNamespace(monotonic=lambda: now, process_time=lambda: now / 2)
    )
    meter = LoadMeter("cpu")
    heard = []
    for message in meter.among([record(), record(), record(), TaskDone(1, 1.0)]):
        heard.append(type(message).__name__)
        now += 0.0 if isinstance(message, WorkerLoad) else 0.6
    assert heard == ["Repeated", "Repeated", "WorkerLoad", "Repeated", "TaskDone"]


def record() -> Any:
    from mlrtui_trainer.spec import Repeated

    return Repeated(1, "")


def test_what_a_device_does_at_most_is_measured_by_the_clock_of_the_host() -> None:
    ticks = itertools.count()
    found = ceilings("cpu", clock=lambda: float(next(ticks)))  # every look at the clock is a second later
    assert found["launch_ns"] == str(10**9 // LAUNCHES)
    assert int(found["gflops"]) == round(10 * 2 * LANES * ROWS * WIDTH * WIDTH / 1e9)
    assert ceilings("cuda:99") == {}  # rounds are sized by memory alone then
