"""The kernel of Triton, run on the CPU by Triton's interpreter, does what the general steps do, to rounding."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kernel_cases import ALONE, BESIDE, BROKEN, CASES, CHOSEN, WILD, Case

from mlrtui_trainer.kernels import choice

pytest.importorskip("triton", reason="needs Triton: pip install -c constraints.txt 'mlrtui[gpu]'")

HERE = Path(__file__).parent
CASE_OF = {case.name: case for case in CASES}
APART = 2e-5  # relative, of losses after some steps in single precision


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What one process found of all cases."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-W", "error", str(HERE / "kernel_child.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    pairs = [json.loads(line) for line in done.stdout.splitlines()]
    return {pair["name"]: pair for pair in pairs}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_kernel_trains_as_the_general_steps_do(case: Case, found: dict[str, Any]) -> None:
    pair = found[case.name]
    assert sum(pair["kernel"]["launches"]) >= case.train.max_steps
    assert pair["general"]["launches"] == []
    for eta, ours, theirs in zip(case.etas, pair["kernel"]["trials"], pair["general"]["trials"], strict=True):
        for name in ("verdict", "phase", "step", "flags", "reached_epoch", "bad_step", "bad_kind", "peak_step"):
            assert ours[name] == theirs[name], name
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=1e-12, nan_ok=True)
        if eta >= WILD:
            assert theirs["verdict"] == "diverged"
            continue
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=APART)
        assert ours["sharpness"] == pytest.approx(theirs["sharpness"], rel=1e-3, nan_ok=True)
        for name in ("logit_rms_peak", "hidden_growth", "best_accuracy"):
            assert ours[name] == pytest.approx(theirs[name], rel=APART, nan_ok=True), name


def test_many_steps_are_one_launch(found: dict[str, Any]) -> None:
    assert 4 in found["ce-sgd-relu"]["kernel"]["launches"]
    assert found["ce-sgd-relu"]["kernel"]["trials"][1]["step"][-1] < 4  # diverged on the way


def test_a_rate_reaches_its_threshold_on_the_way(found: dict[str, Any]) -> None:
    reached, slow = found["reached"]["kernel"]["trials"]
    assert reached["verdict"] == "reached" or reached["reached_epoch"] is not None
    assert reached["step"][-1] < slow["step"][-1]


def test_a_kernel_that_cannot_be_launched_is_left_with_one_line_and_the_same_records(found: dict[str, Any]) -> None:
    broken, general = found[BROKEN]["broken"], found[BROKEN]["general"]
    assert len(broken["launches"]) == 2  # the first one came through
    assert broken["again"] == []  # the next round does not try again
    (line,) = set(broken["said"])  # Python shows it once
    assert line.startswith("trained without the kernel of MLRTUI_TRITON=1: it cannot be launched: RuntimeError: Triton")
    assert "\n" not in line
    for eta, ours, theirs in zip(CASE_OF[BROKEN].etas, broken["trials"], general["trials"], strict=True):
        for name in ("verdict", "phase", "step", "flags", "reached_epoch", "bad_step", "bad_kind", "peak_step"):
            assert ours[name] == theirs[name], name
        if eta != WILD:
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=APART)


def test_a_lane_has_the_same_bits_beside_lanes_that_diverge(found: dict[str, Any]) -> None:
    alone, beside = (found[name]["kernel"]["trials"][0] for name in (ALONE, BESIDE))
    assert len(found[BESIDE]["kernel"]["trials"]) == 3
    assert alone == beside


def test_it_is_used_where_it_is_faster_and_the_log_says_so(found: dict[str, Any]) -> None:
    pytest.importorskip("numba", reason="compares with compiled steps: needs numba")
    for name, gain, words in (("faster", "2", "it is used"), ("slower", "0.25", "it is not used")):
        chosen = found[CHOSEN][name]
        timed = 1 + choice.TURNS
        said = f"the kernel has {gain} times the speed of other steps, {words}"
        assert chosen["said"] == [f"MLRTUI_TRITON=auto: hidden layers 1, width 17, lanes 1: {said}"]
        whole = found[CHOSEN]["kernel"]["launches"]
        trained = [*whole] if name == "faster" else []
        assert chosen["launches"][timed:] == trained
        assert chosen["again"] == trained  # not measured again
        for ours, theirs in zip(chosen["trials"], found[CHOSEN]["general"]["trials"], strict=True):
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=APART)
