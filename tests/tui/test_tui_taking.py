"""What can be taken away from a screen: commands by name, copies, files, JSON."""

import base64
import csv
import json
from pathlib import Path

import pytest
from test_tui_screens import shown
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store

from mlrtui.tui.keymap import KEYS, commands
from mlrtui.tui.once import data_once, read_once
from mlrtui.tui.screens.browse import BrowseScreen
from mlrtui.tui.screens.live import LiveScreen
from mlrtui.tui.screens.palette import PaletteScreen


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
        assert "written: mlrtui-live.txt, mlrtui-live.svg, mlrtui-live.csv" in view.text()
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
