"""From `--devices` to a list of device names, without importing torch here."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mlrtui.errors import BadInput

__all__ = ["FAKE", "count_cuda", "cpu_cores", "figures_of", "kind_of", "resolve"]

FAKE = "fake"
"""The device whose numbers are made up."""

_USAGE = "use auto, cpu, cpu:2, cuda, cuda:0 or cuda:0,cuda:1"


def kind_of(device: str) -> str:
    """What a device is, without which one of several.

    >>> kind_of("cpu"), kind_of("cuda:1"), kind_of("node3/cuda:1")
    ('cpu', 'cuda', 'cuda')
    """
    return device.rpartition("/")[2].partition(":")[0]


def cpu_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_cuda() -> int:
    """CUDA devices that torch can use; asks torch in a process of its own, and only where a driver is."""
    if not (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()):
        return 0
    probe = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=False)
    return int(done.stdout.strip() or 0) if done.returncode == 0 else 0


@lru_cache(maxsize=8)
def figures_of(devices: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
    """What CUDA devices can do, measured in a process of its own: `ceilings`, "memory" in bytes, and "shared".

    "shared" is "no" where the driver lets a GPU have one process only. A device that cannot be measured is left out.
    """
    probe = (
        "import json, sys; from mlrtui_trainer.devices import ceilings, memory_of; "
        "print(json.dumps({one: {'memory': str(memory_of(one)), **ceilings(one)} for one in sys.argv[1:]}))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", probe, *devices], capture_output=True, text=True, check=False)
    try:
        found: dict[str, dict[str, str]] = json.loads(done.stdout)
    except ValueError:
        return {}
    modes = _compute_modes()
    return {name: one | ({} if modes <= {"Default"} else {"shared": "no"}) for name, one in found.items()}


def _compute_modes() -> set[str]:
    """Compute modes of this machine's GPUs, such as "Default" or "Exclusive_Process"; none where nobody tells."""
    command = ["nvidia-smi", "--query-gpu=compute_mode", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30.0)
    except (OSError, subprocess.TimeoutExpired):
        return set()
    return set(filter(None, map(str.strip, done.stdout.splitlines()))) if done.returncode == 0 else set()


def resolve(wanted: str, *, useful: int | None = None) -> tuple[str, ...]:
    """Device of every worker: each CUDA device once, or one-thread CPU workers, as many as cores.

    ``useful`` bounds the number of CPU workers that are started by themselves (``auto``, ``cpu``): more would idle.

    Raises:
        BadInput: the text is not a list of devices, or a device is not there.
    """
    text = wanted.strip().lower()
    if text == FAKE:
        return (FAKE,)
    if text in {"auto", "cuda"}:
        found = count_cuda()
        if found:
            return tuple(f"cuda:{index}" for index in range(found))
        if text == "cuda":
            raise BadInput("--devices cuda: torch finds no CUDA device here; use --devices cpu")
    if text in {"auto", "cpu"}:
        return ("cpu",) * max(1, min(cpu_cores(), useful or cpu_cores()))
    if match := re.fullmatch(r"cpu:([1-9][0-9]{0,2})", text):
        return ("cpu",) * int(match[1])
    names = tuple(name.strip() for name in text.split(","))
    if not all(re.fullmatch(r"cuda:[0-9]{1,2}", name) for name in names):
        raise BadInput(f"--devices {wanted}: not a list of devices; {_USAGE}")
    found = count_cuda()
    missing = [name for name in names if int(name[5:]) >= found]
    if missing:
        raise BadInput(f"--devices {wanted}: {', '.join(missing)} is not there (torch finds {found} CUDA devices)")
    return names
