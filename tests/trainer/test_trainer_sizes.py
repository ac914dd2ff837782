"""How outputs and hidden layers grow, against plain NumPy on every route; what a net that has learnt nothing gets."""

from collections.abc import Iterator
from dataclasses import replace
from math import isnan, log, nan
from pathlib import Path

import numpy as np
import pytest
import torch
from pretend_cuda import PretendCuda, played
from trainer_runs import Run, digits, run_trials, train, trial

from mlrtui_trainer import lanes
from mlrtui_trainer.facts import facts_of, loss_of_constant, majority
from mlrtui_trainer.models.mlp import Mlp, draw
from mlrtui_trainer.models.sources import source_hash
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import Dataset, NetSpec, Round, SharpnessSpec, TrainSpec

DATA = digits(96)
NET = NetSpec("mlp", 64, 10, 2, 16, "tanh")
SPEC = TrainSpec("ce", 32, 24, 3, "float64")
EVIDENCE = ("peak_smoothed", "rise", "drift", "logit_growth", "hidden_growth", "loss_constant", "majority")


class Never:
    """Stands for a machine without the extra."""

    @staticmethod
    def of(*_: object) -> None:
        return None


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values * values).mean()))


def plain(data: Dataset, net: NetSpec, spec: TrainSpec, eta: float) -> tuple[float, float]:
    """Growth of outputs and of the last hidden layer in a loop of our own: tanh, cross-entropy, in double precision."""
    weights, samples = draw(Mlp.of(net), 1), len(data.x)
    softmax = spec.loss == "ce"

    def passed(rows: np.ndarray | slice) -> tuple[list[np.ndarray], np.ndarray]:
        layers = [data.x[rows]]
        for w in weights[:-1]:
            layers.append(np.tanh(layers[-1] @ w.T))
        return layers, layers[-1] @ weights[-1].T

    def sizes(layers: list[np.ndarray], f: np.ndarray) -> tuple[float, float]:
        return rms(f - f.mean(1, keepdims=True) if softmax else f), rms(layers[-1])

    outputs, hidden = list[float](), list[float]()
    small = spec.batch < 64  # the first sizes of so few samples would be noise
    first = sizes(*passed(slice(None)))
    for t in range(spec.max_steps):
        epoch, place = divmod(t, spec.steps_per_epoch)
        order = generator(1, "order", epoch).permutation(samples) if spec.batch < samples else np.arange(samples)
        rows = order[place * spec.batch : (place + 1) * spec.batch]
        layers, f = passed(rows)
        one, other = sizes(layers, f)
        hidden.append(other)
        first = (one, other) if t == 0 and not small else first
        if t <= 10:
            outputs.append(one)
        p = np.exp(f - f.max(1, keepdims=True))
        delta = ((p / p.sum(1, keepdims=True) if softmax else f) - data.y[rows]) / len(rows)
        for layer in reversed(range(len(weights))):
            back = delta @ weights[layer] * (1.0 - layers[layer] ** 2)
            weights[layer] = weights[layer] - eta * delta.T @ layers[layer]
            delta = back
    return max(outputs) / first[0], max(hidden) / first[1]


