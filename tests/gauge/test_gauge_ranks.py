"""Two processes by gloo: DDP gives the λ of one process; FSDP2 is refused λ and gives the same critical sharpness."""

import json
import os
import subprocess
import sys
from typing import Any

import gauge_ranks
import pytest
import torch

pytestmark = pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo")

Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each of two processes has measured, under DDP and then under FSDP2."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    commands = [[sys.executable, gauge_ranks.__file__, str(folder), str(rank)] for rank in range(2)]
    started = [subprocess.Popen(one, env=environment, stderr=subprocess.PIPE, text=True) for one in commands]
    errors = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(errors)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The same of this one process."""
    model = gauge_ranks.net()
    return gauge_ranks.measured(model, gauge_ranks.data(), model)


def test_the_module_of_ddp_gives_the_value_of_one_process(ranks: Found, alone: dict[str, Any]) -> None:
    first, second = (one["ddp"] for one in ranks)
    assert first["lambda"] == second["lambda"]  # to the bit
    assert first["lambda"] == pytest.approx(alone["lambda"], rel=1e-9)
    assert first["critical"] == second["critical"]
    assert first["critical"][2] == "found"
    assert first["restored"]


def test_sharded_by_fsdp_it_is_refused_and_critical_sharpness_the_same(ranks: Found, alone: dict[str, Any]) -> None:
    first, second = (one["fsdp"] for one in ranks)
    assert "is spread over processes (DTensor)" in first["refused"]
    assert first["critical"] == second["critical"]  # both took the same branches
    assert first["critical"][:2] == pytest.approx(alone["critical"][:2], rel=1e-6)
    assert first["critical"][2] == "found"
    assert first["critical"][3] == pytest.approx(alone["critical"][3], rel=1e-12)
    assert first["restored"]
    assert second["restored"]


def test_a_recorder_of_a_sharded_model_says_so_and_waits_for_nobody(ranks: Found) -> None:
    first, second = (one["fsdp"] for one in ranks)
    assert (first["rows"], second["rows"]) == (2, 0)
    (event,) = first["events"]
    assert "ShardedParameters" in event
    assert "call mlrtui.critical_sharpness on all processes together" in event
