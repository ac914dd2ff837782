"""The way to a GPU, on a device that the CPU plays: see `pretend_cuda`."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import FULL as IN_FULL
from conftest import thinned
from pretend_cuda import PretendCuda, played
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer import recorded
from mlrtui_trainer.spec import LambdaAtInit, NetSpec, Probe, SharpnessSpec, TrainSpec
from mlrtui_trainer.worker import describe, run_task

DATA = digits(256)
NET = NetSpec("mlp", 64, 10, 2, 32)
EPOCHS = TrainSpec("ce", 64, 40, 4, "float64")  # in double precision: rounding grows along a training
FULL = TrainSpec("ce", 256, 12, 1, "float64")
CALM = [trial(i, eta, seed=1 + i % 3) for i, eta in enumerate((0.02, 0.05, 0.1, 0.2, 0.3))]
MIXED = [*CALM, *(trial(len(CALM) + i, eta, seed=2) for i, eta in enumerate((30.0, 100.0, 300.0, 1000.0)))]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCuda]:
    yield from played(monkeypatch)


def same(a: Run, b: Run, rel: float = 1e-6) -> None:
    """The same numbers to rounding, as long as a training is not diverging: then rounding grows."""
    assert a.columns.keys() == b.columns.keys()
    for key, ours in a.columns.items():
        theirs = b.columns[key]
        assert a.outcomes[key].verdict == b.outcomes[key].verdict
        calm = a.outcomes[key].verdict != "diverged"
        rows = slice(None) if calm else slice(0, 2)
        assert not calm or np.array_equal(ours["step"], theirs["step"])
        for name in ("loss", "accuracy", "sharpness"):
            np.testing.assert_allclose(ours[name][rows], theirs[name][rows], rtol=rel, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "optimizer", "batch"),
    thinned(("ce", "mse", "mse-softmax"), ("sgd", "momentum", "adam"), (64, 256), step=3),
)
def test_recorded_steps_are_the_steps(cuda: PretendCuda, loss: str, optimizer: str, batch: int):
    spec = replace(EPOCHS if batch == 64 else FULL, loss=loss, optimizer=optimizer)
    trials = [replace(one, eta=one.eta * (0.05 if optimizer == "adam" else 1.0)) for one in MIXED]
    ours = run_trials(DATA, NET, spec, trials, device="cuda:0")
    assert cuda.replays >= spec.max_steps
    same(ours, run_trials(DATA, NET, spec, trials))


@pytest.mark.parametrize(
    ("optimizer", "schedule", "batch"),
    [
        ("sgd", "linear-warmup", 64),
        ("nesterov", "cosine", 256),
        ("adamw", "inverse-root", 64),
        ("rmsprop", "constant", 64),
        ("muon", "cosine", 64),
    ],
)
def test_recorded_steps_with_decay_and_a_schedule(cuda: PretendCuda, optimizer: str, schedule: str, batch: int):
    spec = replace(EPOCHS if batch == 64 else FULL, optimizer=optimizer, weight_decay=0.1 * (optimizer != "sgd"))
    spec = replace(spec, schedule=schedule, warmup_steps=5)
    trials = [replace(one, eta=one.eta * (1.0 if optimizer in ("sgd", "nesterov") else 0.05)) for one in CALM]
    ours = run_trials(DATA, NET, spec, trials, device="cuda:0")
    assert cuda.replays >= spec.max_steps
    same(ours, run_trials(DATA, NET, spec, trials))


@pytest.mark.parametrize(
    "net",
    [
        replace(NET, activation="tanh", bias=True),
        replace(NET, activation="gelu", parametrization="mup", base_width=16),
        replace(NET, activation="linear", depth=3, layer_lr=(0.1, 1.0, 0.0)),
        NetSpec("two-layer-linear", 64, 10, 1, 32, activation="linear"),
    ],
    ids=lambda net: net.activation + net.kind,
)
def test_recorded_steps_of_other_nets(cuda: PretendCuda, net: NetSpec):
    ours = run_trials(DATA, net, EPOCHS, CALM, device="cuda:0")
    assert cuda.replays >= EPOCHS.max_steps
    same(ours, run_trials(DATA, net, EPOCHS, CALM))


def test_recorded_steps_in_single_precision(cuda: PretendCuda):
    spec = replace(EPOCHS, dtype="float32", max_steps=8)
    same(run_trials(DATA, NET, spec, CALM, device="cuda:0"), run_trials(DATA, NET, spec, CALM), rel=1e-4)


@pytest.mark.parametrize("spec", [EPOCHS, FULL])
def test_held_out_samples_decide_on_the_device_too(cuda: PretendCuda, spec: TrainSpec):
    data = replace(DATA, held_out=64)
    spec = replace(spec, batch=min(spec.batch, 192), steps_per_epoch=3 if spec is EPOCHS else 1)
    spec = replace(spec, on="validation", success="accuracy", threshold=0.5)
    same(run_trials(data, NET, spec, CALM, device="cuda:0"), run_trials(data, NET, spec, CALM))


def test_lanes_that_end_leave_the_others_alone_and_get_them_a_smaller_recording(cuda: PretendCuda):
    ours = run_trials(DATA, NET, EPOCHS, MIXED, device="cuda:0")
    assert {ours.outcomes[i].verdict for i in range(len(CALM), len(MIXED))} == {"diverged"}
    with_others = cuda.graphs
    alone = run_trials(DATA, NET, EPOCHS, CALM, device="cuda:0")
    assert cuda.graphs - with_others < with_others
    for i in range(len(CALM)):
        np.testing.assert_allclose(ours.columns[i]["loss"], alone.columns[i]["loss"], rtol=1e-6)


def test_a_block_of_steps_never_waits(cuda: PretendCuda):
    run_trials(DATA, NET, EPOCHS, CALM, device="cuda:0")
    epochs = EPOCHS.max_steps // EPOCHS.steps_per_epoch
    assert cuda.waits.total() <= 2 * epochs + 3  # the numbers of its steps, and those over all samples
    assert cuda.replays == EPOCHS.max_steps + epochs
    assert cuda.uploads.total() <= 2 * epochs + 15  # the order of the samples


def test_without_recordings_a_block_of_steps_never_waits_either(cuda: PretendCuda, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(recorded.SWITCH, "0")
    eager = run_trials(DATA, NET, EPOCHS, MIXED, device="cuda:0")
    assert cuda.graphs == 0
    assert cuda.waits.total() <= 2 * (EPOCHS.max_steps // EPOCHS.steps_per_epoch) + 3
    monkeypatch.delenv(recorded.SWITCH)
    same(eager, run_trials(DATA, NET, EPOCHS, MIXED, device="cuda:0"))


@pytest.mark.parametrize(
    ("operator", "trained"),
    thinned(("hessian", "gauss-newton", "ntk"), (("sgd", FULL), ("momentum", EPOCHS), ("adam", FULL)), step=3),
)
def test_sharpness_along_training_on_the_device(cuda: PretendCuda, operator: str, trained: tuple[str, TrainSpec]):
    optimizer, spec = trained
    spec = replace(spec, optimizer=optimizer, max_steps=12 if IN_FULL else 6)
    trials = [replace(one, eta=0.1 * one.eta) for one in CALM]
    how = SharpnessSpec(operator, every=2, others=("hessian",), top=2, exact=True)
    same(run_trials(DATA, NET, spec, trials, how=how, device="cuda:0"), run_trials(DATA, NET, spec, trials, how=how))


@pytest.mark.parametrize("kind", ["cnn", "transformer"])
def test_general_models_run_on_the_device(cuda: PretendCuda, kind: str):
    depth, width, steps = (2, 8, 8) if IN_FULL else (1, 4, 5)
    net = NetSpec(kind, 64, 10, depth, width, shape=(1, 8, 8))
    trials, spec = [replace(one, eta=0.1 * one.eta) for one in CALM[:2]], replace(EPOCHS, max_steps=steps)
    how = SharpnessSpec("gauss-newton", every=4, exact=True)
    ours = run_trials(DATA, net, spec, trials, how=how, device="cuda:0")
    same(ours, run_trials(DATA, net, spec, trials, how=how))


def test_lambda_at_init_on_the_device(cuda: PretendCuda):
    probe = Probe(1, "digits", replace(NET, layer_lr=(0.1, 1.0, 1.0)), FULL, SharpnessSpec("ntk"), ((7, 1), (8, 2)))
    ours, theirs = (
        [one for one in run_task(probe, DATA, device) if isinstance(one, LambdaAtInit)] for device in ("cuda:0", "cpu")
    )
    assert len(ours) == len(theirs) == 2
    for a, b in zip(ours, theirs, strict=True):
        assert a.converged
        assert a.main == pytest.approx(b.main, rel=1e-4)
        assert a.preconditioned == pytest.approx(b.preconditioned, rel=1e-4)
        assert a.hessian == pytest.approx(b.hessian, rel=1e-4)


def test_a_worker_says_how_it_takes_its_steps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80 << 30))
    assert describe("cuda:0")["memory"] == str(80 << 30)
    assert describe("cuda:0")["steps"] == "recorded as CUDA graphs"
    monkeypatch.setenv(recorded.SWITCH, "0")
    assert describe("cuda:0")["steps"] == "one by one"


def test_what_cannot_be_recorded_is_done_again_and_said(cuda: PretendCuda):
    total, calls = torch.zeros((), device="cuda:0"), list[float]()

    def body() -> None:
        total.add_(1.0)
        calls.append(float(total))  # waits for the device

    with pytest.warns(UserWarning, match="one by one, since they cannot be recorded: .* not permitted"):
        again = recorded.record(body, torch.device("cuda:0"))
    before = len(calls)
    again()
    again()
    assert len(calls) == before + 2
    assert cuda.replays == 0


def test_the_pretended_device_refuses_what_a_real_one_does(cuda: PretendCuda):
    there = torch.ones(3, device="cuda:0")
    with pytest.raises(RuntimeError, match="cuda:0 and on the CPU"):
        there + torch.ones(3)
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()
    total = torch.zeros(3, device="cuda:0")
    factor = 2.0
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        total.add_(there * factor)
        with pytest.raises(RuntimeError, match="not permitted"):
            float(total.sum())
    factor = 5.0
    there.add_(1.0)
    graph.replay()
    assert total.cpu().tolist() == [6.0] * 3  # 2, since a CPU records by doing; then 2 · 2, with the factor as it was
