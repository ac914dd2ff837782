"""Things by name: registered here, added by other packages, and reported where they cannot be loaded."""

from pathlib import Path

import pytest

from mlrtui_trainer.registry import Registry, UnknownNameError


def test_what_is_registered_is_found_in_order() -> None:
    colours = Registry[int]("colour")
    colours.register("red", 1)
    colours.register("blue", 2)
    assert list(colours) == ["red", "blue"]
    assert (colours["blue"], len(colours), "red" in colours, "green" in colours) == (2, 2, True, False)
    colours.remove("red")
    assert dict(colours) == {"blue": 2}


def test_a_function_is_registered_by_a_decorator() -> None:
    ways = Registry[object]("way")

    @ways.entry("home")
    def home() -> None: ...

    assert ways["home"] is home


def test_a_name_is_taken_once() -> None:
    colours = Registry[int]("colour")
    colours.register("red", 1)
    with pytest.raises(ValueError, match="colour 'red' is registered already"):
        colours.register("red", 2)
    assert colours["red"] == 1


def test_an_unknown_name_is_answered_by_the_known_ones() -> None:
    colours = Registry[int]("colour")
    colours.register("red", 1)
    colours.register("blue", 2)
    with pytest.raises(UnknownNameError, match="colour 'green' is not known; use one of red, blue"):
        colours["green"]


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package beside ours that adds two colours, one of which cannot be imported."""
    (tmp_path / "other_colours.py").write_text("GREEN = 3\n")
    info = tmp_path / "other_colours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-colours\nVersion: 1.0\n")
    points = "[test.colours]\ngreen = other_colours:GREEN\nbroken = no_such_module_anywhere:RED\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "test.colours"


def test_another_package_adds_by_an_entry_point(other_package: str) -> None:
    colours = Registry[int]("colour", other_package)
    colours.register("red", 1)
    assert list(colours) == ["red", "broken", "green"]
    assert colours["green"] == 3
    with pytest.raises(UnknownNameError, match=r"colour 'broken' of no_such_module_anywhere:RED cannot be loaded: .*"):
        colours["broken"]
    assert len(colours) == 3
