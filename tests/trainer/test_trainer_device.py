"""The trainer on a real device, against the CPU. Runs where there is a GPU, or on the device that
MLRTUI_TEST_DEVICE names ("cpu" rehearses). Needs pytest, NumPy, torch and scikit-learn alone."""

import os
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from trainer_runs import Run, digits, run_trials, trial

from mlrtui_trainer.spec import LambdaAtInit, NetSpec, Probe, Round, SharpnessSpec, TaskFailed, TrainSpec
from mlrtui_trainer.worker import describe, run_task

DEVICE = os.environ.get("MLRTUI_TEST_DEVICE") or ("cuda:0" if torch.cuda.is_available() else "")
pytestmark = pytest.mark.skipif(not DEVICE, reason="no GPU here; MLRTUI_TEST_DEVICE=cpu rehearses")

DATA = digits(256)
NET = NetSpec("mlp", 64, 10, 2, 32)
SPEC = TrainSpec("ce", 64, 24, 4, "float64")
CALM = [trial(i, eta, seed=1 + i % 3) for i, eta in enumerate((0.02, 0.05, 0.1, 0.2))]
WILD = [trial(len(CALM) + i, eta, seed=2) for i, eta in enumerate((300.0, 3000.0))]


def same(a: Run, b: Run, rel: float) -> None:
    assert a.columns.keys() == b.columns.keys()
    for key, ours in a.columns.items():
        assert a.outcomes[key].verdict == b.outcomes[key].verdict
        rows = slice(0, 2) if a.outcomes[key].verdict == "diverged" else slice(None)
        for name in ("loss", "accuracy", "sharpness"):
            np.testing.assert_allclose(ours[name][rows], b.columns[key][name][rows], rtol=rel, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "optimizer", "batch"), product(("ce", "mse", "mse-softmax"), ("sgd", "momentum", "adam"), (64, 256))
)
def test_trainings_are_those_of_the_cpu(loss: str, optimizer: str, batch: int):
    spec = replace(SPEC, loss=loss, optimizer=optimizer, batch=batch, steps_per_epoch=256 // batch)
    trials = [replace(one, eta=one.eta * (0.05 if optimizer == "adam" else 1.0)) for one in CALM + WILD]
    same(run_trials(DATA, NET, spec, trials, device=DEVICE), run_trials(DATA, NET, spec, trials), 1e-6)


@pytest.mark.parametrize(
    "net",
    [
        replace(NET, activation="tanh", bias=True),
        replace(NET, activation="gelu", parametrization="mup", base_width=16),
        NetSpec("two-layer-linear", 64, 10, 1, 32, activation="linear"),
        NetSpec("cnn", 64, 10, 1, 8, shape=(1, 8, 8)),
        NetSpec("transformer", 64, 10, 1, 8, shape=(1, 8, 8)),
    ],
    ids=lambda net: f"{net.kind}-{net.activation}",
)
def test_other_nets_are_those_of_the_cpu(net: NetSpec):
    same(run_trials(DATA, net, SPEC, CALM, 8, device=DEVICE), run_trials(DATA, net, SPEC, CALM, 8), 1e-5)


@pytest.mark.parametrize("operator", ["gauss-newton", "hessian", "ntk"])
def test_sharpness_along_training_is_that_of_the_cpu(operator: str):
    ours = run_trials(DATA, NET, SPEC, CALM, 4, operator, device=DEVICE)
    same(ours, run_trials(DATA, NET, SPEC, CALM, 4, operator), 1e-4)


def test_sharpness_at_the_start_is_that_of_the_cpu():
    task = Probe(1, DATA.data_id, NET, SPEC, SharpnessSpec(), ((7, 1), (8, 2)))
    here, there = ([m for m in run_task(task, DATA, d) if isinstance(m, LambdaAtInit)] for d in ("cpu", DEVICE))
    for a, b in zip(here, there, strict=True):
        assert (b.main, b.hessian) == pytest.approx((a.main, a.hessian), rel=1e-4)


def test_what_device_it_was_is_said():
    assert describe(DEVICE)["device"] == DEVICE


def test_another_data_set_is_refused_in_a_sentence():
    task = Round(1, "other", NET, SPEC, SharpnessSpec(), tuple(CALM))
    (failed,) = run_task(task, DATA, DEVICE)
    assert isinstance(failed, TaskFailed)
    assert "the worker holds" in failed.error


def test_a_net_too_large_for_the_memory_is_said_to_be():
    net = NetSpec("mlp", 64, 10, 2, 10_000_000_000)  # terabytes of weights in the first layer alone
    failed = list(run_task(Round(1, DATA.data_id, net, SPEC, SharpnessSpec(), tuple(CALM[:1])), DATA, DEVICE))[-1]
    assert isinstance(failed, TaskFailed)
    assert failed.out_of_memory
