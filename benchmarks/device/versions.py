"""Stage 1: what the numbers were taken on, and the trainer's tests on the device itself."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.device.stages import Report, Setting
from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "trainer" / "test_trainer_device.py"
PACKAGES = ("torch", "triton", "numpy", "scipy", "scikit-learn", "numba", "jax", "pytest")
QUERY = ("name", "driver_version", "memory.total", "compute_cap", "mig.mode.current")


def run(setting: Setting, report: Report) -> None:
    """Machine, packages, device, and the outcome of the tests."""
    import torch

    for name, value in describe(setting.device).items():
        report.row("machine", what=name, value=value)
    for name in PACKAGES:
        report.row("machine", what=name, value=_version(name))
    if setting.on_gpu:
        properties = torch.cuda.get_device_properties(setting.device)
        report.row("machine", what="CUDA of torch", value=str(torch.version.cuda))
        report.row("machine", what="multiprocessors", value=str(properties.multi_processor_count))
        report.row("machine", what="memory, GiB", value=f"{properties.total_memory / (1 << 30):.0f}")
        for name, value in zip(QUERY, _asked_of_driver(), strict=False):
            report.row("machine", what=f"nvidia-smi: {name}", value=value)
    _tests(setting, report)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _asked_of_driver() -> list[str]:
    try:
        done = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [part.strip() for part in (done.stdout.splitlines() or [""])[0].split(",")]


def _tests(setting: Setting, report: Report) -> None:
    if importlib.util.find_spec("pytest") is None:
        report.note("the tests did not run: pytest is not installed")
        return
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(ROOT), "--noconftest"]
    command += ["-p", "no:cacheprovider", str(TESTS)]
    if setting.size == "tiny":
        command += ["-k", "refused or memory"]
    environment = os.environ | {
        "MLRTUI_TEST_DEVICE": setting.device,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "trainer", ROOT / "db"))),
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=max(1.0, setting.left)
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"]
    report.note(f"tests on {setting.device}: {lines[-1].strip('= ')}")
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            report.fault(line)
    report.expect(done.returncode == 0, f"pytest ended with status {done.returncode}")
