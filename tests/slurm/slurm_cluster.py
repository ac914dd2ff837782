"""A Slurm cluster of two nodes in namespaces of its own, and what runs in it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "nsenter", "ip")
NAMESPACES = ("--net", "--uts", "--pid", "--mount")


class Cluster:
    """Started by `start`; `close` ends every process of it, jobs included."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mlrtui-slurm-"))  # short: sockets lie in it
        (self.folder / "tmp").mkdir()
        (self.folder / "bin").mkdir()
        command = self.folder / "bin" / "mlrtui"
        command.write_text(f'#!/bin/bash\nexec "{sys.executable}" -P -m mlrtui.cli "$@"\n')
        command.chmod(0o755)
        with (self.folder / "cluster.out").open("wb") as out:
            self._unshare = subprocess.Popen(
                [
                    "unshare",
                    *NAMESPACES[:3],
                    "--fork",
                    "--kill-child",
                    "--mount-proc",
                    HERE / "cluster.sh",
                    self.folder,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def start(self) -> str:
        """Wait until it is up; what is wrong where it does not come up, else ""."""
        deadline = time.monotonic() + 60
        while not (self.folder / "up").exists():
            if self._unshare.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "cluster.out").read_text().strip()
                return said or "it was not up after 60 s"
            time.sleep(0.05)
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        self._init = int(children.read_text().split()[0])
        return ""

    def run(self, *words: object, **variables: str) -> str:
        """The output of a command on the cluster, which must end well."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("MLRTUI_", "SLURM_"))}
        environment |= {"SLURM_CONF": str(self.folder / "slurm.conf"), "TMPDIR": str(self.folder / "tmp")}
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment |= {"PATH": path, "MLRTUI_FAST": "0"} | variables
        command = ["nsenter", "--target", str(self._init), *NAMESPACES, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def job(self, job: object) -> dict[str, str]:
        """What the controller knows of a job."""
        text = self.run("scontrol", "--oneliner", "show", "job", job)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def drivers(self, shard: str = "") -> list[int]:
        """Numbers, as this side sees them, of the drivers in its jobs; of one shard alone."""
        ours = os.readlink(f"/proc/{self._init}/ns/pid")
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                if os.readlink(folder / "ns" / "pid") != ours or "mlrtui.driver" not in _words(folder):
                    continue
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                if not shard or shard in _words(Path("/proc") / parent):
                    found.append(int(folder.name))
        return found

    def store(self, shard: int) -> Path | None:
        """The store on the node's disk of a shard that runs."""
        return next(iter((self.folder / "tmp").glob(f"mlrtui-*/shard-{shard}.db")), None)

    def close(self) -> None:
        """End it."""
        self._unshare.send_signal(signal.SIGKILL)  # and with it process 1 of the namespace, and with that all others
        self._unshare.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _words(process: Path) -> list[str]:
    return (process / "cmdline").read_text(errors="replace").split("\0")


def unavailable() -> str:
    """Why there can be no cluster here; "" where there can."""
    if os.geteuid() != 0:
        return "needs root, for namespaces of its own"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"{missing[0]} is not installed; `make slurm` installs what these tests need" if missing else ""


def cluster() -> Iterator[Cluster | str]:
    """A cluster, or why there is none; it is ended afterwards."""
    if reason := unavailable():
        yield reason
        return
    made = Cluster()
    try:
        yield made.start() or made
    finally:
        made.close()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 400, pause: float = 0.2) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(pause)
