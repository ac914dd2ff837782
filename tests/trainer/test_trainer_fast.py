"""The compiled route of λ: the general one's answers, records and promises."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import thinned
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer import worker
from mlrtui_trainer.curvature.lanczos import Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator, curvature, preconditioned
from mlrtui_trainer.curvature.subspace import Last, followed
from mlrtui_trainer.fast import route
from mlrtui_trainer.fast.records import Stopping
from mlrtui_trainer.models.mlp import Mlp, initial_weights, rate_vector
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

numba = pytest.importorskip("numba")

NETS = [
    NetSpec("mlp", 64, 10, 0, 16),
    NetSpec("mlp", 64, 10, 3, 32),
    NetSpec("mlp", 64, 10, 2, 32, "tanh", bias=True, parametrization="ntk"),
    NetSpec("mlp", 64, 10, 2, 17, "gelu", layer_lr=(0.0, 1.0, 2.0)),
    NetSpec("mlp", 64, 10, 4, 16, "linear", bias=True),
]


NOBODY, BOTH = np.array([False, False]), np.array([True, True])
LAST = {  # the last values: none, in a solve that stands alone; far below; far above; not known; audited
    "alone": None,
    "steady": Last(np.array([0.0, 0.0]), NOBODY),
    "fallen": Last(np.array([1e9, 1e9]), NOBODY),
    "unknown": Last(np.array([np.nan, np.nan]), NOBODY),
    "audited": Last(np.array([0.0, 0.0]), BOTH),
}


def by_both(monkeypatch: pytest.MonkeyPatch, solve: Callable[[], Eigen]) -> tuple[Eigen, Eigen]:
    """What the compiled route finds, and the general one."""
    compiled = solve()
    with monkeypatch.context() as patch:
        for name in ("solve", "follow"):
            patch.setattr(route, name, lambda *_: None)
        return compiled, solve()


def agree(operator: Operator, compiled: Eigen, plain: Eigen) -> None:
    assert compiled.values == pytest.approx(plain.values, rel=2e-5)
    assert compiled.residuals == pytest.approx(plain.residuals, abs=1e-4)
    assert compiled.rule.tolist() == plain.rule.tolist()
    assert np.abs(compiled.products - plain.products).max() <= 1  # a value at its limit may be a rounding above it
    for found in (compiled, plain):  # of a repeated value the two routes may find different vectors
        rest = operator.apply(found.vector) - torch.from_numpy(found.value).float()[:, None] * found.vector
        residual = rest.norm(dim=1).numpy() / np.abs(found.value)
        assert residual == pytest.approx(found.residual, abs=1e-5)


PIECES = [route.PIECE, 7]  # all samples at once; five parts, the last one shorter
OPERATORS = ["hessian", "gauss-newton", "ntk"]


@pytest.mark.parametrize(
    ("net", "loss", "name", "piece"),
    thinned(NETS, ["ce", "mse"], OPERATORS, PIECES, step=3),
    ids=lambda one: f"{one.depth}x{one.width}-{one.activation}" if isinstance(one, NetSpec) else str(one),
)
def test_both_routes_give_the_same(
    net: NetSpec, loss: str, name: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "PIECE", piece)
    mlp, data = Mlp.of(net), digits(32)
    weights = initial_weights(mlp, [1, 2], torch.float32, "cpu")
    x, y = torch.from_numpy(data.x).float(), torch.from_numpy(data.y).float()
    operator = curvature(mlp, weights, x, y, loss, name)
    rated = preconditioned(operator, rate_vector(mlp, torch.float32, "cpu"))
    start = start_vectors([1, 2], mlp.n_params, torch.float32, "cpu")
    assert route.solve(rated, start, 60, Stopping(1e-3, 1, 1e-5), 2) is not None
    block = torch.stack([start, start_vectors([1, 2], mlp.n_params, torch.float32, "cpu", 1)], dim=1)
    assert route.follow(rated, block, 60, Stopping(1e-3, 1, 1e-5), None) is not None
    for top in (1, 3):
        agree(rated, *by_both(monkeypatch, partial(largest, rated, start, 1e-3, 60, top=top)))
        for last in LAST.values():
            agree(rated, *by_both(monkeypatch, partial(followed, rated, block, 1e-3, 60, top=top, last=last)))


def test_an_overflow_is_reported_and_changes_nothing_for_others() -> None:
    mlp, data = Mlp.of(NETS[1]), digits(32)
    weights = initial_weights(mlp, [1, 2, 3], torch.float32, "cpu")
    x, y = torch.from_numpy(data.x).float(), torch.from_numpy(data.y).float()
    start = start_vectors([1, 2, 3], mlp.n_params, torch.float32, "cpu")
    clean = largest(curvature(mlp, weights, x, y, "mse", "hessian"), start, 1e-3, 60)
    weights.w[1][1] = torch.inf
    found = largest(curvature(mlp, weights, x, y, "mse", "hessian"), start, 1e-3, 60)
    assert found.rule.tolist() == ["converged", "nonfinite", "converged"]
    assert np.isnan(found.value[1])
    assert found.value[[0, 2]].tolist() == clean.value[[0, 2]].tolist()
    assert torch.equal(found.vector[[0, 2]], clean.vector[[0, 2]])


@pytest.mark.parametrize("width", [16, 15])  # one runs as a batch, the other lane by lane
def test_a_trial_has_the_same_bits_alone_and_in_company(width: int) -> None:
    net, how = NetSpec("mlp", 64, 10, 2, width), SharpnessSpec("hessian", every=1)
    spec = TrainSpec("ce", 48, 12, 1)
    trials = [trial(i, eta, seed) for i, (eta, seed) in enumerate([(0.05, 1), (0.3, 2), (0.8, 1)])]
    together = run_trials(digits(48), net, spec, trials, how=how)
    for one in trials:
        assert run_trials(digits(48), net, spec, [one], how=how).bits(one.trial_id) == together.bits(one.trial_id)


def test_it_can_be_switched_off_and_a_worker_says_which_route_it_takes() -> None:
    assert worker.describe("cpu")["steps and sharpness"] == f"compiled by numba {numba.__version__}"
    asked = "from mlrtui_trainer import worker; print(worker.describe('cpu')['steps and sharpness'])"
    without = os.environ | {route.SWITCH: "0"}
    said = subprocess.run([sys.executable, "-c", asked], env=without, capture_output=True, text=True, check=True)
    assert said.stdout == "not compiled\n"


def test_where_nothing_compiled_can_be_kept_it_stays_off(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    asked = "from mlrtui_trainer import worker; print(worker.describe('cpu')['steps and sharpness'])"
    nowhere = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "file")}
    said = subprocess.run([sys.executable, "-c", asked], env=nowhere, capture_output=True, text=True, check=True)
    assert said.stdout == "not compiled\n"


def test_another_version_does_not_find_what_this_one_compiled(tmp_path: Path) -> None:
    """numba looks at a function's own file; what it calls may have changed in another one."""
    room, copy = Path(route.__file__).parents[1], tmp_path / "mlrtui_trainer"
    shutil.copytree(room, copy, ignore=shutil.ignore_patterns("__pycache__"))
    asked = (
        "import numpy as np; from mlrtui_trainer.fast import curvature\n"
        "w, basis = np.zeros(16, np.float32), np.zeros((1, 16), np.float32)\n"
        "w[:2], basis[0, 0] = (3.0, 4.0), 1.0\n"
        "curvature._orthogonal(w, basis, 0, 0.0)\n"
        "print(curvature.__file__, w[0], w[1])"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}

    def said() -> str:
        done = subprocess.run(
            [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    ours = copy / "fast" / "curvature.py"
    assert said() == f"{ours} 0.0 4.0\n"
    pieces = ours.with_name("pieces.py")
    changed = pieces.read_text(encoding="utf-8").replace("total[i] += factor * a[i]", "total[i] += 0.5 * factor * a[i]")
    pieces.write_text(changed, encoding="utf-8")
    assert said() == f"{ours} 0.75 4.0\n"  # half of what is there, twice


def test_who_compiles_gets_the_bits_of_those_who_load_what_was_kept(tmp_path: Path) -> None:
    asked = thinned(("ce", "mse", "mse-softmax"), ("sgd", "momentum", "adam"), step=3)
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from trainer_runs import digits, lambda_at_init, run_trials, trial
from mlrtui_trainer.spec import NetSpec, TrainSpec
net, spec, data = NetSpec("mlp", 64, 10, 2, 32), TrainSpec("ce", 32, 8, 2), digits(64)
print(run_trials(data, net, spec, [trial(1, 0.2)], every=3).bits(1), lambda_at_init(data, net, spec))
for loss, optimizer in {asked!r}:
    spec = TrainSpec(loss, 64, 12, 1, optimizer=optimizer)
    print(run_trials(data, net, spec, [trial(1, 0.01)], every=6, operator="hessian").bits(1))
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert first.stdout == second.stdout
    assert len(first.stdout) > 1000
