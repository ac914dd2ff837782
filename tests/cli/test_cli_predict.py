"""`mlrtui predict` on real stores, and the net that is trained to check it."""

import json
import sqlite3
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

WriteSweep = Callable[..., Path]

SIX_CELLS = SMALL_SEARCH.replace("depth = [1, 2]", "depth = [1, 2, 3]")
TWO_LOSSES = SIX_CELLS.replace('loss = "ce"', 'loss = ["ce", "mse"]')


def test_a_prediction_and_the_net_that_checks_it(tmp_path: Path, mlrtui: Mlrtui, sweep_file: WriteSweep) -> None:
    store = tmp_path / "six.db"
    done = mlrtui("run", sweep_file(SIX_CELLS), "--store", store, "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    asked = ("predict", "--store", store, "--depth", 2, "--width", 48, "--json")
    before = store.read_bytes()
    (found,) = json.loads(mlrtui(*asked).stdout)["predictions"]
    assert found["low"] < found["eta_star"] < found["high"]
    assert (found["cells"], found["refused"], found["trained"]) == (6, None, None)
    assert found["octaves_beyond"] == {"depth": 0.0, "width": pytest.approx(log(1.5) / log(2.0))}
    assert store.read_bytes() == before

    said = mlrtui(*asked, "--confirm", "--devices", "cpu:1")
    (checked,) = json.loads(said.stdout)["predictions"]
    assert {name: checked[name] for name in ("eta_star", "low", "high")} == {
        name: found[name] for name in ("eta_star", "low", "high")
    }
    with sqlite3.connect(store) as connection:
        stars = connection.execute(
            "SELECT eta_star FROM eta_star WHERE sweep = 'small search: 2x48' AND depth = 2 AND width = 48"
        ).fetchall()
    assert len(stars) == 2
    mean = exp(sum(log(star) for (star,) in stars) / 2)
    assert checked["trained"]["eta_star"] == pytest.approx(mean, rel=1e-12)
    assert checked["trained"]["inside"] == (found["low"] <= mean <= found["high"])
    assert said.returncode == (0 if checked["trained"]["inside"] else 1)
    # the net that checks is a sweep of one cell, and no reason for another answer
    (again,) = json.loads(mlrtui(*asked).stdout)["predictions"]
    assert again == found
    # nor does a condition that leaves that one out refuse the others
    (others,) = json.loads(mlrtui(*asked, "--where", "width < 40").stdout)["predictions"]
    assert others == found
    text = mlrtui("predict", "--store", store, "--depth", 2, "--width", 48, "--confirm").stdout
    assert "trained as 'small search: 2x48'" in text


def test_groups_are_predicted_apart_and_one_is_chosen_to_check(made: Callable[..., Path], mlrtui: Mlrtui) -> None:
    store = made(TWO_LOSSES)
    asked = ("predict", "--store", store, "--depth", 2, "--width", 32)
    assert [group["group"] for group in json.loads(mlrtui(*asked, "--json").stdout)["predictions"]] == [
        "loss == 'ce'",
        "loss == 'mse'",
    ]
    said = mlrtui(*asked, "--confirm")
    assert said.returncode == 2
    assert "--confirm: 2 groups" in said.stderr
    assert len(said.stderr.splitlines()) == 1
    (one,) = json.loads(mlrtui(*asked, "--where", "loss == 'mse'", "--json").stdout)["predictions"]
    assert one["cells"] == 6


def test_the_net_that_checks_has_the_settings_of_its_group(made: Callable[..., Path], mlrtui: Mlrtui) -> None:
    store = made(TWO_LOSSES)
    mlrtui(
        *("predict", "--store", store, "--depth", 2, "--width", 40),
        "--where",
        "loss == 'mse'",
        "--confirm",
        "--devices",
        "fake",
    )
    with sqlite3.connect(store) as connection:
        rows = connection.execute(
            "SELECT DISTINCT cell, training_loss, batch FROM eta_star WHERE sweep = 'small search: 2x40 mse'"
        ).fetchall()
    assert rows == [("2x40", "mse", 32)]


def test_a_refusal_is_an_answer_with_a_reason(whole_search: Path, mlrtui: Mlrtui) -> None:
    said = mlrtui("predict", "--store", whole_search, "--depth", 1, "--width", 24)
    assert said.returncode == 1
    assert "no prediction: " in said.stdout
    assert said.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--depth", 0, "--width", 8), "--depth 0: use a whole number from 1"),
        (("--depth", 1, "--width", 8, "--level", 1.0), "--level 1: use a chance above 0 and below 1"),
        (("--depth", 1, "--width", 8, "--where", "width >"), "--where 'width >'"),
        (("--depth", 1, "--width", 8, "--where", "width > 999"), "no cell of 'small search' is left"),
        (("nothing", "--depth", 1, "--width", 8), "'nothing': no sweep of this name"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[object, ...], named: str, whole_search: Path, mlrtui: Mlrtui) -> None:
    said = mlrtui("predict", "--store", whole_search, *arguments)
    assert said.returncode == 2
    assert named in said.stderr
    assert len(said.stderr.splitlines()) == 1
