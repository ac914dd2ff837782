"""Recorded trainings in a store: what is written, by whom, and what is left of a run that is killed."""

import os
import random
import signal
import sqlite3
from contextlib import closing, suppress
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loop_scripts import batch, loss_fn, recorder, rows, start, train, until

import mlrtui
from mlrtui.errors import StoreTrouble
from mlrtui.loops import recording
from mlrtui_db import invariants, lock, merging
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store


def attempts(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT outcome, detail FROM attempt ORDER BY trial_id").fetchall()


def test_the_store_has_what_the_recorder_has(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with recorder(path, name="mlp", settings={"heads": 4, "rope": True, "note": "first"}) as rec:
        train(rec, 6)
        rec.step(torch.tensor(0.25), None, accuracy=0.5)
    assert rec.events == []
    curve = rows(path, "curves")
    assert [row["step"] for row in curve] == list(range(7))
    assert [row["loss"] for row in curve] == [row.loss for row in rec.steps]
    assert {row["step_eta"] for row in curve} == {0.05}
    assert [row["accuracy"] for row in curve] == [None] * 6 + [0.5]
    assert [row["sharpness"] for row in curve if row["sharpness"] is not None] == list(rec.series("lambda").values)
    stored = {(row["step"], row["measure"]): row for row in rows(path, "measures")}
    taken = {(row.step, reading.kind): reading for row in rec.steps for reading in row.readings}
    norms = {key: stored.pop(key)["value"] for key in list(stored) if "norm" in key[1]}
    assert norms == {(row.step, "gradient norm"): row.gradient_norm for row in rec.steps if row.readings} | {
        (row.step, "update norm"): row.update_norm for row in rec.steps if row.readings
    }
    assert stored.keys() == taken.keys()
    for key, reading in taken.items():
        for name in ("value", "low", "high", "edge", "edge_high", "residual", "seconds"):
            number = getattr(reading, name)
            assert stored[key][name] == (None if isnan(number) else number), (key, name)
        assert (stored[key]["status"], stored[key]["products"]) == (reading.status, reading.products or None)
    with Reader.open(path) as reader:
        snapshot = reader.live()
        assert snapshot is not None
        sweep, (trial,) = snapshot.sweep, snapshot.trials
        assert (sweep.name, sweep.mode, sweep.status) == ("mlp", "recorded", "done")
        assert (trial.status, trial.verdict, trial.eta, trial.n_steps) == ("done", "finished", 0.05, 7)
        assert snapshot.cells[0].label == "heads=4 rope=yes note=first"
        assert not snapshot.writer_alive
        details = reader.trial_details(1)
        assert details is not None
        cell = dict(details.cell)
        assert (cell["model"], cell["optimizer"], cell["n_params"], cell["width"]) == ("Sequential", "SGD", 49, None)
    assert invariants.check(path) == []


def test_a_run_is_seen_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with recorder(path) as rec:
        train(rec, 3)
        until(lambda: len(rows(path, "curves")) == 3)
        with Reader.open(path) as reader:
            snapshot = reader.live()
            assert snapshot is not None
            assert snapshot.writer_alive
            assert (snapshot.sweep.status, snapshot.trials[0].status) == ("open", "running")
            before = snapshot.sweep.heartbeat_at
            assert before is not None
            until(lambda: reader.sweeps()[0].heartbeat_at > before)  # no step comes, but the run lives


def test_the_rate_of_the_trial_is_the_peak_of_its_schedule(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    rec = recorder(path, lr=0.04)
    warmup = torch.optim.lr_scheduler.LambdaLR(rec.optimizers[0], lambda step: min(step, 3) / 2)  # from 0 to 0.06
    data = batch()
    with rec:
        for _ in range(5):
            loss = loss_fn(rec.model, data)
            loss.backward()
            rec.optimizers[0].step()
            warmup.step()
            rec.step(loss, data)
    assert [row["step_eta"] for row in rows(path, "curves")] == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.06])
    assert {row["eta"] for row in rows(path, "curves")} == {0.06}
    assert rec.events == []


def test_a_second_run_of_the_same_name_is_a_run_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for _ in range(2):
        with recorder(path, name="mlp") as rec:
            train(rec, 1)
    with Reader.open(path) as reader:
        newest, first = reader.sweeps()
    assert first.name == "mlp"
    assert newest.name.startswith("mlp 20")
    assert (newest.trials_done, first.trials_done) == (1, 1)


def test_scripts_at_the_same_time_have_a_file_each(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with recorder(path) as rec:
        train(rec, 1)
        with pytest.raises(mlrtui.BadInput, match=r'is in use by process .*a file of its own, as with store="runs/"'):
            recorder(path).start()
        with recorder(f"{tmp_path}/runs/", name="a/b c") as one, recorder(tmp_path / "runs", name="a/b c") as other:
            train(one, 2)
            train(other, 3)
    files = sorted((tmp_path / "runs").glob("a-b-c-*.db"))
    assert sorted(len(rows(file, "curves")) for file in files) == [2, 3]
    merged = merging.merge(tmp_path / "all.db", [path, *files])
    assert (merged.sweeps, merged.trials, merged.steps) == (3, 3, 6)
    assert merging.merge(tmp_path / "again.db", [tmp_path / "all.db", *files]).steps == 6
    assert invariants.check(tmp_path / "all.db") == []


def test_a_store_of_a_driver_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    with Store.open(path), pytest.raises(mlrtui.BadInput, match="A store has one writer"):
        recorder(path).start()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"settings": {"layers": [1]}}, r"settings.layers is \[1\]: use a number"),
        ({"store": ""}, "store is '': use the name of a file"),
        ({"store": 3}, "store is 3: use the name of a file"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, how: dict[str, Any], words: str) -> None:
    with pytest.raises(mlrtui.BadInput, match=words):
        recorder(**({"store": tmp_path / "runs.db"} | how))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_refused_when_recording_starts(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("my notes")
    with pytest.raises(StoreTrouble, match="is not a mlrtui store"):
        recorder(tmp_path / "notes.db").start()
    assert (tmp_path / "notes.db").read_text() == "my notes"


def test_the_death_of_the_helper_is_an_event(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    rec = recorder(path)
    with rec:
        train(rec, 2)
        os.kill(_helper(rec).pid, signal.SIGKILL)
        _helper(rec).wait()
        with pytest.warns(RuntimeWarning, match=r"the process that writes .*runs.db has died"):
            train(rec, 3)
    assert len(rec.steps) == 5
    assert len(rec.events) == 1
    with Store.open(path) as store:
        assert store.recovered == 1
    assert attempts(path) == [("lost", "the driver died")]
    strict = recorder(path, name="strict", strict=True).start()
    os.kill(_helper(strict).pid, signal.SIGKILL)
    _helper(strict).wait()
    with pytest.raises(StoreTrouble, match="has died"):
        train(strict, 1)
    strict.close()


def test_a_helper_that_is_told_to_end_or_loses_its_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with recorder(path) as rec:
        train(rec, 2)
        _helper(rec).terminate()
        _helper(rec).wait()
        with pytest.warns(
            RuntimeWarning, match=r"runs.db stopped: it was told to end; later steps are in memory alone"
        ):
            train(rec, 1)
    assert attempts(path) == [("lost", "the process that writes the store was told to end")]
    assert len(rows(path, "curves")) == 2
    other = tmp_path / "moved.db"
    with recorder(other) as rec:
        train(rec, 2)
        other.unlink()
        until(lambda: _helper(rec).poll() is not None)
        with pytest.warns(RuntimeWarning, match=r"moved.db stopped: .*(removed|moved)"):
            train(rec, 1)
    assert len(rec.steps) == 3


def test_a_disk_that_does_not_take_anything_never_holds_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes waits in the pipe, then in the script, and is left out in the end; all of it is said."""
    monkeypatch.setattr(recording, "MOST_BYTES", 1000)
    monkeypatch.setattr(recording, "PIPE_BYTES", 4096)
    path = tmp_path / "runs.db"
    rec = recorder(path, every=10**9)
    with rec:
        train(rec, 2)
        until(lambda: len(rows(path, "curves")) == 2)
        os.kill(_helper(rec).pid, signal.SIGSTOP)
        sink = rec.sink
        assert isinstance(sink, recording.StoreSink)
        while not sink.left_out:
            train(rec, 50)
        left_out_until = len(rec.steps)
        os.kill(_helper(rec).pid, signal.SIGCONT)
        until(lambda: train(rec, 1) or not sink._waiting)
    stored = [row["step"] for row in rows(path, "curves")]
    assert len(stored) == len(rec.steps) - sink.left_out
    assert stored[:2] == [0, 1]
    assert stored[-1] == len(rec.steps) - 1 >= left_out_until
    assert rec.events == [f"{sink.left_out} steps were not stored: the disk of {path} did not keep up"]
    assert any(rec.events[0] in event.text for event in _events(path))
    assert invariants.check(path) == []


def test_a_store_that_is_held_by_another_program_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with recorder(path) as rec, closing(sqlite3.connect(path, isolation_level=None)) as other:
        until(lambda: rows(path, "phases") == [])
        other.execute("BEGIN IMMEDIATE")
        train(rec, 4)
        until(lambda: "waits" in _note(path))
        assert rows(path, "curves") == []
        other.execute("ROLLBACK")
        until(lambda: len(rows(path, "curves")) == 4)
        until(lambda: _note(path) == "")


def test_what_ends_a_training_is_stored_and_raised(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    def failing() -> None:
        with recorder(path) as rec:
            train(rec, 3)
            raise KeyError("no such layer")

    with pytest.raises(KeyError):
        failing()
    assert attempts(path) == [("cancelled", "the script stopped: KeyError: 'no such layer'")]
    with Reader.open(path) as reader:
        (sweep,) = reader.sweeps()
        assert (sweep.status, sweep.trials_failed) == ("stopped", 1)
        assert len(rows(path, "curves")) == 3


def test_a_forked_child_has_no_part_in_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    rec = recorder(path)
    with rec:
        train(rec, 2)
        sink = rec.sink
        assert isinstance(sink, recording.StoreSink)
        pipe = sink._pipe
        child = os.fork()
        if child == 0:
            code = 1
            with suppress(BaseException):
                train(rec, 1)
                rec.close()
                try:
                    os.fstat(pipe)
                except OSError:
                    code = 0
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        train(rec, 2)
    assert [row["step"] for row in rows(path, "curves")] == [0, 1, 2, 3]
    assert attempts(path) == [("done", None)]


@pytest.mark.parametrize("how", [{"MLRTUI_RECORD": "0"}, {"RANK": "1", "WORLD_SIZE": "2"}])
def test_nothing_is_written_where_recording_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, str]
) -> None:
    for name, value in how.items():
        monkeypatch.setenv(name, value)
    with recorder(tmp_path / "runs.db") as rec:
        train(rec, 2)
    assert rec.steps == ()
    assert list(tmp_path.iterdir()) == []


def test_the_training_has_the_same_bits_with_the_store(tmp_path: Path) -> None:
    def state(store: Path | None, active: bool) -> dict[str, Any]:
        random.seed(2)
        np.random.seed(3)
        rec = recorder(store, every=1)
        rec.active = active
        with rec:
            train(rec, 12)
        assert len(rec.steps) == 12 * active
        return {
            "weights": [p.detach().clone() for p in rec.model.parameters()],
            "momentum": [s["momentum_buffer"] for s in rec.optimizers[0].state.values()],
            "torch": torch.get_rng_state(),
            "numpy": np.random.get_state()[1],
            "python": random.getstate(),
        }

    plain, stored = state(None, False), state(tmp_path / "runs.db", True)
    assert len(rows(tmp_path / "runs.db", "curves")) == 12
    for name in ("weights", "momentum"):
        assert all(torch.equal(a, b) for a, b in zip(plain[name], stored[name], strict=True)), name
    assert torch.equal(plain["torch"], stored["torch"])
    assert (plain["numpy"] == stored["numpy"]).all()
    assert plain["python"] == stored["python"]


KILLED = """
import os, sys, time
import torch
from torch import nn
import mlrtui

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 400
    def __getitem__(self, index):
        if index >= 200:
            time.sleep(600)  # a worker that outlives the script
        return torch.full((4,), index / 200.0), torch.ones(1)

def loss_fn(model, batch):
    return (model(batch[0]) - batch[1]).square().mean()

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
loader = torch.utils.data.DataLoader(Data(), batch_size=50, num_workers=4, multiprocessing_context="fork")
told = os.open("told", os.O_CREAT | os.O_WRONLY)
with mlrtui.record(model, optimizer, loss_fn, store="runs.db", name="killed", every=50) as rec:
    batches = iter(loader)
    kept = [next(batches) for _ in range(4)]
    print(*[worker.pid for worker in batches._workers], flush=True)
    step = 0
    while True:
        batch = kept[step % 4]
        optimizer.zero_grad()
        loss = loss_fn(model, batch)
        loss.backward()
        optimizer.step()
        rec.step(loss, batch)
        os.pwrite(told, b"%9d" % step, 0)
        step += 1
"""


def test_a_killed_script_loses_nothing_that_it_recorded_and_its_workers_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    script = start(KILLED, tmp_path)
    assert script.stdout is not None
    workers = [int(pid) for pid in script.stdout.readline().split()]
    try:
        assert len(workers) == 4
        told = tmp_path / "told"
        until(lambda: int(told.read_text() or 0) > 60)
        script.kill()
        script.wait()
        last = int(told.read_text())  # recorded for certain
        until(lambda: not lock.is_held(path))
        assert all(_lives(pid) for pid in workers)
        with Store.open(path) as store:
            assert store.recovered == 0  # the helper has ended it
        assert attempts(path) == [("lost", "the script died without a word (killed, or a crash)")]
        assert [row["step"] for row in rows(path, "curves")] in (list(range(last + 1)), list(range(last + 2)))
        assert invariants.check(path) == []
    finally:
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        script.stdout.close()


WITHOUT_WITH = """
import torch, mlrtui

def loss_fn(model, batch):
    return model(batch).square().mean()

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
rec = mlrtui.record(model, optimizer, loss_fn, store="runs/", every=1).start()
for _ in range(3):
    optimizer.zero_grad()
    loss = loss_fn(model, torch.ones(1, 2))
    loss.backward()
    optimizer.step()
    rec.step(loss, torch.ones(1, 2))
1 / 0
"""


def test_a_script_without_with_is_closed_at_its_exit(tmp_path: Path) -> None:
    script = start(WITHOUT_WITH, tmp_path)
    script.communicate()
    (path,) = (tmp_path / "runs").glob("train-*.db")
    assert len(rows(path, "curves")) == 3
    assert attempts(path) == [("cancelled", "the script stopped: ZeroDivisionError: division by zero")]


RANKS = """
import sys
import warnings
import torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
import mlrtui

rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
torch.manual_seed(0)
model = DistributedDataParallel(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
def loss_fn(model, batch):
    return (model(batch[0]) - batch[1]).square().mean()
torch.manual_seed(1 + rank)
batch = torch.randn(16, 4), torch.randn(16, 1)
with mlrtui.record(model, optimizer, loss_fn, store=f"rank{rank}.db", every=1, strict=True) as rec:
    for _ in range(6):
        optimizer.zero_grad()
        loss = loss_fn(model, batch)
        loss.backward()
        optimizer.step()
        rec.step(loss, batch)
assert len(rec.steps) == (6 if rank == 0 else 0)
for p in model.parameters():
    both = [torch.zeros_like(p) for _ in range(2)]
    dist.all_gather(both, p.detach())
    assert torch.equal(*both), "replicas differ"

from torch.distributed.fsdp import fully_shard

sharded = torch.nn.Linear(4, 1)
fully_shard(sharded)
optimizer = torch.optim.SGD(sharded.parameters(), lr=0.05)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    rec = mlrtui.record(sharded, optimizer, loss_fn, store=f"fsdp{rank}.db", every=1).start()
for _ in range(3):
    optimizer.zero_grad()
    loss = loss_fn(sharded, batch)
    loss.backward()
    optimizer.step()
    rec.step(loss, batch)
if rank == 0:
    assert "ShardedParameters: weight is spread over processes" in rec.events[0], rec.events
    assert any("ShardedParameters" in str(one.message) for one in said)
    assert all(row.loss > 0 and row.readings == () for row in rec.steps)
dist.destroy_process_group()
print("equal", flush=True)
"""


def test_of_two_ranks_the_first_writes_replicas_stay_equal_and_shards_are_not_measured(tmp_path: Path) -> None:
    scripts = [start(RANKS, tmp_path, str(rank), str(tmp_path / "meeting")) for rank in range(2)]
    assert [script.communicate()[0].strip() for script in scripts] == ["equal", "equal"]
    assert len(rows(tmp_path / "rank0.db", "curves")) == 6
    assert {path.name for path in tmp_path.glob("*.db")} == {"rank0.db", "fsdp0.db"}
    assert [row["loss"] is not None for row in rows(tmp_path / "fsdp0.db", "curves")] == [True] * 3
    measured = [row for row in rows(tmp_path / "rank0.db", "measures") if "norm" not in row["measure"]]
    assert {row["status"] for row in measured} == {"found"}
    assert attempts(tmp_path / "fsdp0.db") == [("done", None)]  # nobody closed it: the exit of the script did


def _helper(rec: Any) -> Any:
    assert isinstance(rec.sink, recording.StoreSink)
    assert rec.sink._process is not None
    return rec.sink._process


def _events(path: Path) -> Any:
    with Reader.open(path) as reader:
        return reader.tail_events()


def _note(path: Path) -> str:
    held, holder = lock.look(path)
    return holder.note if held and holder is not None else ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
