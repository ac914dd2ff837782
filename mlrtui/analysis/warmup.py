"""From forks of a warm-up to a shorter one: from which of its steps on does the full peak survive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

__all__ = ["MARGIN", "Suggestion", "suggestions"]

MARGIN = 0.25
"""Steps beyond the first one from which on the peak survives, as a share of it: forks lie apart, and nets differ."""


@dataclass(frozen=True)
class Suggestion:
    """What the forks of one cell's warm-ups say."""

    cell: str
    warmup_steps: int  # of the warm-up that was forked
    steps: tuple[int, ...]  # at which all its nets have an answer, ascending
    survivors: tuple[int, ...]  # nets whose peak survives from each of these steps
    nets: int
    undecided: tuple[int, ...]  # steps at which some net has no answer

    @property
    def surviving(self) -> tuple[int, ...]:
        """The steps from which the peak survives in every net; there may be gaps."""
        return tuple(step for step, count in zip(self.steps, self.survivors, strict=True) if count == self.nets)

    @property
    def first(self) -> int | None:
        """The first step from which on it survives at every step that was asked; None: not even from the last one.

        >>> Suggestion("a", 40, (0, 10, 20, 40), (2, 1, 2, 2), 2, ()).first
        20
        """
        found = None
        for step, count in zip(reversed(self.steps), reversed(self.survivors), strict=True):
            if count < self.nets:
                break
            found = step
        return found

    def switch_at(self, margin: float = MARGIN) -> int | None:
        """The step at which to go over to the peak: `first` with a margin, within the warm-up; None: there is none."""
        return (
            None if self.first is None else min(ceil(self.first * (1.0 + margin)), max(self.warmup_steps, self.first))
        )

    @property
    def monotone(self) -> bool:
        """Whether every step from which the peak survives is at or after `first`."""
        return self.first is None or all(step >= self.first for step in self.surviving)


def suggestions(rows: Iterable[Mapping[str, Any]]) -> list[Suggestion]:
    """One for each cell whose bases warm up.

    Args:
        rows: of the view `forks`, as dicts.
    """
    cells: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["base_schedule"] == "linear-warmup":
            cells.setdefault((row["sweep"], row["cell"]), []).append(row)
    return [_suggestion(cell, its) for (_, cell), its in cells.items()]


def _suggestion(cell: str, rows: Sequence[Mapping[str, Any]]) -> Suggestion:
    nets = {row["seed"] for row in rows}
    known: dict[int, dict[int, bool]] = {}
    for row in rows:
        answer = _survives(row)
        if answer is not None:
            known.setdefault(row["step"], {})[row["seed"]] = answer
    steps = sorted({row["step"] for row in rows})
    whole = [step for step in steps if known.get(step, {}).keys() == nets]
    return Suggestion(
        cell=cell,
        warmup_steps=int(rows[0]["base_warmup_steps"]),
        steps=tuple(whole),
        survivors=tuple(sum(known[step].values()) for step in whole),
        nets=len(nets),
        undecided=tuple(step for step in steps if step not in whole),
    )


def _survives(row: Mapping[str, Any]) -> bool | None:
    """Whether the peak survives from a fork; None: not known."""
    if row["status"] != "done" or row["base_eta"] is None:
        return None
    if row["eta_star"] is None:  # "none": no rate of the range survives, or the base had diverged; else it is fitted
        return False if row["censored"] == "none" else None
    if row["base_eta"] <= row["eta_star"]:
        return True
    return False if row["censored"] is None else None  # of a lower bound alone nothing is known above it
