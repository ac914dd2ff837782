"""Notes and tags: taken by the one writer, done twice like once, carried by copies, merges and pulls."""

import json
import os
from dataclasses import replace
from pathlib import Path

import db_samples as samples
import pytest
from test_db_replicas import pull

from mlrtui_db import annotations, store
from mlrtui_db.annotations import ADD, REMOVE, REPLACE, Change
from mlrtui_db.copies import back_up
from mlrtui_db.errors import StoreUnwritable
from mlrtui_db.merging import merge
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

NOTE = Change(ADD, 1, "note", "a first look", 100.0)
TAG = Change(ADD, 1, "tag", "paper", 100.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "a.db") as opened, opened.transaction():
        opened.add_sweep(samples.sweep())
    return tmp_path / "a.db"


def read(path: Path) -> SweepRow:
    with Reader.open(path) as reader:
        return reader.sweeps()[0]


def said(path: Path) -> tuple[list[str], list[str]]:
    row = read(path)
    return list(row.tags), [note.text for note in row.notes]


def test_whoever_opens_the_store_takes_what_was_left(path: Path) -> None:
    files = [annotations.leave(path, [NOTE, TAG]), annotations.leave(path, [replace(NOTE, text="second", at=101.0)])]
    assert said(path) == ([], [])
    Store.open(path).close()
    assert said(path) == (["paper"], ["a first look", "second"])
    assert not any(file.exists() for file in files)
    assert not annotations.folder_of(path).exists()


def test_a_writer_at_work_takes_it_at_its_next_look(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WATCH_SECONDS", 0.0)
    with Store.open(path) as opened:
        file = annotations.leave(path, [NOTE])
        with opened.transaction():
            opened.watch()  # not inside a transaction of its own
            assert file.exists()
        opened.watch()
        assert not file.exists()
        assert said(path) == ([], ["a first look"])
        opened.watch()


def test_a_change_is_done_twice_like_once_and_never_to_another_note(path: Path) -> None:
    def again(*changes: Change) -> None:
        for _ in range(2):  # as after a kill between the commit and the removal of the file
            annotations.leave(path, changes)
            Store.open(path).close()

    again(NOTE, TAG)
    assert said(path) == (["paper"], ["a first look"])
    (note,) = read(path).notes
    meant = replace(NOTE, number=note.number, at=note.at)
    again(replace(meant, do=REPLACE, text="better"))
    assert said(path)[1] == ["better"]
    again(replace(meant, do=REMOVE, at=99.0), replace(meant, do=REPLACE, text="wrong", at=99.0))
    assert said(path)[1] == ["better"]
    again(replace(meant, do=REMOVE), replace(TAG, do=REMOVE))
    assert said(path) == ([], [])
    again(replace(NOTE, sweep_id=7))  # gone meanwhile
    assert said(path) == ([], [])


def test_what_is_not_ours_in_the_folder_is_left_out(path: Path, tmp_path: Path) -> None:
    folder = annotations.folder_of(path)
    folder.mkdir()
    fine = json.dumps([annotations.asdict(NOTE)])
    (tmp_path / "elsewhere.json").write_text(fine)
    (folder / "a.json").symlink_to(tmp_path / "elsewhere.json")
    os.mkfifo(folder / "b.json")
    texts = [
        "[",
        "[[]]",
        '[{"do": "drop"}]',
        "[" * 5000,
        fine.replace('"note"', '"spell"'),
        fine.replace("100.0", "NaN"),
        fine.replace("a first look", r"\udcff"),  # nothing that SQLite can store
    ]
    texts += [fine.replace("a first look", "x" * 70_000), fine.replace("a first look", "y" * 5000)]
    for number, text in enumerate(texts):
        (folder / f"c{number}.json").write_text(text)
    (folder / ".draft").write_text(fine)
    before = path.read_bytes()
    Store.open(path).close()
    assert said(path) == ([], [])
    assert path.read_bytes() == before
    assert sorted(file.name for file in folder.iterdir()) == [".draft", "a.json", "b.json"]
    annotations.folder_of(path).rename(tmp_path / "kept")
    folder.write_text("a file in its place")
    Store.open(path).close()
    with pytest.raises(StoreUnwritable):
        annotations.leave(path, [NOTE])


def test_copies_merges_and_pulls_take_them_along(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.db"
    with Store.open(other) as opened, opened.transaction():
        opened.add_sweep(samples.sweep())
    annotations.leave(path, [NOTE, TAG])
    annotations.leave(other, [TAG, replace(NOTE, text="from b", at=50.0)])
    for one in (path, other):
        Store.open(one).close()
    back_up(path, tmp_path / "backup.db")
    merge(tmp_path / "merged.db", [path, other])
    pull(path, tmp_path / "copy.db")
    assert said(tmp_path / "backup.db") == said(tmp_path / "copy.db") == (["paper"], ["a first look"])
    assert said(tmp_path / "merged.db") == (["paper"], ["a first look", "from b"])
    with Reader.open(path) as reader:
        names, rows = reader.query("annotations")
        assert [dict(zip(names, row, strict=True)) for row in rows] == [
            {"sweep": "one", "kind": "note", "text": "a first look", "at": 100.0, "annotation_id": 1},
            {"sweep": "one", "kind": "tag", "text": "paper", "at": 100.0, "annotation_id": 2},
        ]
    annotations.leave(path, [replace(TAG, text="later")])
    Store.open(path).close()
    kind, _ = pull(path, tmp_path / "copy.db")
    assert kind == "delta"
    assert said(tmp_path / "copy.db")[0] == ["later", "paper"]
