"""λ of convolutional nets, transformers, linearized nets and users' modules on a GPU: as few waits as for others."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pretend_cuda import PretendCuda, played
from test_trainer_ahead import close, solve
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer import recorded
from mlrtui_trainer.curvature import ahead, lanczos
from mlrtui_trainer.curvature.lanczos import Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import OPERATORS, curvature, preconditioned
from mlrtui_trainer.curvature.tracker import Tracker
from mlrtui_trainer.curvature.unasked import Ahead, ahead_of
from mlrtui_trainer.models import general
from mlrtui_trainer.models.building import build
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

HERE = Path(__file__).parent
DATA = digits(12)
OURS = {
    "cnn": NetSpec("cnn", 64, 10, 1, 2, shape=(1, 8, 8)),
    "transformer": NetSpec("transformer", 64, 10, 1, 4, shape=(1, 8, 8)),
    "mlp-linearized": NetSpec("mlp-linearized", 64, 10, 1, 4),
}
TRIALS = [trial(i, eta, seed=1 + i % 2) for i, eta in enumerate((0.02, 0.05))]


SPEC = TrainSpec("ce", 12, 3, 1, "float64")
torch.set_num_threads(1)  # as in training


def users(zoo: str, name: str, mode: str = "eval") -> NetSpec:
    code_hash = sha256((HERE / f"{zoo}.py").read_bytes()).hexdigest()
    return NetSpec(f"{zoo}:{name}", 64, 10, 2, 4, "own", code_path=str(HERE), code_hash=code_hash, mode=mode)


THEIRS = {
    "a user's": users("zoo_right", "tanh"),
    "a user's in training mode": users("zoo_modes", "residual", "train"),
}


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCuda]:
    yield from played(monkeypatch)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # torch.func.jvp imports it
@pytest.mark.parametrize(
    ("kind", "operator"),
    [
        ("cnn", "hessian"),
        ("transformer", "gauss-newton"),
        ("mlp-linearized", "ntk"),
        ("a user's", "hessian"),
        ("a user's in training mode", "gauss-newton"),
    ],
)
def test_a_solve_waits_once(kind: str, operator: str, cuda: PretendCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanczos, "FORESEEN", 24)  # more products than these solves need: all are foreseen
    monkeypatch.setattr(ahead, "FIRST", 12)
    if kind == "transformer":  # as many operations as all others together
        monkeypatch.setenv(recorded.SWITCH, "0")
    measure, waits = Tracker.measure, []

    def counted(*given: Any, **named: Any) -> Eigen:
        before = cuda.waits.total()
        found = measure(*given, **named)
        waits.append(cuda.waits.total() - before)
        return found

    monkeypatch.setattr(Tracker, "measure", counted)
    net, how = OURS.get(kind) or THEIRS[kind], SharpnessSpec(operator, every=1)
    found = run_trials(DATA, net, SPEC, TRIALS, how=how, device="cuda:0")
    assert waits == [1, 1, 1, 1]
    assert (cuda.replays > 0) == (kind in ("cnn", "mlp-linearized"))  # a user's net is not recorded
    close(found, run_trials(DATA, net, SPEC, TRIALS, how=how))


def test_a_first_solve_waits_once_when_it_is_known_what_such_solves_need(
    cuda: PretendCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanczos, "FORESEEN", 6)
    model, found, waits = build(OURS["cnn"]), [], []
    for device in ("cpu", "cuda:0", "cuda:0"):
        samples = Samples.of(DATA, torch.float64, device)
        weights = model.initial_weights([1, 2], torch.float64, device)
        start = start_vectors([1, 2], model.n_params, torch.float64, device)
        before = cuda.waits.total()
        found.append(largest(curvature(model, weights, samples.x, samples.y, "ce", "hessian"), start, 1e-6, 60))
        waits.append(cuda.waits.total() - before)
    assert found[0].products.max() > lanczos.FORESEEN
    assert waits[0] == 0
    assert waits[2] == 1 < waits[1]
    for ours in found[1:]:
        assert ours.products.tolist() == found[0].products.tolist()
        np.testing.assert_allclose(ours.value, found[0].value, rtol=1e-9)


# --- one solve, on the CPU's own tensors ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("kind", OURS)
def test_a_solve_made_ahead_has_true_residuals(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "cnn":
        monkeypatch.setattr(general, "PIECE_BYTES", 5000)  # samples are looked at piece by piece
    samples = Samples.of(DATA, torch.float64, "cpu")
    model = build(OURS[kind])
    weights = model.initial_weights([0, 1, 2], torch.float64, "cpu")
    operator = curvature(model, weights, samples.x, samples.y, "ce", name)
    if kind == "transformer":
        operator = preconditioned(operator, torch.linspace(0.5, 2.0, model.n_params, dtype=torch.float64))
    start = torch.stack([start_vectors([0, 1, 2], model.n_params, torch.float64, "cpu", i) for i in range(2)], dim=1)
    found, _ = solve(operator, start)
    assert found is not None
    assert set(found.rule) == {"converged"}
    true = largest(operator, start[:, 0], 1e-9, 200)
    np.testing.assert_allclose(found.value, true.value, rtol=1e-3)
    v = found.vector
    away = operator.apply(v) - torch.from_numpy(found.value)[:, None] * v
    np.testing.assert_allclose(away.norm(dim=1).numpy() / np.abs(found.value), found.residual, rtol=1e-5, atol=1e-9)


def test_a_recording_fits_nets_in_the_same_places_only() -> None:
    samples = Samples.of(DATA, torch.float64, "cpu")
    model = build(OURS["mlp-linearized"])

    def made(seeds: list[int], name: str = "hessian") -> Ahead:
        weights = model.initial_weights(seeds, torch.float64, "cpu")
        found = ahead_of(curvature(model, weights, samples.x, samples.y, "ce", name))
        assert found is not None
        return found

    recording = made([1, 2, 3]).in_own_memory()
    assert recording.recordable
    assert recording.is_alike(made([1, 2]))
    assert not recording.is_alike(made([1, 3]))  # each expansion is about its own initial weights
    assert not recording.is_alike(made([1, 2], "ntk"))
