"""A larger file of the same name, and shards, as a person types them."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui

WriteSweep = Callable[..., Path]
LARGER = SMALL_SEARCH.replace("seeds = 2", "seeds = 3").replace("width = [16, 32]", "width = [8, 16, 32]")
TABLE = "SELECT cell, seed, eta_star, eta_last, lambda0 FROM eta_star ORDER BY depth, width, seed"


def rows(store: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(store) as connection:
        return connection.execute(query).fetchall()


def test_a_larger_file_says_what_it_adds_and_trains_only_that(
    tmp_path: Path, whole_search: Path, mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    store = tmp_path / "grown.db"
    shutil.copy(whole_search, store)
    before = rows(store, TABLE)
    said = "small search: grown: model.width: [16, 32] -> [8, 16, 32]; sweep.seeds: [0, 1] -> [0, 1, 2] (10 new nets)"
    tried = mlrtui("run", sweep_file(LARGER), "--store", store, "--dry-run")
    assert (tried.returncode, tried.stderr) == (0, "")
    assert said in tried.stdout
    assert rows(store, TABLE) == before
    done = mlrtui("run", sweep_file(LARGER), "--store", store, "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert set(before) < set(rows(store, TABLE))
    assert rows(store, "SELECT max(attempt), count(DISTINCT driver_id) FROM attempt") == [(1, 2)]
    smaller = mlrtui("run", sweep_file(SMALL_SEARCH), "--store", store, "--no-tui")
    assert smaller.returncode == 2
    assert "model.width: [8, 16, 32] -> [16, 32]" in smaller.stderr
    assert len(smaller.stderr.splitlines()) == 1


def test_shards_of_two_machines_give_the_table_of_one(
    tmp_path: Path, whole_search: Path, mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    file, parts = sweep_file(SMALL_SEARCH), [tmp_path / "0.db", tmp_path / "1.db"]
    for index, store in enumerate(parts):
        done = mlrtui("run", file, "--store", store, "--shard", f"{index}/2", "--devices", "cpu:1", "--no-tui")
        assert done.returncode == 0, done.stderr
        status = mlrtui("status", "--store", store)
        assert f"done (shard {index}/2), 4/4 nets" in status.stdout
    merged = mlrtui("merge", tmp_path / "all.db", *parts)
    assert merged.returncode == 0, merged.stderr
    assert rows(tmp_path / "all.db", TABLE) == rows(whole_search, TABLE)
    fits = "SELECT fit, term, exponent, low, high, cells FROM fit ORDER BY fit, term"
    assert rows(tmp_path / "all.db", fits) == rows(whole_search, fits)
    other = mlrtui("run", file, "--store", parts[0], "--shard", "1/2", "--no-tui")
    assert other.returncode == 2
    assert "holds shard 0/2" in other.stderr
    assert mlrtui("resume", "--store", parts[0]).returncode == 0
    assert rows(parts[0], "SELECT count(*) FROM net") == [(4,)]


@pytest.mark.parametrize("shard", ["2/2", "x"])
def test_a_wrong_shard_is_one_line(shard: str, tmp_path: Path, mlrtui: Mlrtui, sweep_file: WriteSweep) -> None:
    refused = mlrtui("run", sweep_file(SMALL_SEARCH), "--store", tmp_path / "s.db", "--shard", shard)
    assert refused.returncode == 2
    assert refused.stderr == f"mlrtui: --shard {shard}: use I/N with I from 0 to N - 1, such as 0/4\n"
    assert not (tmp_path / "s.db").exists()


def test_another_threshold_says_what_is_decided_and_keeps_the_sweep_as_it_was(
    tmp_path: Path, whole_search: Path, mlrtui: Mlrtui, sweep_file: WriteSweep
) -> None:
    store = tmp_path / "grown.db"
    shutil.copy(whole_search, store)
    before = rows(store, TABLE)
    higher = sweep_file(SMALL_SEARCH.replace("threshold = 0.5", "threshold = 0.8"))
    tried = mlrtui("run", higher, "--store", store, "--dry-run")
    assert (tried.returncode, tried.stderr) == (0, "")
    said = next(line for line in tried.stdout.splitlines() if line.startswith("small search: search.threshold"))
    found = re.fullmatch(
        r"small search: search\.threshold: 0\.5 -> 0\.8: (\d+) of (\d+) stored trainings decide, at least (\d+) more "
        r"are trained; the sweep as it was stays as 'small search \(threshold 0\.5\)'",
        said,
    )
    assert found is not None
    decide, stored, least = map(int, found.groups())
    failed = "SELECT count(*) FROM boundaries WHERE best_accuracy < 0.8 AND verdict <> 'reached'"
    reached = "SELECT count(*) FROM boundaries WHERE best_accuracy >= 0.8 AND verdict = 'reached'"
    assert (decide, stored) == (
        rows(store, failed)[0][0] + rows(store, reached)[0][0],  # type: ignore[operator]
        rows(store, "SELECT count(*) FROM trial")[0][0],
    )
    assert rows(store, TABLE) == before
    done = mlrtui("run", higher, "--store", store, "--devices", "cpu:1", "--no-tui")
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    of = TABLE.replace(" ORDER", " WHERE sweep = 'small search (threshold 0.5)' ORDER")
    assert rows(store, of) == before
    trained = rows(store, "SELECT count(*) FROM attempt WHERE json_extract(env, '$.derived_from') IS NULL")
    assert trained[0][0] >= stored + least  # type: ignore[operator]
    back = mlrtui("run", sweep_file(SMALL_SEARCH), "--store", store, "--devices", "cpu:1", "--no-tui")
    assert back.returncode == 0, back.stderr
    assert "goes on with 'small search (threshold 0.5)'" in back.stdout
    assert rows(store, TABLE.replace(" ORDER", " WHERE sweep = 'small search' ORDER")) == before
    again = rows(store, "SELECT count(*) FROM attempt WHERE json_extract(env, '$.derived_from') IS NULL")
    assert again == trained


def test_a_stored_sweep_is_asked_for_more_without_its_file(made: Callable[..., Path], mlrtui: Mlrtui) -> None:
    store = made(SMALL_SEARCH)
    asked = ("resume", "small search", "--store", store, "--devices", "fake", "--no-tui", "--set")
    done = mlrtui(*asked, "sweep.seeds=3")
    assert done.returncode == 0, done.stderr
    assert "small search: grown: sweep.seeds: [0, 1] -> [0, 1, 2] (4 new nets)" in done.stdout
    assert rows(store, "SELECT count(*), max(seed) FROM eta_star") == [(12, 2)]
    again = mlrtui(*asked, "sweep.seeds=3")
    assert "already done; nothing was trained" in again.stdout
    for change, said in (
        ("sweep.seeds=2", "sweep.seeds: [0, 1, 2] -> [0, 1]"),
        ("sweep.name=other", "--set sweep.name='other': the name says which sweep grows"),
        ("model.widht=4", "model.widht = 4: unknown key; did you mean width?"),
    ):
        done = mlrtui(*asked, change)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert said in done.stderr
    done = mlrtui("resume", "--store", store, "--set", "sweep.seeds=4")
    assert done.returncode == 2
    assert "changes one sweep; give the name of one" in done.stderr
