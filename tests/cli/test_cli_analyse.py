"""Stored results asked anew: other fits, another threshold. Nothing is trained or written."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

from mlrtui.analysis import fits
from mlrtui.analysis.points import points
from mlrtui_db.reader import Reader

WriteSweep = Callable[..., Path]


def test_a_fit_by_other_variables_is_that_of_the_same_rows(whole_search: Path, mlrtui: Mlrtui) -> None:
    before = whole_search.read_bytes()
    asked = ("fit", "--store", whole_search, "--x", "width", "--where", "depth == 1")
    said = mlrtui(*asked, "--json")
    assert said.returncode == 0, said.stderr
    with Reader.open(whole_search) as reader:
        columns, rows = reader.query("eta_star")
        cells = points([dict(zip(columns, row, strict=True)) for row in rows], "eta_star", reader.sizes(1))
    right = fits.fit(cells, fits.FitSpec("eta_star", ("width",), "depth == 1"))
    (found,) = json.loads(said.stdout)["fits"]
    assert found["terms"][0]["exponent"] == right.terms[0].exponent
    assert found["cells"] == 2
    text = mlrtui(*asked)
    assert f"exponent of width {right.terms[0].exponent:+.2f}" in text.stdout
    assert whole_search.read_bytes() == before


def test_groups_are_fitted_apart(whole_search: Path, mlrtui: Mlrtui) -> None:
    said = mlrtui("fit", "--store", whole_search, "--x", "width", "--group-by", "depth", "--json")
    assert [group["group"] for group in json.loads(said.stdout)["fits"]] == ["depth == 1", "depth == 2"]


def test_one_fit_over_two_stores(
    tmp_path: Path, made: Callable[..., Path], mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    deep = SMALL_SEARCH.replace("small search", "deeper").replace("depth = [1, 2]", "depth = 3")
    done = mlrtui("run", sweep_file(deep), "--store", tmp_path / "deep.db", "--devices", "fake", "--no-tui")
    assert done.returncode == 0, done.stderr
    both = ("--store", made(SMALL_SEARCH), "--store", tmp_path / "deep.db")
    (found,) = json.loads(mlrtui("fit", *both, "--json").stdout)["fits"]
    assert found["cells"] == 6
    (one,) = json.loads(mlrtui("fit", "deeper", *both, "--x", "width", "--json").stdout)["fits"]
    assert one["cells"] == 2


def test_a_fit_is_saved_under_a_name_and_stays(
    made: Callable[..., Path], mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    store = made(SMALL_SEARCH)
    asked = ("fit", "--store", store, "--x", "width", "--where", "depth == 1")
    said = mlrtui(*asked, "--save", "first layer", "--json")
    (found,) = json.loads(said.stdout)["fits"]
    query = "SELECT term, exponent, cells, where_expr FROM exponents WHERE fit = 'saved: first layer'"
    right = [("width", found["terms"][0]["exponent"], 2, "(depth == 1)")]
    with sqlite3.connect(store) as connection:
        assert connection.execute(query).fetchall() == right
    # the sweep grows, and its own fits are made anew
    larger = SMALL_SEARCH.replace("seeds = 2", "seeds = 3")
    done = mlrtui("run", sweep_file(larger), "--store", store, "--devices", "fake", "--no-tui")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(store) as connection:
        assert connection.execute(query).fetchall() == right
    assert "saved: first layer" in mlrtui("status", "--store", store).stdout
    # under the same name once more: the newer one stays
    mlrtui(*asked[:-1], "depth == 2", "--save", "first layer")
    with sqlite3.connect(store) as connection:
        assert [row[3] for row in connection.execute(query)] == ["(depth == 2)"]


def test_searches_for_other_accuracies_are_not_pooled(
    tmp_path: Path, whole_search: Path, mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    other = SMALL_SEARCH.replace("small search", "higher").replace("threshold = 0.5", "threshold = 0.6")
    done = mlrtui("run", sweep_file(other), "--store", tmp_path / "b.db", "--devices", "fake", "--no-tui")
    assert done.returncode == 0, done.stderr
    both = ("fit", "--store", whole_search, "--store", tmp_path / "b.db", "--json")
    assert [fit["group"] for fit in json.loads(mlrtui(*both).stdout)["fits"]] == [
        "threshold == 0.5",
        "threshold == 0.6",
    ]
    (pooled,) = json.loads(mlrtui(*both, "--pool").stdout)["fits"]
    assert pooled["cells"] == 8


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--y", "loss"), "--y 'loss': use one of eta_star"),
        (("--y", "best_rate"), "--y 'best_rate': sweep 'small search': a [search] has no best_rate, only a [scan] has"),
        (("--x", "breadth"), "--x 'breadth'"),
        (("--where", "width >"), "--where 'width >': the expression ends at column 8"),
        (("--group-by", "colour"), "'colour' is no axis"),
        (("--censored", "keep"), "--censored 'keep': use drop or bound"),
        (("--save", " "), "--save ' ': give a name"),
        (("nothing",), "'nothing': no sweep of this name; there are 'small search'"),
    ],
)
def test_wrong_fits_are_one_line(arguments: tuple[str, ...], named: str, whole_search: Path, mlrtui: Mlrtui) -> None:
    said = mlrtui("fit", "--store", whole_search, *arguments)
    assert said.returncode == 2
    assert named in said.stderr
    assert len(said.stderr.splitlines()) == 1


@pytest.mark.parametrize("threshold", [0.35, 0.65])
def test_what_another_threshold_decides_is_what_training_at_it_finds(
    threshold: float, tmp_path: Path, whole_search: Path, mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    said = mlrtui("rethreshold", threshold, "--store", whole_search, "--json")
    nets = json.loads(said.stdout)["nets"]
    assert len(nets) == 8
    fresh = SMALL_SEARCH.replace("threshold = 0.5", f"threshold = {threshold}")
    done = mlrtui("run", sweep_file(fresh), "--store", tmp_path / "fresh.db", "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "fresh.db") as connection:
        found = connection.execute("SELECT cell, seed, eta_star, eta_last FROM eta_star").fetchall()
    right = {(cell, seed): (eta_star, last) for cell, seed, eta_star, last in found}
    for net in nets:
        eta_star, last = right[net["cell"], net["seed"]]
        if net["decided"]:
            assert net["eta_star"] == eta_star
        assert net["low"] is None or net["low"] <= last * 1.000001
        assert net["high"] is None or net["high"] > last


def test_the_same_threshold_gives_the_stored_answers(whole_search: Path, mlrtui: Mlrtui) -> None:
    said = mlrtui("rethreshold", 0.5, "--store", whole_search, "--json")
    with sqlite3.connect(whole_search) as connection:
        right = connection.execute("SELECT cell, seed, eta_star FROM eta_star ORDER BY cell, seed").fetchall()
    found = [(net["cell"], net["seed"], net["eta_star"]) for net in json.loads(said.stdout)["nets"]]
    assert sorted(found) == sorted(right)
    text = mlrtui("rethreshold", 0.5, "--store", whole_search)
    assert "8 of 8 nets are decided by stored trainings" in text.stdout
    assert mlrtui("rethreshold", 1.5, "--store", whole_search).returncode == 2
