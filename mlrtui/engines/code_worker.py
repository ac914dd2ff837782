"""A process that builds the nets of users' factories before anything is trained, and says what it found.

Started by `mlrtui.engines.code_check` as ``python -P -m mlrtui.engines.code_worker FD`` with the job on standard input;
it answers with one line of JSON on FD. What the users' code prints goes elsewhere.
"""

import json
import os
import sys
from collections.abc import Iterator

from mlrtui import planning
from mlrtui.config import SweepSpec
from mlrtui.errors import BadInput
from mlrtui.planning import CellPlan
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.spec import TrainSpec

__all__ = ["checked"]


def checked(specs: list[SweepSpec], device: str, *, timed: bool) -> dict[str, object]:
    """Mistakes of all sweeps, and per sweep the lines of each of its cells whose net is a factory's."""
    mistakes: dict[str, None] = {}
    found: list[dict[str, list[str]]] = []
    for spec in specs:
        lines: dict[str, list[str]] = {}
        try:
            for label, text in _cells(spec, device, timed=timed):
                lines[label] = text
        except BadInput as error:
            mistakes |= dict.fromkeys(error.messages)
        found.append(lines)
    return {"mistakes": list(mistakes), "cells": found}


def _cells(spec: SweepSpec, device: str, *, timed: bool) -> Iterator[tuple[str, list[str]]]:
    """Every cell once that differs in more than its rates. Raises BadInput with the mistakes of all."""
    from mlrtui_trainer.inspection import inspect
    from mlrtui_trainer.models.user_code import FactoryError

    plan = planning.plan(spec)
    known: dict[object, list[str]] = {}
    mistakes: list[str] = []
    for cell in plan.cells:
        assert isinstance(cell, CellPlan)
        key = (cell.net, cell.data_id, *_of(cell.train), cell.sharpness)
        if not MODEL_KINDS[cell.net.kind].is_tried and not cell.train.code:
            continue
        if key not in known:
            data = plan.datasets[cell.data_id]
            try:
                seen = inspect(cell.net, cell.train, cell.sharpness, data, plan.seeds[0], device, timed=timed)
            except FactoryError as error:
                where = (pair for pair in spec.code if str(error).startswith(f"{pair[1]}:"))
                named, thing = next(where, ("model.kind", cell.net.kind))
                mistakes.append(f"{named} = {thing!r}: {error}")
                known[key] = [f"refused: {error}"]
                continue
            known[key] = list(seen.lines)
            mistakes += _without_lambda(spec, cell, dict(seen.refused))
        yield cell.label, known[key]
    if mistakes:
        raise BadInput.gather(mistakes)


def _of(train: TrainSpec) -> tuple[object, ...]:
    """What of a training plays a part."""
    return train.loss, train.dtype, train.batch, train.precision, train.code


def _without_lambda(spec: SweepSpec, cell: CellPlan, refused: dict[str, str]) -> Iterator[str]:
    """A scan over c/λ₀ needs the λ₀ of its operator."""
    why = refused.get(cell.sharpness.operator)
    if spec.scan is not None and spec.scan.eta_lambda0 and why:
        yield (
            f"scan.eta_lambda0: λ₀ ({cell.sharpness.operator}) of {cell.net.kind!r} cannot be trusted: {why}; "
            "or scan over eta, which needs no λ₀"
        )


def main() -> None:
    """Entry point of the process."""
    answer = os.fdopen(int(sys.argv[1]), "w")
    job = json.load(sys.stdin)
    try:
        specs = [SweepSpec.from_canonical(text) for text in job["specs"]]
        found = checked(specs, job["device"], timed=job["timed"])
    except MemoryError:
        found = {"mistakes": ["model.kind: out of memory while the factories' nets were built"], "cells": []}
    with answer:
        json.dump(found, answer)


if __name__ == "__main__":
    main()
