"""Tasks as another process sees them."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from trainer_runs import digits, lambda_at_init, train, trial

from mlrtui_trainer.spec import (
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TaskDone,
    TaskFailed,
    TrainSpec,
)
from mlrtui_trainer.worker import describe, run_task

NET = NetSpec("mlp", 64, 10, 2, 16)
CE = TrainSpec("ce", 32, 6, 4)


def test_a_probe_gives_every_net_its_lambdas():
    data = digits(128)
    nets = tuple((100 + seed, seed) for seed in range(5))
    *found, done = run_task(Probe(3, "digits", NET, CE, SharpnessSpec(), nets), data, "cpu")
    assert isinstance(done, TaskDone)
    assert done.task_id == 3
    assert [one.net_id for one in found if isinstance(one, LambdaAtInit)] == [100, 101, 102, 103, 104]
    for one in found:
        assert isinstance(one, LambdaAtInit)
        assert one.converged
        assert one.main == one.gauss_newton == one.preconditioned
        assert 0.0 < one.hessian_residual <= 1e-3
        assert one.hessian == pytest.approx(one.gauss_newton, rel=0.5)
    alone, _ = run_task(Probe(3, "digits", NET, CE, SharpnessSpec(), ((102, 2),)), data, "cpu")
    assert alone == found[2]


def test_layer_rates_change_only_the_preconditioned_value():
    data = digits(128)
    plain = lambda_at_init(data, NET, CE, "hessian")
    slow = lambda_at_init(data, replace(NET, layer_lr=(0.1, 1.0, 1.0)), CE, "hessian")
    frozen = lambda_at_init(data, replace(NET, layer_lr=(0.0, 0.0, 0.0)), CE, "hessian")
    assert (slow.main, slow.gauss_newton, slow.hessian) == (plain.main, plain.gauss_newton, plain.hessian)
    assert slow.main == slow.hessian
    assert 0.0 < slow.preconditioned < slow.main
    assert (frozen.preconditioned, frozen.preconditioned_residual) == (0.0, 0.0)


def test_the_lambda_of_a_round_at_step_0_is_that_of_the_probe():
    data = digits(128)
    net = replace(NET, layer_lr=(0.1, 1.0, 1.0))
    rows = train(data, net, CE, [0.1], every=6).columns[0]
    assert rows["sharpness"][0] == pytest.approx(lambda_at_init(data, net, CE).preconditioned, rel=1e-4)


def test_a_long_round_reports_on_the_way():
    messages = train(digits(64), NET, TrainSpec("ce", 64, 600, 1), [0.01]).messages
    assert sum(isinstance(message, StepBatch) for message in messages) >= 3


def test_everything_that_travels_can_be_pickled():
    data = digits(64)
    task = Round(1, "digits", NET, TrainSpec("ce", 32, 4, 2), SharpnessSpec(every=1), (trial(1, 0.1),))
    task, data = pickle.loads(pickle.dumps((task, data)))
    messages = pickle.loads(pickle.dumps(list(run_task(task, data, "cpu"))))
    assert [type(message) for message in messages[-2:]] == [Outcome, TaskDone]


@pytest.mark.parametrize(
    ("net", "data_id", "word"),
    [
        (NET, "other", "other"),
        (replace(NET, activation="swish"), "digits", "swish"),
        (replace(NET, inputs=63), "digits", "RuntimeError"),
    ],
)
def test_a_task_that_cannot_be_done_says_why_in_one_line(net, data_id, word):
    task = Round(5, data_id, net, CE, SharpnessSpec(), (trial(1, 0.1),))
    (failed,) = run_task(task, digits(128), "cpu")
    assert isinstance(failed, TaskFailed)
    assert failed.task_id == 5
    assert not failed.out_of_memory
    assert word in failed.error
    assert "\n" not in failed.error


@pytest.mark.parametrize("task_type", [Round, Probe])
def test_running_out_of_memory_is_told_apart(task_type):
    huge = replace(NET, inputs=1, width=3_000_000)  # 72 TB in the second layer
    lanes = (trial(1, 0.1),) if task_type is Round else ((1, 1),)
    (failed,) = run_task(task_type(5, "digits", huge, CE, SharpnessSpec(), lanes), digits(128), "cpu")
    assert isinstance(failed, TaskFailed)
    assert failed.out_of_memory
    (_, done) = run_task(Probe(6, "digits", NET, CE, SharpnessSpec(), ((1, 1),)), digits(128), "cpu")
    assert isinstance(done, TaskDone)


def test_a_nan_in_the_data_spoils_numbers_not_the_task():
    data = digits(64)
    x = data.x.copy()
    x[3, 5] = np.nan
    probe, done = run_task(Probe(1, "digits", NET, CE, SharpnessSpec(), ((1, 1),)), replace(data, x=x), "cpu")
    assert isinstance(probe, LambdaAtInit)
    assert isinstance(done, TaskDone)
    assert np.isnan(probe.main)
    assert not probe.converged
    outcome = train(replace(data, x=x), NET, TrainSpec("ce", 64, 5, 1), [0.1], every=1).outcomes[0]
    assert (outcome.verdict, outcome.bad_step, outcome.bad_kind) == ("diverged", 0, "nan")


def test_a_device_is_described():
    info = describe("cpu")
    assert info["device"] == "cpu"
    assert info["threads"] == "1"
    assert {"torch", "numpy", "name"} <= info.keys()
