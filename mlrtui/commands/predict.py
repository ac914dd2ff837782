"""`mlrtui predict`: η* of a net that was not trained, from a sweep's fit; on request that net is trained to check."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from math import exp, log
from typing import Any

from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.prediction import LEVEL, Prediction, Refusal
from mlrtui.commands.resume import stored_spec
from mlrtui.commands.run import RunOptions, run_specs
from mlrtui.config import AnySweep, SweepSpec
from mlrtui.errors import BadInput
from mlrtui.planning import at_size
from mlrtui.reading import documents
from mlrtui.reading.fitting import chosen
from mlrtui.reading.predicting import cell_points, groups_of, predictions, refuse_sizes
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted, exact, power
from mlrtui_db.axes import SIZES, variant
from mlrtui_db.reader import Reader

__all__ = ["Asked", "predict_eta_star", "refuse_several", "train_alike"]


@dataclass(frozen=True)
class Asked:
    """What is asked for."""

    depth: int
    width: int
    where: str = ""
    level: float = LEVEL
    confirm: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Trained:
    """What the net turned out to have, when it was trained to check."""

    sweep: str
    eta_star: float | None  # geometric mean over seeds; a lower bound where ``bound``
    bound: bool
    inside: bool | None  # None: not known

    @property
    def words(self) -> str:
        """A sentence."""
        if self.eta_star is None:
            return f"trained as {self.sweep!r}: it has no η*, see its nets"
        value = f"{'at least ' if self.bound else ''}{exact(self.eta_star, 4)}"
        verdict = {True: "inside the interval", False: "outside the interval", None: "not decided"}[self.inside]
        return f"trained as {self.sweep!r}: η* {value}, {verdict}"


def predict_eta_star(names: Sequence[str], asked: Asked, options: RunOptions) -> int:
    """Print η* at a depth and width, for every group of cells that agree in all else.

    Returns 1 if no group has a prediction, or if a net that was trained to check lies outside its interval.

    Raises:
        BadInput: an option, or a sweep that is no search.
        StoreError: the store cannot be used.
    """
    refuse_sizes(asked.depth, asked.width, asked.level, "--{}".format)
    with Reader.open(options.store) as reader:
        groups = groups_of(reader, names, asked.where)
        rows = chosen(reader, [name for name, _ in groups]) if asked.confirm else []
    answers = predictions(groups, asked.depth, asked.width, asked.level)
    if asked.confirm:
        refuse_several(groups)
    if not asked.as_json:
        _print(answers, asked)
    trained: Trained | None = None
    if asked.confirm:
        (row,), ((key, cells),) = rows, groups.items()
        ended = _confirmed(stored_spec(row), cells[0], asked, answers[key], options)
        if isinstance(ended, int):
            return ended
        trained = ended
        if not asked.as_json:
            print(f"  {one_line(trained.words)}")
    if asked.as_json:
        print(documents.text({"predictions": [_as_json(*key, answer, trained) for key, answer in answers.items()]}))
    failed = trained is not None and trained.inside is not True
    return 1 if failed or not any(isinstance(answer, Prediction) for answer in answers.values()) else 0


def refuse_several(groups: Collection[tuple[str, str]]) -> None:
    """Raise BadInput where a net is to be trained to check and there is not one group of cells, by sweep and text."""
    if len(groups) != 1:
        listed = "; ".join(f"{name}{f': {text}' if text else ''}" for name, text in groups)
        raise BadInput(f"--confirm: {len(groups)} groups ({one_line(listed)}): choose one by sweep and --where")


def train_alike(spec: AnySweep, cell: CellPoint, depth: int, width: int, options: RunOptions) -> tuple[str, int]:
    """Train a net of this size, in all else like a cell, as a sweep of one cell; its name, and the code of the run.

    Raises:
        BadInput: the cell is of a training of the user's own.
    """
    if not isinstance(spec, SweepSpec):
        raise BadInput("--confirm: trains nets of [model]; run a sweep of this size for a training of your own")
    alike = variant(cell.label, *(int(cell.values[name]) for name in SIZES))
    name = f"{spec.sweep.name}: {' '.join(filter(None, (f'{depth}x{width}', alike)))}"
    with redirect_stdout(sys.stderr):  # progress; the answer alone goes to the output
        return name, run_specs([at_size(spec, cell.label, depth, width, name)], options)


def _confirmed(
    spec: AnySweep, cell: CellPoint, asked: Asked, answer: Prediction | Refusal, options: RunOptions
) -> Trained | int:
    """Train the net as a sweep of its own in the same store, with the same seeds and settings.

    The exit code of `mlrtui run` where it did not come to its end.
    """
    name, code = train_alike(spec, cell, asked.depth, asked.width, options)
    if code not in (0, 1):  # stopped or died: half of the nets would be another mean
        return code
    with Reader.open(options.store) as reader:
        (row,) = (row for row in reader.sweeps() if row.name == name)
        (cell,) = cell_points(reader, row)
    if cell.censored == 0 and cell.ln_y:
        mean, bound = sum(cell.ln_y) / len(cell.ln_y), False
    elif cell.at_least is not None:
        mean, bound = cell.at_least, True
    else:
        return Trained(name, None, False, None)
    inside: bool | None = None
    if isinstance(answer, Prediction):
        low, high = log(answer.low), log(answer.high)
        inside = (False if mean > high else None) if bound else low <= mean <= high
    return Trained(name, exp(mean), bound, inside)


def _print(answers: Mapping[tuple[str, str], Prediction | Refusal], asked: Asked) -> None:
    for (name, group), answer in answers.items():
        print(f"{one_line(name)}{f'  [{one_line(group)}]' if group else ''}: depth {asked.depth}, width {asked.width}")
        for line in _lines(answer):
            print(f"  {line}")


def _lines(answer: Prediction | Refusal) -> Iterator[str]:
    if isinstance(answer, Refusal):
        yield f"no prediction: {answer.reason}"
        return
    law = " · ".join(f"{name}^{power(slope)}" for name, slope in answer.terms)
    low, high = exact(answer.low, 3), exact(answer.high, 3)
    yield f"η* {exact(answer.eta_star, 3)} [{low}, {high}], {exact(100 * answer.level)} % for the mean of seeds"
    beyond = [
        f"{exact(octaves, 2)} octave{'s' * (exact(octaves, 2) != '1')} beyond the {name}s trained"
        for name, octaves in answer.octaves.items()
        if octaves
    ]
    yield f"η* ∝ {law}, {counted(answer.cells, 'cell')}{'; ' * bool(beyond)}{' and '.join(beyond)}"
    if answer.spread_of_nets is not None:
        yield f"a single net scatters by {exact(answer.spread_of_nets, 2)} in ln η* about that mean"


def _as_json(name: str, group: str, answer: Prediction | Refusal, trained: Trained | None) -> dict[str, Any]:
    found = answer if isinstance(answer, Prediction) else None
    return {
        "sweep": name,
        "group": group,
        "eta_star": found and found.eta_star,
        "low": found and found.low,
        "high": found and found.high,
        "level": found and found.level,
        "terms": [{"expression": text, "exponent": slope} for text, slope in found.terms] if found else [],
        "cells": found and found.cells,
        "octaves_beyond": dict(found.octaves) if found else None,
        "spread_of_nets": found and found.spread_of_nets,
        "refused": answer.reason if isinstance(answer, Refusal) else None,
        "trained": None
        if trained is None
        else {
            "sweep": trained.sweep,
            "eta_star": trained.eta_star,
            "is_lower_bound": trained.bound,
            "inside": trained.inside,
        },
    }
