"""Small commands, options and bad input."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

from mlrtui.engines import devices
from mlrtui.engines.devices import resolve
from mlrtui.errors import BadInput

WriteSweep = Callable[..., Path]
COMMANDS = ("run", "watch", "browse", "status", "stop", "export", "examples", "check-claims", "doctor")
COMMANDS += ("resume", "rerun", "backup", "archive", "merge", "prune")


@pytest.fixture
def fake_store(made: Callable[..., Path]) -> Path:
    return made(SMALL_SEARCH)


def test_help_names_every_command_and_readme_too(mlrtui: Mlrtui) -> None:
    shown = mlrtui("--help").stdout
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for command in COMMANDS:
        assert command in shown
        assert f"mlrtui {command}" in readme
        assert mlrtui(command, "--help").returncode == 0


def test_bad_files_all_at_once(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    a = sweep_file(SMALL_SEARCH.replace("width = [16, 32]", "width = -3"), "a.toml")
    b = sweep_file(SMALL_SEARCH.replace('loss = "ce"', 'loss = "hinge"'), "b.toml")
    done = mlrtui("run", a, b, tmp_path / "missing.toml")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 3
    assert "model.width" in lines[0]
    assert "training.loss" in lines[1]
    assert "missing.toml" in lines[2]
    assert list(tmp_path.glob("*.db*")) == []


@pytest.mark.parametrize("text", ["gpu", "cpu:0", "cpu:x", "cuda:0,cpu", "", "cpu:-1"])
def test_bad_devices(text: str) -> None:
    with pytest.raises(BadInput, match="--devices"):
        resolve(text)


def test_devices_of_a_machine_with_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "count_cuda", lambda: 2)
    assert resolve("auto") == resolve("cuda") == ("cuda:0", "cuda:1")
    assert resolve("cuda:1, cuda:1") == ("cuda:1", "cuda:1")
    with pytest.raises(BadInput, match="cuda:2 is not there"):
        resolve("cuda:2")


def test_devices_of_a_cpu_machine() -> None:
    assert resolve("cpu:3") == ("cpu", "cpu", "cpu")
    assert resolve("cpu", useful=1) == ("cpu",)


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "sqlite"])
def test_export_and_sqlite_utils_agree(mlrtui: Mlrtui, fake_store: Path, tmp_path: Path, file_format: str) -> None:
    done = mlrtui("export", "--format", file_format, "--out", "out")
    assert done.returncode == 0, done.stderr
    direct = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", "rows", str(fake_store), "eta_star"],
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = json.loads(direct.stdout)
    if file_format == "jsonl":
        found = [json.loads(line) for line in (tmp_path / "out/eta_star.jsonl").read_text().splitlines()]
        assert found == wanted
    elif file_format == "csv":
        assert len((tmp_path / "out/eta_star.csv").read_text().splitlines()) == len(wanted) + 1
    else:
        again = subprocess.run(
            [sys.executable, "-m", "sqlite_utils", "rows", str(tmp_path / "out/mlrtui-export.sqlite"), "eta_star"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(again.stdout) == wanted
    refused = mlrtui("export", "--format", file_format, "--out", "out")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert mlrtui("export", "--format", file_format, "--out", "out", "--force").returncode == 0


def test_export_of_what_is_not_there(mlrtui: Mlrtui, fake_store: Path) -> None:
    for args, word in (
        (("--view", "eta_stra"), "eta_star"),
        (("--sweep", "x"), "small search"),
        (("--format", "xls"), "csv"),
    ):
        done = mlrtui("export", *args)
        assert done.returncode == 2
        assert word in done.stderr


def test_sqlite_utils_reads_a_store(fake_store: Path) -> None:
    for args in (
        ["tables", str(fake_store), "--counts"],
        ["schema", str(fake_store)],
        ["rows", str(fake_store), "grid", "--csv"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "sqlite_utils", *args], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_examples_are_listed_and_copied(mlrtui: Mlrtui, tmp_path: Path) -> None:
    listed = mlrtui("examples").stdout
    assert "quickstart-catapult" in listed
    assert "slurm/shard.sbatch" in listed
    assert mlrtui("examples", "--copy", "mine").returncode == 0
    assert (tmp_path / "mine/quickstart-eta-star.toml").read_text()
    assert (tmp_path / "mine/catapult/one-hidden-cpu.toml").read_text()
    assert "#SBATCH --signal=B:USR1@120" in (tmp_path / "mine/slurm/shard.sbatch").read_text()
    assert mlrtui("examples", "--copy", "mine").returncode == 2


def test_doctor_on_a_broken_store(mlrtui: Mlrtui, fake_store: Path) -> None:
    with closing(sqlite3.connect(fake_store)) as connection:
        connection.execute("UPDATE trial SET n_steps = n_steps + 1")
        connection.commit()
    broken = mlrtui("doctor", fake_store)
    assert broken.returncode == 1
    assert "ok  torch: " in broken.stdout
    assert "!!  store: n_steps is not the number of stored steps" in broken.stdout


def test_watch_and_browse_without_a_terminal(mlrtui: Mlrtui, fake_store: Path) -> None:
    assert "small search" in mlrtui("watch", "--store", fake_store).stdout
    assert "small search" in mlrtui("browse", fake_store).stdout
    assert "depth*width" in mlrtui("status", "--store", fake_store).stdout


def test_every_bad_sweep_file_is_refused_by_the_command(mlrtui: Mlrtui, tmp_path: Path) -> None:
    """All of them in one call: exit code 2, each file's own messages, nothing started."""
    folder = Path(__file__).parents[1] / "config" / "bad"
    files = sorted(folder.glob("*.toml"))
    assert len(files) >= 40
    done = mlrtui("run", *files)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    for file in files:
        assert any(line.startswith(f"mlrtui: {file}: ") for line in lines), file.name
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("run", "sweep.toml"), ("watch",), ("watch", "--once"), ("browse",), ("status",)])
def test_a_locale_without_utf8_gets_ascii(fake_store: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "sweep.toml").write_text(SMALL_SEARCH)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", *command], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert done.stdout.strip()
    assert done.stdout.isascii()
    assert b"?" not in done.stdout.replace(b"? help", b"")


