"""η*(t) where its value is known: at t = 0, on a quadratic, on the solvable model, and the constant of lazy nets."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from real_engine import RealEngine

from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver
from mlrtui_db.store import Store
from mlrtui_trainer.models.building import build
from mlrtui_trainer.search import Search, SearchSpec
from mlrtui_trainer.spec import (
    Dataset,
    Fork,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

Row = dict[str, Any]


def forks_of(folder: Path, model: Row, fork: Row, **other: Row) -> tuple[list[Row], list[Row]]:
    """Rows of `forks` and of `eta_star` of a sweep over nets of one seed, full batch, mse."""
    document = {
        "sweep": {"name": "s", "seeds": [11]},
        "data": {"name": "digits", "samples": 128, "target": "parity"},
        "model": model,
        "training": {"loss": "mse", "batch": "full", "steps": fork["steps"]},
        "search": {"success": "survives", "tolerance": fork["tolerance"]},
        "fork": fork,
    } | other
    spec = parse_sweep(document, "f").settled
    path = folder / "s.db"
    with Store.open(path) as store:
        assert Driver(store, RealEngine(), driver_id="t").run_sweep(spec, planning.plan(spec, data.load)).failed == 0
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        forks, nets = (
            [dict(row) for row in connection.execute(f"SELECT * FROM {view}")] for view in ("forks", "eta_star")
        )
    return sorted(forks, key=lambda row: int(row["step"])), nets


@pytest.fixture(scope="module")
def lazy(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], list[Row]]:
    """One hidden layer of 512, its base a catapult that peaks near step 12."""
    fork = {"at": [0, 12, 40], "base_eta_lambda0": 2.6, "steps": 100, "tolerance": 0.1}
    return forks_of(tmp_path_factory.mktemp("lazy"), {"depth": 1, "width": 512}, fork)


def test_at_the_start_it_is_eta_star_to_the_digit(lazy: tuple[list[Row], list[Row]]) -> None:
    (first, *_), (net,) = lazy
    same = ("eta_star", "eta_last", "eta_star_se", "first_failure", "window_low", "window_high", "successes", "edge")
    assert first["step"] == 0
    assert {name: first[name] for name in same if name in net} == {name: net[name] for name in same if name in net}
    assert first["sharpness"] == net["lambda0_preconditioned"]


def test_it_follows_sharpness_through_a_catapult(lazy: tuple[list[Row], list[Row]]) -> None:
    """1.8 ± 0.1 times 2/λ(t), half a step of the lattice aside, also in mid-flight, while λ falls by half."""
    forks, _ = lazy
    assert [row["kappa"] for row in forks] == pytest.approx([1.8] * 3, abs=0.1 + 0.09)
    assert forks[-1]["sharpness"] < 0.6 * forks[0]["sharpness"]
    assert all(row["trials"] <= 12 for row in forks)


def test_on_a_quadratic_it_is_where_the_loss_of_all_modes_passes_its_start() -> None:
    """Linear regression: above 2/λ by as much as the budget leaves unseen, which a sum over modes says."""
    found = data.load(data.resolve(data.DataSpec("digits", 128, "parity", "global")))
    net, steps = NetSpec("mlp", found.x.shape[1], 1, 0, 0), 60
    train = TrainSpec("mse", 128, steps, 1, success="survives")
    probe, _ = run_task(Probe(1, found.data_id, net, train, SharpnessSpec(exact=True), ((1, 11),)), found, "cpu")
    assert isinstance(probe, LambdaAtInit)
    base_eta, kappas = 0.5 / probe.main, []
    survives = _quadratic(found, net, steps, base_eta)
    for step in (0, 3, 12):
        search = Search(SearchSpec("survives", 0.01, 1e-6, 1e3, method="section", margin=3), 2.0 / probe.main)
        while not search.closed:
            trials = tuple(TrialSpec(i, 1, 11, eta, probe.main, base_eta) for i, eta in enumerate(search.ask()))
            task = Round(1, found.data_id, net, train, SharpnessSpec(), trials, fork=Fork(step))
            for message in run_task(task, found, "cpu"):
                if isinstance(message, Outcome):
                    search.tell(trials[message.trial_id].eta, message.verdict)
        low, high = 1.0 / probe.main, 4.0 / probe.main
        while high / low > 1.0 + 1e-6:
            middle = (low * high) ** 0.5
            low, high = (middle, high) if survives(step, middle) else (low, middle)
        eta_star = search.boundary().eta_star
        assert eta_star == pytest.approx(low, rel=0.006), step
        kappas.append(low * probe.main / 2.0)
    assert 0.999 < kappas[0] < kappas[1] < kappas[2] < 1.2


def _quadratic(found: Dataset, net: NetSpec, steps: int, base_eta: float) -> Callable[[int, float], bool]:
    """Whether a rate survives from a step on, by the modes of linear regression in double precision."""
    x, y = found.x, found.y[:, 0]  # [samples, inputs], [samples]
    model = build(net, "sgd", torch.from_numpy(x))
    w = model.initial_weights([11], torch.float64, "cpu").w[0][0, 0].numpy()  # [inputs]
    values, modes = np.linalg.eigh(x.T @ x / len(x))
    target = np.linalg.lstsq(x, y, rcond=None)[0]
    start, rest = modes.T @ (w - target), 0.5 * np.mean((x @ target - y) ** 2)

    def loss(t: int, k: int, eta: float) -> float:
        apart = start * (1 - base_eta * values) ** t * (1 - eta * values) ** k
        return float(0.5 * np.sum(values * apart**2) + rest)

    return lambda t, eta: loss(t, steps, eta) < loss(0, 0, eta)


@pytest.fixture(scope="module", params=[0.5, 2.6])
def solvable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    at = [0, 3, 6, 10] if request.param == 0.5 else [0, 3, 6]  # later its loss underflows
    fork = {"at": at, "base_eta_lambda0": request.param, "steps": 400, "tolerance": 0.04}
    forks, _ = forks_of(
        tmp_path_factory.mktemp("solvable"),
        {"kind": "two-layer-linear", "width": 64},
        fork,
        data={"name": "unit"},
    )
    return forks


def test_in_the_solvable_model_four_over_the_sharpness_is_the_boundary_of_every_state(solvable: list[Row]) -> None:
    assert [row["kappa"] for row in solvable] == pytest.approx([1.99] * len(solvable), abs=0.05)
