"""A copy that is brought up to date: after any operations at the source it holds the same, or all of it comes anew."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import db_samples as samples
import pytest
from db_versions import DUMPS, restore

from mlrtui_db import deltas, replicas
from mlrtui_db._epochs import read_epochs
from mlrtui_db._sqlite import columns
from mlrtui_db.copies import archive, back_up
from mlrtui_db.errors import StoreDamaged, StoreError, StoreLocked, StoreReplica, StoreUnwritable
from mlrtui_db.frames import Frame, NotOurFrame, packed, read_frame, read_frames, unpacked, write_frame
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader
from mlrtui_db.records import MeasureRow
from mlrtui_db.store import Store, bring_up_to_date
from mlrtui_db.store import check as check_writable

FULL = os.environ.get("MLRTUI_TEST_FULL") == "1"


def content(path: Path) -> str:
    """A digest of all that a store holds, but for who writes it."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            if table.startswith("sqlite_"):
                continue
            where = " WHERE key NOT IN ('writer', 'writer_died', 'replica_of')" if table == "meta" else ""
            rows = connection.execute(f"SELECT * FROM {table}{where}").fetchall()
            digest.update(repr((table, sorted(map(repr, rows)))).encode())
    return digest.hexdigest()


def pull(source: Path, copy: Path) -> tuple[str, int]:
    """As over a line: what kind of answer came, and its size in bytes."""
    line = io.BytesIO()
    deltas.serve(source, io.BytesIO(replicas.as_text(replicas.state(copy))), line)
    size = line.tell()
    line.seek(0)
    head, _ = read_frame(line)
    rest = read_frames(line)
    if head["kind"] == "delta":
        replicas.apply(copy, "there", rest)
    else:
        replicas.receive(copy, "there", replicas.pieces(rest, "there"))
    return head["kind"], size


def leftovers(folder: Path) -> list[Path]:
    """Drafts and locks; SQLite's own files beside a store that was read are none."""
    return [path for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".lock"]


