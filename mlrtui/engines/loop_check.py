"""Users' training functions, imported in a process of its own before a sweep starts, and what is understood of them."""

from collections.abc import Sequence

from mlrtui.config import AnySweep, LoopSweep
from mlrtui.engines.apart import ProcessDied, asked_apart
from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line

__all__ = ["check_loops"]


def check_loops(specs: Sequence[AnySweep]) -> list[list[str]]:
    """Per sweep, what is known of its training function, in lines for a person; nothing for nets that we train.

    Nothing is trained.

    Raises:
        BadInput: a function cannot be imported, or does not take its arguments; all mistakes at once.
    """
    loops = [spec.canonical() for spec in specs if isinstance(spec, LoopSweep)]
    if not loops:
        return [[] for _ in specs]
    try:
        found = asked_apart("mlrtui.engines.loop_check_worker", loops)
    except ProcessDied as died:
        names = ", ".join(dict.fromkeys(spec.training.loop for spec in specs if isinstance(spec, LoopSweep)))
        raise BadInput(f"training.loop: the process that imports {names} {died}") from None
    if found["mistakes"]:
        raise BadInput.gather([one_line(mistake) for mistake in found["mistakes"]])
    lines = iter(found["lines"])
    return [next(lines) if isinstance(spec, LoopSweep) else [] for spec in specs]
