"""Where the kernel of Triton is asked for and cannot train something, one line says why, and it trains as without."""

import sys
from dataclasses import replace

import pytest
import torch
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer.kernels import choice, route, steps
from mlrtui_trainer.kernels.steps import KernelSteps
from mlrtui_trainer.models.building import build
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, Round, SharpnessSpec, TaskFailed, TrainSpec
from mlrtui_trainer.worker import run_task

NET, TRAIN = NetSpec("mlp", 64, 10, 2, 16), TrainSpec("ce", 32, 2, 1)


def why(net: NetSpec = NET, train: TrainSpec = TRAIN) -> str:
    samples = Samples.of(digits(32), torch.float32, "cpu")
    return route.refusal(build(net, train.optimizer), train, samples)


def test_it_is_off_where_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(route.SWITCH, raising=False)
    samples = Samples.of(digits(32), torch.float32, "cpu")
    assert KernelSteps.of(build(NET), TRAIN, samples, [0.1]) is None  # and no warning, which would be an error


@pytest.mark.parametrize(
    ("version", "words"),
    [("", "Triton is not installed"), ("3.2.0", "Triton 3.2.0 is older than 3.7"), ("3.7.1", "cpu is no CUDA device")],
)
def test_what_is_missing_is_said_and_training_goes_on(
    version: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "version", lambda: version)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    without = run_trials(digits(32), NET, TRAIN, [trial(0, 0.1)])
    monkeypatch.setenv(route.SWITCH, "1")
    with pytest.warns(UserWarning, match=words) as said:
        asked = run_trials(digits(32), NET, TRAIN, [trial(0, 0.1)])
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    assert asked.bits(0) == without.bits(0)


def test_triton_needs_a_compiler_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    assert "no C compiler" in route.missing(torch.device("cuda"))
    monkeypatch.setenv("CC", "tcc")
    assert route.missing(torch.device("cuda")) == ""


@pytest.mark.parametrize(
    ("net", "train", "words"),
    [
        (NET, TRAIN, ""),
        (replace(NET, width=128), TRAIN, ""),
        (replace(NET, width=129), TRAIN, "129 units is wider than 128"),
        (replace(NET, activation="gelu"), TRAIN, "activation 'gelu' is not in the kernel"),
        (NET, replace(TRAIN, loss="mse-softmax"), "loss 'mse-softmax'"),
        (NET, replace(TRAIN, optimizer="muon"), "optimizer 'muon'"),
        (NET, replace(TRAIN, dtype="float64"), "dtype 'float64'"),
        (replace(NET, inputs=16), TRAIN, "other numbers of inputs"),
        (NET, replace(TRAIN, weight_decay=0.1), "no weight decay"),
    ],
)
def test_what_it_does_not_train(net: NetSpec, train: TrainSpec, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # so that the device is none of the reasons
    assert words in why(net, train)
    assert bool(why(net, train)) == bool(words)


def test_forks_are_trained_without_it_and_the_log_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv(route.SWITCH, "1")
    samples = Samples.of(digits(32), torch.float32, "cpu")
    with pytest.warns(UserWarning, match="starts at initialisation, and a fork does not"):
        assert KernelSteps.of(build(NET), TRAIN, samples, [0.1], forked=True) is None
    assert KernelSteps.of(build(NET), TRAIN, samples, [0.1]) is not None


class Unlaunched:
    """Stands for the kernel where it cannot be compiled."""

    def __init__(self, error: Exception) -> None:
        self.train, self.error, self.tries = self, error, 0

    def __getitem__(self, grid: tuple[int, ...]) -> object:
        self.tries += 1
        raise self.error


@pytest.mark.parametrize("held_out", [0, 8])
def test_a_kernel_that_cannot_be_compiled_is_one_line_and_the_same_bits(
    held_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = replace(digits(32), held_out=held_out)
    train = replace(TRAIN, batch=32 - held_out, on="validation" if held_out else "train", max_steps=4)
    without = run_trials(data, NET, train, [trial(0, 0.1), trial(1, 1e30)])
    stand_in = Unlaunched(TypeError("no such\ninstruction"))
    monkeypatch.setitem(sys.modules, "mlrtui_trainer.kernels.training", stand_in)
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.setattr(steps, "_broken", {})
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv(route.SWITCH, "1")
    for _ in range(2):
        with pytest.warns(UserWarning, match="it cannot be launched: TypeError: no such instruction") as said:
            asked = run_trials(data, NET, train, [trial(0, 0.1), trial(1, 1e30)])
        assert len(said) == 1
        assert stand_in.tries == 1  # not again in the second round
        for i in range(2):
            assert asked.bits(i) == without.bits(i)


def test_a_kernel_without_memory_is_no_reason_to_go_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlrtui_trainer.kernels.training", Unlaunched(torch.OutOfMemoryError("full")))
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.setattr(steps, "_broken", {})
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv(route.SWITCH, "1")
    data = digits(32)
    failed = list(run_task(Round(1, data.data_id, NET, TRAIN, SharpnessSpec(), (trial(0, 0.1),)), data, "cpu"))[-1]
    assert isinstance(failed, TaskFailed)
    assert failed.out_of_memory  # the driver halves the round


def test_what_is_not_trained_by_it_is_not_timed_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.setattr(choice, "_gains", {})
    monkeypatch.setattr(choice, "_now", lambda: pytest.fail("timed"))
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv(route.SWITCH, "auto")
    with pytest.warns(UserWarning, match="without the kernel of MLRTUI_TRITON=auto: activation 'gelu'"):
        run_trials(digits(32), replace(NET, activation="gelu"), TRAIN, [trial(0, 0.1)])
    monkeypatch.setenv(route.SWITCH, "0")
    run_trials(digits(32), NET, TRAIN, [trial(0, 0.1)])


def test_a_kernel_that_cannot_be_timed_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="compares with compiled steps: needs numba")
    without = run_trials(digits(32), NET, TRAIN, [trial(0, 0.1)])
    stand_in = Unlaunched(TypeError("no such instruction"))
    monkeypatch.setitem(sys.modules, "mlrtui_trainer.kernels.training", stand_in)
    monkeypatch.setattr(route, "version", lambda: "3.9.0")
    monkeypatch.setattr(steps, "_broken", {})
    monkeypatch.setattr(choice, "_gains", {})
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv(route.SWITCH, "auto")
    with pytest.warns(UserWarning, match="MLRTUI_TRITON=auto: it cannot be launched: TypeError: no such instruction"):
        asked = run_trials(digits(32), NET, TRAIN, [trial(0, 0.1)])
    assert stand_in.tries == 1
    assert asked.bits(0) == without.bits(0)
