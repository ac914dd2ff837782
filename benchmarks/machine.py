"""What a measurement was taken on, how repeated measurements are put in words, and the file of its figures."""

import json
import os
import platform
import resource
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["describe", "peak_memory", "save", "spread", "table"]


def describe(device: str | None = None) -> dict[str, str]:
    """Hardware and versions, as a measurement must name them; torch's too, for work on a ``device``."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    if device is not None:
        import numpy as np
        import torch

        found |= {"numpy": np.__version__, "torch": str(torch.__version__)}
        found |= {"torch threads": str(torch.get_num_threads()), "device": device}
        if device.startswith("cuda"):
            found["device"] = torch.cuda.get_device_name(device)
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def peak_memory(usage: resource.struct_rusage) -> int:
    """The most resident memory that a process held, in bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median with the range that was seen: ``2.10 (1.95–2.30)``."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def save(path: Path | None, about: Mapping[str, str], cases: Sequence[Mapping[str, Any]]) -> None:
    """Write what every program's ``--json`` asks for: the machine, and one record for each case. None: nothing."""
    if path is not None:
        path.write_text(json.dumps({"about": about, "cases": cases}, indent=1), encoding="utf-8")
