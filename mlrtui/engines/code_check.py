"""Users' factories, built and tried in a process of its own before a sweep starts: a mistake is told before anything
is written or trained.
"""

from collections.abc import Sequence

from mlrtui.config import AnySweep, SweepSpec
from mlrtui.engines.apart import ProcessDied, asked_apart
from mlrtui.engines.devices import count_cuda, kind_of
from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line
from mlrtui_trainer.models.kinds import MODEL_KINDS

__all__ = ["check_factories"]


def check_factories(specs: Sequence[AnySweep], device: str, *, timed: bool = False) -> list[dict[str, list[str]]]:
    """Per sweep, what is known of the nets of each cell, by label; nothing for cells of our own models.

    ``timed``: with all lines for a person, and what they cost; else only the mistakes are looked for.

    Raises:
        BadInput: a factory or its nets cannot be trained, or λ₀ is needed and cannot be trusted; all mistakes at once.
    """
    nets = [spec for spec in specs if isinstance(spec, SweepSpec)]
    tried = dict.fromkeys(name for spec in nets for name in _modules(spec))
    if device == "fake" or not tried:
        return [{} for _ in specs]
    if kind_of(device) == "cuda" and not count_cuda():
        device = "cpu"  # the GPUs are those of other machines
    job = {"specs": [spec.canonical() for spec in nets], "device": device, "timed": timed}
    try:
        found = asked_apart("mlrtui.engines.code_worker", job)
    except ProcessDied as died:
        raise BadInput(f"model.kind: the process that builds the nets of {', '.join(tried)} {died}") from None
    if found["mistakes"]:
        raise BadInput.gather([one_line(mistake) for mistake in found["mistakes"]])
    cells = iter(found["cells"])
    return [next(cells) if isinstance(spec, SweepSpec) else {} for spec in specs]


def _modules(spec: SweepSpec) -> list[str]:
    """What has to be tried before it is trained: modules, and things of the user's own code."""
    tried = [kind for kind in spec.model.kind if MODEL_KINDS[kind].is_tried]
    return [*tried, *(name for key, name in spec.code if key != "model.kind")]
