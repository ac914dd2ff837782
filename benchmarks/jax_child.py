"""A program of this folder that needs JAX, as a child process with the Python of an environment of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["JaxChild"]

_ROOT = Path(__file__).resolve().parents[1]


class JaxChild:
    """Asked by a line of JSON, answers with one."""

    def __init__(self, python: Path, module: str) -> None:
        one_thread = os.environ | {"NPROC": "1"}  # else XLA takes every core, whatever its flags say
        self._child = subprocess.Popen(
            [str(python), "-m", module],
            cwd=_ROOT,
            env=one_thread,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = str(self._answer()["jax"])

    def ask(self, **question: object) -> dict[str, Any]:
        """The answer to a question. Raises SystemExit where the child has ended."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit("the child with JAX ended; what it said stands above")
        found: dict[str, Any] = json.loads(line)
        return found
