"""What goes over the wire on every screen: nothing without news, little with it, no colour and no braille unasked."""

import re
from collections.abc import Callable

import pytest
from test_tui_terminal import Terminal, start

__all__ = ["start"]  # a fixture

Start = Callable[..., Terminal]

SCREENS = {
    b"1": "trials in",
    b"2": "residuals",
    b"3": "newest first",
    b"5": "events",
    b"6": "phases: ",
    b"b": "rounds",
}


def settle(terminal: Terminal) -> None:
    """Let what is under way arrive: on a busy machine a short silence is not its end."""
    for _ in range(20):  # a screen that is never silent is told by what follows
        before = len(terminal.sent)
        terminal.wait_turns(3)
        while terminal.read(0.3):
            pass
        if len(terminal.sent) == before:
            return


def colours(sent: bytes) -> set[bytes]:
    parameters = [code for run in re.findall(rb"\x1b\[([0-9;]*)m", sent) for code in run.split(b";")]
    known = {str(code).encode() for code in (*range(30, 50), *range(90, 108))}
    return known.intersection(parameters)


def test_every_screen_is_silent_while_nothing_changes(start: Start) -> None:
    terminal = start((100, 30), "law")
    terminal.wait_for(lambda: "trials in" in terminal.text())
    for key, words in SCREENS.items():
        terminal.press(b"1" + key)
        terminal.wait_for(lambda words=words: words in terminal.text())  # type: ignore[misc]
        settle(terminal)
        before = len(terminal.sent)
        terminal.wait_turns(20)
        assert terminal.read(0.0) == b"", words
        assert len(terminal.sent) == before


def test_a_silent_running_trial_costs_its_mark_once_and_then_nothing(start: Start) -> None:
    terminal = start((80, 24), "ticking")  # a second passes at every turn; the last commit stays where it was
    terminal.wait_for(lambda: "quiet since" in terminal.text())
    settle(terminal)
    before = len(terminal.sent)
    terminal.wait_turns(20)
    assert terminal.read(0.0) == b""
    assert len(terminal.sent) == before
    terminal.wait_for(lambda: "stale since" in terminal.text())
    assert len(terminal.sent) - before < 1000
    settle(terminal)
    before = len(terminal.sent)
    terminal.wait_turns(20)
    assert len(terminal.sent) == before


@pytest.mark.parametrize(("size", "most"), [((80, 24), 1000), ((160, 48), 3000)], ids=["80x24", "160x48"])
def test_a_tick_of_one_live_trial_is_small(start: Start, size: tuple[int, int], most: int) -> None:
    terminal = start(size, "growing")
    terminal.wait_for(lambda: "1e4" in terminal.text())  # the planned end of the step axis
    for turns in (30, 40):  # the first, coarse part of the curve passes uncounted
        before = len(terminal.sent)
        for _ in range(turns):
            terminal.wait_turns(1)
            while terminal.read(0.01):
                pass
    assert 0 < (len(terminal.sent) - before) / 40 <= most


def test_no_screen_sends_a_colour_with_no_color(start: Start) -> None:
    terminal = start((100, 30), "law", NO_COLOR="1")
    terminal.wait_for(lambda: "trials in" in terminal.text())
    for key, words in SCREENS.items():
        terminal.press(b"1" + key)
        terminal.wait_for(lambda words=words: words in terminal.text())  # type: ignore[misc]
    terminal.press(b"12")
    terminal.wait_for(
        lambda: "where: width >= 16*depth" in terminal.text()
    )  # of the stored fit, which is there to edit
    terminal.press(b"/\x15width > 64\r")
    terminal.wait_for(lambda: "where: width > 64" in terminal.text())
    assert not colours(terminal.sent)
    coloured = start((100, 30), "law")
    coloured.wait_for(lambda: "trials in" in coloured.text())
    assert colours(coloured.sent)


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "dumb"}, {"LC_ALL": "C"}, {"LC_ALL": "", "LC_CTYPE": "", "LANG": "de_DE.ISO-8859-1"}, {"TERM": "linux"}],
    ids=["dumb", "C", "latin-1", "console"],
)
def test_a_terminal_that_cannot_be_trusted_gets_ascii(start: Start, environment: dict[str, str]) -> None:
    terminal = start((80, 24), "law", "auto", **environment)
    terminal.wait_for(lambda: "trials in" in terminal.text())
    for key, words in SCREENS.items():
        terminal.press(b"1" + key)
        terminal.wait_for(lambda words=words: words in terminal.text())  # type: ignore[misc]
    assert terminal.sent.isascii()


def test_a_condition_is_typed_on_a_real_terminal(start: Start) -> None:
    terminal = start((100, 30), "law")
    terminal.wait_for(lambda: "trials in" in terminal.text())
    terminal.press(b"2")
    terminal.wait_for(lambda: "12 fitted" in terminal.text())
    terminal.press(b"/\x15width > q\r")  # ctrl+u empties the row
    terminal.wait_for(lambda: "unknown name 'q'" in terminal.text())
    terminal.press(b"\x7f64\r")
    terminal.wait_for(lambda: "10 fitted" in terminal.text())
    terminal.press(b"q")
    assert terminal.wait_end() == 0
