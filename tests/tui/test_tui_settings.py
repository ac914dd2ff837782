"""The user's settings: what the file may say, what happens when it is wrong, and that keys do move."""

from pathlib import Path

import pytest
from test_tui_screens import shown
from tui_fakes import scan_store

from mlrtui.errors import BadInput
from mlrtui.tui.palette import style_of
from mlrtui.tui.settings import Settings, load_settings
from mlrtui.tui.starting import is_light


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.toml") == Settings()


def test_everything_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        'theme = "light"\nrefresh = 5\nascii = true\nmouse = false\n[keys]\nfollow = "F"\nhelp = ["?", "f2"]\n'
    )
    keys = {"follow": ("F",), "help": ("question_mark", "f2")}
    assert load_settings(path) == Settings("light", 5, True, False, keys)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme = 'pink'", "theme = 'pink': use one of auto, dark, light"),
        ("refresh = 0", "refresh = 0: seconds from 0.1 to 60"),
        ("refresh = true", "refresh = True"),
        ("ascii = 1", "ascii = 1: true or false"),
        ("colour = 1", "colour = 1: no such setting"),
        ("keys = 3", "keys = 3: a table"),
        ("[keys]\nfly = 'x'", "keys.fly = 'x': no such command"),
        ("[keys]\nfollow = 3", "keys.follow = 3: a key"),
        ("[keys]\nfollow = 'alt+x'", "'alt+x' does not reach every terminal"),
        ("[keys]\nfollow = 'ctrl+a'", "'ctrl+a' does not reach every terminal"),
        ("[keys]\nfollow = 'p'", "keys.pause and keys.follow are both 'p' on live"),
        ("theme =", "not TOML"),
    ],
)
def test_mistakes_are_one_line_with_a_remedy(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert words in str(caught.value)
    assert len(caught.value.messages) == 1
    assert caught.value.exit_code == 2


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("theme = 1\nrefresh = 99\n[keys]\nfly = 'x'\n")
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert len(caught.value.messages) == 3


def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_settings(tmp_path)


async def test_a_moved_key_works_and_is_shown() -> None:
    async with shown(scan_store(), (160, 48), keys={"value": ("V", "f5")}) as view:
        assert "V value" in view.text()
        await view.press("v")
        assert "sweep: progress" in view.text()
        await view.press("V")
        assert "sweep: η*" in view.text()
        await view.press("question_mark")
        assert "V f5" in view.text()


@pytest.mark.parametrize(
    ("theme", "terminal", "light"),
    [
        ("auto", "15;0", False),
        ("auto", "0;15", True),
        ("auto", "", False),
        ("light", "15;0", True),
        ("dark", "0;15", False),
    ],
)
def test_light_and_dark(theme: str, terminal: str, light: bool) -> None:
    assert is_light(theme, {"COLORFGBG": terminal}) is light


def luminance(role: str) -> float:
    color = style_of(role, light=True).color
    assert color is not None
    assert color.triplet is not None
    parts = [(part / 255) for part in color.triplet]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("role", ["done", "running", "catapult", "diverged", "slow", "value", "curve", "edge"])
def test_colours_on_white_can_be_read(role: str) -> None:
    assert 1.05 / (luminance(role) + 0.05) >= 4.5
    assert style_of(role).color != style_of(role, light=True).color
