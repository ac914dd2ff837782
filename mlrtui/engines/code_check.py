"""Users' factories, built and tried in a process of its own before a sweep starts: a mistake is told before anything
is written or trained.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from mlrtui.config import SweepSpec
from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line
from mlrtui_trainer.models.kinds import MODEL_KINDS

__all__ = ["check_factories"]


def check_factories(specs: Sequence[SweepSpec], device: str, *, timed: bool = False) -> list[dict[str, list[str]]]:
    """Per sweep, what is known of the nets of each cell, by label; nothing for cells of our own models.

    ``timed``: with all lines for a person, and what they cost; else only the mistakes are looked for.

    Raises:
        BadInput: a factory or its nets cannot be trained, or λ₀ is needed and cannot be trusted; all mistakes at once.
    """
    if device == "fake" or not any(map(_runs_modules, specs)):
        return [{} for _ in specs]
    answer, theirs = os.pipe()
    job = {"specs": [spec.canonical() for spec in specs], "device": device, "timed": timed}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlrtui.engines.code_worker", str(theirs)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            pass_fds=[theirs],
        )
        os.close(theirs)
        assert process.stdin is not None
        with os.fdopen(answer) as pipe:
            try:
                with suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(json.dumps(job).encode())
                text = pipe.read()  # before it is waited for: a long answer does not fit into the pipe
                process.wait()
            finally:
                process.kill()
                process.wait()
        if not text:
            said.seek(0)
            last = one_line(said.read().decode(errors="replace").strip().rpartition("\n")[2])
            kinds = ", ".join(dict.fromkeys(name for spec in specs for name in _modules(spec)))
            raise BadInput(
                f"model.kind: the process that builds the nets of {kinds} ended with code {process.returncode}"
                + (f": {last}" if last else "")
            )
    found = json.loads(text)
    if found["mistakes"]:
        raise BadInput.gather([one_line(mistake) for mistake in found["mistakes"]])
    cells: list[dict[str, list[str]]] = found["cells"]
    return cells


def _modules(spec: SweepSpec) -> list[str]:
    """What has to be tried before it is trained: modules, and things of the user's own code."""
    tried = [kind for kind in spec.model.kind if MODEL_KINDS[kind].is_tried]
    return [*tried, *(name for key, name in spec.code if key != "model.kind")]


def _runs_modules(spec: SweepSpec) -> bool:
    return bool(_modules(spec))