class Source:
    """A store to which something random is done again and again."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.random = random.Random(seed)
        self.store = Store.open(path)
        with self.store.transaction():
            self.sweep_id = self.store.add_sweep(samples.sweep())
        self.nets = samples.net_ids(self.store, self.sweep_id)
        self.seqs: dict[int, list[int]] = {}  # trial: attempt, next record, next step
        self.sweeps = 1

    def trials(self, *status: str) -> list[int]:
        trials = self.store.sweep_state(self.sweep_id).trials
        return [trial.trial_id for trial in trials if not status or trial.status in status]

    def close(self) -> None:
        self.store.close()

    def act(self) -> None:
        weights = {
            self.add: 3, self.start: 5, self.send: 10, self.finish: 4, self.fail: 1, self.rerun: 1, self.prune: 1,
            self.lose: 1, self.beat: 2, self.close_net: 2, self.fit: 1, self.say: 2, self.die: 1, self.grow: 1,
            self.end: 1, self.another: 1,
        }  # fmt: skip
        (do,) = self.random.choices(list(weights), list(weights.values()))
        do()

    def add(self) -> None:
        net = self.random.choice(self.nets)
        with self.store.transaction():
            self.store.add_trials([samples.trial(net, self.random.uniform(0.01, 1)) for _ in range(3)])

    def start(self) -> None:
        waiting = self.trials("queued", "failed")
        chosen = self.random.sample(waiting, min(3, len(waiting)))
        with self.store.transaction():
            for trial_id, attempt in self.store.open_attempts(chosen, "driver", "cpu", {}).items():
                self.seqs[trial_id] = [attempt, 0, 0]

    def send(self) -> None:
        for trial_id in self.trials("running"):
            if self.random.random() < 0.7:
                attempt, seq, first = self.seqs[trial_id]
                count = self.random.randrange(5)
                losses = [self.random.choice([self.random.random(), float("nan"), 1e-300, -0.0]) for _ in range(count)]
                curve = samples.steps(trial_id, losses, attempt=attempt, seq=seq, first=first, sharpness=losses)
                rows = replace(
                    curve,
                    measures=[
                        one
                        for row in range(count)
                        for one in (
                            MeasureRow(row, "spectrum ntk", self.random.random(), float("nan"), part="1"),
                            MeasureRow(row, "effective_rms", float("inf"), float("nan"), part="2"),
                            MeasureRow(row, "toy", 1.5, float("nan"), products=row or None),
                        )
                    ],
                )
                with self.store.transaction():
                    assert self.store.append_steps(rows).applied == 1
                self.seqs[trial_id] = [attempt, seq + 1, first + count]

    def finish(self) -> None:
        for trial_id in self.trials("running")[:2]:
            attempt, seq, _ = self.seqs[trial_id]
            with self.store.transaction():
                assert self.store.finish_trial(samples.outcome(trial_id, attempt=attempt, seq=seq))

    def fail(self) -> None:
        with self.store.transaction():
            self.store.fail_trials(self.trials("running", "queued")[:2], "a reason")

    def rerun(self) -> None:
        with self.store.transaction():
            self.store.requeue_failed(self.sweep_id)

    def prune(self) -> None:
        with self.store.transaction():
            self.store.prune_steps(self.sweep_id)

    def lose(self) -> None:
        with self.store.transaction():
            self.store.release_attempts(self.trials("running")[:1], "lost", "a worker died")

    def beat(self) -> None:
        with self.store.transaction():
            for trial_id in self.trials("running"):
                self.store.show_life(trial_id)

    def close_net(self) -> None:
        net = self.random.choice(self.nets)
        with self.store.transaction():
            self.store.set_lambdas(samples.lambdas(net, self.random.random()))
            self.store.open_net(net, None)
            self.store.close_net(net, samples.boundary(net, self.random.random()))

    def fit(self) -> None:
        with self.store.transaction():
            self.store.replace_fits(self.sweep_id, [samples.fit(self.random.random())])

    def say(self) -> None:
        with self.store.transaction():
            self.store.add_event("info", f"event {self.random.random()} é∞", self.sweep_id)

    def die(self) -> None:
        """Another driver, which finds what was left open."""
        self.store.close()
        self.store = Store.open(self.path)

    def grow(self) -> None:
        """One more cell, which comes first, so that the others move."""
        cells = self.store.sweep_state(self.sweep_id).cells
        if len(cells) > 6:
            return
        moved = [samples.cell(place + 1, 2 + 2 * place, 64, (0, 1)) for place in range(len(cells))]
        wanted = samples.sweep("one", cells=[samples.cell(0, 100 + len(cells), 32, (0,)), *moved])
        known = {cell.position + 1: cell.cell_id for cell in cells}
        with self.store.transaction():
            self.store.grow_sweep(self.sweep_id, wanted, known)

    def end(self) -> None:
        with self.store.transaction():
            self.store.end_sweep(self.sweep_id, self.random.choice(["done", "stopped"]))

    def another(self) -> None:
        self.sweeps += 1
        with self.store.transaction():
            self.store.add_sweep(samples.sweep(f"sweep {self.sweeps}", spec=f'{{"number": {self.sweeps}}}'))


@pytest.mark.parametrize("seed", range(200 if FULL else 5))
def test_a_copy_equals_its_source_after_any_operations(tmp_path: Path, seed: int) -> None:
    source, copy = Source(tmp_path / "s.db", seed), tmp_path / "c.db"
    kinds = []
    with closing(source):
        for _ in range(12):
            for _ in range(source.random.randrange(12)):
                source.act()
            kinds.append(pull(source.path, copy)[0])
            assert content(copy) == content(source.path)
    assert kinds == ["full", *["delta"] * 11]
    assert check(copy) == []
    assert leftovers(tmp_path) == []


def written(path: Path, text: str = "something") -> None:
    """One more writer, and a commit of its."""
    with Store.open(path) as store, store.transaction():
        store.add_event("info", text)
        net = samples.net_ids(store, 1)[0]
        store.set_lambdas(samples.lambdas(net, random.random()))


def test_a_writer_after_the_pull_is_no_reason_to_copy_all(tmp_path: Path) -> None:
    source, copy = tmp_path / "s.db", tmp_path / "c.db"
    samples.filled(source)
    assert pull(source, copy)[0] == "full"
    for _ in range(3):
        written(source)
        kind, size = pull(source, copy)
        assert kind == "delta"
        assert size < 6000
    assert content(copy) == content(source)
    assert pull(source, copy)[0] == "delta"


def by_hand(path: Path, *statements: str) -> None:
    """Changes which no ``rev`` tells."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def replaced(source: Path, old: Path) -> None:
    source.unlink()
    samples.filled(source, name="another", etas=(0.3,))


