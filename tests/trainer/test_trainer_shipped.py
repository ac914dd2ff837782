"""Sources of the user's that travel with a task to a machine that has not got them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mlrtui_trainer import shipped
from mlrtui_trainer.models.imported import imported
from mlrtui_trainer.models.sources import source_hash
from mlrtui_trainer.shipped import packed, unpacked
from mlrtui_trainer.spec import NetSpec, Probe, SharpnessSpec, TrainSpec

TRAIN = TrainSpec("ce", 4, 1, 1)


def probe(kind: str, origin: Path, folder: Path) -> Probe:
    net = NetSpec(kind, 2, 2, 1, 4, code_path=str(folder), code_hash=source_hash(origin))
    return Probe(1, "data", net, TRAIN, SharpnessSpec(), ((1, 0),))


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a machine without the sources puts them."""
    place = tmp_path / "away"
    place.mkdir()
    monkeypatch.setattr(shipped.tempfile, "tempdir", str(place))
    return place


def test_a_package_arrives_where_it_is_missing_and_can_be_imported(tmp_path: Path, away: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "shipped_pkg").mkdir(parents=True)
    (folder / "shipped_pkg" / "__init__.py").write_text("")
    (folder / "shipped_pkg" / "parts.py").write_text("DEPTH = 3\n")
    origin = folder / "shipped_pkg" / "nets.py"
    origin.write_text("from shipped_pkg.parts import DEPTH\n\ndef make():\n    return DEPTH\n")
    (folder / "other.py").write_text("raise SystemExit\n")
    task = probe("shipped_pkg.nets:make", origin, folder)
    files = packed(task)
    assert [[name for name, _ in one.files] for one in files] == [
        ["shipped_pkg/__init__.py", "shipped_pkg/nets.py", "shipped_pkg/parts.py"]
    ]
    shutil.rmtree(folder)
    there = unpacked(task, files)
    assert Path(there.net.code_path).parent == away
    assert imported(there.net.kind, there.net.code_path, there.net.code_hash, "function")() == 3
    assert unpacked(task, files) == there  # a second task finds it


def test_a_machine_that_has_the_sources_uses_its_own(tmp_path: Path, away: Path) -> None:
    origin = tmp_path / "shipped_file.py"
    origin.write_text("def make(): ...\n")
    (tmp_path / "shipped_beside.py").write_text("X = 1\n")
    task = probe("shipped_file:make", origin, tmp_path)
    files = packed(task)
    assert [name for name, _ in files[0].files] == ["shipped_beside.py", "shipped_file.py"]
    assert unpacked(task, files) == task
    origin.write_text("def make(): return 1\n")  # another version there: the one that the task names is used
    assert unpacked(task, files).net.code_path.startswith(str(away))


def test_losses_are_packed_and_installed_packages_are_not(tmp_path: Path) -> None:
    origin = tmp_path / "shipped_loss.py"
    origin.write_text("def loss(outputs, targets): ...\n")
    train = replace(TRAIN, code=(("shipped_loss:loss", source_hash(origin)),), code_path=str(tmp_path))
    task = replace(probe("numpy:array", origin, tmp_path), train=train)
    assert [one.module for one in packed(task)] == ["shipped_loss"]
    assert packed(Probe(1, "data", NetSpec("mlp", 2, 2, 1, 4), TRAIN, SharpnessSpec(), ())) == ()


def test_too_much_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "LARGEST", 10)
    origin = tmp_path / "shipped_large.py"
    origin.write_text("def make(): return 1\n")
    with pytest.raises(shipped.TooLargeError, match="shipped_large: more than 0 MB of Python sources"):
        packed(probe("shipped_large:make", origin, tmp_path))
