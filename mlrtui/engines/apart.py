"""Ask a process of its own something that runs users' code: it may print, raise or die without harm."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import Any

from mlrtui.text.escape import one_line

__all__ = ["ProcessDied", "asked_apart"]


class ProcessDied(Exception):
    """The process ended without an answer: its exit code, and the last line that it printed."""


def asked_apart(module: str, job: object) -> Any:
    """What ``python -P -m module FD`` writes to FD as JSON, given a job as JSON on its standard input.

    Raises:
        ProcessDied: it answered nothing.
    """
    answer, theirs = os.pipe()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs)],
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
            raise ProcessDied(f"ended with code {process.returncode}{': ' + last if last else ''}")
    return json.loads(text)
