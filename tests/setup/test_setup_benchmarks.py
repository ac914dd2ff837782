"""The benchmarks run, do the work that they say, and print their tables; no number is judged."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.trainings import BATCH, Case, flop_of
from mlrtui_trainer.spec import NetSpec

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("module", "options", "cases"),
    [
        ("trainings", "--rounds 1 --epochs 1 --depths 2 --widths 32 --trainings 2", 1),
        ("store_writes", "--rounds 1 --rows 400", 5),
    ],
)
def test_a_benchmark_runs(module: str, options: str, cases: int, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", f"benchmarks.{module}", *options.split(), "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == cases + 2
    assert len({line.count("|") for line in lines}) == 1
    written = json.loads(out.read_text())
    assert len(written["cases"]) == cases
    assert {"processor", "python"} <= set(written["about"])
    assert all(math.isfinite(value) and value > 0 for case in written["cases"] for value in case["timings"][0].values())


def test_the_floor_counts_every_matrix_product() -> None:
    case = Case(depth=1, width=3, trainings=2, epochs=1)
    assert case.net() == NetSpec(kind="mlp", inputs=64, outputs=10, depth=1, width=3)
    first, second, samples = 2 * 64 * 3, 2 * 3 * 10, 2 * BATCH
    step = BATCH * (2 * first + 3 * second)  # forward and weights' gradient for both, back-signal through one
    assert flop_of(case, samples) == 2 * (2 * step + 2 * samples * (first + second))
