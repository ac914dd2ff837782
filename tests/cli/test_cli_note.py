"""`mlrtui note`: notes and tags on sweeps, with and without a driver at work."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

from mlrtui_db import lock
from mlrtui_db.reader import Reader

Made = Callable[..., Path]
LONG = SMALL_SEARCH.replace("small search", "many nets").replace("seeds = 2", "seeds = 1500")


def test_notes_and_tags_are_put_listed_replaced_and_removed(made: Made, mlrtui: Mlrtui, tmp_path: Path) -> None:
    store = made(SMALL_SEARCH)
    assert mlrtui("note", store, "edge at width 32?", "--tag", "paper").returncode == 0
    mlrtui("note", store, "small search", "second", "--tag", "draft")
    found = json.loads(mlrtui("note", store, "--json").stdout)["sweeps"]
    assert [(one["name"], one["tags"]) for one in found] == [("small search", ["draft", "paper"])]
    first, second = found[0]["notes"]
    assert (first["text"], second["text"]) == ("edge at width 32?", "second")
    mlrtui("note", store, "--replace", first["number"], "edge at width 16")
    done = mlrtui("note", store, "small search", "--remove", second["number"], "--untag", "draft")
    assert "small search #paper\n" in done.stdout
    assert done.stdout.count("edge at width") == 1
    state = mlrtui("status", "--store", store)
    assert "trials #paper" in state.stdout
    assert "edge at width 16" in state.stdout
    (sweep,) = json.loads(mlrtui("status", "--store", store, "--json").stdout)["sweeps"]
    assert (sweep["tags"], [note["text"] for note in sweep["notes"]]) == (["paper"], ["edge at width 16"])
    assert "small search #paper" in mlrtui("browse", store, "--once", "--size", "120x20").stdout
    assert mlrtui("report", "--store", store, "-o", tmp_path / "r.md").returncode == 0
    report = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "Tags: paper." in report
    assert "edge at width 16" in report
    exported = mlrtui("export", "--store", store, "--view", "annotations", "--format", "json", "-o", "-").stdout
    assert {row["text"] for row in json.loads(exported)["rows"]} == {"paper", "edge at width 16"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no such", "text"], "'no such': no sweep of this name"),
        (["a", "b", "c"], "'c': one word too many; put the text into quotes"),
        (["--untag", "x"], "--untag x: 'small search' has no such tag"),
        (["--tag", "two words"], "--tag 'two words': give a word of 1 to 60 characters"),
        (["--remove", "9"], "--remove 9: no note of 'small search' has this number; it has none"),
        (["small search", "\udcff"], "bytes that are no UTF-8"),
        (["x" * 4001], "a note of 4001 characters: give one of 1 to 4000"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, made: Made, mlrtui: Mlrtui) -> None:
    store = made(SMALL_SEARCH)
    before = store.read_bytes()
    done = mlrtui("note", store, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert store.read_bytes() == before


@pytest.mark.usefixtures("no_driver_left")
def test_a_driver_that_holds_the_store_takes_a_note(mlrtui: Mlrtui, sweep_file: Callable[..., Path]) -> None:
    store = sweep_file(LONG).parent / "mlrtui.db"
    assert mlrtui("run", sweep_file(LONG), "--devices", "fake", "--detach", "--store", store).returncode == 0
    done = mlrtui("note", store)
    while not done.stdout:
        done = mlrtui("note", store)
    done = mlrtui("note", store, "begun at night", "--tag", "running")
    assert lock.is_held(store)
    assert done.returncode == 0, done.stderr
    with Reader.open(store) as reader:
        (row,) = reader.sweeps()
    assert (row.tags, [note.text for note in row.notes]) == (("running",), ["begun at night"])
