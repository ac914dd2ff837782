"""Held-out samples decide on success and train nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer.models.building import build
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import Dataset, NetSpec, SharpnessSpec, TrainSpec

NETS = [NetSpec("mlp", 64, 10, 2, 16), NetSpec("cnn", 64, 10, 2, 4, shape=(1, 8, 8))]


def halves(count: int, held: int) -> tuple[Dataset, Dataset]:
    """The training samples alone, and the same with held-out ones behind them."""
    whole = digits(count)
    x, y, labels = (a[: count - held] for a in (whole.x, whole.y, whole.labels))
    return replace(whole, x=x, y=y, labels=labels), replace(whole, held_out=held)


@pytest.mark.parametrize("net", NETS, ids=["mlp", "cnn"])
@pytest.mark.parametrize("batch", [16, 48])
def test_only_the_accuracy_is_of_the_held_out_samples(net: NetSpec, batch: int) -> None:
    alone, split = halves(80, 32)
    spec = TrainSpec("ce", batch, 6, 48 // batch)
    plain = train(alone, net, spec, [0.05], every=3).columns[0]
    judged = train(split, net, replace(spec, on="validation"), [0.05], every=3).columns[0]
    for name in ("step", "loss", "sharpness", "products", "flags"):
        assert np.array_equal(plain[name], judged[name], equal_nan=True), name
    ignored = train(split, net, spec, [0.05], every=3).columns[0]
    assert np.array_equal(plain["accuracy"], ignored["accuracy"], equal_nan=True)

    held = Samples.held_out(split, torch.float32, "cpu")
    model = build(net)
    f = model.forward(model.initial_weights([1], torch.float32, "cpu"), held.x[None]).f[0]
    assert held.count == 32
    assert judged["accuracy"][0] == (f.argmax(1) == held.labels[:, 0]).double().mean().item()
    assert np.array_equal(np.isnan(plain["accuracy"]), np.isnan(judged["accuracy"]))


@pytest.mark.parametrize("batch", [16, 48])
def test_success_is_judged_on_them(batch: int) -> None:
    _, split = halves(240, 192)
    split = replace(split, labels=np.where(np.arange(240) < 48, split.labels, (split.labels + 1) % 10))
    spec = TrainSpec("ce", batch, 60 * 48 // batch, 48 // batch, success="accuracy", threshold=0.8)
    on_train, on_held = (
        train(split, NETS[0], replace(spec, on=on), [0.1]).outcomes[0] for on in ("train", "validation")
    )
    assert on_train.verdict == "reached"
    assert on_held.verdict == "not-reached"  # no net answers wrong labels
    assert on_held.best_accuracy < 0.4


def test_bits_do_not_depend_on_company() -> None:
    _, split = halves(90, 27)
    spec, how = TrainSpec("ce", 63, 8, 1, on="validation", success="accuracy", threshold=0.9), SharpnessSpec(every=2)
    mine = trial(9, 0.05)
    alone = run_trials(split, NETS[0], spec, [mine], how=how).bits(9)
    others = [trial(1, 0.1, seed=3), trial(2, 1e4), mine, trial(3, 0.02)]
    assert run_trials(split, NETS[0], spec, others, how=how).bits(9) == alone
