"""Keys in one burst, through a real terminal, in every list and grid: each moves the cursor, whatever is being read."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from conftest import thinned
from test_tui_terminal import Terminal, start

__all__ = ["start"]  # a fixture

Start = Callable[..., Terminal]

UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"
TAB, ENTER, ESCAPE = b"\t", b"\r", b"\x1b"


class Burst(NamedTuple):
    """Keys sent in one write, to a store, and what is then on the screen: all of these words, and none of those."""

    store: str
    first: str  # on the screen before
    keys: bytes
    then: tuple[str, ...]
    never: tuple[str, ...] = ()


LAW, SCAN = "trials in 8×256", "trials in 1×512"
BURSTS = {
    # Live: the trials by arrows and brackets, the grid, and both with what is done to the trial under the cursor.
    "trials": Burst("", SCAN, TAB + UP * 5, ("›✓     1", "ηλ₀=1 ", "f follows newest")),
    "trials-ends": Burst("", SCAN, TAB + UP * 20 + DOWN * 2, ("›✓   1.5", "ηλ₀=1.5 ")),
    "brackets": Burst("", SCAN, b"[" * 4, ("›✓   1.5", "ηλ₀=1.5 ")),
    "brackets-both-ways": Burst("", SCAN, b"[" * 6 + b"]" * 3, ("›✓   1.9", "ηλ₀=1.9 ")),
    "trials-twenty": Burst("", SCAN, TAB + UP * 8 + (DOWN + UP) * 5 + DOWN * 2, ("›✓   1.5", "ηλ₀=1.5 ")),
    "mark": Burst("", SCAN, TAB + UP * 2 + b" ", ("•~   2.1",), ("•▶", "•~   2.5")),
    "mark-and-compare": Burst("", SCAN, TAB + UP * 3 + b" " + UP * 2 + b" =", ("A 1×512 η 0.095", "B 1×512 η 0.05 ")),
    "follow-again": Burst("", SCAN, TAB + UP * 5 + b"fv", ("›▶     3", "ηλ₀=3 ", "following newest", "sweep: η*")),
    "grid": Burst("law", LAW, UP * 3 + LEFT * 2, ("trials in 3×64", "[✓2/2]")),
    "grid-then-trials": Burst("law", LAW, UP * 3 + LEFT * 2 + ENTER + DOWN * 40 + UP * 2, ("trials in 3×64", "seed 1")),
    "grid-mark-compare": Burst(
        "law",
        LAW,
        UP * 4 + LEFT * 2 + ENTER + UP * 40 + b" " + DOWN * 9 + b" =",
        ("A 1×512 η 0.0191", "B 1×512 η 0.0191", "seed             0"),
    ),
    "events": Burst("talking", "events", b"\x1b[Z" + DOWN * 3, ("event 46",), ("event 49", "event 47:")),
    # The trial in full: neighbours in eta, then the cursor on the curve of the last of them.
    "open": Burst("", SCAN, TAB + UP * 5 + ENTER, ("trial 2 ", "ηλ₀=1 ")),
    "neighbours": Burst("", SCAN, ENTER * 2 + b"[" * 4, ("trial 3 ", "ηλ₀=1.5 ")),
    "neighbours-cursor": Burst("", SCAN, ENTER * 2 + b"[" * 4 + b"." * 3, ("trial 3 ", " step 3 ")),
    "cursor": Burst("", SCAN, ENTER * 2 + b"," * 5 + b"." * 2, ("trial 7 ", " step 11 ")),
    "back-and-forth": Burst("", SCAN, ENTER * 2 + b"[" * 2 + b"1" + b"[", ("›✓   1.9", "ηλ₀=1.9 ")),
    "compare-cursor": Burst("", SCAN, b" [ =" + RIGHT * 40 + LEFT * 2, ("step ", " · A ")),
    # Boundary, Exponents, Phases, Log.
    "boundary": Burst("law", LAW, UP + b"b" + RIGHT * 40 + LEFT, ("L6 n256", "round 3")),
    "boundary-seed": Burst("law", LAW, UP + b"b]]]" + RIGHT * 40, ("L6 n256", "round 2")),
    "exponents": Burst("law", LAW, b"2" + RIGHT * 5, ("cell L6 n64 ",)),
    "exponents-open": Burst("law", LAW, b"2" + RIGHT * 5 + ENTER, ("search  L6 n64",)),
    "exponents-open-move": Burst("law", LAW, b"2" + RIGHT * 5 + ENTER + RIGHT * 40, ("search  L6 n64", "round 2")),
    "exponents-choice": Burst("law", LAW, b"2xx", ("against depth ",)),
    "exponents-stored": Burst("law", LAW, b"2" + b"]" * 4, ("λ₀ against depth·width",)),
    "exponents-condition": Burst("law", LAW, b"2/\x15width > 64\r" + RIGHT * 5, ("where: width > 64", "cell L6 n64 ")),
    "phases": Burst("wide", "trials in 2×512", b"6" + RIGHT + UP * 6, ("trial L2 n256 seed 0", "divergent (diverged)")),
    "phases-open": Burst("wide", "trials in 2×512", b"6" + RIGHT + UP * 6 + ENTER, ("trials in 2×256", "›✗")),
    "log": Burst("talking", SCAN, b"5" + DOWN * 6, ("›", "event 43:")),
    "log-filter": Burst("talking", SCAN, b"5/diverged\r" + DOWN * 2, ("10 of 50", "›", "event 38:")),
    "log-open": Burst("talking", SCAN, b"5" + DOWN * 6 + ENTER, (SCAN, "›✗   4.5")),
    # Browse, palette, help.
    "browse": Burst("many", "scan 8", b"3" + DOWN * 5, ("scan 3 · open",)),
    "browse-open": Burst("many", "scan 8", b"3" + b"j" * 5 + ENTER, ("1 Live  scan 3", "›▶")),
    "browse-open-trial": Burst("many", "scan 8", b"3" + b"j" * 5 + ENTER + b"[[[", ("1 Live  scan 3", "›✓   1.9")),
    "browse-filter": Burst("many", "scan 8", b"3/scan\rjj\r", ("1 Live  scan 6",)),
    "browse-marks": Burst("many", "scan 8", b"3" + DOWN * 8 + UP * 2 + b" ", ("• ▶ scan 3",)),
    "palette": Burst("", SCAN, b":next val\rv", ("sweep: λ₀",)),
    "palette-arrows": Burst("", SCAN, b":value" + DOWN + UP + ENTER + b"[[", ("›~   2.1", "sweep: η*", "ηλ₀=2.1 ")),
    "help": Burst("", SCAN, b"?" + b"j" * 10, ("11-",)),
}


def lacks(terminal: Terminal, burst: Burst) -> list[str]:
    """What is not as it should be."""
    text = terminal.text()
    return [word for word in burst.then if word not in text] + [f"not {word}" for word in burst.never if word in text]


@pytest.mark.parametrize(("name", "pace"), thinned(BURSTS, ["quick", "slow"], step=2))
def test_a_burst_is_done_key_by_key(start: Start, name: str, pace: str) -> None:
    burst = BURSTS[name]
    terminal = start((120, 36), *filter(None, (burst.store, pace)))
    terminal.wait_for(lambda: burst.first in terminal.text())
    assert lacks(terminal, burst)  # or the words would not tell before from after
    terminal.press(burst.keys)
    terminal.wait_for(lambda: not lacks(terminal, burst))
    terminal.wait_turns(2)
    while terminal.read(0.3):  # nothing that was under way takes it back
        pass
    assert lacks(terminal, burst) == []