def test_claims_are_checked_on_finished_examples_only(mlrtui: Mlrtui, fake_store: Path) -> None:
    nothing = mlrtui("check-claims")
    assert nothing.returncode == 2
    assert "mlrtui examples" in nothing.stderr
    assert mlrtui("run", "--devices", "fake").returncode == 0  # made-up numbers: some claims are missed, and said so
    done = mlrtui("check-claims")
    assert done.returncode == 1
    assert "  misses       " in done.stdout
    assert "expected" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("screen", ["live", "trial", "boundary", "exponents", "phases", "compare", "log"])
def test_every_screen_is_printed_once_and_its_data_as_json(mlrtui: Mlrtui, fake_store: Path, screen: str) -> None:
    done = mlrtui("watch", "--once", "--screen", screen, "--trial", 1, "--trial", 2)
    assert done.returncode == 0, done.stderr
    assert "small search" in done.stdout
    found = json.loads(mlrtui("watch", "--json", "--screen", screen, "--trial", 1, "--trial", 2).stdout)
    if screen == "compare":
        assert [one["trial_id"] for one in found["compared"]] == [1, 2]
        assert all(len(one["curve"]["loss"]) for one in found["compared"])
    else:
        assert found["trial_id"] == 1
        assert len(found["curve"]["step"]) == len(found["curve"]["loss"]) > 0
        assert ("details" in found) == (screen == "trial")
        assert ("page" in found) == (screen in ("exponents", "phases", "log"))


def test_the_list_of_sweeps_is_printed_once_and_as_json(mlrtui: Mlrtui, fake_store: Path) -> None:
    assert "1 sweep, newest first" in mlrtui("browse", "--once", fake_store).stdout
    (store,) = json.loads(mlrtui("browse", "--json", fake_store).stdout)["stores"]
    assert [sweep["name"] for sweep in store["sweeps"]] == ["small search"]


def test_browse_lists_every_store_that_is_named(mlrtui: Mlrtui, fake_store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    shutil.copy(fake_store, other)
    listed = json.loads(mlrtui("browse", "--json", "--store", fake_store, "--store", other).stdout)["stores"]
    assert len(listed) == 2
    refused = mlrtui("browse", fake_store, "--store", other)
    assert refused.returncode == 2
    assert "names another store; leave one of them out" in refused.stderr


def test_a_sweep_or_trial_that_is_not_there_is_one_line(mlrtui: Mlrtui, fake_store: Path) -> None:
    for args, words in (
        (("--trial", 99999), "--trial 99999: not in this store"),
        (("--sweep", "large"), "--sweep 'large': not in this store; it has 'small search'"),
        (("--screen", "cellar"), "cellar"),
    ):
        done = mlrtui("watch", "--once", *args)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
