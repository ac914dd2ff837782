"""A process that imports users' training functions and says what it understands of them; nothing is trained.

Started by `mlrtui.engines.loop_check` with the job on standard input; it answers with one line of JSON on FD. What the
users' code prints goes elsewhere.
"""

import json
import os
import sys
from inspect import Parameter, signature

from mlrtui.config.loops import RESERVED, LoopSweep
from mlrtui.config.mistakes import bare, toml_text
from mlrtui.errors import BadInput
from mlrtui.loop_planning import planned
from mlrtui_trainer.loops.code import called_with, imported
from mlrtui_trainer.loops.reports import LoopError

__all__ = ["understood"]


def understood(spec: LoopSweep) -> list[str]:
    """Lines for a person.

    Raises:
        LoopError: the function cannot be imported, or does not take its arguments.
        BadInput: its source is not there, or not that with which the sweep began.
    """
    loop = planned(spec)[0][0].loop
    train_fn = imported(loop)
    called_with(train_fn, dict(loop.arguments))
    try:
        parameters = dict(signature(train_fn).parameters)
    except ValueError:
        parameters = {}
    shown = ", ".join(map(str, parameters.values())) or "..."
    given = [f"{name} = {toml_text(bare(values))}" for name, values in spec.arguments.items()]
    left = [
        f"{name} = {one.default!r}"
        for name, one in parameters.items()
        if name not in spec.arguments and name not in RESERVED and one.default is not Parameter.empty
    ]
    lines = [f"training: {spec.training.loop}({shown}), in a process of its own each time"]
    kept = f" (left as they are: {'; '.join(left)})" if left else ""
    lines.append(f"arguments: {'; '.join(given) or 'none'}{kept}")
    takes_seed = "seed" in parameters or len(parameters) >= 3
    if not takes_seed and len(spec.sweep.seeds) > 1:
        count = len(spec.sweep.seeds)
        lines.append(f"it takes no seed: its {count} trainings at a rate differ by chance alone, if at all")
    if spec.training.check:
        lines.append("the first training is run twice, to see that it reports the same numbers")
    return lines


def main() -> None:
    """Entry point of the process."""
    answer = os.fdopen(int(sys.argv[1]), "w")
    mistakes: dict[str, None] = {}
    lines: list[list[str]] = []
    for text in json.load(sys.stdin):
        spec = LoopSweep.from_canonical(text)
        try:
            lines.append(understood(spec))
        except LoopError as error:
            words = str(error).removeprefix(f"{spec.training.loop}: ")
            mistakes[f"training.loop = {spec.training.loop!r}: {words}"] = None
        except BadInput as error:
            mistakes |= dict.fromkeys(error.messages)
        except MemoryError:
            mistakes[f"training.loop = {spec.training.loop!r}: out of memory while it was imported"] = None
    with answer:
        json.dump({"mistakes": list(mistakes), "lines": lines}, answer)
    sys.stdout.flush()
    os._exit(0)  # whatever threads the import has left behind


if __name__ == "__main__":
    main()
