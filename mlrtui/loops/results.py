"""What a search for η* of a user's training gives back."""

from dataclasses import dataclass
from math import log, nan
from statistics import stdev

from mlrtui.text.numbers import counted
from mlrtui_trainer.loops.reports import Ending
from mlrtui_trainer.phases import is_success
from mlrtui_trainer.search import Boundary

__all__ = ["MaxLR", "Table", "Trial"]


@dataclass(frozen=True)
class Trial:
    """One training at one learning rate."""

    seed: int
    lr: float
    verdict: str
    """"reached", "not-reached", "stalled" or "diverged"; see `mlrtui_trainer.phases.verdict`."""

    steps: int
    """The last step that was reported."""

    loss_initial: float
    loss_final: float
    best_accuracy: float
    """NaN where none was reported."""

    @classmethod
    def of(cls, seed: int, lr: float, verdict: str, end: Ending) -> "Trial":
        """Of a training that has ended."""
        return cls(seed, lr, verdict, end.last.step, end.first.loss, end.last.loss, end.best_accuracy)

    @property
    def success(self) -> bool:
        """Whether the rule of success was met."""
        return is_success(self.verdict)


@dataclass(frozen=True)
class Table:
    """All trials, by seed and learning rate; prints as a table, also in a notebook."""

    rows: tuple[Trial, ...]

    def __repr__(self) -> str:
        lines = ["seed            lr  verdict       steps  loss at start  loss at end  best accuracy"]
        for t in self.rows:
            start, end, best = f"{t.loss_initial:.6g}", f"{t.loss_final:.6g}", f"{t.best_accuracy:.4g}"
            best = "-" if best == "nan" else best
            lines.append(
                f"{t.seed:>4}  {t.lr:>12.6g}  {t.verdict:<11} {t.steps:>7}  {start:>13}  {end:>11}  {best:>13}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class MaxLR:
    """The maximal learning rate of a training, with what is known of it."""

    eta_star: float
    """Geometric mean over seeds; NaN where any seed's is censored (``boundaries`` and ``reason`` say how)."""

    bracket: tuple[float | None, float | None]
    """The smallest of the seeds' largest successes, and the largest of the failures above them."""

    boundaries: dict[int, Boundary]
    """By seed: η*, its standard error, the window that was filled, how it is censored."""

    trials: tuple[Trial, ...]
    repeatable: bool | None
    """Whether the first training, run twice, gave the same losses; None: not tried."""

    reason: str
    """A sentence where η* is not known, else empty."""

    note: str = ""
    """What makes η* doubtful, else empty."""

    @property
    def ln_sd(self) -> float:
        """Standard deviation of ln η* over seeds; NaN for fewer than two."""
        known = [log(b.eta_star) for b in self.boundaries.values() if b.eta_star is not None and b.censored is None]
        return stdev(known) if len(known) > 1 else nan

    def table(self) -> Table:
        """Every trial that was trained."""
        return Table(tuple(sorted(self.trials, key=lambda t: (t.seed, t.lr))))

    def __repr__(self) -> str:
        low, high = ("?" if side is None else f"{side:.4g}" for side in self.bracket)
        draw = ", NOT REPEATABLE: of this draw only" if self.repeatable is False else ""
        why = "".join(f", {text}" for text in (self.reason, self.note) if text)
        seeds = counted(len(self.boundaries), "seed")
        found = f"eta_star={self.eta_star:.4g}, bracket=({low}, {high})"
        return f"MaxLR({found}, {seeds}, {counted(len(self.trials), 'trial')}{draw}{why})"
