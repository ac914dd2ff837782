"""How busy a worker's device is, looked at by the worker itself: it may be on another machine than its driver.

Of a CPU worker the time and the memory of its own process. Of a GPU what NVIDIA's library says, where the package
nvidia-ml-py is installed (the extra `gpu`), else its memory alone, which torch knows.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrtui_trainer.spec import TaskDone, TaskFailed, WorkerLoad

if TYPE_CHECKING:
    from mlrtui_trainer.spec import Message

__all__ = ["LoadMeter"]

_SECONDS = 1.0  # between two looks


class LoadMeter:
    """Looks at one device about once a second, while a worker sends records anyway.

    Args:
        device: as torch names it.
        library: NVIDIA's; imported at the first look, and only for a CUDA device.
        statm: the kernel's file on this process's memory.
    """

    def __init__(self, device: str, library: str = "pynvml", statm: Path = Path("/proc/self/statm")) -> None:
        self._device, self._library, self._statm = device, library, statm
        self._at, self._spent = time.monotonic(), time.process_time()
        self._nvml: Any = None
        self._handle: Any = None
        self._asked = False

    def among(self, messages: "Iterable[Message]") -> "Iterator[Message]":
        """The same messages, with a `WorkerLoad` after one of them once a second; never after a task's last."""
        for message in messages:
            yield message
            if time.monotonic() - self._at >= _SECONDS and not isinstance(message, TaskDone | TaskFailed):
                yield self.look()

    def look(self) -> WorkerLoad:
        """The load since the last look. What cannot be read is None: it must not end a training."""
        now, spent = time.monotonic(), time.process_time()
        share = 100 * (spent - self._spent) / (now - self._at) if now > self._at else None
        self._at, self._spent = now, spent
        if not self._device.startswith("cuda"):
            return WorkerLoad(share, self._resident())
        memory = total = busy = None
        with suppress(Exception):
            import torch

            free, total = torch.cuda.mem_get_info(self._device)
            memory = total - free
        with suppress(Exception):
            self._ask()
            if self._handle is not None:
                busy = float(self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu)
                known = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
                memory, total = int(known.used), int(known.total)
        return WorkerLoad(busy, memory, total)

    def _resident(self) -> int | None:
        try:
            return int(self._statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None

    def _ask(self) -> None:
        """Find the device in NVIDIA's library, once: by its UUID, since torch may number devices otherwise."""
        if self._asked:
            return
        self._asked = True
        library = import_module(self._library)
        library.nvmlInit()
        self._nvml = library
        self._handle = library.nvmlDeviceGetHandleByUUID(_uuid(self._device))


def _uuid(device: str) -> str:
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"
