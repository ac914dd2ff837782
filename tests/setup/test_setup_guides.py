"""The code of the README and of the guides runs as it stands."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"
REST = """
sweep = { name = "guide", seeds = 1 }
data = { name = "digits", samples = 64 }
training = { loss = "ce", batch = 32, epochs = 1 }
search = { threshold = 0.2 }
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "docs/guides/python.md"])
def test_the_python_blocks_of_a_page_are_one_script_that_runs(page: str, tmp_path: Path) -> None:
    script = "\n".join(blocks(ROOT / page, "python"))
    assert "mlrtui.sharpness(" in script
    assert "mlrtui.critical_sharpness(" in script
    assert "mlrtui.find_max_lr(" in script
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=one_thread, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nan" not in done.stdout
    assert done.stdout.startswith("Sharpness(")


def test_a_store_is_read_as_the_guide_writes_it(made: Callable[..., Path], mlrtui: Mlrtui, tmp_path: Path) -> None:
    page = GUIDES / "reading.md"
    made(SMALL_SEARCH)
    script = "\n".join(blocks(page, "python"))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Sweep 'small search': search, done" in done.stdout
    commands = re.findall(r"^    mlrtui (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command.split(" | ")[0])
        if "parquet" in words and find_spec("pyarrow") is None:
            continue
        done = mlrtui(*words)
        assert done.returncode == 0, done.stderr
    if not any(entry.name == "mlrtui" for entry in entry_points(group="sqlite_utils")):
        pytest.skip("mlrtui was installed before it had its plug-in of sqlite-utils; install it again")
    questions = re.findall(r"^    sqlite-utils (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(questions) == 3
    for question in questions:
        command = [sys.executable, "-P", "-m", "sqlite_utils", *shlex.split(question)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_a_model_of_your_own_is_built_as_the_guide_writes_it(mlrtui: Mlrtui, tmp_path: Path) -> None:
    page = GUIDES / "your-own-model.md"
    (model,), (code, things) = blocks(page, "toml"), blocks(page, "python")
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "nets.py").write_text(code)
    (tmp_path / "nets.toml").write_text(REST + model)
    refused = mlrtui("run", tmp_path / "nets.toml", "--dry-run")
    assert refused.returncode == 2
    assert "--allow-code" in refused.stderr
    (tmp_path / "mine.py").write_text(things)
    own = {"loss": "huber", "optimizer": "SIGN", "schedule": "halved"}
    named = [word for key, name in own.items() for word in ("--set", f"training.{key}=mine:{name}")]
    built = mlrtui("run", tmp_path / "nets.toml", "--dry-run", "--allow-code", *named)
    assert built.returncode == 0, built.stderr
    assert "guide: search, 2 cells x 1 seed" in built.stdout


def test_a_training_of_your_own_is_understood_as_the_guide_writes_it(mlrtui: Mlrtui, tmp_path: Path) -> None:
    page = GUIDES / "your-own-training.md"
    (sweep,), (code,) = blocks(page, "toml"), blocks(page, "python")
    (tmp_path / "my_training.py").write_text(code)
    (tmp_path / "my.toml").write_text(sweep)
    understood = mlrtui("run", tmp_path / "my.toml", "--dry-run", "--allow-code")
    assert understood.returncode == 0, understood.stderr
    assert "my_training:train(lr, report, seed, width, dropout=0.0)" in understood.stdout
    assert "6 cells x 3 seeds" in understood.stdout


def test_the_guides_fields_of_results_are_all_of_them() -> None:
    from mlrtui import CriticalSharpness, DirectionalSharpness, MaxLR, Sharpness

    page = (GUIDES / "python.md").read_text(encoding="utf-8")
    for result in (Sharpness, CriticalSharpness, DirectionalSharpness, MaxLR):
        fields = {name for name in vars(result)["__dataclass_fields__"] if name not in ("route", "operator")}
        fields |= {name for name, value in vars(result).items() if isinstance(value, property)}
        assert [name for name in sorted(fields) if f"`{name}`" not in page] == []