def merged(source: Path, old: Path) -> None:
    """The same sweep, put together anew: trials have other numbers."""
    source.unlink()
    samples.add_finished_sweep(source, "one", (0.3, 0.1))


def restored(source: Path, old: Path) -> None:
    shutil.copy(old, source)


def restored_and_written(source: Path, old: Path) -> None:
    shutil.copy(old, source)
    for _ in range(4):
        written(source)


def restored_without_an_event(source: Path, old: Path) -> None:
    """No row with a ``rev`` differs."""
    shutil.copy(old, source)
    by_hand(source, "DELETE FROM event WHERE event_id = (SELECT max(event_id) FROM event)")


def written_by_an_earlier_version(source: Path, old: Path) -> None:
    by_hand(source, "DELETE FROM meta WHERE key = 'epochs'")


def with_a_table_more(source: Path, old: Path) -> None:
    by_hand(source, "CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('mine')")


CHANGES = [
    replaced,
    merged,
    restored,
    restored_and_written,
    restored_without_an_event,
    written_by_an_earlier_version,
    with_a_table_more,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_another_store_in_its_place_is_copied_whole(tmp_path: Path, change: Callable[[Path, Path], None]) -> None:
    source, copy, old = tmp_path / "s.db", tmp_path / "c.db", tmp_path / "old.db"
    samples.filled(source)
    written(source)
    back_up(source, old)
    for _ in range(2):
        written(source)
    pull(source, copy)
    change(source, old)
    with Reader.open(copy) as reader:  # which keeps the file open while it changes
        before = reader.data_version()
        assert pull(source, copy)[0] == "full"
        assert reader.data_version() != before
        with Reader.open(source) as there:
            assert reader.sweeps() == there.sweeps()
            assert reader.log() == there.log()
    assert content(copy) == content(source)
    assert check(copy) == []
    assert leftovers(tmp_path) == []


def test_rows_that_vanished_by_hand_are_noticed(tmp_path: Path) -> None:
    source, copy = tmp_path / "s.db", tmp_path / "c.db"
    samples.filled(source)
    pull(source, copy)
    before = content(copy)
    by_hand(source, "DELETE FROM trial WHERE trial_id = 1")
    with pytest.raises(replicas.OutOfStep):
        pull(source, copy)
    assert content(copy) == before


def test_a_blob_in_a_damaged_source_is_named(tmp_path: Path) -> None:
    source, copy = tmp_path / "s.db", tmp_path / "c.db"
    samples.filled(source)
    pull(source, copy)
    written(source)
    schema = "UPDATE sqlite_master SET sql = {} WHERE name = 'event'"
    by_hand(source, "PRAGMA writable_schema = ON", schema.format("replace(sql, ') STRICT', ')')"))
    by_hand(source, "UPDATE event SET text = x'00ff' WHERE event_id = (SELECT max(event_id) FROM event)")
    by_hand(source, "PRAGMA writable_schema = ON", schema.format("sql || ' STRICT'"))
    with pytest.raises(StoreDamaged, match=r"a row of table event holds b'\\x00\\xff'"):
        pull(source, copy)


def test_two_stores_that_parted_are_told_apart(tmp_path: Path) -> None:
    source, fork, copy = tmp_path / "s.db", tmp_path / "f.db", tmp_path / "c.db"
    samples.filled(source)
    back_up(source, fork)
    written(source)
    written(fork)
    assert [pull(path, copy)[0] for path in (source, fork, fork, source)] == ["full", "full", "delta", "full"]
    assert content(copy) == content(source)


def delta_of(source: Path, copy: Path) -> list[Frame]:
    (head, _), *rest = deltas.answer(source, {"since": replicas.state(copy)})
    assert head["kind"] == "delta"
    return rest


def test_what_breaks_off_anywhere_changes_nothing(tmp_path: Path) -> None:
    source, copy = Source(tmp_path / "s.db", 1), tmp_path / "c.db"
    with closing(source):
        pull(source.path, copy)
        for _ in range(60):
            source.act()
        rest = delta_of(source.path, copy)
        before = content(copy)
        assert len(rest) > 8
        for end in range(len(rest)):
            with pytest.raises(EOFError):
                replicas.apply(copy, "there", iter(rest[:end]))
            assert content(copy) == before
        replicas.apply(copy, "there", iter(rest))
        assert content(copy) == content(source.path)


def without(frame: Frame, **changed: object) -> Frame:
    return {**frame[0], **changed}, frame[1]


def test_frames_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    source, copy = Source(tmp_path / "s.db", 2), tmp_path / "c.db"
    with closing(source):
        pull(source.path, copy)
        for _ in range(60):
            source.act()
        rest, before = delta_of(source.path, copy), content(copy)
        with closing(sqlite3.connect(copy)) as connection:
            events = columns(connection, "event")
        event = ("info", None, None, None, "text")
        plain = (None, 1.0, *event)  # beside it a column is no array
        unfit = [
            (1 << 70, 1.0, *event),
            ([1], 1.0, *event),
            (1 << 40, "soon", *event),
            (1 << 40, 1.0, "\ud800", *event[1:]),
        ]
        steps = packed({"do": "insert", "table": "step"}, ["trial_id", "step"], [(1, 2)])
        for wrong in (
            *([frame for at, frame in enumerate(rest) if at != left_out] for left_out in range(len(rest) - 1)),
            [*rest[:-1], *rest[:1], rest[-1]],
            [steps, *rest],
            [({"do": "clear", "table": "trial"}, b""), *rest],
            [({"do": "clear", "table": "sqlite_master"}, b""), *rest],
            [({"do": "drop", "table": "trial"}, b""), *rest],
            [({"do": "clear", "table": ["trial"]}, b""), *rest],
            [packed({"do": "insert", "table": "axes"}, ["cell_id"], [(1,)]), *rest],
            *([packed({"do": "insert", "table": "event"}, events, [row, plain]), *rest] for row in unfit),
            [without(rest[-2], rows=1 << 40), rest[-1]],
            [(rest[-2][0], rest[-2][1][:-3]), rest[-1]],
            [(rest[-2][0], b"rubbish"), rest[-1]],
            [*rest[:-1], without(rest[-1], meta=[[1, 2]])],
            [*rest[:-1], without(rest[-1], totals=[])],
        ):
            with pytest.raises(replicas.OutOfStep):
                replicas.apply(copy, "there", iter(wrong))
            assert content(copy) == before


ROWS = [
    [(1, 0.1, "é", None), (2, None, "x", None)],
    [(-(2**63), 5e-324, "\U0001f600", 3), (2**63 - 1, -0.0, "", None)],
    [(1, None, 'a "quoted" \\ line\n', None)],
]


@pytest.mark.parametrize("rows", ROWS)
def test_rows_survive_the_line_to_the_bit(rows: list[tuple[Any, ...]]) -> None:
    names = ["a", "b", "c", "d"]
    line = io.BytesIO()
    write_frame(line, packed({"table": "t"}, names, rows))
    line.seek(0)
    assert repr(list(unpacked(read_frame(line), names))) == repr(rows)
    line.seek(0)
    with pytest.raises(NotOurFrame):
        unpacked(read_frame(line), names[:3])


@pytest.mark.parametrize("line", [b"Welcome to box!\n", b"[1]\n", b'{"size": -1}\n', b'{"size": 1e99}\n', b"{}\n"])
def test_noise_is_no_frame(line: bytes) -> None:
    with pytest.raises(NotOurFrame):
        read_frame(io.BytesIO(line))


def test_a_copy_is_not_written_by_others(tmp_path: Path) -> None:
    source, copy = tmp_path / "s.db", tmp_path / "c.db"
    samples.filled(source)
    pull(source, copy)
    before = copy.read_bytes()
    for write in (Store.open, check_writable):
        with pytest.raises(StoreReplica, match="is a copy of there, which `mlrtui pull` keeps up to date"):
            write(copy)
    with Reader.open(copy) as reader:
        found = reader.replica_of()
        assert found is not None
        assert found.sentence().startswith("a copy of there, pulled at 20")
    assert len(copy.read_bytes()) == len(before)
    for number, copied in enumerate((back_up, archive)):
        copied(copy, tmp_path / f"{number}.db")
        Store.open(tmp_path / f"{number}.db").close()


@pytest.mark.parametrize("line", [b"hello\n", b"[1]\n", b'{"since": 3}\n', b"[" * 100000])
def test_what_is_no_request_is_refused(tmp_path: Path, line: bytes) -> None:
    samples.filled(tmp_path / "s.db")
    with pytest.raises(StoreError, match="no request of `mlrtui pull`"):
        deltas.serve(tmp_path / "s.db", io.BytesIO(line), io.BytesIO())


def test_a_store_of_ones_own_is_never_pulled_over(tmp_path: Path) -> None:
    samples.filled(tmp_path / "mine.db")
    with pytest.raises(StoreUnwritable, match="a store of its own"):
        replicas.state(tmp_path / "mine.db")


def test_a_store_of_an_earlier_version_is_copied_as_it_is(tmp_path: Path) -> None:
    source, copy = tmp_path / "s.db", tmp_path / "c.db"
    restore(DUMPS[0], source)
    for _ in range(2):
        assert pull(source, copy)[0] == "full"
        assert content(copy) == content(source)
    with pytest.raises(StoreReplica):
        bring_up_to_date(copy)


def test_a_damaged_file_is_not_taken(tmp_path: Path) -> None:
    source, copy = tmp_path / "s.db", tmp_path / "c.db"
    samples.filled(source)
    whole = source.read_bytes()
    broken = whole[: len(whole) // 2] + bytes(4096) + whole[len(whole) // 2 + 4096 :]
    sent: list[Frame] = [({}, zlib.compress(whole)), ({"end": True, "sha256": "0" * 64}, b"")]
    garbled: list[Frame] = [({}, b"rubbish"), sent[1]]
    for pieces, why in (
        (iter([broken]), "there is damaged"),
        (replicas.pieces(iter(sent), "there"), "what came from there is not what was sent"),
        (replicas.pieces(iter(garbled), "there"), "what came from there is not what was sent"),
    ):
        with pytest.raises(StoreDamaged, match=why):
            replicas.receive(copy, "there", pieces)
        assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_two_processes_do_not_pull_into_one_copy(tmp_path: Path) -> None:
    copy = tmp_path / "c.db"
    with replicas.alone(copy), pytest.raises(StoreLocked, match="another process"), replicas.alone(copy):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_pull_leaves_the_copy_as_it_was_or_as_it_is_now(tmp_path: Path) -> None:
    """Killed before each frame of it is applied, and before each piece of a whole store."""
    source, copy = Source(tmp_path / "s.db", 3), tmp_path / "c.db"
    with closing(source):
        pull(source.path, copy)
        for _ in range(40):
            source.act()
        rest, before = delta_of(source.path, copy), content(copy)
        for at in range(len(rest)):
            _killed(lambda at=at: replicas.apply(copy, "there", _until(iter(rest), at)))
            assert content(copy) == before
        whole = [frame[1] for frame in list(deltas.answer(source.path, {"since": None}))[1:]]
        sent = [zlib.decompressobj().decompress(b"".join(whole))]
        for at in range(2):
            _killed(lambda at=at: replicas.receive(copy, "there", _until(iter(sent), at)))
            assert content(copy) == before
        with replicas.alone(copy):
            pull(source.path, copy)
        assert content(copy) == content(source.path)
    assert leftovers(tmp_path) == []


def _until(items: Iterator[Any], count: int) -> Iterator[Any]:
    for at, item in enumerate(items):
        if at == count:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(do: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        try:
            do()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_the_writers_that_are_known_are_the_last_hundred(tmp_path: Path) -> None:
    source = tmp_path / "s.db"
    samples.filled(source)
    by_hand(source, f"UPDATE meta SET value = '{json.dumps([['x', 1]] * 99)}' WHERE key = 'epochs'")
    for _ in range(3):
        written(source)
    with closing(sqlite3.connect(source)) as connection:
        epochs = read_epochs(connection)
        assert len(epochs) == 100
        assert [token == "x" for token, _ in epochs] == [True] * 97 + [False] * 3
        for wrong in ("[", "{}", '[["x", -1]]', '[["x"]]', "[1]"):
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epochs'", (wrong,))
            assert read_epochs(connection) == []
