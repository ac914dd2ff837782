"""What is measured along training: several operators and eigenvalues, probe sets, double precision, rest."""

import numpy as np
import pytest
import torch
from test_trainer_rows import plain_loop
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.curvature.schedule import LOSS_MOVES, SHARPNESS_MOVES, Schedule, rule_text
from mlrtui_trainer.models.mlp import Mlp, Weights, unflatten
from mlrtui_trainer.spec import NetSpec, Probe, SharpnessSpec, TrainSpec
from mlrtui_trainer.worker import run_task

NET = NetSpec("mlp", 64, 10, 1, 8)
DATA = digits(48)
SPEC = TrainSpec("ce", 48, 6, 1, "float64")
STEPS = range(7)


def run(how: SharpnessSpec, spec: TrainSpec = SPEC, eta: float = 0.05) -> Run:
    return run_trials(DATA, NET, spec, [trial(0, eta)], how=how)


def dense_spectrum(weights: Weights, operator: str, samples: int = 48) -> np.ndarray:
    """All eigenvalues, falling, from one product per unit vector."""
    mlp = Mlp.of(NET)
    x, y = torch.from_numpy(DATA.x[:samples]), torch.from_numpy(DATA.y[:samples])
    one = curvature(mlp, weights, x, y, "ce", operator)
    columns = torch.cat([one.apply(unit[None]) for unit in torch.eye(mlp.n_params, dtype=torch.float64)])
    return torch.linalg.eigvalsh((columns + columns.T) / 2).numpy()[::-1]


@pytest.fixture(scope="module")
def history() -> list[Weights]:
    """The weights before every update, from a plain loop in double precision."""
    _, _, states = plain_loop(DATA, NET, SPEC, 0.05)
    return [Weights(tuple(w[None] for w in state), ()) for state in states]


def test_several_operators_and_eigenvalues_are_those_of_the_dense_matrices(history: list[Weights]) -> None:
    found = run(SharpnessSpec("hessian", 2, 1e-6, others=("gauss-newton", "ntk"), top=3))
    kept = found.beside[0]
    assert {row[0] for row in kept} == {0, 2, 4, 6}
    for step in (0, 2, 4, 6):
        for operator in ("hessian", "gauss-newton", "ntk"):
            rows = [row for row in kept if row[:2] == (step, operator)]
            assert [row[2] for row in rows] == [1, 2, 3]
            expected = dense_spectrum(history[step], operator)[:3]
            assert [row[3] for row in rows] == pytest.approx(expected.tolist(), rel=1e-5)
            assert max(row[4] for row in rows) < 1e-4
    main = [row[3] for row in kept if row[1:3] == ("hessian", 1)]
    assert main == found.columns[0]["sharpness"][::2].tolist()


def test_operators_beside_a_single_value_are_kept_without_it(history: list[Weights]) -> None:
    found = run(SharpnessSpec("gauss-newton", 3, others=("hessian",)))
    assert [(step, operator, rank) for step, operator, rank, *_ in found.beside[0]] == [
        (0, "hessian", 1),
        (3, "hessian", 1),
        (6, "hessian", 1),
    ]
    plain = run(SharpnessSpec("gauss-newton", 3))
    assert plain.columns[0]["sharpness"].tobytes() == found.columns[0]["sharpness"].tobytes()
    assert plain.beside[0] == []


def test_a_probe_set_is_the_first_samples(history: list[Weights]) -> None:
    how = SharpnessSpec("hessian", 1, 1e-6, samples=20)
    rows = run(how).columns[0]
    for step in STEPS:
        assert rows["sharpness"][step] == pytest.approx(dense_spectrum(history[step], "hessian", 20)[0], rel=1e-5)
    first, _ = run_task(Probe(1, DATA.data_id, NET, SPEC, how, ((7, 1),)), DATA, "cpu")
    assert first.main == first.hessian == pytest.approx(rows["sharpness"][0], rel=1e-5)
    assert first.gauss_newton == pytest.approx(dense_spectrum(history[0], "gauss-newton", 20)[0], rel=1e-5)


