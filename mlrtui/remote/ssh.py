"""The ssh that runs mlrtui on another machine; all about the connection is left to the user's own ssh configuration."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mlrtui.errors import BadInput, ConnectionLost
from mlrtui.remote.address import Address
from mlrtui.remote.finding import remote_command
from mlrtui.text.terminal import ascii_needed, ascii_output

__all__ = ["Session", "hand_over", "session", "wants_ascii"]

PROGRAM = "MLRTUI_SSH"
"""The environment variable with another ssh, or options for it."""
REMOTE = "MLRTUI_REMOTE"
"""The environment variable with the command that runs mlrtui on the other machine."""

_TRAVEL = ("COLORTERM", "COLORFGBG", "NO_COLOR", "TERM_PROGRAM")  # ssh itself sends TERM alone
_LOST = 255  # ssh's own exit code, which mlrtui never has
# Ends what a screen has switched on in the terminal, when it can no longer do so itself: mouse, paste and focus reports,
# the keyboard's protocol, the second screen, colours, the hidden cursor.
_RESTORE = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?1049l\x1b[0m\x1b[?25h"


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
    with _started(address, words, terminal=terminal, piped=False) as (process, connected):
        code = _waited(process)
        if code != _LOST and code >= 0:
            return code
        if terminal:
            sys.stdout.write(_RESTORE)
            sys.stdout.flush()
        raise _lost(address, connected())


class Session:
    """mlrtui at work there, which answers through a pipe. See `session`."""

    def __init__(self, address: Address, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.address = address
        self.requests: IO[bytes] = process.stdin
        self.answers: IO[bytes] = process.stdout


@contextmanager
def session(address: Address, words: Sequence[str]) -> Iterator[Session]:
    """Run mlrtui there and talk to it; when the block ends, so does it.

    Raises:
        ConnectionLost: ssh failed, inside the block or at its end; ssh has printed why.
        BadInput: there is no ssh.
        RemoteFailed: mlrtui there ended with an exit code; it has printed why.
    """
    with _started(address, words, terminal=False, piped=True) as (process, connected):
        opened = Session(address, process)
        try:
            yield opened
            opened.requests.close()
        except (BrokenPipeError, EOFError):
            code = process.wait()
            if code == _LOST or code < 0:
                raise _lost(address, connected()) from None
            raise RemoteFailed(code) from None
        opened.answers.close()
        process.wait()


class RemoteFailed(Exception):
    """mlrtui on the other machine ended early, with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


@contextmanager
def _started(
    address: Address, words: Sequence[str], *, terminal: bool, piped: bool
) -> "Iterator[tuple[subprocess.Popen[bytes], _Connected]]":
    """A running ssh, ended with the block, and whether it has reached the other machine."""
    with tempfile.TemporaryDirectory(prefix="mlrtui-ssh-") as folder:
        connected = _Connected(Path(folder) / "connected")
        program = _program()
        command = [
            *program,
            "-t" if terminal else "-T",
            # runs here once the user is logged in there, and so tells a lost connection from one that never was
            *("-o", "PermitLocalCommand=yes", "-o", f"LocalCommand=touch {shlex.quote(str(connected.path))}"),
            *(("-p", str(address.port)) if address.port is not None else ()),
            address.host,
            _remote(address, words),
        ]
        pipe = subprocess.PIPE if piped else None
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise BadInput(f"{program[0]} cannot be run ({error.strerror}): check {PROGRAM}") from None
        try:
            yield process, connected
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    _closed(stream)


class _Connected:
    """Whether the file is there that says so."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> bool:
        return self.path.exists()


def _closed(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        pass


def _waited(process: "subprocess.Popen[bytes]") -> int:
    """The exit code. Ctrl-C reaches ssh, too: it is ssh that ends."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _program() -> list[str]:
    given = os.environ.get(PROGRAM, "")
    try:
        words = shlex.split(given) or ["ssh"]
    except ValueError as error:
        raise BadInput(f"{PROGRAM} = {given!r}: not a command ({error}); write it as for a shell") from None
    if shutil.which(words[0]) is None:
        where = f"{PROGRAM} = {given!r}: no such program; correct it" if given else "there is no program ssh: install it"
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


def _lost(address: Address, was_connected: bool) -> ConnectionLost:
    if was_connected:
        return ConnectionLost(f"the connection to {address.host} was lost; a run goes on there, and the same command shows it")
    return ConnectionLost(f"{address.host} cannot be reached: see what ssh printed, and try `ssh {address.host}`")
