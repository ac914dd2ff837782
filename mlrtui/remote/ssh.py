"""The ssh that runs mlrtui on another machine; all about the connection is left to the user's own ssh configuration."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO

from mlrtui.errors import BadInput, ConnectionLost
from mlrtui.remote.address import Address
from mlrtui.remote.finding import backup_command, remote_command
from mlrtui.text.escape import one_line
from mlrtui.text.terminal import ascii_needed, ascii_output

__all__ = [
    "LacksCommand",
    "Pipes",
    "Question",
    "RemoteFailed",
    "backup",
    "ending_orderly",
    "hand_over",
    "session",
    "wants_ascii",
]

PROGRAM = "MLRTUI_SSH"
"""The environment variable with another ssh, or options for it."""
REMOTE = "MLRTUI_REMOTE"
"""The environment variable with the command that runs mlrtui on the other machine."""

_TRAVEL = ("COLORTERM", "COLORFGBG", "NO_COLOR", "TERM_PROGRAM")  # ssh itself sends TERM alone
_LOST = 255  # ssh's own exit code, which mlrtui never has
# ssh runs it here once the user is logged in there: it tells a lost connection from one that never was.
_CONNECTED = "mlrtui is connected"
_SAY_CONNECTED = ("-o", "PermitLocalCommand=yes", "-o", f"LocalCommand=sh -c 'echo {_CONNECTED} >&2'")
# Ends what a screen has switched on in the terminal, when it can no longer do so itself: mouse, paste and focus
# reports, the keyboard's protocol, the second screen, colours, the hidden cursor.
_RESTORE = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?1049l\x1b[0m\x1b[?25h"
)
_CONNECT, _ANSWER = 10, 60  # s, for a question in the background
_PATIENCE = 2.0  # s for the last lines of an ssh that has ended


class RemoteFailed(Exception):
    """mlrtui on the other machine ended early, with this exit code; it has printed why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class LacksCommand(Exception):
    """The mlrtui on the other machine is of a version that lacks the command."""


@dataclass(frozen=True)
class Pipes:
    """What mlrtui reads there, and what it writes."""

    requests: IO[bytes]
    answers: IO[bytes]


def wants_ascii() -> bool:
    """Whether what is shown here must be ASCII: the other machine does not know this terminal."""
    return ascii_needed() if sys.stdout.isatty() else ascii_output(sys.stdout)


def hand_over(address: Address, words: Sequence[str], *, terminal: bool) -> int:
    """Run mlrtui there on this process's own input and output; returns its exit code.

    Args:
        address: the store; its path becomes the last word.
        words: of mlrtui's command line there.
        terminal: give it this terminal.

    Raises:
        ConnectionLost: ssh failed; its own message, if it had one, is printed already.
        BadInput: there is no ssh.
    """
    started = _started(address, _remote(address, words), terminal=terminal, piped=False)
    with ending_orderly(), started as running:
        code = running.waited()
        if not _is_lost(code):
            return code
        if running.interrupted:
            raise KeyboardInterrupt
        if terminal:
            sys.stdout.write(_RESTORE)
            sys.stdout.flush()
        raise running.lost()


