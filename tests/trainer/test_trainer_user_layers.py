"""Layers of users' modules: what is measured adds up, in evaluation and in training mode, for nets as written."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import zoo_modes
import zoo_right
from torch import Tensor, nn
from torch.nn import functional
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer.inspection import inspect
from mlrtui_trainer.layers import PROBE_SAMPLES, LayerCheck
from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.factory import FactoryError, from_factory
from mlrtui_trainer.models.general import General
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, StepBatch, TrainSpec

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # torch.compile imports it

DATA = digits(96)
AS_WRITTEN = (
    "tied",
    "lazy",
    "normed",
    "normed_as_before",
    "encoder",
    "compiled",
    "causal",
    "in_double",
    "force",
    "lstm",
)
"""Of `zoo_right`: layers shared, made late, with computed weights, in attention, compiled, in other precisions."""


def net_of(name: str, *, mode: str = "eval") -> NetSpec:
    zoo = zoo_modes if mode == "train" else zoo_right
    path = Path(__file__ if name in globals() else str(zoo.__file__))
    code_hash = sha256(path.read_bytes()).hexdigest()
    kind = f"{path.stem}:{name}"
    return NetSpec(kind, 64, 10, 2, 8, "own", mode=mode, code_path=str(path.parent), code_hash=code_hash)


def convolutions(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    """All kinds of layers that are seen but embeddings, with and without biases; one is called twice."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.row = nn.Conv1d(1, 2, 3, padding=1, bias=False)
            self.plane = nn.Conv2d(2, 3, 3, stride=2, padding=1, padding_mode="circular")
            self.block = nn.Conv3d(1, 2, (1, 3, 3))
            self.same = nn.Linear(24, 24)
            self.out = nn.Linear(24, outputs, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            h = functional.relu_(self.row(x.unsqueeze(1))).unflatten(2, (8, 8))
            h = torch.tanh(self.plane(h)).unsqueeze(1)
            h = self.block(h).flatten(1)[:, :24]
            h = functional.relu_(self.same(h))
            return self.out(functional.relu_(self.same(input=h)))

    return Net()


def written_out(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    """No layer is called."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(outputs, inputs) / 8)

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.w.T

    return Net()


def moved_away(model: General, start: Weights) -> Weights:
    gen = torch.Generator().manual_seed(0)
    changes = (0.1 * torch.randn(w.shape, generator=gen, dtype=w.dtype) for w in start.w)
    return replace(start, w=tuple(w + change for w, change in zip(start.w, changes, strict=True)))


@pytest.mark.parametrize("name", ["convolutions", *AS_WRITTEN])
def test_both_updates_add_up_to_how_an_output_has_moved(name: str) -> None:
    x = Samples.of(DATA, torch.float64, "cpu").x
    model = from_factory(net_of(name), x)
    assert model.layers_of is not None
    start = model.initial_weights([3], torch.float64, "cpu")
    now = moved_away(model, start)
    first, later = ([w[0] for w in weights.w] for weights in (start, now))
    moved = model.layers_of(3)
    before, after = (list(moved(some, first, x[:16])) for some in (first, later))
    assert len(before) == len(after) > 0
    for (output0, *still), (output, effective, propagating) in zip(before, after, strict=True):
        assert all((part == 0).all() for part in still)
        torch.testing.assert_close(effective + propagating, output - output0, rtol=1e-9, atol=1e-9)


def test_every_call_of_a_layer_is_measured_by_its_definition() -> None:
    x = Samples.of(DATA, torch.float64, "cpu")
    model = from_factory(net_of("convolutions"), x.x)
    start = model.initial_weights([1, 2], torch.float64, "cpu")
    check = LayerCheck(model, start, x)
    measured = check.measure(moved_away(model, start))
    assert list(measured["effective_rms"]) == ["1", "2", "3", "4", "5", "6"]  # `same` is called twice
    row = start.w[0]  # [lanes, 2, 1, 3]
    for lane in range(2):
        h = functional.conv1d(x.x[:PROBE_SAMPLES].unsqueeze(1), (moved_away(model, start).w[0] - row)[lane], padding=1)
        assert measured["effective_rms"]["1"][lane].item() == pytest.approx(h.square().mean().sqrt().item(), rel=1e-12)
        assert measured["propagating_rms"]["1"][lane].item() == 0.0


@pytest.mark.parametrize("name", ["residual", "dropping", "both"])
def test_layers_in_training_mode_add_up_too(name: str) -> None:
    x = Samples.of(DATA, torch.float64, "cpu").x
    model = from_factory(net_of(name, mode="train"), x, 16)
    assert model.layers_of is not None
    start = model.initial_weights([3], torch.float64, "cpu")
    first, later = ([w[0] for w in weights.w] for weights in (start, moved_away(model, start)))
    moved = model.layers_of(3)
    before, after = (list(moved(some, first, x[:16])) for some in (first, later))
    for (output0, *still), (output, effective, propagating) in zip(before, after, strict=True):
        assert all((part == 0).all() for part in still)  # the same random numbers in both passes
        torch.testing.assert_close(effective + propagating, output - output0, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "mode"), [("convolutions", "eval"), ("both", "train")])
def test_recording_them_changes_no_bit_of_a_training(name: str, mode: str) -> None:
    train = TrainSpec("ce", 16, 3, 6)
    plain, looked = (
        run_trials(DATA, net_of(name, mode=mode), one, [trial(0, 0.05)], 2)
        for one in (train, replace(train, record_layers=True))
    )
    assert looked.bits(0) == plain.bits(0)
    batches = [one for one in looked.messages if isinstance(one, StepBatch)]
    assert set(LAYER_SIZES) <= {one.measure for batch in batches for _, one in batch.measures}


def test_nets_without_layers_are_refused_before_they_train() -> None:
    train = TrainSpec("ce", 16, 3, 6, record_layers=True)
    with pytest.raises(FactoryError, match=r"its module calls none; remove record\.layers$"):
        inspect(net_of("written_out"), train, SharpnessSpec(), DATA, 1, "cpu", timed=False)
    told = inspect(net_of("convolutions"), train, SharpnessSpec(), DATA, 1, "cpu", timed=True).lines
    assert "record.layers: 6 calls of linear layers, numbered as they come" in told