@pytest.mark.parametrize("loss", ["ce", "mse"])
@pytest.mark.parametrize("batch", [32, 64, 96])
@pytest.mark.parametrize("compiled", [True, False])
def test_growth_is_that_of_a_plain_loop(loss: str, batch: int, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(lanes, "CompiledSteps", Never)
    spec = replace(SPEC, loss=loss, batch=batch, steps_per_epoch=96 // batch)
    etas = (0.05, 0.3) if loss == "ce" else (0.005, 0.02)
    run = train(DATA, NET, spec, etas)
    for i, eta in enumerate(etas):
        outputs, hidden = plain(DATA, NET, spec, eta)
        assert run.outcomes[i].logit_growth == pytest.approx(outputs, rel=1e-8)
        assert run.outcomes[i].hidden_growth == pytest.approx(hidden, rel=1e-8)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCuda]:
    yield from played(monkeypatch)


def evidence(run: Run) -> list[list[float]]:
    return [[getattr(run.outcomes[i], name) for name in EVIDENCE] for i in sorted(run.outcomes)]


@pytest.mark.parametrize("loss", ["ce", "mse", "mse-softmax"])
@pytest.mark.parametrize("batch", [32, 96])
def test_recorded_steps_leave_the_same_evidence(cuda: PretendCuda, loss: str, batch: int) -> None:
    spec = replace(SPEC, loss=loss, batch=batch, steps_per_epoch=96 // batch)
    trials = [trial(i, eta, seed=1 + i % 2) for i, eta in enumerate((0.002, 0.01, 0.02))]
    ours = run_trials(DATA, NET, spec, trials, device="cuda:0")
    assert cuda.replays >= spec.max_steps
    np.testing.assert_allclose(evidence(ours), evidence(run_trials(DATA, NET, spec, trials)), rtol=1e-6)


def test_without_hidden_layers_nothing_hidden_grows() -> None:
    for way in (SPEC, replace(SPEC, batch=96, steps_per_epoch=1)):
        assert train(DATA, replace(NET, depth=0), way, [0.1]).outcomes[0].hidden_growth == 1.0


def test_other_models_tell_their_last_hidden_layer_and_factories_do_not(tmp_path: Path) -> None:
    spec = replace(SPEC, dtype="float32", max_steps=6)
    cnn = train(DATA, NetSpec("cnn", 64, 10, 2, 4, shape=(1, 8, 8)), spec, [0.05]).outcomes[0]
    assert 0.5 < cnn.hidden_growth < 2.0
    source = tmp_path / "sizes_factory.py"
    source.write_text(
        "from torch import nn\n\ndef net(inputs, outputs, depth, width):\n"
        "    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))\n"
    )
    own = NetSpec("sizes_factory:net", 64, 10, 1, 8, "own", code_path=str(tmp_path), code_hash=source_hash(source))
    outcome = train(DATA, own, spec, [0.05]).outcomes[0]
    assert isnan(outcome.hidden_growth)
    assert outcome.logit_growth > 0.0


def test_what_a_constant_output_gets() -> None:
    draws = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    x, y = draws.normal(size=(10, 4)), np.eye(3)[labels]
    classes = Samples.of(Dataset("c", "classes", x, y, labels), torch.float32, "cpu")
    assert majority(classes) == 0.5
    entropy = -(0.5 * log(0.5) + 0.3 * log(0.3) + 0.2 * log(0.2))
    assert loss_of_constant(classes, "ce") == pytest.approx(entropy, rel=1e-12)
    spread = 0.5 * sum(share * (1 - share) for share in (0.5, 0.3, 0.2))
    for loss in ("mse", "mse-softmax"):
        assert loss_of_constant(classes, loss) == pytest.approx(spread, rel=1e-12)
    signs = np.array([1.0, 1.0, 1.0, -1.0] * 2 + [1.0, -1.0])[:, None]
    sign = Samples.of(Dataset("s", "sign", x, signs, np.zeros(10, np.int64)), torch.float32, "cpu")
    assert majority(sign) == 0.7
    assert loss_of_constant(sign, "mse") == pytest.approx(0.5 * (1.0 - 0.4**2), rel=1e-12)
    real = Samples.of(Dataset("r", "regression", x, x[:, :2], np.zeros(10, np.int64)), torch.float64, "cpu")
    assert isnan(majority(real))
    assert loss_of_constant(real, "mse") == pytest.approx(0.5 * x[:, :2].var(0).sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("how", "loss", "known"),
    [
        (SharpnessSpec(every=1), "ce", True),
        (SharpnessSpec("hessian", every=1), "ce", True),
        (SharpnessSpec("ntk", every=1), "mse", True),
        (SharpnessSpec("ntk", every=1), "ce", False),
        (SharpnessSpec(every=1, samples=32), "mse", False),
        (SharpnessSpec(every=1, samples=96), "mse", True),
    ],
)
def test_only_a_curvature_of_the_training_loss_has_an_edge(how: SharpnessSpec, loss: str, known: bool) -> None:
    spec = replace(SPEC, loss=loss, max_steps=3)
    task = Round(1, DATA.data_id, NET, spec, how, ())
    assert facts_of(task, Samples.of(DATA, torch.float32, "cpu"), None).edge == (
        pytest.approx(2.0) if known else pytest.approx(nan, nan_ok=True)
    )
    run = run_trials(DATA, NET, spec, [trial(0, 0.01)], how=how)
    assert run.outcomes[0].phase_basis == ("loss+sharpness" if known else "loss")
    first = run.columns[0]["sharpness"][0] * 0.01 / 2.0
    assert run.outcomes[0].ratio_first == pytest.approx(first if known else nan, nan_ok=True)
