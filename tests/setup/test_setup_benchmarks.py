"""The benchmarks run, do the work that they say, and print their tables; no number is judged."""

import importlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FULL, SMALL_SEARCH

from benchmarks import grids, suite
from benchmarks.jax_child import JaxChild
from benchmarks.sharpness_cost import BY_JAX, SAMPLES, follow_by_jax
from benchmarks.sharpness_cost import flop_of as hessian_flop_of
from benchmarks.trainings import BATCH, Case, digits, flop_of
from mlrtui_trainer.search import Search
from mlrtui_trainer.spec import NetSpec, Round, SharpnessSpec, TrialSpec

ROOT = Path(__file__).resolve().parents[2]

# curvlinops, where it is installed, imports a library that has not followed torch yet
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


@pytest.mark.parametrize(
    ("module", "options", "cases"),
    [
        ("trainings", "--rounds 1 --epochs 1 --depths 2 --widths 32 --trainings 2", 1),
        ("grids", "--rounds 1 --epochs 2 --depths 1 2 --widths 16 --seeds 2", 2),
        ("store_writes", "--rounds 1 --rows 400", 5),
        ("image_models", "--rounds 1 --nets cnn:1x2 transformer:1x4", 2),
    ],
)
def test_a_benchmark_runs(module: str, options: str, cases: int, tmp_path: Path) -> None:
    lines, written = run(module, options, tmp_path)
    assert len(lines) == cases + 2
    assert len({line.count("|") for line in lines}) == 1
    assert len(written["cases"]) == cases
    assert all(math.isfinite(value) and value > 0 for case in written["cases"] for value in case["timings"][0].values())


def test_the_error_of_sharpness_is_that_of_every_stored_value(tmp_path: Path) -> None:
    options = (
        "--steps 3 --judge-every 1 --nets 1x32 2x16 --rates 0.5 1.0 --losses mse --batches 128 --operators hessian"
    )
    lines, written = run("sharpness_error", options, tmp_path)
    assert len(lines) == 2 + 1 + 2 + 1  # both nets, each, everything
    for case in written["cases"]:
        assert case["step"] == [step for step in range(4) for _ in range(2)]
        assert case["stored"] == pytest.approx(case["true"], rel=1e-3)


def test_the_cost_of_sharpness_is_compared_at_the_same_weights(tmp_path: Path) -> None:
    lines, written = run("sharpness_cost", "--steps 7 --rounds 1 --widths 16 --depths 1", tmp_path)
    (case,) = written["cases"]
    (timing,) = case["timings"]
    assert all(timing[name] > 0 for name in ("ours", "newton", "blind", "plain", "gemm"))
    assert timing["others"].keys() == case["errors"].keys() - {"mlrtui"}
    assert len(lines) == 3 + 2 + len(case["errors"])
    assert {len(errors) for errors in case["errors"].values()} == {4}  # step 6 of one seed at four rates
    assert max(case["errors"]["mlrtui"] + case["errors"]["LOBPCG recipe"]) < 1e-3


def test_the_cost_of_sharpness_of_any_model_is_in_training_steps(tmp_path: Path) -> None:
    lines, written = run("gauge_cost", "--nets mlp --rounds 1 --moments 3 --steps 40", tmp_path)
    (case,) = written["cases"]
    (moment,) = case["moments"]
    assert moment["cost"].keys() == moment["error"].keys() == moment["products"].keys()
    assert len(lines) == 2 + len(moment["cost"])
    assert all(cost > 0 for costs in moment["cost"].values() for cost in costs)
    errors = moment["error"]
    assert errors["mlrtui, tolerance 0.0001"] < 1e-5
    assert errors["20 products"] > errors["mlrtui, tolerance 0.0001"]
    assert math.isnan(errors["mlrtui, critical sharpness"])
    assert case["recorder"].keys() == {"told", "cold_steps", "beside"}


