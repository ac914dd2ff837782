"""The tables of a sweep file over a training of the user's: ``[training] loop = "package.module:train_fn"``.

mlrtui knows nothing of what is trained there. Axes of the grid are the arguments of the function, by their names.
"""

import re
from typing import Annotated

from pydantic import Field

from mlrtui.config.rules import Fault, Rule, RuleError, axis, choice, either, flag, number, text, texts, whole
from mlrtui.config.sections import AnySweep, ScanSection, SearchSection, Section, TrainingSection, make_key
from mlrtui_trainer.registry import CODE

__all__ = [
    "IN_SCRIPT",
    "MOST_ARGUMENTS",
    "NOT_HERE",
    "RESERVED",
    "ArgumentsSection",
    "LoopScanSection",
    "LoopSearchSection",
    "LoopSweep",
    "LoopTrainingSection",
    "Value",
    "argument",
]

Value = bool | int | float | str

IN_SCRIPT = "find_max_lr"
"""Stands for the function of a script that searches by itself: only that script can go on."""

NOT_HERE = {
    "search.on": "is for nets that mlrtui trains; the accuracy that the function reports decides; remove it",
    "search.give_up": "is for nets that mlrtui trains; a function may return early by itself; remove it",
    "scan.on": "is for nets that mlrtui trains; the accuracy that the function reports is stored; remove it",
    "scan.eta_lambda0": "needs λ₀, which is not measured of a training of yours; use eta",
    "record.layers": "is for nets that mlrtui trains; remove it",
}
"""Keys of the tables that both kinds of files have, which are for the other kind."""

RESERVED = ("lr", "report", "seed")
"""What the function is given anyway."""

MOST_ARGUMENTS = 50
LONGEST_TEXT = 200
START = 0.01


def _value() -> Rule:
    must = f'a number, true or false, or a printable text of at most {LONGEST_TEXT} characters without "'

    def check(value: object) -> Value:
        short = isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable() and '"' not in value
        plain = isinstance(value, bool | int | float) or short
        if not plain or (isinstance(value, float) and not abs(value) < float("inf")):
            raise RuleError(Fault(value, f"must be {must}"))
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
            raise RuleError(Fault(value, "is too large a number"))
        assert isinstance(value, bool | int | float | str)
        return value

    return Rule(must, check)


def _function() -> Rule:
    must = '"package.module:train_fn"'

    def check(value: object) -> str:
        if not isinstance(value, str) or not (value == IN_SCRIPT or re.fullmatch(CODE, value)):
            raise RuleError(Fault(value, f"must be {must}"))
        return value

    return Rule(must, check)


argument = axis(_value())
"""The values of an argument: one, or a list of different ones, which is an axis of the grid."""


class ArgumentsSection(Section):
    """Arguments of the function by their names, beside lr, report and seed: numbers, texts, true or false. A list makes
    an axis of the grid. Names of axes that mlrtui knows (depth, width, batch, ...) count as those in labels and fits.
    """


class LoopTrainingSection(Section):
    """A training of your own: mlrtui calls the function and knows only what it reports."""

    never = dict.fromkeys(
        TrainingSection.model_fields, "is for nets that mlrtui trains; an argument of the loop belongs in [arguments]"
    )

    loop: Annotated[str, _function()] = make_key(
        '"package.module:train_fn": called as train_fn(lr, report, seed, **arguments), in a process of its own for '
        "every training; needs mlrtui run --allow-code. It calls report(step, loss, accuracy=None) as it goes, which "
        "returns False when the training is decided and may return.",
        "my_training:train",
    )
    path: Annotated[str | None, text(1000)] = make_key(
        "Folder in which the function's package is searched after the installed ones; without it, the sweep file's.",
        "trainings",
        None,
    )
    code_hash: Annotated[tuple[str, ...] | None, texts(64, 100)] = make_key(
        "SHA-256 of the function's source file. Filled in when the sweep file is read: a sweep goes on only with the "
        "code that began it.",
        ["0" * 64],
        None,
    )
    steps: Annotated[int | None, whole(1, 1_000_000_000)] = make_key(
        "The largest step that the function reports, for progress; the function decides how long it trains.", 500, None
    )
    check: Annotated[bool, flag()] = make_key(
        "Run the first training twice, to see that it reports the same numbers.", False, True
    )


class LoopSearchSection(SearchSection):
    """Find the maximal learning rate η* of every training. Give [search] or [scan]."""

    success: Annotated[str, choice("accuracy", "loss-below-initial", "finite")] = make_key(
        "When a training counts: a reported accuracy reaches the threshold; the last loss is below the first; no loss "
        "overflows.",
        "accuracy",
        "loss-below-initial",
    )
    start: Annotated[str | float, either(choice("fit"), number(1e-30, 1e30))] = make_key(
        "The first learning rate of a search. fit: where a fit through those that are done says, corners of depth "
        "and width first; before that, in the middle of the range.",
        0.001,
        START,
    )


class LoopScanSection(ScanSection):
    """Train at given learning rates. Give [search] or [scan]."""


class LoopSweep(AnySweep):
    """A whole sweep file over a training of the user's, checked."""

    training: LoopTrainingSection
    arguments: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    search: LoopSearchSection | None = None
    scan: LoopScanSection | None = None

    @property
    def in_script(self) -> bool:
        """Whether only the script that started the sweep can go on with it."""
        return self.training.loop == IN_SCRIPT

    @property
    def code(self) -> list[tuple[str, str]]:
        """The training function, with its key."""
        return [("training.loop", self.training.loop)]

    def points(self) -> list[dict[str, Value]]:
        """The grid: the product of all arguments' values, in the order of their names, the first one slowest."""
        grid: list[dict[str, Value]] = [{}]
        for name, values in sorted(self.arguments.items()):
            grid = [{**point, name: value} for point in grid for value in values]
        return grid
