"""How busy this machine is: processors and memory from /proc, GPUs where NVIDIA's library for Python can be imported.

Looked at only when the store has moved: a silent sweep must not send bytes because a percentage changed.
"""

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mlrtui.text.numbers import exact, whole

__all__ = ["Gpu", "Load", "Machine", "load_text"]

_GIB = 1024**3


@dataclass(frozen=True)
class Gpu:
    """One GPU: use in percent, memory in GiB."""

    percent: int
    used: float
    total: float


@dataclass(frozen=True)
class Load:
    """Processor use in percent of all cores since the last look, memory in GiB; None where it is not known."""

    cpu: int | None
    used: float | None
    total: float | None
    gpus: tuple[Gpu, ...] = ()


class Machine:
    """Looks at the machine; `proc` is the folder of the kernel's files. Anything that cannot be read is left out."""

    def __init__(self, proc: Path = Path("/proc"), gpu_library: str = "pynvml") -> None:
        self._proc = proc
        self._before: tuple[int, int] | None = None
        self._nvml: Any = None
        with suppress(Exception):  # no library, no driver, no GPU: nothing to show
            library = import_module(gpu_library)
            library.nvmlInit()
            self._nvml = library

    def look(self) -> Load:
        """The load now."""
        used, total = self._memory()
        return Load(self._processors(), used, total, self._gpus())

    def _processors(self) -> int | None:
        try:
            fields = [int(field) for field in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        if len(fields) < 5:
            return None
        all_time, idle = sum(fields), fields[3] + fields[4]
        before, self._before = self._before, (all_time, idle)
        if before is None or all_time <= before[0]:
            return None
        return round(100 * (1 - (idle - before[1]) / (all_time - before[0])))

    def _memory(self) -> tuple[float | None, float | None]:
        try:
            lines = (self._proc / "meminfo").read_text().splitlines()
            kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
            total, free = kib["MemTotal"], kib["MemAvailable"]
        except (OSError, ValueError, KeyError, IndexError):
            return None, None
        return round((total - free) * 1024 / _GIB, 1), round(total * 1024 / _GIB, 1)

    def _gpus(self) -> tuple[Gpu, ...]:
        if self._nvml is None:
            return ()
        found = []
        with suppress(Exception):  # a GPU that is lost meanwhile is shown no more
            for index in range(self._nvml.nvmlDeviceGetCount()):
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                percent = int(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
                found.append(Gpu(percent, round(memory.used / _GIB, 1), round(memory.total / _GIB, 1)))
        return tuple(found)


def load_text(load: Load) -> str:
    """The load in words: gpu0 97% 3.1/80G · cpu 12% · mem 3.4/16G."""
    parts = [f"gpu{index} {gpu.percent}% {exact(gpu.used)}/{whole(gpu.total)}G" for index, gpu in enumerate(load.gpus)]
    if load.cpu is not None:
        parts.append(f"cpu {load.cpu}%")
    if load.used is not None and load.total is not None:
        parts.append(f"mem {exact(load.used)}/{whole(load.total)}G")
    return " · ".join(parts)
