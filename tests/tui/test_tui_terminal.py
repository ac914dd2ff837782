"""The app in a real pseudo-terminal: it draws, it is silent while nothing changes, it obeys NO_COLOR, it leaves."""

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

import pyte
import pytest

HERE = Path(__file__).parent
PATIENCE = 60.0  # seconds until a condition counts as never met


class Terminal:
    """A child on a pty, its screen, and the bytes that it sent."""

    def __init__(self, size: tuple[int, int], *arguments: str, **environment: str) -> None:
        columns, rows = size
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.turns, report = os.pipe()
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.child = subprocess.Popen(
            [sys.executable, str(HERE / "tui_child.py"), str(report), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=(report,),
            env=env | environment,
            start_new_session=True,
        )
        os.close(slave)
        os.close(report)
        self.sent = b""
        self.ended = False
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def read(self, seconds: float) -> bytes:
        """What comes within the time, at once when something does."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux: the child closed its side
            self.ended = True
            return b""
        self.sent += data
        self._stream.feed(data)
        return data

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Read until the condition holds."""
        for _ in range(int(PATIENCE / 0.1)):
            if condition():
                return
            self.read(0.1)
        raise AssertionError("never came:\n" + self.text())

    def wait_end(self) -> int:
        """Read until the child has left; its exit status."""
        self.wait_for(lambda: self.ended)
        return self.child.wait(PATIENCE)

    def wait_turns(self, count: int) -> None:
        """Wait until the feed has looked that many more times."""
        while count > 0:
            count -= len(os.read(self.turns, count))

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
        self.child.wait(PATIENCE)
        for descriptor in (self.master, self.turns):
            with contextlib.suppress(OSError):
                os.close(descriptor)


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
    terminal.wait_for(lambda: "Grid and lists" in terminal.text())
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
