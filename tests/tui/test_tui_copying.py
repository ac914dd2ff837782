"""Key C: the command that it copies, run with `--once`, prints what was on the screen."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_tui_screens import Shown

from mlrtui.errors import BadInput
from mlrtui.text.marks import UNICODE
from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.choices import CHOICES, parse_choices, set_look
from mlrtui.tui.modes import check_choices, screen_class
from mlrtui.tui.once import read_once
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.starting import store_source
from mlrtui.tui.state import Look

SIZE = (120, 36)
SWEEP = """
[sweep]
name = "small search"
seeds = 2

[data]
name = "digits"
samples = 64

[model]
depth = [1, 2]
width = [16, 32, 64]
input_lr = [0.5, 1.0]

[training]
loss = "ce"
batch = 16
epochs = 2

[search]
method = "bisect"
success = "accuracy"
threshold = 0.5

[[fit]]
y = "eta_star"
x = ["depth*width"]
"""

KEYS = {
    "live": ("down", "v", "a", "x", "enter", "down", "down", "y"),
    "live time": ("right", "left_square_bracket", "v", "v", "v", "v", "z"),
    "trial": ("enter", "enter", "right", "right", "plus", "y", "x", "M", "u"),
    "boundary": ("b", "left", "left", "tab"),
    "exponents": ("2", "y", "x", "x", "right", "slash", *"depth<3", "enter", "g", "p", "T", "tab"),
    "phases": ("left_square_bracket", "6", "x", "down", "right"),
    "phases accuracy": ("left_square_bracket", "6", "v", "T"),
    "log": ("5", "v", "v", "v", "slash", *"small", "enter"),
    "compare": ("enter", "space", "down", "space", "4", "left", "left", "d", "x", "u", "g", "tab"),
    "browse": ("3", "s", "S", "slash", *"sma", "enter"),
}

RUNNER = """
import json, sys
from mlrtui.cli import app
for words in json.load(sys.stdin):
    try:
        app(words, standalone_mode=False)
    except SystemExit as end:
        assert not end.code, words
    print("<end>")
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copying")
    (folder / "sweep.toml").write_text(SWEEP)
    words = ["run", str(folder / "sweep.toml"), "--store", str(folder / "runs.db"), "--devices", "fake", "--no-tui"]
    subprocess.run([sys.executable, "-P", "-m", "mlrtui", *words], check=True, capture_output=True, timeout=300)
    return folder / "runs.db"


async def copied(store: Path, keys: tuple[str, ...]) -> tuple[str, str]:
    """What is on the screen after these keys, without the footer, and the command that C copies."""
    app = MlrtuiApp([store_source(store)], refresh=60.0)
    async with app.run_test(size=SIZE) as pilot:
        view = Shown(app, pilot)
        await view.until(lambda: app.reading is not None and isinstance(app.screen, ReadingScreen))
        for key in keys:
            await view.press(key)
            await view.until(lambda: view.reading.wanted == app.wanted)
        taken: list[str] = []
        app.copy_to_clipboard = taken.append  # type: ignore[method-assign]
        await pilot.pause(0.2)
        text = view.text()
        await view.press("C")
        await view.until(lambda: bool(taken))
        return "\n".join(text.splitlines()[:-1]), taken[0]


async def test_every_copied_command_prints_the_same_screen(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shots = {name: await copied(store, keys) for name, keys in KEYS.items()}
    commands = [shlex.split(command) for _, command in shots.values()]
    assert {words[0] for words in commands} == {"mlrtui"}
    monkeypatch.setenv("COLUMNS", str(SIZE[0]))
    monkeypatch.setenv("LINES", str(SIZE[1]))
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUNNER],
        input=json.dumps([[*words[1:], "--once"] for words in commands]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = dict(zip(shots, done.stdout.split("<end>\n"), strict=False))
    differing = {
        command: [
            pair for pair in zip(text.splitlines(), printed[name].splitlines(), strict=False) if pair[0] != pair[1]
        ]
        for name, (text, command) in shots.items()
    }
    assert {command: pairs for command, pairs in differing.items() if pairs} == {}


@pytest.mark.parametrize(
    ("screen", "text", "words"),
    [
        ("live", "grid=heat", "grid is one of progress, eta_star"),
        ("live", "grid", "--screen live has grid="),
        ("log", "x=depth", "--screen log has level=, filter="),
        ("log", "level=warning", "level is one of all events, warnings and errors, errors"),
        ("browse", "sort=size", "sort is one of when"),
        ("browse", "order=down", "order is one of reversed"),
        ("compare", "settings=none", "settings is one of all, differing"),
        ("exponents", "predict=1", "predict is one of yes, no"),
        ("phases", "value=loss", "value is one of accuracy, lambda_end"),
        ("live", "pane=sweep", "pane is one of grid, trials"),
        ("trial", "step=last", "step is a step, such as 14"),
        ("boundary", "cursor=-1", "cursor is the number of a trial"),
        ("trial", "window=9:3", "window is two steps, the smaller first"),
    ],
)
def test_a_choice_that_is_none_is_refused_with_those_that_there_are(screen: str, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_choices(screen, [text], screen_class(screen).choice_values())


@pytest.mark.parametrize(
    ("screen", "name", "value", "words"),
    [
        ("live", "rows", "colour", "rows is one of depth, width, in"),
        ("live", "measure", "grad_norm", "there is no measure to choose here"),
        ("trial", "step", "9999", "the last stored step is [0-9]+"),
        ("trial", "window", "9000:9999", "the last stored step is [0-9]+"),
        ("trial", "window", "1:9999", "the last stored step is [0-9]+"),
        ("exponents", "y", "eta", "y is one of eta_star, lambda0"),
        ("exponents", "x", "dept", "dept"),
        ("exponents", "group", "colour", "group is one of "),
        ("phases", "x", "colour", "x is one of width"),
        ("boundary", "cursor", "999999", "cursor is one of"),
        ("compare", "kind", "sweeps", "no sweep is compared; add --sweep NAME"),
        ("compare", "y", "lambda0", "y is about sweeps; trials are compared here"),
    ],
)
def test_a_choice_that_the_data_lack_is_refused(store: Path, screen: str, name: str, value: str, words: str) -> None:
    choices = {name: value}
    with pytest.raises(BadInput, match=words):
        check_choices(screen, choices, read_once([store_source(store)], screen, choices=choices))


@pytest.mark.parametrize(
    ("named", "axes"),
    [
        ({"rows": "in"}, ("in", "width")),
        ({"columns": "in"}, ("depth", "in")),
        ({"rows": "width"}, ("width", "depth")),
        ({"columns": "depth"}, ("width", "depth")),
        ({"rows": "loss", "columns": "in"}, ("loss", "in")),
    ],
)
def test_axes_of_the_grid_change_places_where_one_takes_the_other_s(
    named: dict[str, str], axes: tuple[str, str]
) -> None:
    assert set_look(Look(UNICODE), named).grid_axes == axes


def test_every_screen_with_a_command_has_its_choices() -> None:
    from mlrtui.cli_options import WatchScreen

    assert set(CHOICES) == {screen.value for screen in WatchScreen} | {"browse"}
