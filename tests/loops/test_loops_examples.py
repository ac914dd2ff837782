"""The notebook and the scripts of examples/ run as they are shipped, at tiny sizes."""

import json
import os
import sqlite3
import subprocess
import sys
from math import isfinite
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def runs_of(store: Path) -> dict[str, int]:
    """Steps that have a measure, by its name."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return dict(connection.execute("SELECT measure, count(*) FROM measures WHERE value IS NOT NULL GROUP BY 1"))


def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code cells in one namespace, as a kernel does: no Jupyter is needed here."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "notebooks" / "any-training.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names: dict[str, object] = {}
    random = torch.get_rng_state()
    try:
        for cell in cells:
            exec("".join(cell["source"]), names)
    finally:
        torch.set_rng_state(random)
    said = capsys.readouterr().out
    assert said.startswith("Sharpness(")
    assert "could not be measured: nothing" in said
    edge = names["edge"]
    assert isfinite(edge.eta_star)  # type: ignore[attr-defined]
    assert edge.bracket[0] < edge.eta_star < edge.bracket[1]  # type: ignore[attr-defined]
    assert {"critical", "lambda", "lambda-preconditioned"} <= runs_of(tmp_path / "notebook.db").keys()


SCRIPTS = {
    "resnet_digits": "--epochs 1 --width 2 --samples 768 --batch 64",
    "gpt_characters": "--steps 14 --width 16 --blocks 1 --length 16 --batch 4 --warmup 5",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_trains_and_its_run_is_in_the_store(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "scripts" / f"{script}.py"), *SCRIPTS[script].split(), "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning" not in done.stderr
    assert "Recorder(" in done.stdout
    stored = runs_of(tmp_path / "runs.db")
    assert {"critical", "directional", "batch", "lambda"} <= stored.keys()
