"""Whether two workers share a GPU where nobody says how many: by what was measured of it, and by the sweep."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH

from mlrtui import data, planning
from mlrtui.commands.run import RunOptions, _workers
from mlrtui.config import load_sweep
from mlrtui.driver import gpu_workers
from mlrtui.driver.gpu_workers import LEAST_MEMORY, shared_out, workers_for
from mlrtui.driver.sharing import hidden_of, lanes_that_fill
from mlrtui.engines import devices
from mlrtui.planning import Plan

H100 = {"memory": str(80 << 30), "gflops": "20000", "launch_ns": "3000"}
SLOW = {**H100, "gflops": "1", "launch_ns": "1"}  # a lane fills it


@pytest.fixture
def plan(sweep_file: Callable[..., Path]) -> Plan:
    return planning.plan(load_sweep(sweep_file(SMALL_SEARCH)), data.load)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, str]]:
    """What is measured of the GPUs; of no device that is not in it."""
    figures: dict[str, Mapping[str, str]] = {"cuda:0": H100, "cuda:1": SLOW}
    monkeypatch.setattr(gpu_workers, "figures_of", lambda names: {name: figures[name] for name in names})
    monkeypatch.setattr(gpu_workers, "cpu_cores", lambda: 8)
    return figures


def test_two_share_a_gpu_that_one_leaves_half_unused(plan: Plan, measured: dict[str, Mapping[str, str]]) -> None:
    assert shared_out(["cuda:0"], [plan]) == ["cuda:0", "cuda:0"]
    assert shared_out(["cuda:1"], [plan]) == ["cuda:1"]
    assert shared_out(["cuda:0", "cuda:1"], [plan]) == ["cuda:0", "cuda:0", "cuda:1"]


def test_who_says_how_many_gets_as_many(
    plan: Plan, measured: dict[str, Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "count_cuda", lambda: 2)

    def started(text: str, workers: int | None = None) -> list[str]:
        return list(_workers(RunOptions(Path("a.db"), text, workers), [plan]))

    assert started("cuda:0") == ["cuda:0", "cuda:0"]
    assert started("cuda") == ["cuda:0", "cuda:0", "cuda:1"]
    assert started("cuda:0", 1) == ["cuda:0"]
    assert started("cuda:0", 3) == ["cuda:0"] * 3
    assert started("cuda:0,cuda:0") == ["cuda:0", "cuda:0"]
    assert started("cuda:0,cuda:0,cuda:1") == ["cuda:0", "cuda:0", "cuda:1"]
    assert started("cpu:2") == ["cpu", "cpu"]


def test_nothing_is_measured_where_it_would_not_matter(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_workers, "figures_of", lambda names: pytest.fail("measured"))
    monkeypatch.setattr(gpu_workers, "cpu_cores", lambda: 8)
    assert shared_out(["cpu", "cpu"], [plan]) == ["cpu", "cpu"]
    assert shared_out(["cuda:0"], []) == ["cuda:0"]  # no cell to put beside another
    monkeypatch.setattr(gpu_workers, "cpu_cores", lambda: 1)
    assert shared_out(["cuda:0"], [plan]) == ["cuda:0"]  # two would share a core


@pytest.mark.parametrize(
    "lacks",
    [
        {"gflops": ""},
        {"launch_ns": "nan"},
        {"memory": ""},
        {"memory": str(2 * LEAST_MEMORY - 1)},
        {"shared": "no"},
    ],
)
def test_one_has_a_gpu_of_which_too_little_is_known_or_left(plan: Plan, lacks: dict[str, str]) -> None:
    work = [(cell, 1) for cell in plan.cells]
    assert workers_for(work, H100) == 2
    assert workers_for(work, {**H100, **lacks}) == 1
    assert workers_for(work, {}) == 1


def test_lanes_are_compared_with_those_that_fill_it(plan: Plan) -> None:
    cells = plan.cells
    fill = [lanes_that_fill(cell, hidden_of(H100)) for cell in cells]
    assert workers_for([(cell, lanes // 2) for cell, lanes in zip(cells, fill, strict=True)], H100) == 2
    assert workers_for([(cell, lanes) for cell, lanes in zip(cells, fill, strict=True)], H100) == 1


def test_a_gpu_that_cannot_be_measured_has_no_figures() -> None:
    assert devices.figures_of(("cuda:99",)) == {}


def test_a_gpu_for_one_process_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho Default\necho Exclusive_Process\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices._compute_modes() == {"Default", "Exclusive_Process"}
    tool.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    assert devices._compute_modes() == set()
    monkeypatch.setenv("PATH", "")
    assert devices._compute_modes() == set()
