"""The app in a real pseudo-terminal: it draws, it is silent while nothing changes, it obeys NO_COLOR, it leaves."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pty_terminal import PtyTerminal

HERE = Path(__file__).parent


class Terminal(PtyTerminal):
    """The app on a fake store, with a byte for every turn of its feed."""

    def __init__(self, size: tuple[int, int], *arguments: str, **environment: str) -> None:
        self.turns, report = os.pipe()
        command = [sys.executable, str(HERE / "tui_child.py"), str(report), *arguments]
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        super().__init__(command, size, environment, pass_fds=(report,))
        os.close(report)

    def wait_turns(self, count: int) -> None:
        """Wait until the feed has looked that many more times."""
        while count > 0:
            count -= len(os.read(self.turns, count))

    def close(self) -> None:
        super().close()
        os.close(self.turns)


@pytest.fixture
def start() -> Iterator[Callable[..., Terminal]]:
    running: list[Terminal] = []

    def begin(size: tuple[int, int] = (80, 24), *arguments: str, **environment: str) -> Terminal:
        running.append(Terminal(size, *arguments, **environment))
        return running[-1]

    yield begin
    for terminal in running:
        terminal.close()


def test_it_draws_is_silent_without_change_and_leaves(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.wait_for(lambda: "catapult scan" in terminal.text() and "peak 20.4 @14" in terminal.text())
    terminal.wait_turns(2)
    while terminal.read(0.3):  # let what is under way arrive
        pass
    before = len(terminal.sent)
    terminal.wait_turns(20)
    assert terminal.read(0.0) == b""
    assert len(terminal.sent) == before
    terminal.press(b"q")
    assert terminal.wait_end() == 0
    assert b"\x1b[?1049l" in terminal.sent  # the main screen is back


def test_no_color_sends_no_colour_code(start: Callable[..., Terminal]) -> None:
    terminal = start(NO_COLOR="1")
    terminal.wait_for(lambda: "peak 20.4 @14" in terminal.text())
    parameters = [code for run in re.findall(rb"\x1b\[([0-9;]*)m", terminal.sent) for code in run.split(b";")]
    assert parameters  # bold and reverse are still there
    colours = {str(code).encode() for code in (*range(30, 50), *range(90, 108))}
    assert colours.isdisjoint(parameters)


def test_ascii_mode_sends_ascii_alone(start: Callable[..., Terminal]) -> None:
    terminal = start((80, 24), "ascii")
    terminal.wait_for(lambda: "peak 20.4 @14" in terminal.text())
    terminal.press(b"?")
    terminal.wait_for(lambda: "training; asks first" in terminal.text())
    assert terminal.sent.isascii()


def test_a_key_moves_the_picture(start: Callable[..., Terminal]) -> None:
    terminal = start((160, 48))
    terminal.wait_for(lambda: "ηλ₀=3 " in terminal.text())
    terminal.press(b"[")
    terminal.wait_for(lambda: "ηλ₀=2.5 " in terminal.text())
    terminal.press(b"\x03")  # ctrl+c
    assert terminal.wait_end() == 0


@pytest.mark.parametrize(("size", "most"), [((80, 24), 3_000), ((160, 48), 8_000)])
def test_trial_and_compare_are_silent_and_a_cursor_key_sends_little(
    start: Callable[..., Terminal], size: tuple[int, int], most: int
) -> None:
    terminal = start(size)
    terminal.wait_for(lambda: "peak 20.4 @14" in terminal.text())
    terminal.press(b" \r")
    terminal.wait_for(lambda: "•" in terminal.text())
    terminal.press(b"\r")
    terminal.wait_for(lambda: "running: step 70 of 120" in terminal.text() and "┏━ loss" in terminal.text())
    for keys, words in ((b"\x1b[C", " step 15 "), (b"\x1b[D", " step 14 "), (b"1=", "what differs")):
        while terminal.read(0.3):  # let what is under way arrive
            pass
        before = len(terminal.sent)
        terminal.wait_turns(10)
        assert terminal.read(0.0) == b""
        assert len(terminal.sent) == before
        terminal.press(keys)
        terminal.wait_for(lambda words=words: words in terminal.text())  # type: ignore[misc]
        if b"\x1b" in keys:
            while terminal.read(0.3):
                pass
            assert len(terminal.sent) - before <= most
    terminal.wait_turns(2)
    while terminal.read(0.3):
        pass
    before = len(terminal.sent)
    terminal.wait_turns(10)
    assert len(terminal.sent) == before


def test_no_color_holds_on_every_screen(start: Callable[..., Terminal]) -> None:
    terminal = start((100, 30), NO_COLOR="1")
    terminal.wait_for(lambda: "peak 20.4 @14" in terminal.text())
    for keys, words in (
        (b" ", "•"),
        (b"=", "what differs"),
        (b"3", "newest first"),
        (b"/", "words of the name"),
        (b"nets>0\r", "1 of 1 sweep"),
        (b":", "commands"),
    ):
        terminal.press(keys)
        terminal.wait_for(lambda words=words: words in terminal.text())  # type: ignore[misc]
    parameters = [code for run in re.findall(rb"\x1b\[([0-9;]*)m", terminal.sent) for code in run.split(b";")]
    colours = {str(code).encode() for code in (*range(30, 50), *range(90, 108))}
    assert colours.isdisjoint(parameters)
