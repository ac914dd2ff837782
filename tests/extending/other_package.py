"""A package of somebody else's, installed beside ours the way pip leaves it, and commands that see it."""

import os
import subprocess
import sys
from pathlib import Path


def install(folder: Path, module: str, source: str, group: str, point: str) -> None:
    """A module with one entry point of a group."""
    info = folder / "site" / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "site" / f"{module}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{point}\n")


def run(folder: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    """`mlrtui` in a process of its own in this folder; its driver and workers see the package too."""
    environment = {name: value for name, value in os.environ.items() if name != "MLRTUI_STORE"}
    return subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", *map(str, words)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder / "site")},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
