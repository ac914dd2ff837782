"""Stage 8: an example file for a GPU at a reduced size, by the command that a user types, into a store."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.device.stages import Report, Setting, Skip
from benchmarks.device.tools import wall

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "catapult" / "solvable-gpu.toml"
NEEDED = ("textual", "rich", "pydantic", "sqlite_utils", "plotext", "platformdirs", "typer", "scipy", "sklearn")


def run(setting: Setting, report: Report) -> None:
    """Train it, then ask the store what came of it. Raises Skip where packages are missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Skip(f"{', '.join(missing)} missing: scripts/collect_wheels.py gathers what can be carried along")
    widths = setting.pick("[16]", "[16, 64]", "[16, 256, 4096]")
    changes = [
        f"model.width={widths}",
        f"sweep.seeds={setting.pick(1, 2, 10)}",
        f"training.steps={setting.pick(8, 40, 400)}",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "trainer", ROOT / "db")))}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "figures.db")
        command = [sys.executable, "-m", "mlrtui.cli", "run", str(EXAMPLE), "--no-tui", "--store", str(store)]
        command += ["--devices", setting.device if setting.on_gpu else "cpu:1"]
        for change in changes:
            command += ["--set", change]
        done: list[subprocess.CompletedProcess[str]] = []
        seconds = wall(
            lambda: done.append(
                subprocess.run(
                    command,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=max(1.0, setting.left),
                )
            ),
            "cpu",
        )
        code = done[0].returncode
        report.expect(code == 0, f"mlrtui run ended with status {code}: {(done[0].stderr or done[0].stdout)[-300:]}")
        if code == 0:
            from mlrtui_db.reader import Reader

            with Reader.open(store) as reader:
                columns, rows = reader.query("phases")
                phases = [dict(zip(columns, row, strict=True))["phase"] for row in rows]
                steps = sum(1 for _ in reader.query("curves")[1])
            for phase in sorted(set(map(str, phases))):
                report.row(f"{EXAMPLE.name}: trials", phase=phase, trials=phases.count(phase))
            report.row("end to end", seconds=seconds, trials=len(phases), rows_of_steps=steps)
            report.expect(bool(phases), "the store holds no trials")
