"""`mlrtui map` and `mlrtui plot map` over a store of a made-up map."""

import json
from collections.abc import Callable
from pathlib import Path

from conftest import SMALL_MAP, SMALL_SCAN, Mlrtui

DECAY = 'axis = "weight_decay"\nwindow = [0.001, 0.1]'


def test_maps_are_told_in_words_json_and_a_picture(mlrtui: Mlrtui, made: Callable[..., Path]) -> None:
    store = made(SMALL_SCAN, SMALL_MAP)
    said = mlrtui("map", "--store", store)
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[1].endswith("seed 0: η over width")
    assert "33 x 6 points" in said.stdout
    assert "none" in said.stdout
    (one,) = json.loads(mlrtui("map", "small map", "--store", store, "--json").stdout)["maps"]
    assert (one["axis"], one["columns"], one["rows"], one["wanted"], one["dimension"]) == ("width", 33, 6, 0, None)
    assert one["refused"] == "the values of width are a list, which is not refined"
    picture = [
        line for line in mlrtui("plot", "map", "--store", store, "--text").stdout.splitlines() if line[:1] == "|"
    ]
    assert len(picture) >= 2
    assert picture[0].startswith("|#")
    assert picture[0].endswith(".|")
    assert picture[0].count("#") < picture[-1].count("#")  # wide nets, which are above, train at lower rates alone
    refused = mlrtui("map", "small scan", "--store", store)
    assert refused.returncode == 2
    assert "'small scan' has no map" in refused.stderr


def test_a_window_is_asked_for_as_a_sweep_of_its_own(mlrtui: Mlrtui, made: Callable[..., Path]) -> None:
    store = made(SMALL_SCAN, SMALL_MAP)
    asked = ("map", "small map", "--store", store, "--devices", "fake", "--eta", "0.01", "0.1")
    done = mlrtui(*asked)
    assert done.returncode == 0, done.stderr
    maps = {one["sweep"]: one for one in json.loads(mlrtui("map", "--store", store, "--json").stdout)["maps"]}
    assert set(maps) == {"small map", "small map, η 0.01 to 0.1"}
    assert {one["columns"] for one in maps.values()} == {33}
    assert "already done" in mlrtui(*asked).stdout
    shown = mlrtui("watch", "--store", store, "--once", "--screen", "phases", "--ascii", "--size", "100x30").stdout
    assert "map: width against eta" in shown
    assert "#" in shown
    several = mlrtui("map", "--store", store, "--eta", "0.01", "0.02", "--devices", "fake")
    assert (several.returncode, len(several.stderr.splitlines())) == (2, 1)
    for words, said in (
        (("small scan", "--eta", "0.01", "0.1"), "has a map"),
        (("small map", "--eta", "0.1", "0.01"), "must be the lowest and the highest value"),
        (("small map", "--window", "8", "16"), "width has whole numbers"),
    ):
        refused = mlrtui("map", *words, "--store", store, "--devices", "fake")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
        assert said in refused.stderr


def test_a_dry_run_says_how_many_trainings_a_map_may_take(mlrtui: Mlrtui, sweep_file: Callable[..., Path]) -> None:
    text = SMALL_MAP.replace("width = [8, 16, 24, 32, 48, 64]", "width = 8").replace('axis = "width"', DECAY)
    planned = mlrtui("run", sweep_file(text), "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "map, 33 cells x 1 seed = 33 nets, 81 to 1089 trainings" in planned.stdout
