"""What can be taken away from a screen: commands by name, copies, files, JSON."""

import base64
import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from test_tui_screens import shown
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store
from tui_laws import law_store, talking_store, wide_scan_store

from mlrtui.tui.browse.screen import BrowseScreen
from mlrtui.tui.help.palette import PaletteScreen
from mlrtui.tui.keymap import KEYS, commands
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.once import data_once, read_once
from mlrtui.tui.state import Mark, Wanted


async def test_the_palette_finds_and_does_a_command() -> None:
    async with shown(search_store()) as view:
        await view.press("ctrl+p")
        assert isinstance(view.app.screen, PaletteScreen)
        for key in commands("live"):
            assert key in KEYS
        await view.press(*"next val", "enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen) and "sweep: η*" in view.text())
        await view.press("colon", *"all sweeps", "enter")
        await view.until(lambda: isinstance(view.app.screen, BrowseScreen))


async def test_the_palette_goes_away_and_says_when_nothing_fits() -> None:
    async with shown(search_store()) as view:
        await view.press("colon", *"zzz")
        assert "no command is called so" in view.text()
        await view.press("enter")
        assert isinstance(view.app.screen, PaletteScreen)
        await view.press("ctrl+u", "down", "down", "up")
        assert "no command" not in view.text()
        await view.press("escape")
        assert isinstance(view.app.screen, LiveScreen)


@pytest.mark.parametrize("screen", ["live", "trial", "browse", "compare", "help"])
async def test_the_palette_offers_what_the_screen_can_do(screen: str) -> None:
    async with shown(scan_store(), (160, 48)) as view:
        offered = {key.id for key in commands(screen)}
        usable = {key.id for key in KEYS if not key.screens or screen in key.screens}
        assert offered <= usable
        assert usable - offered <= {"up", "down", "left", "right", "further", "further_back"}
        await view.go(screen)
        await view.press("colon")
        assert isinstance(view.app.screen, PaletteScreen) != (screen == "help")


async def test_copy_names_the_trial_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shown(scan_store(), (160, 48)) as view:
        sent: list[str] = []
        monkeypatch.setattr(view.app._driver, "write", sent.append)
        await view.press("C")
        copied = [part for part in sent if part.startswith("\x1b]52;c;")]
        text = base64.b64decode(copied[0].split(";")[2].split("\x07")[0]).decode()
        assert text == "mlrtui watch --store fake.db --sweep 'catapult scan' --screen live --trial 7"
        assert "copied: mlrtui watch" in view.text()
        await view.press("y")
        assert "copied" not in view.text()


async def test_write_keeps_data_picture_and_text_and_never_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(scan_store(), (160, 48)) as view:
        shot = view.text()
        await view.press("w")
        assert "written: mlrtui-live.txt, .svg, .csv" in view.text()
        assert (tmp_path / "mlrtui-live.txt").read_text(encoding="utf-8").rstrip("\n") == shot.rstrip("\n")
        assert (tmp_path / "mlrtui-live.svg").read_text(encoding="utf-8").startswith("<svg")
        with (tmp_path / "mlrtui-live.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 71
        assert rows[14]["step"] == "14"
        assert view.reading.trace is not None
        assert float(rows[14]["loss"]) == view.reading.trace.loss[14]
        await view.press("w")
        assert (tmp_path / "mlrtui-live-2.csv").exists()
        await view.press("enter", "space", "equals_sign")
        await view.until(lambda: len(view.reading.compared) == 1)
        await view.press("w")
        assert (tmp_path / "mlrtui-compare.csv").exists()
    monkeypatch.chdir("/proc")
    async with shown(scan_store()) as view:
        await view.press("w")
        assert "nothing written" in view.text()


@pytest.mark.parametrize(
    ("make", "keys", "words"),
    [
        (scan_store, ("enter", "up", "enter"), "--sweep 'catapult scan' --screen trial --trial 6"),
        (scan_store, ("space", "left_square_bracket", "space", "4"), "--screen compare --trial 7 --trial 6"),
        (law_store, ("up", "b"), "--screen boundary --trial 1200"),
        (law_store, ("2",), "--sweep 'digits: eta* over depth x width' --screen exponents"),
        (wide_scan_store, ("6", "right"), "--sweep 'catapult scan' --screen phases --trial 201"),
        (talking_store, ("5", "down"), "--sweep 'catapult scan' --screen log"),
    ],
    ids=["trial", "compare", "boundary", "exponents", "phases", "log"],
)
async def test_the_copied_command_shows_the_same_screen(
    make: Callable[[], FakeStore], keys: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make()
    async with shown(store, (160, 48)) as view:
        copied: list[str] = []
        monkeypatch.setattr(view.app, "copy_to_clipboard", copied.append)
        await view.press(*keys)
        await view.press("C")
        await view.until(lambda: bool(copied))
        shot = view.text().splitlines()[1:-2]
    assert copied[0].startswith("mlrtui watch --store fake.db ")
    assert copied[0].endswith(words)
    parsed = shlex.split(copied[0])
    named = {name: parsed[at + 1] for at, name in enumerate(parsed) if name in ("--sweep", "--screen")}
    trials = [int(parsed[at + 1]) for at, name in enumerate(parsed) if name == "--trial"]
    rows = {trial.trial_id: trial for rows in store.trials.values() for trial in rows}
    (sweep_id,) = (number for number, known in store.snapshots.items() if known.sweep.name == named["--sweep"])
    wanted = Wanted(0, sweep_id, rows[trials[0]].cell_id, trials[0]) if trials else Wanted(sweep_id=sweep_id)
    marks = tuple(Mark(0, sweep_id, trial_id) for trial_id in trials)
    async with shown(store, (160, 48), start=named["--screen"], wanted=wanted, marked=marks) as view:
        if keys in (("up", "b"), ("5", "down")):  # the cursor of these is no part of the command
            await view.until(lambda: "L6 n256" in view.text() or "50 of 50" in view.text())
        else:
            await view.until(lambda: plain_frames(view.text().splitlines()[1:-2]) == plain_frames(shot))


def plain_frames(rows: list[str]) -> list[str]:
    """Rows of a screen, whichever pane has the focus."""
    return [row.translate(str.maketrans("┏┓┗┛━┃", "┌┐└┘─│")) for row in rows]


async def test_browse_writes_its_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(both_sweeps(), start="browse") as view:
        await view.until(lambda: "−0.71" in view.text())
        await view.press("w")
    with (tmp_path / "mlrtui-browse.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {"catapult scan", "digits: eta* over depth x width"}
    assert "-0.71" in {row["exponent"] for row in rows}


def test_the_data_behind_the_picture_is_json() -> None:
    store = scan_store()
    found = json.loads(json.dumps(data_once(read_once([store.source()])), allow_nan=False))
    assert found["sweep"]["name"] == "catapult scan"
    assert found["trial_id"] == 7
    assert len(found["curve"]["loss"]) == len(found["curve"]["step"]) == 71
    assert len(found["trials"]) == 9


def test_an_empty_store_is_json_too() -> None:
    class Empty(FakeStore):
        pass

    assert json.loads(json.dumps(data_once(read_once([Empty().source()]))))["sweep"] is None