class Question:
    """What mlrtui there prints for some words, asked in the background: ssh asks nobody for a password.

    Made where the terminal is, asked from any thread.

    Raises:
        BadInput: there is no ssh.
    """

    def __init__(self, address: Address, words: Sequence[str]) -> None:
        port = () if address.port is None else ("-p", str(address.port))
        quiet = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT}")
        self._address = address
        self._words = [*_program(), "-T", *quiet, *port, address.host, _remote(address, words)]
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self) -> str:
        """The answer.

        Raises:
            ConnectionLost: none came; why, in one line.
        """
        try:
            process = self._process = subprocess.Popen(
                self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise ConnectionLost(f"ssh cannot be run ({error.strerror})") from None
        try:
            out, errors = process.communicate(timeout=_ANSWER)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ConnectionLost(f"{self._address.host} does not answer within {_ANSWER} s") from None
        if process.returncode == 0:
            return out.decode(errors="replace")
        said = [one.strip() for one in errors.decode(errors="replace").splitlines() if one.strip()]
        why = one_line(said[-1]).removeprefix("mlrtui: ") if said else f"exit code {process.returncode}"
        if _is_lost(process.returncode):
            raise ConnectionLost(f"{self._address.host} cannot be reached: {why}")
        raise ConnectionLost(f"{self._address.host}: {why}")

    def stop(self) -> None:
        """End an ssh that still waits."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()


@contextmanager
def ending_orderly() -> Iterator[None]:
    """Inside the block a process that is asked to end leaves its ``with`` blocks, so that nothing is left behind."""

    def leave(signum: int, frame: FrameType | None) -> None:
        sys.exit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def session(address: Address, words: Sequence[str]) -> Iterator[Pipes]:
    """Run mlrtui there and talk to it through pipes; it ends with the block.

    Raises:
        ConnectionLost: ssh failed; it has printed why.
        LacksCommand: there is none such in the version there.
        RemoteFailed: mlrtui there ended early.
        BadInput: there is no ssh.
    """
    with _talking(address, _remote(address, words)) as pipes:
        yield pipes


@contextmanager
def backup(address: Address) -> Iterator[IO[bytes]]:
    """The store as `mlrtui backup` copies it there, gzipped: what any version there can do.

    Raises:
        ConnectionLost, RemoteFailed, BadInput: as `session`.
    """
    command = backup_command(lambda words: _remote(address, words))
    with _talking(address, command) as pipes:
        pipes.requests.close()
        yield pipes.answers


@contextmanager
def _talking(address: Address, command: str) -> Iterator[Pipes]:
    with _started(address, command, terminal=False, piped=True) as running:
        process = running.process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Pipes(process.stdin, process.stdout)
        except (BrokenPipeError, EOFError):
            process.stdout.close()
            code = running.waited()
            if _is_lost(code):
                raise running.lost() from None
            if running.lacks_command:
                raise LacksCommand from None
            raise RemoteFailed(code) from None


class _Running:
    """A running ssh. What it prints on standard error is passed on, but for what was meant for us."""

    def __init__(self, address: Address, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.lacks_command = False
        self.interrupted = False  # by Ctrl-C
        self._address = address
        self._connected = False
        self._listener = threading.Thread(target=self._listen, name="ssh", daemon=True)
        self._listener.start()

    def waited(self) -> int:
        """The exit code. Ctrl-C reaches ssh, too: it is ssh that ends."""
        while True:
            try:
                code = self.process.wait()
                self._listener.join(_PATIENCE)
                return code
            except KeyboardInterrupt:
                self.interrupted = True

    def lost(self) -> ConnectionLost:
        """The error for an ssh that failed."""
        host = self._address.host
        if self._connected:
            return ConnectionLost(
                f"the connection to {host} was lost; a run goes on there, and the same command shows it"
            )
        return ConnectionLost(f"{host} cannot be reached: see what ssh printed, and try `ssh {host}`")

    def _listen(self) -> None:
        assert self.process.stderr is not None
        usage: list[bytes] = []
        for line in self.process.stderr:
            if line.strip() == _CONNECTED.encode():
                self._connected = True
            elif b"No such command" in line:
                self.lacks_command = True
            elif line.startswith((b"Usage: ", b"Try '")) or (usage and not line.strip()):
                # what a version says that lacks the command
                usage.append(line)
            else:
                _print_error(line)
        for line in () if self.lacks_command else usage:
            _print_error(line)


def _print_error(line: bytes) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(line.decode(errors="replace"))
        sys.stderr.flush()


@contextmanager
def _started(address: Address, command: str, *, terminal: bool, piped: bool) -> Iterator[_Running]:
    """A running ssh, ended with the block."""
    program = _program()
    port = () if address.port is None else ("-p", str(address.port))
    pipe = subprocess.PIPE if piped else None
    try:
        process = subprocess.Popen(
            [*program, "-t" if terminal else "-T", *_SAY_CONNECTED, *port, address.host, command],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise BadInput(f"{program[0]} cannot be run ({error.strerror}): check {PROGRAM}") from None
    running = _Running(address, process)
    try:
        yield running
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        if process.poll() is None:
            process.terminate()
        running.waited()
        if process.stderr is not None:
            process.stderr.close()


def _is_lost(code: int) -> bool:
    return code == _LOST or code < 0


def _program() -> list[str]:
    given = os.environ.get(PROGRAM, "")
    try:
        words = shlex.split(given) or ["ssh"]
    except ValueError as error:
        raise BadInput(f"{PROGRAM} = {given!r}: not a command ({error}); write it as for a shell") from None
    if shutil.which(words[0]) is None:
        where = (
            f"{PROGRAM} = {given!r}: no such program; correct it" if given else "there is no program ssh: install it"
        )
        raise BadInput(f"{where} (OpenSSH's client)")
    return words


def _remote(address: Address, words: Sequence[str]) -> str:
    environment = {
        "LC_ALL": "C" if wants_ascii() else "C.UTF-8",
        **{name: os.environ[name] for name in _TRAVEL if os.environ.get(name)},
    }
    if sys.stdout.isatty():  # for `--once`, which has no terminal there
        columns, lines = os.get_terminal_size()
        environment |= {"COLUMNS": str(columns), "LINES": str(lines)}
    missing = (
        f"mlrtui: no mlrtui was found on {address.host}: install it there (`pip install mlrtui`), or say how it is run "
        f"there, as in {REMOTE}=~/venv/bin/mlrtui"
    )
    return remote_command(
        words, address.path, given=os.environ.get(REMOTE, ""), missing=missing, environment=environment
    )
