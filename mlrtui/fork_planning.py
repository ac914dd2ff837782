"""From the table [fork] of a sweep file to cells: one for each step at which trainings fork, beside each grid point."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlrtui.config.forks import ForkSection
from mlrtui.keys import canonical_json
from mlrtui_db.records import CellRecord
from mlrtui_trainer.spec import Fork, TrainSpec

if TYPE_CHECKING:
    from mlrtui.planning import CellPlan

__all__ = ["ForkPlan", "base_label", "fork_cells"]


@dataclass(frozen=True)
class ForkPlan:
    """What makes a cell one of forks."""

    base: int  # position of the cell whose nets they start from
    start: Fork


def fork_cells(
    section: ForkSection, cells: "list[CellPlan]", records: list[CellRecord]
) -> "Iterator[tuple[CellPlan, CellRecord]]":
    """The cells of forks of these cells, in the order of steps, then of cells; they come after all of them."""
    position = len(cells)
    warmup = section.warmup_steps or 0
    for step in sorted(section.at):
        start = Fork(step, section.state, section.schedule, warmup)
        for cell, record in zip(cells, records, strict=True):
            train = replace(cell.train, success=section.success, threshold=TrainSpec.threshold, max_steps=section.steps)
            label = f"{cell.label}{_mark(step)}"
            plan = replace(cell, position=position, label=label, train=train, fork=ForkPlan(cell.position, start))
            settings = json.loads(record.settings) | {"max_steps": section.steps, "fork": _settings(section, step)}
            yield (
                plan,
                replace(
                    record,
                    position=position,
                    label=label,
                    settings=canonical_json(settings),
                    max_steps=section.steps,
                    fork_step=step,
                ),
            )
            position += 1


def base_label(label: str, step: int) -> str:
    """The label of the cell that forks at this step belong to.

    >>> base_label("2x128 t=20", 20)
    '2x128'
    """
    return label.removesuffix(_mark(step))


def _mark(step: int) -> str:
    return f" t={step}"


def _settings(section: ForkSection, step: int) -> dict[str, object]:
    """All that the sweep file says of the forks at one step."""
    return {"step": step, **section.model_dump(exclude={"at"}, exclude_none=True)}
