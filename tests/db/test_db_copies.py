"""Backups, archives, merged and pruned stores."""

import sqlite3
from contextlib import closing
from pathlib import Path

import db_samples as samples
import pytest
from conftest import file_size_limit

from mlrtui_db import lock
from mlrtui_db.copies import archive, back_up
from mlrtui_db.errors import MergeConflict, StoreError, StoreIOError, StoreLocked, StoreUnwritable
from mlrtui_db.invariants import check
from mlrtui_db.merging import merge
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

VIEWS = ("eta_star", "boundaries", "grid", "curves", "phases", "exponents")


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All views without the columns that only number rows."""
    seen = {}
    with Reader.open(path) as reader:
        for view in VIEWS:
            names, rows = reader.query(view)
            kept = [at for at, name in enumerate(names) if not name.endswith("_id")]
            seen[view] = [tuple(row[at] for at in kept) for row in rows]
    return seen


def test_a_backup_of_a_live_store_is_what_was_committed(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    with Store.open(path) as store:
        with store.transaction():
            sweep_id = store.add_sweep(samples.sweep())
        net_id = samples.net_ids(store, sweep_id)[0]
        with store.transaction():
            (trial_id,) = store.add_trials([samples.trial(net_id, 0.1)])
            store.open_attempts([trial_id], "driver", "cpu", {})
            store.append_steps(samples.steps(trial_id, [2.0, 1.0]))
        with store.transaction():
            store.append_steps(samples.steps(trial_id, [0.5], seq=1, first=2))
            assert back_up(path, copy) == copy.stat().st_size
        assert lock.is_held(path)
    assert check(copy) == []
    with Reader.open(copy) as reader:
        assert reader.curve(trial_id).loss.tolist() == [2.0, 1.0]
    with Store.open(copy) as store:
        assert store.recovered == 1
    assert not list(tmp_path.glob(".*"))


def test_an_archive_is_one_file_that_needs_no_log(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.db", tmp_path / "media"
    folder.mkdir()
    samples.filled(path)
    archive(path, folder / "a.db")
    assert content(folder / "a.db") == content(path)
    assert [item.name for item in folder.iterdir()] == ["a.db"]  # reading left nothing beside it
    with closing(sqlite3.connect(folder / "a.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert check(folder / "a.db") == []


def test_an_archive_waits_for_no_driver(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db"), pytest.raises(StoreLocked, match="mlrtui stop"):
        archive(tmp_path / "a.db", tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize("make", [back_up, archive, lambda a, b: merge(b, [a])])
def test_a_copy_replaces_nothing_and_leaves_nothing_half_done(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.db"
    samples.filled(path)
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(StoreUnwritable, match="is there already"):
        make(path, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
    with pytest.raises(StoreUnwritable, match="does not exist"):
        make(path, tmp_path / "none" / "b.db")
    with pytest.raises(StoreError):
        make(tmp_path / "missing.db", tmp_path / "b.db")
    assert {item.name for item in tmp_path.iterdir()} - {"a.db-shm", "a.db-wal"} == {"a.db", "taken"}


@pytest.mark.parametrize("make", [back_up, archive, lambda a, b: merge(b, [a])])
def test_a_full_disk_leaves_no_half_copy_and_names_the_copy(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    path, copy = tmp_path / "a.db", tmp_path / "copies" / "b.db"
    copy.parent.mkdir()
    samples.filled(path)
    before = content(path)
    with file_size_limit(60_000), pytest.raises(StoreIOError, match=r"copies/b\.db cannot be made .* another place"):
        make(path, copy)
    assert list(copy.parent.iterdir()) == []
    assert content(path) == before
    make(path, copy)
    assert check(copy) == []


def test_merged_stores_hold_what_each_held(tmp_path: Path) -> None:
    a, b, out = tmp_path / "a.db", tmp_path / "b.db", tmp_path / "out.db"
    samples.filled(a, name="one")
    samples.filled(b, name="two", etas=(0.3, 0.4, 0.5))
    merged = merge(out, [a, b])
    assert (merged.sweeps, merged.trials, merged.steps) == (2, 20, 60)
    assert check(out) == []
    both, first, second = content(out), content(a), content(b)
    for view in VIEWS:
        assert sorted(both[view], key=repr) == sorted(first[view] + second[view], key=repr)
    again = tmp_path / "again.db"
    assert merge(again, [out, a, b, out]) == merged
    assert content(again) == both


def part(
    path: Path,
    etas: list[float],
    *,
    lam: float = 8.0,
    verdict: str = "reached",
    spec: str = "",
    given_up: int | None = None,
) -> None:
    """A store with some trials of the first net of sweep "one"; the last one is left running."""
    with Store.open(path) as store:
        with store.transaction():
            sweep_id = store.add_sweep(samples.sweep(spec=spec))
        net_id = samples.net_ids(store, sweep_id)[0]
        with store.transaction():
            store.set_lambdas(samples.lambdas(net_id, lam))
            store.open_net(net_id, 0.1)
            ids = store.add_trials([samples.trial(net_id, eta) for eta in etas])
            store.open_attempts(ids, "driver", "cpu", {})
            for trial_id in ids:
                store.append_steps(samples.steps(trial_id, [2.0, 1.0]))
            for trial_id in ids[:-1]:
                store.finish_trial(samples.outcome(trial_id, verdict=verdict, given_up_epoch=given_up))


def trials(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT eta, status, n_steps FROM trial ORDER BY eta").fetchall()


def test_parts_of_one_sweep_become_one(tmp_path: Path) -> None:
    part(tmp_path / "a.db", [0.1, 0.2, 0.3])
    part(tmp_path / "b.db", [0.2, 0.3, 0.4])
    merge(tmp_path / "out.db", [tmp_path / "a.db", tmp_path / "b.db"])
    assert trials(tmp_path / "out.db") == [(0.1, "done", 2), (0.2, "done", 2), (0.3, "done", 2), (0.4, "queued", 2)]
    assert check(tmp_path / "out.db") == []


def test_a_net_whose_sharpness_differs_is_taken_whole_from_where_it_is_further(tmp_path: Path) -> None:
    part(tmp_path / "a.db", [0.1, 0.2])
    part(tmp_path / "b.db", [0.11, 0.22, 0.33], lam=8.5)
    for order in (["a.db", "b.db"], ["b.db", "a.db"]):
        out = tmp_path / f"out-{order[0]}"
        merge(out, [tmp_path / name for name in order])
        assert [row[0] for row in trials(out)] == [0.11, 0.22, 0.33]
        assert check(out) == []


def ends(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT eta, verdict, given_up_epoch FROM trial WHERE status = 'done' ORDER BY eta"
        ).fetchall()


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_training_that_was_given_up_gives_way_to_the_same_one_in_full(tmp_path: Path, order: tuple[str, str]) -> None:
    part(tmp_path / "a.db", [0.1, 0.2, 0.3], verdict="not-reached", given_up=2)
    part(tmp_path / "b.db", [0.1, 0.3], verdict="not-reached")
    out = tmp_path / "out.db"
    merge(out, [tmp_path / f"{name}.db" for name in order])
    assert ends(out) == [(0.1, "not-reached", None), (0.2, "not-reached", 2)]
    assert check(out) == []


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_net_that_one_store_judged_otherwise_early_is_taken_whole(tmp_path: Path, order: tuple[str, str]) -> None:
    """A training that is given up may have recovered: no contradiction, but the searches went apart there."""
    part(tmp_path / "a.db", [0.1, 0.2, 0.3], verdict="not-reached", given_up=2)
    part(tmp_path / "b.db", [0.1, 0.4])
    out = tmp_path / "out.db"
    merge(out, [tmp_path / f"{name}.db" for name in order])
    assert ends(out) == [(0.1, "not-reached", 2), (0.2, "not-reached", 2)]
    assert check(out) == []


def test_contradictions_are_refused_with_a_sentence(tmp_path: Path) -> None:
    part(tmp_path / "a.db", [0.1, 0.2])
    part(tmp_path / "b.db", [0.1, 0.2], verdict="diverged")
    part(tmp_path / "c.db", [0.1, 0.2], spec='{"name": "one", "other": 1}')
    with pytest.raises(MergeConflict, match=r"rate 0\.1 .* has another verdict"):
        merge(tmp_path / "out.db", [tmp_path / "a.db", tmp_path / "b.db"])
    with pytest.raises(MergeConflict, match="'one' with other settings"):
        merge(tmp_path / "out.db", [tmp_path / "a.db", tmp_path / "c.db"])
    with Store.open(tmp_path / "a.db"), pytest.raises(StoreLocked):
        merge(tmp_path / "out.db", [tmp_path / "a.db"])
    assert not (tmp_path / "out.db").exists()


def test_pruning_keeps_the_answers_and_frees_the_room(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    sweep_id = samples.filled(path, etas=[0.001 * (1 + i) for i in range(200)])
    samples.filled(path, name="two")
    before, size = content(path), path.stat().st_size
    with Store.open(path) as store:
        with store.transaction():
            assert store.prune_steps(sweep_id) == 4 * 200 * 3
        store.compact()
    after = content(path)
    assert {view for view in VIEWS if after[view] != before[view]} == {"curves"}
    assert [row for row in before["curves"] if row[0] == "two"] == after["curves"]
    assert path.stat().st_size < size
    assert check(path) == []


def test_failed_trials_and_nets_are_queued_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    part(path, [0.1, 0.2])
    with Store.open(path) as store:
        state = store.sweep_state(1)
        with store.transaction():
            store.fail_trials([state.trials[1].trial_id], "out of memory")
            store.fail_net(state.nets[0].net_id, "a training failed")
            store.end_sweep(1, "done")
        with store.transaction():
            assert store.requeue_failed(1) == (1, 1)
        state = store.sweep_state(1)
        assert (state.status, state.nets[0].status) == ("open", "queued")
        assert [(trial.status, trial.verdict) for trial in state.trials] == [("done", "reached"), ("queued", None)]
        assert check(path) == []
        rev = store.rev
        with store.transaction():
            assert store.requeue_failed(1) == (0, 0)
        assert store.rev == rev
