"""Checks of the machine and of a store: what was found, and what to do about problems."""

import json
import locale
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from mlrtui.driver.stopping import at_work
from mlrtui.engines.devices import cpu_cores
from mlrtui.errors import MlrtuiError
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted, gibibytes
from mlrtui_db import filesystem, invariants, lock, sqlite_version
from mlrtui_db.errors import StoreDamaged, StoreError
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = ["Finding", "machine", "store"]

_TORCH_PROBE = """
import json, torch
from mlrtui_trainer.fast import route
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
capable = [torch.cuda.get_device_capability(i) for i in range(count)]
print(json.dumps({
    "version": torch.__version__, "numba": route.version(),
    "cuda": [torch.cuda.get_device_name(i) for i in range(count)],
    "capability": [f"{major}.{minor}" for major, minor in capable],
    "built": torch.version.cuda, "rocm": torch.version.hip, "mps": torch.backends.mps.is_available(),
    "code": torch.cuda.get_arch_list() if count else [],
}))
"""
_DRIVER_QUERY = ("nvidia-smi", "--query-gpu=driver_version,mig.mode.current", "--format=csv,noheader")
_LOW_DISK_BYTES = 1 << 30
_MOST_NAMED = 10
_LARGE_LOG_BYTES = 64 << 20
_NVIDIA = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Finding:
    """One line of the report. Not ``fine``: ``text`` says what to do."""

    subject: str
    fine: bool
    text: str


