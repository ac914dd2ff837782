"""Another machine: a private sshd on this one, with its own keys, configuration, port and home folder."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import LONG_SEARCH
from pty_terminal import PtyTerminal

ENDLESS_SEARCH = LONG_SEARCH.replace("seeds = 2", "seeds = 60")
"""Some hours with invented numbers; nobody waits for its end."""
FULL = os.environ.get("MLRTUI_TEST_FULL") == "1"
PATIENCE = 180.0  # s until a condition counts as never met
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Box:
    """The machine, and how to reach it: `MLRTUI_SSH` is set for the tests that use it."""

    port: int
    home: Path
    sshd: "subprocess.Popen[bytes]"

    @property
    def host(self) -> str:
        return "box"

    def at(self, path: object) -> str:
        return f"{self.host}:{path}"

    def sessions(self) -> list[int]:
        """The processes that serve a login: children of the sshd, and theirs."""
        found, todo = [], [self.sshd.pid]
        while todo:
            children = children_of(todo.pop())
            found += children
            todo += [pid for pid in children if b"sshd" in _command(pid)]
        return [pid for pid in found if b"sshd" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def wait_until(condition: Callable[[], object], what: str = "it") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Box, str]]:
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("there is no OpenSSH server and client here (Debian: openssh-server, openssh-client)")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    home = folder / "home"
    home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f'SetEnv "HOME={home}" "PATH=/usr/local/bin:/usr/bin:/bin"\n'
    )
    me = pwd.getpwuid(os.geteuid()).pw_name
    (folder / "ssh_config").write_text(
        f"Host box\n  HostName 127.0.0.1\n  Port {port}\n  User {me}\n"
        f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n  BatchMode yes\n"
    )
    with (folder / "sshd.log").open("w") as log:
        sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        wait_until(lambda: sshd.poll() is not None or _answers(port), "an sshd that answers")
        if sshd.poll() is not None:
            pytest.skip(f"no sshd can be started here: {(folder / 'sshd.log').read_text().strip()}")
        yield Box(port, home, sshd), f"ssh -F {folder}/ssh_config"
    finally:
        sshd.terminate()
        sshd.wait()


@pytest.fixture
def box(machine: tuple[Box, str], monkeypatch: pytest.MonkeyPatch) -> Box:
    """The machine, with an empty home folder and mlrtui in none of the places where it is looked for."""
    there, ssh = machine
    shutil.rmtree(there.home)
    there.home.mkdir()
    monkeypatch.setenv("MLRTUI_SSH", ssh)
    for name in ("MLRTUI_REMOTE", "MLRTUI_STORE", "NO_COLOR", "COLUMNS", "LINES", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    return there


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as line:
        return line.recv(4) == b"SSH-"
    return False


def install(program: Path) -> Path:
    """An mlrtui at this path, which runs the one that is tested."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m mlrtui.cli "$@"\n')
    program.chmod(0o755)
    return program


def mlrtui(*words: object, folder: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command, as a process of its own: what ssh prints does not pass through Python."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "mlrtui.cli", *map(str, words)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    )


class Terminal(PtyTerminal):
    """The command on a pseudo-terminal."""

    patience = PATIENCE

    def __init__(self, *words: object, size: tuple[int, int] = (120, 40), **environment: str) -> None:
        command = [sys.executable, "-P", "-m", "mlrtui.cli", *map(str, words)]
        super().__init__(command, size, environment, controlling=True)

    def wait_text(self, words: str) -> None:
        self.wait_for(lambda: words in self.text())


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    running: list[Terminal] = []

    def begin(*words: object, **how: object) -> Terminal:
        running.append(Terminal(*words, **how))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for one in running:
        one.close()
