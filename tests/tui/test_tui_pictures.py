"""The command that makes the pictures of the documentation."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from test_tui_store import append, begin

from mlrtui_db.store import Store
from scripts.screenshots import SCENES, main


def test_every_scene_of_a_real_store_becomes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(tmp_path / "real.db") as store:
        trial_id = begin(store)
        append(store, trial_id, 0, range(12), [2.0] * 10 + [62.5, 1.0], [0] * 12)
    assert main([str(tmp_path / "real.db"), str(tmp_path / "pictures"), "--size", "100x30", "--light"]) == 0
    printed = capsys.readouterr().out.split()
    assert [Path(name).stem for name in printed] == [scene.name for scene in SCENES]
    for name in printed:
        text = "".join(ElementTree.parse(name).getroot().itertext()).replace("\xa0", " ")
        assert "real" in text or Path(name).stem in ("help", "palette", "compare")
    assert "#ffffff" in Path(printed[0]).read_text()  # the paper, where the export has a dark one
    assert "#292929" not in Path(printed[0]).read_text()
    trial = "".join(ElementTree.parse(tmp_path / "pictures" / "trial.svg").getroot().itertext()).replace("\xa0", " ")
    assert "Trial" in trial
    assert "62.5" in trial


def test_a_size_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / "real.db"), str(tmp_path), "--size", "big"])
    assert caught.value.code == 2


def test_the_pictures_of_the_documentation_are_those_that_are_made() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert {path.stem for path in (docs / "pictures").glob("*.svg")} == {scene.name for scene in SCENES}
