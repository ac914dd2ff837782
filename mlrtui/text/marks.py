"""Glyphs of states: every state has a glyph and a colour, never a colour alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from mlrtui_db.models import CellRow, TrialRow

__all__ = [
    "ASCII",
    "CHART_SIGNS",
    "PHASE_STATES",
    "STATE_WORDS",
    "UNICODE",
    "Marks",
    "at_rest",
    "cell_state",
    "event_state",
    "legend",
    "trains",
    "trial_state",
]


@dataclass(frozen=True)
class Marks:
    """One set of glyphs. States are also the names of their roles in the palette."""

    ascii_only: bool
    glyphs: tuple[tuple[str, str], ...]
    live: str
    quiet: str
    stale: str

    def glyph(self, state: str) -> str:
        """The sign of a state."""
        return dict(self.glyphs)[state]


UNICODE = Marks(
    ascii_only=False,
    glyphs=(
        ("done", "✓"),
        ("running", "▶"),
        ("at-edge", "="),
        ("controlled", "^"),
        ("catapult", "~"),
        ("unfinished", "…"),
        ("collapsed", "_"),
        ("diverged", "✗"),
        ("failed", "!"),
        ("waiting", "·"),
        ("slow", "/"),
        ("stopped", "‖"),
    ),
    live="●",
    quiet="◐",
    stale="◌",
)
ASCII = Marks(
    ascii_only=True,
    glyphs=(
        ("done", "+"),
        ("running", ">"),
        ("at-edge", "="),
        ("controlled", "^"),
        ("catapult", "~"),
        ("unfinished", ":"),
        ("collapsed", "_"),
        ("diverged", "x"),
        ("failed", "!"),
        ("waiting", "."),
        ("slow", "/"),
        ("stopped", "s"),
    ),
    live="*",
    quiet="q",
    stale="?",
)


CHART_SIGNS = {
    "missed": ("○", "o"),
    "fitted": ("●", "@"),
    "out": ("◇", "&"),
    "at least": ("↑", "n"),
    "at most": ("↓", "v"),
    "without": ("∅", "0"),
    "area": ("a", "a"),
}
"""Signs of charts beside those of states, in Unicode and in ASCII: no two mean different things with one sign."""

PHASE_STATES = {
    "lazy": "done",
    "stable": "done",
    "edge": "at-edge",
    "controlled": "controlled",
    "catapult": "catapult",
    "unfinished": "unfinished",
    "collapsed": "collapsed",
    "divergent": "diverged",
    "catastrophic": "diverged",
}
"""The state of an ended trial by its phase, from the calm ones to the lost; screens list phases in this order."""


STATE_WORDS = {
    "done": "done, reached",
    "running": "running",
    "at-edge": "edge of stability",
    "controlled": "controlled",
    "catapult": "catapult",
    "unfinished": "unfinished",
    "collapsed": "collapsed, dead",
    "slow": "goal not reached",
    "stopped": "stopped",
    "diverged": "diverged",
    "failed": "failed",
    "waiting": "waiting",
}
"""What the sign of a state means, everywhere: each has one."""


def legend(marks: Marks, states: Iterable[str], room: int) -> tuple[tuple[str, str], ...]:
    """The signs of these states with their words, as runs of a line, as many as fit into ``room`` cells."""
    there = frozenset(states)
    runs: list[tuple[str, str]] = []
    for state, words in STATE_WORDS.items():
        more = [(f"{'  ' if runs else ''}{marks.glyph(state)}", state), (f" {words}", "dim")]
        if state in there and sum(len(text) for text, _ in (*runs, *more)) <= room:
            runs += more
    return tuple(runs)


def trains(trial: TrialRow) -> bool:
    """Whether its steps come. A round opens all its lanes at once; most of a large one wait for their turn."""
    return trial.status == "running" and trial.n_steps > 0


def trial_state(trial: TrialRow) -> str:
    """running, waiting, failed, one of `PHASE_STATES`, or slow (a search's, ended below the goal and not lost)."""
    if trains(trial):
        return "running"
    if trial.status in ("queued", "running"):
        return "waiting"
    if trial.status == "failed" or trial.verdict == "failed":
        return "failed"
    if trial.verdict == "diverged":
        return "diverged"
    if trial.verdict == "dead":
        return "collapsed"
    if trial.verdict in ("not-reached", "stalled"):
        return "slow"
    return PHASE_STATES.get(trial.phase or "", "done")


def cell_state(cell: CellRow) -> str:
    """What is worth knowing first of a cell: running, failed, done, waiting."""
    if cell.trials_running:
        return "running"
    if cell.trials_failed:
        return "failed"
    if cell.nets and cell.nets_done == cell.nets:
        return "done"
    if cell.trials_done or cell.nets_done:
        return "running"
    return "waiting"


def at_rest(state: str, alive: bool) -> str:
    """A state that is seen where perhaps no driver is at work: without one nothing runs."""
    return "stopped" if state == "running" and not alive else state


def event_state(level: str) -> str:
    """The role of an event's level: failed for errors and warnings, plain for the rest."""
    return {"error": "failed", "warning": "diverged"}.get(level, "")
