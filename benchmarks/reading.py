"""How quickly a store is exported and read into frames, beside `sqlite3 -csv` and `pandas.read_sql`, in turns.

Each way runs in a process of its own on the same store, view `curves`; figures include the start of Python.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import make_store
from benchmarks.machine import describe, peak_memory, save, spread, table

SIX = "trial_id, step, loss, accuracy, sharpness, sharpness_residual"
OPEN = "import sys, mlrtui; t = mlrtui.open(sys.argv[1]).curves"
SIX_OF_OURS = f"{OPEN}(columns={SIX.split(', ')!r})"
SQL = "import sqlite3, sys, pandas; pandas.read_sql('SELECT {} FROM curves', sqlite3.connect(sys.argv[1]))"


def ways(store: Path, out: Path) -> dict[str, list[str]]:
    """Commands by name; ``sqlite3`` and what is not installed are left out."""
    found = {}
    if shutil.which("sqlite3"):
        found["sqlite3 -csv"] = ["sqlite3", "-csv", "-header", f"file:{store}?mode=ro", "SELECT * FROM curves"]
    for name in ("csv", "jsonl", "parquet", "sqlite"):
        words = ["export", "--store", str(store), "--view", "curves", "--format", name, "--force", "--out", str(out)]
        found[f"export {name}"] = [sys.executable, "-m", "mlrtui.cli", *words]
    scripts = {
        "read_sql, six columns": SQL.format(SIX),
        "to_pandas, six columns": f"{SIX_OF_OURS}.to_pandas()",
        "to_numpy, six columns": f"{SIX_OF_OURS}.to_numpy()",
        "read_sql, all columns": SQL.format("*"),
        "to_pandas, all columns": f"{OPEN}().to_pandas()",
        "to_arrow, all columns": f"{OPEN}().to_arrow()",
    }
    return found | {name: [sys.executable, "-c", script, str(store)] for name, script in scripts.items()}


def main() -> None:
    """Make the store, take the rounds, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="rows (1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of all ways (3)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.db"
        make_store.make(store, options.steps, options.steps // 3)
        commands = ways(store, Path(folder) / "out")
        timings: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                timings[name].append(_measured(command))
    rows = [
        [name, spread([one["seconds"] for one in taken]), f"{max(one['megabytes'] for one in taken):.0f}"]
        for name, taken in timings.items()
    ]
    print(table(("way", "CPU s", "peak MB"), rows))
    cases = [{"way": name, "rows": options.steps, "timings": taken} for name, taken in timings.items()]
    save(options.json, describe(), cases)


def _measured(command: list[str]) -> dict[str, float]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed with exit code {process.returncode}")
    return {"seconds": usage.ru_utime + usage.ru_stime, "megabytes": peak_memory(usage) / 2**20}


if __name__ == "__main__":
    main()
