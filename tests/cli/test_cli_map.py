"""`mlrtui map` and `mlrtui plot map` over a store of a made-up map."""

import json
from collections.abc import Callable
from pathlib import Path

from conftest import SMALL_MAP, SMALL_SCAN, Mlrtui


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