@pytest.mark.parametrize("operator", ["ntk", "gauss-newton"])
@pytest.mark.parametrize("loss", ["mse", "ce"])
def test_the_ntk_at_initialisation_has_the_words_of_its_loss(operator: str, loss: str) -> None:
    spec = TrainSpec(loss, 48, 6, 1)
    first, _ = run_task(Probe(1, DATA.data_id, NET, spec, SharpnessSpec(operator), ((7, 1),)), DATA, "cpu")
    if loss == "mse" or operator == "gauss-newton":
        assert first.main == first.gauss_newton
    else:
        assert first.main >= 2 * first.gauss_newton


def test_exact_is_double_precision_on_single_precision_weights() -> None:
    single = TrainSpec("ce", 48, 6, 1, "float32")
    exact, plain = run(SharpnessSpec("hessian", 1, exact=True), single), run(SharpnessSpec("hessian", 1), single)
    assert exact.columns[0]["loss"].tobytes() == plain.columns[0]["loss"].tobytes()  # training is untouched
    assert exact.columns[0]["sharpness_residual"].max() <= 1e-8
    assert exact.columns[0]["sharpness"] == pytest.approx(plain.columns[0]["sharpness"], rel=1e-3)
    mlp = Mlp.of(NET)
    flat = torch.cat([w.flatten() for w in plain_start(mlp)]).double()[None]
    assert exact.columns[0]["sharpness"][0] == pytest.approx(
        dense_spectrum_of(mlp, unflatten(mlp, flat), single_x=True), rel=1e-12
    )


def plain_start(mlp: Mlp) -> tuple[torch.Tensor, ...]:
    from mlrtui_trainer.models.mlp import initial_weights

    return initial_weights(mlp, [1], torch.float32, "cpu").w


def dense_spectrum_of(mlp: Mlp, weights: Weights, single_x: bool) -> float:
    """λ of the Hessian to near machine precision, inputs rounded as the training rounds them."""
    x = torch.from_numpy(DATA.x).float().double() if single_x else torch.from_numpy(DATA.x)
    one = curvature(mlp, weights, x, torch.from_numpy(DATA.y), "ce", "hessian")
    return float(largest(one, start_vectors([5], mlp.n_params, torch.float64, "cpu"), 1e-10, 300).value[0])


def test_a_lane_at_rest_is_measured_rarely_and_by_its_own_rule() -> None:
    long = TrainSpec("ce", 48, 80, 1, "float64")
    how = SharpnessSpec("gauss-newton", 2, rest_every=10)
    found = run_trials(DATA, NET, long, [trial(0, 1e-4), trial(1, 0.6)], how=how)
    for i in (0, 1):
        rows = found.columns[i]
        measured = [int(step) for step in rows["step"] if not np.isnan(rows["sharpness"][step])]
        assert measured[:2] == [0, 2]
        assert measured[-1] == 80
        last, before = 2, 0
        for step in range(4, 80, 2):
            lam, old = rows["sharpness"][last], rows["sharpness"][before]
            moves = abs(lam - old) > SHARPNESS_MOVES * abs(lam)
            jumps = abs(rows["loss"][step] - rows["loss"][last]) > LOSS_MOVES * rows["loss"][last]
            assert (step in measured) == bool(moves or jumps or step - last >= 10)
            if step in measured:
                last, before = step, last
    rests, moves = (np.sum(found.columns[i]["products"] > 0) for i in (0, 1))
    assert rests < 12
    assert moves > 2 * rests


def test_what_is_not_finite_never_rests() -> None:
    schedule = Schedule(SharpnessSpec("hessian", 1, rest_every=50), 3)
    lanes, loss = np.arange(3), np.ones(3)
    schedule.measured(lanes, 0, loss, np.array([1.0, np.nan, 1.0]))
    schedule.measured(lanes, 1, loss, np.array([1.0, 1.0, np.inf]))
    assert schedule.due(2, np.array([1.0, 1.0, 1.0])).tolist() == [False, True, True]
    assert schedule.due(2, np.array([np.nan, 1.0, 1.0])).tolist() == [True, True, True]
    assert schedule.due(51, loss).tolist() == [True, True, True]
    schedule.keep([0])
    assert schedule.due(2, np.ones(1)).tolist() == [False]


def test_schedules_have_words() -> None:
    assert rule_text(SharpnessSpec()) == "at initialisation"
    assert rule_text(SharpnessSpec(every=1)) == "every step"
    assert rule_text(SharpnessSpec(every=5)) == "every 5 steps"
    assert rule_text(SharpnessSpec(every=1, rest_every=25)).endswith("last measured step; else every 25 steps")
