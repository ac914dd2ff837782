"""Glyphs of states: every state has a glyph and a colour, never a colour alone."""

from dataclasses import dataclass

from mlrtui_db.models import CellRow, TrialRow

__all__ = ["ASCII", "UNICODE", "Marks", "cell_state", "event_state", "trial_state"]


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
        ("catapult", "~"),
        ("diverged", "✗"),
        ("failed", "!"),
        ("waiting", "·"),
        ("slow", "-"),
    ),
    live="●",
    quiet="○",
    stale="◌",
)
ASCII = Marks(
    ascii_only=True,
    glyphs=(
        ("done", "+"),
        ("running", ">"),
        ("catapult", "~"),
        ("diverged", "x"),
        ("failed", "!"),
        ("waiting", "."),
        ("slow", "-"),
    ),
    live="*",
    quiet="o",
    stale="?",
)


def trial_state(trial: TrialRow) -> str:
    """done, running, catapult, diverged, failed, waiting, or slow (ended below the goal, yet stable)."""
    if trial.status == "running":
        return "running"
    if trial.status == "queued":
        return "waiting"
    if trial.status == "failed" or trial.verdict == "failed":
        return "failed"
    if trial.verdict in ("diverged", "dead"):
        return "diverged"
    if trial.verdict in ("not-reached", "stalled"):
        return "slow"
    if trial.phase in ("divergent", "catastrophic"):
        return "diverged"
    if trial.phase in ("catapult", "controlled"):
        return "catapult"
    return "done"


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


def event_state(level: str) -> str:
    """The role of an event's level: failed for errors and warnings, plain for the rest."""
    return {"error": "failed", "warning": "diverged"}.get(level, "")
