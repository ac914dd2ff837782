"""`mlrtui certify` on stores of scans and searches, and the net that is trained to check."""

import json
import math
import sqlite3
from collections.abc import Callable
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from conftest import SMALL_SEARCH, Mlrtui

import mlrtui as package
from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.transfer import Certificate
from mlrtui.reading import certifying

SCAN = """
[sweep]
name = "rates"
seeds = 2
[data]
name = "digits"
samples = 64
[model]
depth = 1
width = [8, 12, 16, 24, 32]
parametrization = ["sp", "mup"]
[training]
loss = "mse"
batch = 32
steps = 6
[scan]
eta = [0.02, 0.04, 0.08, 0.16, 0.32, 0.64]
[sharpness]
every = 0
[record]
layers = true
"""


def test_scans_are_judged_by_their_best_rates_and_one_is_trained_to_check(
    tmp_path: Path, mlrtui: Mlrtui, sweep_file: Callable[..., Path]
) -> None:
    store = tmp_path / "rates.db"
    done = mlrtui("run", sweep_file(SCAN), "--store", store, "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    asked = ("certify", "--store", store, "--depth", 1, "--width", 48)
    before = store.read_bytes()
    said = mlrtui(*asked, "--json")
    found = {one["group"]: one for one in json.loads(said.stdout)["certificates"]}
    assert list(found) == ["parametrization == 'mup'", "parametrization == 'sp'"]
    assert said.returncode == (0 if all(one["verdict"] == "holds" for one in found.values()) else 1)
    one = found["parametrization == 'mup'"]
    with sqlite3.connect(store) as connection:
        best = connection.execute(
            "SELECT seed, eta, min(loss_final) FROM phases WHERE width = 8 AND parametrization = 'mup' GROUP BY seed"
        ).fetchall()
    assert one["base"]["value"] == pytest.approx(math.prod(eta for _, eta, _ in best) ** 0.5, rel=1e-12)
    assert {(layer["role"], layer["part"]) for layer in one["layers"]} == {
        ("input", "effective_rms"),
        ("output", "effective_rms"),
        ("output", "propagating_rms"),
    }
    assert store.read_bytes() == before

    refused = mlrtui(*asked, "--confirm")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "--confirm: 2 groups" in refused.stderr
    chosen = mlrtui(*asked, "--where", "parametrization == 'mup'", "--confirm", "--devices", "cpu:1", "--json")
    (checked,) = json.loads(chosen.stdout)["certificates"]
    assert checked["trained"]["sweep"] == "rates: 1x48 mup"
    with sqlite3.connect(store) as connection:
        rows = connection.execute("SELECT DISTINCT cell FROM phases WHERE sweep = 'rates: 1x48 mup'").fetchall()
    assert rows == [("1x48",)]
    assert checked["verdict"] in ("holds", "fails", "undecided")
    assert checked["trained"]["value"] is None or "measured at width 48" in checked["reason"]
    with sqlite3.connect(store) as connection:
        connection.execute(
            "UPDATE net SET status = 'open' WHERE cell_id = (SELECT cell_id FROM cell WHERE label = '1x8 mup')"
        )
    partial = {one["group"]: one for one in json.loads(mlrtui(*asked, "--json").stdout)["certificates"]}
    assert partial["parametrization == 'mup'"]["base"]["width"] == 12.0  # of a part of its rates the best is not known
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE net SET status = 'done'")
    again = json.loads(mlrtui(*asked, "--json").stdout)["certificates"]  # the net that checks is no family
    assert {one["group"]: one for one in again} == found

    table = package.open(store)["rates"].certify(depth=1, width=48)
    assert [(row["group"], row["verdict"]) for row in table] == [
        (group, one["verdict"]) for group, one in found.items()
    ]


def test_searches_are_judged_by_eta_star(made: Callable[..., Path], mlrtui: Mlrtui) -> None:
    store = made(SMALL_SEARCH.replace("width = [16, 32]", "width = [16, 24, 32, 48]"))
    said = mlrtui("certify", "--store", store, "--depth", 2, "--width", 64)
    assert said.returncode in (0, 1)
    assert "η*" in said.stdout
    assert "coordinate check: not recorded" in said.stdout


@pytest.mark.parametrize(("diverges", "fails"), [(0.2, False), (0.1, True)])
def test_what_diverges_above_the_mean_of_the_best_rates_says_nothing_of_it(diverges: float, *, fails: bool) -> None:
    best = (log(0.1), log(0.2))
    cells = [CellPoint(f"1x{w}", {"depth": 1.0, "width": float(w)}, best) for w in (8, 12, 16, 24, 32)]
    trials = [
        {"sweep": "rates", "cell": cell.label, "seed": seed, "eta": eta, "trial_id": 0, "phase": "stable"}
        | ({"phase": "divergent"} if cell.label == "1x32" and eta >= diverges else {})
        for cell in cells
        for seed in (0, 1)
        for eta in (0.05, 0.2, 0.1)
    ]
    scan = cast("Any", SimpleNamespace(mode="scan"))
    found = certifying._certificate(scan, cells, trials, [], ({"depth": 1, "width": 48}, 0.9, 2.0))
    assert isinstance(found, Certificate)
    assert (found.verdict == "fails") is fails, found.reason


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--depth", 1, "--width", 8, "--within", 1.0), "--within 1: use a factor above 1"),
        (("--depth", 1, "--width", 0), "--width 0: use a whole number from 1"),
        (("--depth", 1, "--width", 8, "--where", "width > 999"), "no cell of"),
        (("nothing", "--depth", 1, "--width", 8), "'nothing': no sweep of this name"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[object, ...], named: str, whole_search: Path, mlrtui: Mlrtui) -> None:
    said = mlrtui("certify", "--store", whole_search, *arguments)
    assert said.returncode == 2
    assert named in said.stderr
    assert len(said.stderr.splitlines()) == 1
