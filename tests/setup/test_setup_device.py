"""The command that measures everything on a GPU: rehearsed here on the CPU at its smallest size."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import FULL

from benchmarks.device import __main__ as device
from benchmarks.device.page import BLOCK, NOT_MEASURED, renew
from benchmarks.device.stages import STAGES, Report, Setting, Skip, Stage, stage_of

ROOT = Path(__file__).resolve().parents[2]


SHORT = {2, 3, 4, 6}
"""Stages of a few seconds: the others start processes of their own."""


@pytest.mark.timeout(900)
def test_every_stage_runs(tmp_path: Path) -> None:
    """All of them, one after the other, with MLRTUI_TEST_FULL=1; else one as a process, and the short ones in this."""
    stages = [stage for stage in STAGES if FULL or stage.number in SHORT]
    if FULL:
        done = rehearse(tmp_path, "--size", "tiny")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("### ") == len(STAGES)
    else:
        done = rehearse(tmp_path, "--size", "tiny", "--stages", "3")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("### ") == 1
        for stage in stages:
            if stage.number != 3:
                device._work(stage, Setting("cpu", "tiny", time.monotonic() + 600.0), tmp_path)
    found = [json.loads((tmp_path / f"stage-{stage.number}.json").read_text()) for stage in stages]
    assert [one["status"] for one in found] == ["done"] * len(stages)
    assert all(one["tables"] and all(one["tables"].values()) and not one["faults"] for one in found)
    page = tmp_path / "page.md"
    page.write_text((ROOT / "docs" / "benchmarks.md").read_text())
    renew(page, tmp_path)
    assert NOT_MEASURED not in page.read_text()
    assert page.read_text().count("### ") >= len(stages)


@pytest.mark.timeout(900)
def test_the_kernel_is_compared_at_every_width_by_the_interpreter(tmp_path: Path) -> None:
    """In a process of its own: Triton must be told before it is imported that it is to interpret."""
    pytest.importorskip("triton", reason="needs Triton: pip install -c constraints.txt 'mlrtui[gpu]'")
    done = rehearse(tmp_path, "--size", "tiny", "--stages", "9")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "stage-9.json").read_text())
    (table,) = found["tables"].values()
    assert [row["width"] for row in table] == [16, 32, 64, 128]
    for row in table:
        assert row["kernel, lane-steps/s"] > 0
        assert row["graphs, lane-steps/s"] > 0
        assert row["apart"] <= 1e-3
    assert any("speed means nothing here" in note for note in found["notes"])


def test_the_page_says_that_nothing_was_measured_or_holds_figures() -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "benchmarks.md").read_text())
    assert len(blocks) == 1


def test_what_there_is_no_time_for_is_skipped_and_what_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = tmp_path / "endless"  # a real stage ends within the limit where the machine is fast
    endless.write_text("#!/bin/sh\nexec sleep 600\n")
    endless.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(endless))
    assert device.run([stage_of(2), stage_of(3)], "cpu", "small", device.LEAST + 0.5, tmp_path) == 2
    first, second = (json.loads((tmp_path / f"stage-{number}.json").read_text()) for number in (2, 3))
    assert first["status"] == "timed out"
    assert second["status"] == "skipped"
    assert second["notes"] == ["no time was left"]


def test_an_unknown_stage_is_refused(tmp_path: Path) -> None:
    done = rehearse(tmp_path, "--stages", "1,99")
    assert done.returncode == 2
    assert "there is no stage 99" in done.stderr
    assert "Traceback" not in done.stderr


def breaks(setting: Setting, report: Report) -> None:
    report.row("before", value=float("nan"))
    raise OSError("no such device")


def lacks(setting: Setting, report: Report) -> None:
    raise Skip("wheels are missing")


def finds(setting: Setting, report: Report) -> None:
    report.expect(False, "numbers differ")


@pytest.mark.parametrize(
    ("work", "status", "words"),
    [("breaks", "failed", "no such device"), ("lacks", "skipped", "wheels are missing"), ("finds", "failed", "differ")],
)
def test_how_a_stage_ended_is_written(work: str, status: str, words: str, tmp_path: Path) -> None:
    stage = Stage(7, "a title", __name__, 1.0, work)
    try:
        device._work(stage, Setting("cpu", "tiny", 0.0), tmp_path)
    except OSError:
        assert work == "breaks"
    found = json.loads((tmp_path / "stage-7.json").read_text())
    assert found["status"] == status
    assert words in str(found["notes"] + found["faults"])
    assert found["tables"] == ({"before": [{"value": None}]} if work == "breaks" else {})


def test_a_stage_that_dies_without_a_word_is_failed_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    stages = [replace(stage_of(1), seconds=30.0), replace(stage_of(2), seconds=30.0)]
    assert device.run(stages, "cpu", "tiny", 60.0, tmp_path) == 2
    for number in (1, 2):
        found: dict[str, Any] = json.loads((tmp_path / f"stage-{number}.json").read_text())
        assert found["status"] == "failed"
        assert "its process ended with status 1" in found["notes"]


def test_the_wheels_asked_for_are_those_of_the_constraints(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import collect_wheels
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    call = collect_wheels.command(tmp_path, "3.12", "x86_64")
    assert call[call.index("--python-version") + 1] == "3.12"
    assert call[call.index("--constraint") + 1] == str(ROOT / "constraints.txt")
    pinned = (ROOT / "constraints.txt").read_text()
    assert all(f"\n{name}==" in pinned for name in collect_wheels.NAMES if name in ("textual", "rich", "pydantic"))
    assert not any(name.startswith("torch") for name in collect_wheels.NAMES)


def rehearse(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks.device", "--device", "cpu", "--out", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_stages_that_are_done_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, status in ((2, "done"), (3, "timed out")):
        Report(tmp_path / f"stage-{number}.json", number, "a title", status).write()
    begun: list[int] = []

    def run(stages: list[Stage], *given: object) -> int:
        begun.extend(stage.number for stage in stages)
        return 0

    monkeypatch.setattr(device, "run", run)
    monkeypatch.setattr(sys, "argv", ["x", "--device", "cpu", "--stages", "2,3,4", "--out", str(tmp_path), "--resume"])
    with pytest.raises(SystemExit):
        device.main()
    assert begun == [3, 4]


def test_a_run_of_one_stage_leaves_the_figures_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Report(tmp_path / "stage-2.json", 2, "a title", "done").write()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert device.run([replace(stage_of(1), seconds=30.0)], "cpu", "tiny", 60.0, tmp_path) == 1
    assert (tmp_path / "stage-2.json").exists()


def test_rows_are_printed_as_they_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="no such device"):
        device._work(Stage(7, "a title", __name__, 1.0, "breaks"), Setting("cpu", "tiny", 0.0), tmp_path)
    assert capsys.readouterr().out == '7. before: {"value": null}\n'
