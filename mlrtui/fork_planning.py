"""What a step of the table [fork] makes of a grid point: a cell of forks beside its own."""

from dataclasses import dataclass, replace

from mlrtui.config.forks import LOG_STEPS, ForkSection
from mlrtui_trainer.spec import Fork, TrainSpec

__all__ = ["ForkPlan", "fork_label", "fork_plan", "fork_settings", "fork_steps", "fork_train"]


@dataclass(frozen=True)
class ForkPlan:
    """What makes a cell one of forks."""

    base: int  # position of the cell whose nets they start from
    start: Fork


def fork_plan(section: ForkSection, step: int, base: int) -> ForkPlan:
    """Of the forks at a step, from the nets of the cell at position ``base``."""
    return ForkPlan(base, Fork(step, section.state, section.schedule, section.warmup_steps or 0))


def fork_steps(section: ForkSection, steps: int) -> tuple[int, ...]:
    """The steps at which trainings fork, rising; ``steps``: as many as a net of their cell trains for.

    >>> fork_steps(ForkSection(at=(0, "log"), base_eta=0.1), 128)
    (0, 1, 2, 4, 8, 16, 32, 64, 128)
    """
    last = section.warmup_steps or steps
    logs = [round(last ** (place / (LOG_STEPS - 1))) for place in range(LOG_STEPS)]
    return tuple(sorted({one for step in section.at for one in (logs if step == "log" else [step])}))


def fork_train(section: ForkSection, train: TrainSpec) -> TrainSpec:
    """How forks train: as the nets themselves, but for their length and what counts as a success."""
    return replace(train, success=section.success, threshold=TrainSpec.threshold, max_steps=section.steps)


def fork_label(label: str, step: int) -> str:
    """The label of a cell of forks; the views forks and fork_trials show that of its nets again.

    >>> fork_label("2x128", 20)
    '2x128 t=20'
    """
    return f"{label} t={step}"


def fork_settings(section: ForkSection, step: int) -> dict[str, object]:
    """All that the sweep file says of the forks at one step."""
    return {"step": step, **section.model_dump(exclude={"at"}, exclude_none=True)}
