"""Coordinate checks on real digits: how the layers' updates scale with the width, against the powers of theory."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.spec import Dataset, NetSpec, Round, SharpnessSpec, StepBatch, TaskDone, TrainSpec, TrialSpec
from mlrtui_trainer.worker import run_task

WIDTHS = (64, 128, 256, 512)
SEEDS = (11, 12, 13, 14)
BASE = 8
"""Well below all widths: at the base width the outputs of mup are as large as those of sp, and fall from there."""


def digits() -> Dataset:
    data = load_digits()
    x = data.data[:256] - data.data[:256].mean(0)
    t = data.target[:256].astype(np.int64)
    return Dataset("digits", "classes", x / x.std(), np.eye(10)[t], t)


def powers(parametrization: str, optimizer: str, eta: float, alpha: float, steps: int) -> dict[str, np.ndarray]:
    """Slopes in the width of the RMS sizes after so many steps, [4 layers] each, at η = eta·(n/64)^(−alpha)."""
    data = digits()
    sizes = {name.removesuffix("_rms"): [] for name in LAYER_SIZES}
    for width in WIDTHS:
        net = NetSpec("mlp", 64, 10, 3, width, parametrization=parametrization, base_width=BASE)
        train = TrainSpec("ce", 64, steps, 4, optimizer=optimizer, record_layers=True)
        rate = eta * (width / 64) ** -alpha
        trials = tuple(TrialSpec(i, 1, seed, rate, float("nan")) for i, seed in enumerate(SEEDS))
        *messages, done = run_task(Round(1, "digits", net, train, SharpnessSpec(), trials), data, "cpu")
        assert isinstance(done, TaskDone)
        last = [
            one
            for batch in messages
            if isinstance(batch, StepBatch)
            for row, one in batch.measures
            if batch.step[row] == steps
        ]
        assert len(last) == 3 * 4 * len(SEEDS)
        for name, of_widths in sizes.items():
            of_name = [one for one in last if one.measure == f"{name}_rms"]
            of_widths.append([np.mean([one.value for one in of_name if one.part == part]) for part in "1234"])
    with np.errstate(divide="ignore"):  # nothing propagates into the input layer
        logs = {name: np.log(of_widths) for name, of_widths in sizes.items()}
    return {
        name: np.polyfit(np.log(WIDTHS), values[:, slice(name == "propagating", 4)], 1)[0]
        for name, values in logs.items()
    }


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_standard_layers_move_with_the_powers_of_theory(alpha):
    found = powers("sp", "sgd", 0.03, alpha, steps=1)
    hidden = 0.5 - alpha
    assert found["effective"] == pytest.approx([-0.5 - alpha, hidden, hidden, 1.0 - alpha], abs=0.25)
    assert found["activation"][:3] == pytest.approx([0.0, 0.0, 0.0], abs=0.1)


@pytest.mark.parametrize(("optimizer", "eta", "steps"), [("sgd", 0.03, 1), ("adam", 0.001, 3)])
def test_every_layer_moves_alike_at_all_widths_under_mup_and_not_under_sp(optimizer, eta, steps):
    flat, standard = (powers(name, optimizer, eta, 0.0, steps) for name in ("mup", "sp"))
    assert flat["effective"] == pytest.approx([0.0] * 4, abs=0.25)
    assert flat["propagating"] == pytest.approx([0.0] * 3, abs=0.25)
    assert min(standard["effective"][1:]) > 0.3
    assert max(abs(standard["propagating"])) > 0.5


def test_muon_moves_all_layers_alike_under_mup_and_the_output_layer_alone_otherwise_under_sp():
    flat, standard = (powers(name, "muon", 0.02, 0.0, 3) for name in ("mup", "sp"))
    assert flat["effective"] == pytest.approx([0.0] * 4, abs=0.25)
    assert flat["propagating"] == pytest.approx([0.0] * 3, abs=0.25)
    assert standard["effective"] == pytest.approx([0.0, 0.0, 0.0, 0.5], abs=0.25)
