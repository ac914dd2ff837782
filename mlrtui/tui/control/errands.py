"""Commands that a screen has started: processes of their own, which go on when the screen ends."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence

from mlrtui.text.lines import clean

__all__ = ["Errand", "Errands"]

_LOOK = 0.1  # seconds between two checks whether one has ended; none are made while nothing runs
_MOST = 100_000  # bytes of its output that are read


class Errand:
    """One command. Its output goes to a file without a name, since a pipe would break with the screen."""

    def __init__(self, words: Sequence[str]) -> None:
        """Start ``mlrtui WORDS`` in a session of its own, in this folder.

        Raises:
            OSError: it cannot be started.
        """
        self.words = tuple(words)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as this is)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlrtui", *words],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def lines(self) -> tuple[str, ...]:
        """What it has printed so far, of that the last part."""
        file = self._output.fileno()
        start = max(os.fstat(file).st_size - _MOST, 0)
        text = os.pread(file, _MOST, start).decode("utf-8", "replace")  # never a seek: the command writes at this place
        return tuple(clean(row) for row in text.splitlines() if row.strip())

    def sentence(self) -> str:
        """What came of it in one line: its own last line."""
        said, code = self.lines(), self.code
        last = said[-1] if said else ""
        if code is None:
            return f"mlrtui {self.words[0]} runs"
        return last or f"mlrtui {self.words[0]}: {'done' if not code else f'ended with exit code {code}'}"


class Errands:
    """Those that run; ``ended`` is called with each when it has ended."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object], ended: Callable[[Errand], None]) -> None:
        """``later`` calls something after so many seconds."""
        self._later, self._ended = later, ended
        self._running: list[Errand] = []

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    def start(self, words: Sequence[str]) -> Errand:
        """Start a command.

        Raises:
            OSError: it cannot be started.
        """
        errand = Errand(words)
        self._running.append(errand)
        if len(self._running) == 1:
            self._later(_LOOK, self._look)
        return errand

    def _look(self) -> None:
        gone = [errand for errand in self._running if errand.code is not None]
        self._running = [errand for errand in self._running if errand not in gone]
        for errand in gone:
            self._ended(errand)
        if self._running:
            self._later(_LOOK, self._look)