class JaxStandIn(JaxChild):
    """Answers with the first weight of the last layer in place of λ: JAX has an environment of its own."""

    def __init__(self) -> None:
        self.products: list[object] = []

    def ask(self, **question: object) -> dict[str, Any]:
        self.products.append(question["products"])
        with np.load(str(question["trainings"])) as file:
            assert file["x"].shape == (1797, 64)
            assert file["labels"].shape == (1797,)
            assert file["w0"].shape == (2, 3, 64, 5)
            return {"step": 1.5, "both": 6.0, "sharpness": file["w1"][:, :, 0, 0].tolist()}


def test_jax_is_given_the_same_weights_and_its_answers_find_their_trainings() -> None:
    first = [(torch.zeros(5, 64), torch.full((10, 5), float(step))) for step in range(3)]
    ended = [(torch.zeros(5, 64), torch.full((10, 5), 7.0))]
    stand_in = JaxStandIn()
    followed = follow_by_jax(stand_in, {4: first, 6: ended}, digits())
    assert stand_in.products == list(BY_JAX.values())
    assert followed.step == pytest.approx(250.0)  # ms, of two trainings of three steps
    for name in BY_JAX:
        assert followed.costs[name] == pytest.approx(750.0)
        assert followed.values[name] == {4: [0.0, 1.0, 2.0], 6: [7.0, 7.0, 7.0]}


def test_a_grid_is_searched_through_its_range_and_then_by_halves() -> None:
    search, rates = Search(grids.RULE, grids.RANGE[0]), []
    for eta in grids.asked(search):
        rates.append(eta)
        search.tell(eta, "reached" if eta < 3.0 else "diverged")
    low, high = grids.RANGE
    middle = math.sqrt(low * high)
    assert rates[:4] == pytest.approx([low, middle, high, math.sqrt(middle * high)])
    assert len(rates) == 2 + grids.BISECTIONS
    last, failure = search.boundary().bracket
    assert last is not None
    assert failure is not None
    assert last < 3.0 <= failure
    assert failure / last == pytest.approx((high / low) ** (0.5**grids.BISECTIONS))


@pytest.mark.parametrize("eta", [0.003, 0.3, 1e20])
def test_both_searches_of_a_grid_judge_the_same_trainings(eta: float) -> None:
    data, cell = digits(), grids.Cell(depth=1, width=32, seeds=2, epochs=6)
    x, labels = torch.tensor(data.x, dtype=torch.float32), torch.tensor(data.labels)
    task = Round(0, data.data_id, cell.net(), cell.train(len(data.x)), SharpnessSpec(every=0), ())
    task = replace(task, trials=tuple(TrialSpec(seed, 1, seed, eta, math.nan) for seed in range(2)))
    verdicts, last = grids.ends_of(task, data)
    for seed, start in enumerate(grids.starts_of(cell, len(data.x))):
        verdict, losses, evaluations = grids.train_plainly(cell, start, eta, x, labels)
        assert verdict == verdicts[seed] == {0.003: "not-reached", 0.3: "reached", 1e20: "diverged"}[eta]
        if verdict != "diverged":
            assert len(losses) == last[seed]
            assert evaluations == last[seed] // (len(data.x) // BATCH) + 1


def run(module: str, options: str, folder: Path) -> tuple[list[str], Any]:
    """The lines of the tables that a benchmark prints, and what it writes; in this process, which has torch."""
    out, printed, threads = folder / "out.json", StringIO(), torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, chdir(ROOT), redirect_stdout(printed):
        patch.setattr(sys, "argv", [module, *options.split(), "--json", str(out)])
        try:
            importlib.import_module(f"benchmarks.{module}").main()
        finally:
            torch.set_num_threads(threads)
    written = json.loads(out.read_text())
    assert {"processor", "python"} <= set(written["about"])
    return [line for line in printed.getvalue().splitlines() if line.startswith("| ")], written


@pytest.mark.skipif(not FULL, reason="trains four hundred times: MLRTUI_TEST_FULL=1 runs it")
def test_two_workers_do_what_one_does(tmp_path: Path) -> None:
    lines, written = run("workers", "--rounds 1 --epochs 1 --kinds scan", tmp_path)
    (case,) = written["cases"]
    assert len(lines) == 3
    assert case["trainings"] == 4 * 2 * 4 * 4  # seeds, depths, widths, rates
    assert case["one"][0] > 0 < case["two"][0]


