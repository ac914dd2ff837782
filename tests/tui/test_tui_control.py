"""Control in a real terminal: the screen starts the command line's own commands against a real driver."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pty_terminal import PtyTerminal
from test_tui_screens import shown
from tui_fakes import scan_store
from tui_rows import NOW, make_sweep

from mlrtui.tui.control.offers import KINDS, Target, offer, target_of
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.once import read_once
from mlrtui_db import lock
from mlrtui_db.reader import Reader

SMALL = """
[sweep]
name = "tiny nets"
seeds = 2
[data]
name = "digits"
samples = 64
[model]
kind = "mlp"
depth = [1, 2]
width = 16
[training]
loss = "ce"
batch = 32
epochs = 2
[search]
threshold = 0.5
tolerance = 0.3
[sharpness]
every = 0
"""
LONG = SMALL.replace("tiny nets", "many nets").replace("seeds = 2", "seeds = 2000")
MLRTUI = (sys.executable, "-P", "-m", "mlrtui")


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Callable[..., PtyTerminal]]:
    opened: list[PtyTerminal] = []

    def show(*words: str, size: tuple[int, int] = (100, 30)) -> PtyTerminal:
        command = ["env", "-C", str(tmp_path), *MLRTUI, *words]
        opened.append(PtyTerminal(command, size, {"PYTHONPATH": os.pathsep.join(sys.path)}))
        return opened[-1]

    yield show
    for terminal in opened:
        terminal.close()
    subprocess.run([*MLRTUI, "stop", "--now", "--store", str(tmp_path / "s.db")], check=True, capture_output=True)


def test_a_real_driver_is_started_stopped_resumed_and_asked_for_more(
    screen: Callable[..., PtyTerminal], tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "long.toml").write_text(LONG)
    (tmp_path / "wrong.toml").write_text(SMALL.replace("width", "widht"))
    fake = b" --devices fake"
    subprocess.run(
        [*MLRTUI, "run", "small.toml", "--devices", "fake", "--no-tui"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env=os.environ | {"MLRTUI_STORE": str(store)},
    )
    terminal = screen("watch", "--store", str(store))
    terminal.wait_for(lambda: "tiny nets" in terminal.text())

    # Extend seeds: the offer counts what is added, and esc starts nothing.
    terminal.press(b"E")
    terminal.wait_for(lambda: "2 cells × 1 new seed = 2 new nets" in terminal.text())
    assert "mlrtui resume 'tiny nets' --store s.db --detach --set sweep.seeds=3" in terminal.text()
    back(terminal)
    assert _nets(store) == {"tiny nets": 4}
    terminal.press(b"E\x7f4" + fake + b"\r")
    terminal.wait_for(lambda: "done; esc goes back" in terminal.text())
    terminal.wait_for(lambda: _nets(store) == {"tiny nets": 8} and not lock.is_held(store))
    terminal.press(b"\x1b")
    terminal.wait_for(lambda: "nets 8/8" in terminal.text())

    # What a command refuses is its own one line.
    terminal.press(b"X\r")
    terminal.wait_for(lambda: "no driver is running on s.db" in terminal.text())
    back(terminal)
    terminal.press(b"Nwrong.toml\r")
    terminal.wait_for(lambda: "did you mean width?" in terminal.text() and "exit code 2" in terminal.text())
    back(terminal)
    terminal.press(b"Nlong.toml")
    terminal.wait_for(lambda: "mlrtui run long.toml --store" in terminal.text())
    back(terminal)
    assert not lock.is_held(store)

    # A driver that is started here outlives the screen.
    terminal.press(b"Nlong.toml" + b"\x1b[F" + fake + b"\r")
    terminal.wait_for(lambda: "done; esc goes back" in terminal.text())
    assert lock.is_held(store)
    terminal.wait_for(lambda: "many nets" in _nets(store))
    back(terminal)
    terminal.wait_for(lambda: "many nets" in terminal.text() and "live" in terminal.text())
    terminal.press(b"R")
    terminal.wait_for(lambda: "A driver is at work on this store now" in terminal.text())
    terminal.press(b"\r")
    terminal.wait_for(lambda: "exit code 3" in terminal.text())
    back(terminal)
    terminal.press(b"q")
    assert terminal.wait_end() == 0
    assert lock.is_held(store)

    # Stop in two keys, from Live of the sweep that runs.
    terminal = screen("watch", "--store", str(store))
    terminal.wait_for(lambda: "many nets" in terminal.text() and "live" in terminal.text())
    terminal.press(b"X")
    terminal.wait_for(lambda: "mlrtui stop --store s.db" in terminal.text() and "nothing has been" in terminal.text())
    assert lock.is_held(store)
    terminal.press(b"\r")
    terminal.wait_for(lambda: "stopped the driver of s.db" in terminal.text())
    assert not lock.is_held(store)

    # Resumed, and what the command has said comes to the status line of the screen that was gone back to.
    back(terminal)
    terminal.press(b"R")
    terminal.wait_for(lambda: "mlrtui resume 'many nets'" in terminal.text())
    terminal.press(fake + b"\r")
    terminal.wait_for(lambda: "it runs; esc" in terminal.text() or "done; esc" in terminal.text())
    terminal.press(b"\x1b")
    terminal.wait_for(lambda: "writes s.db" in terminal.text() and "events" in terminal.text())
    assert lock.is_held(store)
    terminal.wait_for(lambda: "resumed 'many nets'" in _log(store))


async def test_a_copy_is_not_controlled_from_here() -> None:
    store = scan_store()
    store.snapshots[1] = replace(store.snapshots[1], copied_at=NOW - 5)
    async with shown(store) as view:
        for key in ("X", "R", "E", "N"):
            await view.press(key)
            assert "fake.db is a copy made by `mlrtui pull`" in view.text()
            assert "enter starts" not in view.text()
            await view.press("enter")
            assert isinstance(view.app.screen, LiveScreen)


def test_a_store_on_another_machine_is_not_controlled_from_here() -> None:
    reading = read_once([scan_store().source()], "browse")
    afar = replace(reading, stores=(replace(reading.stores[0], place="me@box:runs", is_afar=True),))
    here = target_of(reading, 0)
    assert here is not None
    assert here.driver is None  # the list does not ask, so nothing is said of it
    assert not any("No driver" in words for words in offer("stop", here).sentences)
    for kind in KINDS:
        found = offer(kind, target_of(afar, 0, make_sweep(1, "a", "search")))
        assert found.refusal.startswith("me@box:runs is on another machine")
        assert not found.command


async def test_the_palette_and_the_help_lead_to_control() -> None:
    async with shown(scan_store()) as view:
        await view.press("colon", *"stop tr", "enter")
        await view.until(lambda: "mlrtui stop --store fake.db" in view.text())
        await view.press(*" --now", "escape")
        assert isinstance(view.app.screen, LiveScreen)
        await view.press("question_mark", "slash", *"asks first", "enter")
        assert all(words in view.text() for words in ("stop training", "resume", "extend seeds"))


async def test_arguments_that_cannot_be_split_start_nothing() -> None:
    async with shown(scan_store()) as view:
        await view.press("N", "apostrophe", "enter")
        assert "not started: no closing quotation" in view.text()
        assert view.app.errands.running == 0


def test_seeds_that_are_not_counted_are_extended_as_a_list() -> None:
    sweep = replace(make_sweep(1, "a b", "search", cells=3), spec='{"sweep": {"seeds": [4, 7]}}')
    found = offer("extend", Target("/elsewhere/a b.db", sweep))
    words = shlex.split(found.arguments)
    assert words[words.index("--store") + 1] == "/elsewhere/a b.db"
    assert words[-2:] == ["--set", "sweep.seeds=[4, 7, 8]"]
    assert found.about(found.arguments) == "3 cells × 1 new seed = 3 new nets."
    assert found.about("--set sweep.seeds=8") == "3 cells × 6 new seeds = 18 new nets."
    assert "Stored seed 7 is not among these" in found.about("--set sweep.seeds=5")
    assert "ask for more" in found.about("--set 'sweep.seeds=[4]'")
    assert "its own script" in offer("extend", Target("a.db", replace(sweep, mode="recorded"))).refusal
    assert offer("stop", None).refusal


def back(terminal: PtyTerminal) -> None:
    """Escape, alone: the terminal takes it for the start of a sequence while letters follow."""
    terminal.press(b"\x1b")
    terminal.wait_for(lambda: "trials in" in terminal.text())


def _log(store: Path) -> str:
    with Reader.open(store) as reader:
        return "\n".join(row.text for row in reader.log())


def _nets(store: Path) -> dict[str, int]:
    with Reader.open(store) as reader:
        return {row.name: row.nets_done for row in reader.sweeps()}
