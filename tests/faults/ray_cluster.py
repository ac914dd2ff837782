"""Real Ray nodes for tests, each a raylet with one CPU; what they start has a mark."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from faults_tools import children, wait_for

from mlrtui.engines.ray import leftovers

PLAIN = {"MLRTUI_FAST": "0"}  # nothing is compiled: each new cluster would do it again, for longer than the tests take


class Cluster:
    """A head and other nodes. ``environment``: for whoever joins."""

    def __init__(self) -> None:
        self.folder = leftovers.new_folder()
        token = self.folder / "token"
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), **PLAIN}
        self.environment["RAY_agent_register_timeout_ms"] = "120000"
        self.port = _free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.nodes: list[subprocess.Popen[bytes]] = []
        self._start("--head", f"--port={self.port}", "--include-dashboard=false")
        wait_for(self._listens, "the head of Ray")

    def add_node(self) -> None:
        """One more machine, as far as Ray knows."""
        self._start(f"--address={self.address}")

    def kill_raylet(self, node: int) -> None:
        """End the raylet of a node alone, as the kernel does when memory runs out."""
        os.kill(self._child(node, "raylet/raylet"), signal.SIGKILL)

    def kill_head(self) -> None:
        """End the process that knows the cluster."""
        os.kill(self._child(0, "gcs_server"), signal.SIGKILL)

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
            node.wait()
        assert leftovers.clear(self.folder) == []

    def _child(self, node: int, name: str) -> int:
        below = set(_below(self.nodes[node].pid))
        found = [pid for pid in leftovers.processes(self.folder) if pid in below and name in _program(pid)]
        assert found, f"node {node} has no {name}: {(self.folder / 'out.txt').read_text()[-2000:]}"
        return found[0]

    def _start(self, *words: str) -> None:
        ray = Path(sys.executable).with_name("ray")
        what = ["start", *words, "--block", "--num-cpus=1", "--disable-usage-stats"]
        if "--head" in words:
            what.append(f"--temp-dir={self.folder}")
        with (self.folder / "out.txt").open("ab") as out:
            node = subprocess.Popen(
                [ray, *what, "--object-store-memory=100000000"],
                env=os.environ | self.environment | {leftovers.MARK: str(self.folder), "RAY_worker_niceness": "0"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.nodes.append(node)

    def _listens(self) -> bool:
        assert self.nodes[0].poll() is None, (self.folder / "out.txt").read_text()
        with closing(socket.socket()) as end:
            return end.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def ray_cluster(nodes: int) -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        for _ in range(nodes - 1):
            cluster.add_node()
        yield cluster
    finally:
        cluster.close()


def _below(pid: int) -> Iterator[int]:
    """A process and what it has started."""
    yield pid
    for child in children(pid):
        yield from _below(child)


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]


def _free_port() -> int:
    with closing(socket.socket()) as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])