def test_the_quick_predictions_are_made_and_counted(tmp_path: Path) -> None:
    (quick,) = (program.quick for program in suite.PROGRAMS if program.name == "predictions")
    lines, written = run("predictions", quick, tmp_path)
    checks = written["cases"]
    answered = [check for check in checks if not check["refused"]]
    assert len(answered) >= 6
    assert {check["kind"] for check in checks} == {"left out", "width x2", "width x4"}
    for check in answered:
        assert check["half_width"] > 0
        assert check["inside"] == (abs(check["error"]) <= check["half_width"])
    errors = [abs(check["error"]) for check in answered]
    assert all(errors), "a prediction that equals what was trained has seen it"
    assert max(errors) < 5.0
    assert len(lines) == 2 + 2 * len({check["kind"] for check in answered})  # of the sweep, and of all
    for line in lines[2:]:
        kind, _, counted, *_, refused = (word.strip() for word in line.strip("| ").split("|"))
        these = [check for check in checks if check["kind"] == kind]
        there = [check for check in these if not check["refused"]]
        assert counted == f"{sum(check['inside'] for check in there)} of {len(there)}"
        assert refused == str(len(these) - len(there))


def test_predictions_of_a_law_that_is_known_are_close(made: Callable[..., Path], tmp_path: Path) -> None:
    """The fake engine's η* is a power of depth times width."""
    grid = SMALL_SEARCH.replace("depth = [1, 2]", "depth = [1, 2, 3]").replace(
        "width = [16, 32]", "width = [16, 32, 64]"
    )
    store = made(grid.replace("tolerance = 0.3", "tolerance = 0.05"))
    _, written = run("predictions", f"--stores {store}", tmp_path)
    kinds = [(check["kind"], bool(check["refused"])) for check in written["cases"]]
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {
        ("left out", False): 9,
        ("width x2", True): 3,  # from width 16 alone
        ("width x4", True): 3,
        ("width x2", False): 3,
    }
    assert max(abs(check["error"]) for check in written["cases"]) < 0.1
    # the cell itself is never among those that it is predicted from
    answered = {(check["kind"], check["cells"]) for check in written["cases"] if not check["refused"]}
    assert answered == {("left out", 8), ("width x2", 6)}


def test_a_hessian_product_is_counted_as_its_matrix_products() -> None:
    net = NetSpec(kind="mlp", inputs=64, outputs=10, depth=1, width=3)
    first, second = 2 * SAMPLES * 64 * 3, 2 * SAMPLES * 3 * 10
    assert hessian_flop_of(net, 5) - hessian_flop_of(net, 4) == 2 * first + 6 * second


def test_the_floor_counts_every_matrix_product() -> None:
    case = Case(depth=1, width=3, trainings=2, epochs=1)
    assert case.net() == NetSpec(kind="mlp", inputs=64, outputs=10, depth=1, width=3)
    first, second, samples = 2 * 64 * 3, 2 * 3 * 10, 2 * BATCH
    step = BATCH * (2 * first + 3 * second)  # forward and weights' gradient for both, back-signal through one
    assert flop_of(case, samples) == 2 * (2 * step + 2 * samples * (first + second))


def test_the_suite_runs_what_it_is_asked_for_and_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "benchmarks.suite", "--quick", "--out", str(tmp_path / "out")]
    command += ["--only", "products", "store_writes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert written.keys() == {"products", "store_writes"}
    assert (len(written["products"]["cases"]), len(written["store_writes"]["cases"])) == (3, 5)
    assert all(rate > 0 for case in written["products"]["cases"] for rates in case["gflops"].values() for rate in rates)
    monkeypatch.setattr(suite, "PROGRAMS", (suite.Program("no_such_program", ""),))
    monkeypatch.setattr(sys, "argv", ["suite", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        suite.main()
    assert "FAILED (exit 1)" in capsys.readouterr().out