def machine() -> Iterator[Finding]:
    """Python, torch, devices, SQLite, terminal and disk of this machine."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.platform()}, {cpu_cores()} cores")
    yield from _torch()
    version, fine = sqlite_version.found(), sqlite_version.sufficient()
    yield Finding(
        "sqlite", fine, version if fine else f"{version} is too old; use a Python built with {sqlite_version.NEEDED}"
    )
    utf8 = "utf" in locale.getpreferredencoding(False).lower()
    terminal = os.environ.get("TERM", "unset")
    yield Finding(
        "terminal",
        True,
        f"TERM {terminal}, {'UTF-8' if utf8 else 'no UTF-8: screens are drawn in ASCII'}"
        + (", NO_COLOR set" if os.environ.get("NO_COLOR") else ""),
    )
    yield _disk(Path.cwd())


def store(path: Path) -> Iterator[Finding]:
    """Integrity and invariants of a store, its driver, unfinished work, and its file system.

    Raises:
        StoreError: it cannot be read at all.
    """
    with Reader.open(path) as reader:
        end = reader.last_end()
        foreign = reader.foreign_objects()
        try:
            sweeps, broken = reader.sweeps(), []
        except StoreDamaged as error:
            sweeps, broken = (), [str(error)]
    broken += invariants.check(path)
    remedy = "; `mlrtui browse` can still show it, but train into a new store or restore a copy made by `mlrtui backup`"
    yield Finding(
        "store", not broken, f"{counted(len(sweeps), 'sweep')}, whole" if not broken else "; ".join(broken) + remedy
    )
    if not broken:
        yield from _all_keys(path, sweeps)
    if foreign:
        yield Finding("of other tools", True, f"{_first_few(foreign)}; mlrtui does not touch them")
    held, writer = at_work(path)
    yield _driver(held, writer, path)
    if end is not None and not held:
        yield Finding("last driver", False, f"{end.sentence()}; `mlrtui resume --store {path}` continues")
    yield from _left_to_do(path, sweeps, held)
    network = filesystem.network_kind(path)
    yield Finding(
        "file system",
        network is None,
        "local" if network is None else filesystem.network_warning(path, network),
    )
    yield _disk(path.absolute().parent)


def _driver(held: bool, writer: lock.LockHolder | None, path: Path) -> Finding:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_LOG_BYTES:
        return Finding(
            "driver", False, f"the -wal file has {size >> 20} MB because a reader keeps an old snapshot open; close it"
        )
    if writer is None:
        return Finding("driver", not held, "one is running, but it cannot be identified" if held else "none is running")
    who = writer.place()
    return Finding("driver", not writer.note, f"{who} is running" if not writer.note else f"{who}: {writer.note}")


def _first_few(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")


def _all_keys(path: Path, sweeps: Sequence[SweepRow]) -> Iterator[Finding]:
    with suppress(StoreError), Reader.open(path) as reader:
        for sweep in sweeps:
            if sweep.mode != "recorded":
                yield from _keys(reader, sweep)


def _keys(reader: Reader, sweep: SweepRow) -> Iterator[Finding]:
    """Whether each stored training is the one that this version would make for its cell, seed and rate.

    Nothing is said where that cannot be known: of recorded runs, of settings, data or code that are not here.
    """
    from mlrtui import planning
    from mlrtui.commands.resume import stored_spec
    from mlrtui.driver.growth import growth

    with suppress(MlrtuiError, StoreError):
        plan, cells = planning.plan(stored_spec(sweep), None), reader.cell_states(sweep.sweep_id)
        known = growth(sweep.spec, cells, plan).known
        planned = {
            known[cell.position].cell_id: replace(cell, data_id=known[cell.position].data_id)
            for cell in plan.cells
            if cell.position in known
        }
        trials = reader.ended(sweep.sweep_id, threshold=inf)  # no steps are read
        others = [
            one.cell_id
            for one in trials
            if one.cell_id not in planned
            or one.trial_key != planning.trial_key(planned[one.cell_id], one.seed, one.eta, one.base_eta)
        ]
        if not others:
            return
        if len(others) == len(trials):
            text = "made by a version with other numbers; it can be shown and resumed, but not grown"
            yield Finding("keys", True, f"{one_line(sweep.name)}: {text}")
            return
        labels = [planned[number].label if number in planned else f"cell {number}" for number in dict.fromkeys(others)]
        yield Finding(
            "keys",
            False,
            f"{one_line(sweep.name)}: {len(others)} of {len(trials)} trainings are not those of its settings by this "
            f"version, in {one_line(_first_few(labels))}: their numbers differ from the others'; train the sweep anew "
            "under another name",
        )


def _left_to_do(path: Path, sweeps: Sequence[SweepRow], driven: bool) -> Iterator[Finding]:
    sweeps = [row for row in sweeps if row.mode != "recorded"]  # those are their scripts' to do again
    failed = [repr(row.name) for row in sweeps if row.trials_failed]
    if failed:
        remedy = f"`mlrtui rerun --failed --store {path}` retries them"
        yield Finding("failed trials", False, f"in {', '.join(failed)}: {remedy}")
    waiting = [repr(row.name) for row in sweeps if row.status != "done"]
    if waiting and not driven:
        yield Finding("unfinished", True, f"{', '.join(waiting)}: `mlrtui resume --store {path}` continues")


def _torch() -> Iterator[Finding]:
    done = subprocess.run([sys.executable, "-P", "-c", _TORCH_PROBE], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield Finding("torch", False, f"cannot be imported ({last}); install torch into this environment")
        return
    found = json.loads(done.stdout)
    devices = ", ".join(found["cuda"]) or "no CUDA device: trainings run on the CPU"
    yield Finding("torch", True, f"{found['version']}; {devices}")
    yield from _gpu(found)
    slow = "not in use: installing mlrtui[fast] speeds up narrow nets on a CPU (MLRTUI_FAST=0 keeps it off)"
    yield Finding("compiled steps", True, f"numba {found['numba']}" if found["numba"] else slow)


def _gpu(torch: dict[str, Any]) -> Iterator[Finding]:
    """What keeps a GPU of this machine from being used, and what is not supported. ``torch``: what the probe found."""
    if torch["rocm"]:
        remedy = "which is not supported; use --devices cpu, or a torch built for CUDA"
        yield Finding("gpu", False, f"torch {torch['version']} is built for ROCm {torch['rocm']}, {remedy}")
        return
    if torch["mps"]:
        yield Finding("gpu", True, "Apple's GPU (MPS) is not supported: trainings run on the CPU")
    driver = _driver_of_nvidia()
    if torch["cuda"]:
        yield from _cuda(torch, driver)
    elif driver is not None or _NVIDIA.exists():
        lack = "this torch is not built for CUDA: install one that is"
        if torch["built"]:
            lack = (
                f"torch for CUDA {torch['built']} finds no device: it may need a newer driver, or CUDA_VISIBLE_DEVICES "
                "hides all devices (`nvidia-smi` lists them)"
            )
        yield Finding("gpu", False, f"an NVIDIA driver is installed, but {lack}")
    elif torch["built"] and not torch["mps"]:
        yield Finding("gpu", True, f"none: torch is built for CUDA {torch['built']}, but no NVIDIA driver is installed")


def _cuda(torch: dict[str, Any], driver: tuple[str, str] | None) -> Iterator[Finding]:
    for name, capability in zip(torch["cuda"], torch["capability"], strict=True):
        if not _has_code(torch["code"], capability):
            text = f"torch {torch['version']} has no code for {name} (compute capability {capability})"
            yield Finding("gpu", False, f"{text}: install another torch, or use --devices cpu")
    version, mig = driver or ("not found", "")
    text = f"CUDA {torch['built']}, driver {version}"
    if mig == "Enabled":
        text += "; MIG is on: each instance that torch sees counts as a device (not tested)"
    yield Finding("gpu", True, text)


def _has_code(built: Sequence[str], capability: str) -> bool:
    """Whether code of this major version is there, or intermediate code of an older one, which the driver compiles."""
    major, minor = (int(part) for part in capability.split("."))
    for arch in built:
        kind, _, digits = arch.partition("_")
        digits = digits.rstrip("af")
        if not digits.isdigit():
            continue
        found = int(digits[:-1]), int(digits[-1])
        if (kind == "sm" and found[0] == major and found[1] <= minor) or (
            kind == "compute" and found <= (major, minor)
        ):
            return True
    return False


def _driver_of_nvidia() -> tuple[str, str] | None:
    """Version and MIG mode, as the driver's own tool gives them for the first GPU; None where there is no such tool."""
    try:
        done = subprocess.run(_DRIVER_QUERY, capture_output=True, text=True, check=True, timeout=20)
        version, mig = done.stdout.splitlines()[0].split(",")
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
    return version.strip(), mig.strip()


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{gibibytes(free)} free in {folder}"
    if free < _LOW_DISK_BYTES:
        return Finding("disk", False, f"{text}; a store grows by about 33 bytes per step; free some space")
    return Finding("disk", True, text)
