"""λ along a training on a GPU: products made ahead, one wait for a solve, on a device that the CPU plays."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pretend_cuda import PretendCuda, played
from torch import Tensor
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer import recorded
from mlrtui_trainer.curvature import ahead
from mlrtui_trainer.curvature.ahead import Foresight, solve_ahead
from mlrtui_trainer.curvature.answers import Answers
from mlrtui_trainer.curvature.lanczos import Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator, curvature, preconditioned
from mlrtui_trainer.curvature.stopping import Last
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

DATA, NET = digits(24), NetSpec("mlp", 64, 10, 1, 4)
FULL = TrainSpec("ce", 24, 5, 1, "float64")
HOW = SharpnessSpec("hessian", every=1)
TRIALS = [trial(i, eta, seed=1 + i) for i, eta in enumerate((0.05, 0.1, 0.2))]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCuda]:
    yield from played(monkeypatch)


def close(a: Run, b: Run) -> None:
    for key, ours in a.columns.items():
        theirs = b.columns[key]
        np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-9)
        np.testing.assert_allclose(ours["sharpness"], theirs["sharpness"], rtol=HOW.tolerance)
        assert np.array_equal(ours["products"] > 0, theirs["products"] > 0)


def waits_of_steps(cuda: PretendCuda, steps: int) -> int:
    """Waits that so many steps more cost."""
    counts = []
    for more in (0, 0, steps):  # the first run learns how many products a first solve needs
        before = cuda.waits.total()
        run_trials(DATA, NET, TrainSpec("ce", 24, 3 + more, 1, "float64"), TRIALS[:2], how=HOW, device="cuda:0")
        counts.append(cuda.waits.total() - before)
    return counts[2] - counts[1]


def test_a_measured_step_waits_once_for_its_numbers_and_once_for_its_sharpness(
    cuda: PretendCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FIRST", 16)  # more products than these solves need: all are foreseen
    assert waits_of_steps(cuda, 3) == 2 * 3


def test_values_are_those_of_the_general_way_recorded_or_not(
    cuda: PretendCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = run_trials(DATA, NET, FULL, TRIALS, how=HOW)
    replayed = cuda.replays
    there = run_trials(DATA, NET, FULL, TRIALS, how=HOW, device="cuda:0")
    assert cuda.replays - replayed >= 2 * FULL.max_steps  # steps, and the products of their solves
    close(there, here)
    monkeypatch.setenv(recorded.SWITCH, "0")
    graphs = cuda.graphs
    close(run_trials(DATA, NET, FULL, TRIALS, how=HOW, device="cuda:0"), here)
    assert cuda.graphs == graphs


def test_lanes_that_end_leave_the_others_and_their_recording(cuda: PretendCuda) -> None:
    trials = [*TRIALS, trial(3, 0.15, seed=4), trial(4, 1e4, seed=5)]
    here = run_trials(DATA, NET, FULL, trials, how=HOW)
    there = run_trials(DATA, NET, FULL, trials, how=HOW, device="cuda:0")
    assert there.outcomes[4].verdict == here.outcomes[4].verdict == "diverged"
    for i in range(4):
        np.testing.assert_allclose(there.columns[i]["sharpness"], here.columns[i]["sharpness"], rtol=HOW.tolerance)


# --- one solve, on the CPU's own tensors ---------------------------------------------------------------------------


def solve(
    operator: Operator, block: Tensor, top: int = 1, last: Last | None = None, most: int = 60
) -> tuple[Eigen | None, Answers]:
    answers = Answers(len(block), block.shape[2], 1e-3, min(most, block.shape[2]), top, last, 1e-11)
    with torch.inference_mode():
        return solve_ahead(operator, block, answers, Foresight()), answers


def net_at(scale: float = 1.0, lanes: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Mlp, Weights, Samples]:
    model, samples = build(NET), Samples.of(DATA, dtype, "cpu")
    assert isinstance(model, Mlp)
    weights = model.initial_weights(list(range(lanes)), dtype, "cpu")
    for w in weights.w:
        w.mul_(scale)
    return model, weights, samples


def operator_of(model: Mlp, weights: Weights, samples: Samples, name: str = "hessian") -> Operator:
    return curvature(model, weights, samples.x, samples.y, "ce", name)


def block_of(model: Mlp, rows: int, lanes: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.stack([start_vectors(list(range(lanes)), model.n_params, dtype, "cpu", i) for i in range(rows)], dim=1)


@pytest.mark.parametrize("top", [1, 3])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_solve_finds_the_largest_eigenvalues_and_their_vectors(top: int, scaled: bool) -> None:
    model, weights, samples = net_at()
    operator = operator_of(model, weights, samples)
    if scaled:
        operator = preconditioned(operator, torch.linspace(0.5, 2.0, model.n_params, dtype=torch.float64))
    found, answers = solve(operator, block_of(model, top + 1), top)
    assert found is not None
    assert set(found.rule) == {"converged"}
    true = largest(operator, start_vectors([0, 1, 2], model.n_params, torch.float64, "cpu"), 1e-9, 200, top=top)
    np.testing.assert_allclose(found.values, true.values, rtol=1e-3)
    for rank in range(top):  # residuals are those of the vectors that are kept
        v = found.space[:, rank]
        away = operator.apply(v) - torch.from_numpy(found.values[:, rank])[:, None] * v
        size = away.norm(dim=1).numpy() / np.abs(found.values[:, rank])
        np.testing.assert_allclose(size, found.residuals[:, rank], rtol=1e-5, atol=1e-9)
    assert answers.products.max() <= 60


def test_a_step_after_the_last_solve_takes_few_products() -> None:
    model, weights, samples = net_at()
    operator = operator_of(model, weights, samples)
    first, _ = solve(operator, block_of(model, 2))
    assert first is not None
    again, _ = solve(operator, first.space, last=Last(first.value, np.zeros(3, dtype=np.bool_)))
    assert again is not None
    assert again.products.max() < first.products.min()
    np.testing.assert_allclose(again.value, first.value, rtol=1e-3)


def test_a_lane_that_overflows_leaves_the_others_alone() -> None:
    model, weights, samples = net_at()
    weights.w[0][1] = float("inf")
    block = block_of(model, 2)
    found, _ = solve(operator_of(model, weights, samples), block)
    alone, _ = solve(operator_of(model, weights.lane(2), samples), block[2:])
    assert found is not None
    assert alone is not None
    assert found.rule.tolist() == ["converged", "nonfinite", "converged"]
    assert np.isnan(found.value[1])
    assert found.space[1].isnan().all()
    assert found.value[2] == pytest.approx(alone.value[0], rel=1e-12)


def test_a_dead_net_has_no_curvature() -> None:
    model, weights, samples = net_at(0.0)
    found, _ = solve(operator_of(model, weights, samples, "gauss-newton"), block_of(model, 2))
    assert found is not None
    assert found.rule.tolist() == ["exhausted"] * 3
    assert found.value.tolist() == [0.0] * 3


def test_outputs_beyond_single_precision_go_the_general_way() -> None:
    model, weights, samples = net_at(100.0, dtype=torch.float32)
    operator = operator_of(model, weights, samples)
    found, answers = solve(operator, block_of(model, 2, dtype=torch.float32))
    assert found is None
    assert answers.lanes.size == 3  # nothing was answered from rounded outputs


def test_a_space_that_is_exhausted_before_the_rules_are_met_goes_the_general_way() -> None:
    model, weights, samples = net_at()
    operator = operator_of(model, weights, samples)
    true = largest(operator, start_vectors([0, 1, 2], model.n_params, torch.float64, "cpu"), 1e-12, 400, top=2)
    assert np.isin(true.rule, ("converged", "exhausted")).all()
    audits = Last(true.value, np.ones(3, dtype=np.bool_))  # more products than this space has
    found, _ = solve(operator, true.space[:, :1].repeat(1, 2, 1), last=audits)
    assert found is None


def test_what_is_foreseen_follows_what_was_needed() -> None:
    foresight = Foresight()
    before = foresight.products(2, 60, strict=False)
    for _ in range(20):
        foresight.learn(np.array([3, 4]))
    assert foresight.products(2, 60, strict=False) == ahead.FIRST < before
    assert foresight.products(2, 60, strict=True) > ahead.FIRST
    foresight.learn(np.array([33]))
    assert foresight.products(2, 60, strict=False) == 60
    assert foresight.products(2, 40, strict=True) == 40
