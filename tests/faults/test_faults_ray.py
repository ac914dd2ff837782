"""The engine of Ray against real Ray: two nodes on this machine, joined by address, and a cluster of our own.

`MLRTUI_TEST_FULL=1` adds the faults that Ray notices only after a while.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import FULL, SMALL_SEARCH, Mlrtui
from faults_tools import (
    CURVES,
    ETA_STAR,
    MANY_NETS,
    done_trials,
    drive,
    driver_pid,
    one,
    rows,
    same_results,
    wait_for,
)
from ray_cluster import PLAIN, Cluster, ray_cluster

from mlrtui.engines import conformance
from mlrtui.engines.base import Engine, EngineEvent, EngineNote, WorkerDied
from mlrtui.engines.deadlines import Deadlines
from mlrtui.engines.ray import leftovers
from mlrtui.engines.ray.engine import RayEngine
from mlrtui.errors import EngineFailed

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes by /proc"),
    pytest.mark.xdist_group("ray"),
    pytest.mark.timeout(600),
]

full_only = pytest.mark.skipif(not FULL, reason="Ray takes a minute to notice: MLRTUI_TEST_FULL=1 runs it")

SweepFile = Callable[..., Path]


@pytest.fixture(scope="module", autouse=True)
def plain() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PLAIN.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def cluster(plain: None) -> Iterator[Cluster]:
    """Two nodes with a CPU each; whoever uses it knows its token."""
    with ray_cluster(2) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def engine(cluster: Cluster) -> Iterator[RayEngine]:
    opened = RayEngine(["cpu", "cpu"], cluster.address, Deadlines(beat=20.0))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def whole(plain: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed local run of `SMALL_SEARCH` leaves, by the same steps."""
    from mlrtui.engines.local import LocalEngine

    folder = tmp_path_factory.mktemp("whole")
    (folder / "sweep.toml").write_text(SMALL_SEARCH)
    local = LocalEngine(["cpu"])
    drive(folder / "a.db", folder / "sweep.toml", local)
    local.close()
    return folder / "a.db"


@pytest.mark.parametrize("check", conformance.CHECKS)
def test_ray_does_what_an_engine_must(engine: RayEngine, check: Callable[[Engine], None]) -> None:
    check(engine)


def test_an_actor_that_is_killed(engine: RayEngine) -> None:
    conformance.check_death(engine, lambda engine, slot: os.kill(_worker(engine, slot), signal.SIGKILL))


def test_an_actor_that_hangs_is_killed_and_replaced(engine: RayEngine) -> None:
    hung: list[int] = []

    def stop(engine: Engine, slot: int) -> None:
        hung.append(_worker(engine, slot))
        os.kill(hung[0], signal.SIGSTOP)

    conformance.check_death(engine, stop)
    wait_for(lambda: not Path(f"/proc/{hung[0]}/cmdline").read_bytes() if _exists(hung[0]) else True, "its end")


def test_bits_are_those_of_a_local_run_though_an_actor_is_killed(
    engine: RayEngine, tmp_path: Path, sweep_file: SweepFile, whole: Path
) -> None:
    conformance.wait_until_ready(engine)
    store = tmp_path / "a.db"
    killed: list[int] = []

    class Killing:
        """The engine, and a SIGKILL for a worker after the first trials are done."""

        def __getattr__(self, name: str) -> object:
            return getattr(engine, name)

        def poll(self, timeout: float) -> list[EngineEvent]:
            if not killed and len(done_trials(store)) >= 3:
                killed.append(_worker(engine, 0))
                os.kill(killed[0], signal.SIGKILL)
            return engine.poll(timeout)

    drive(store, sweep_file(SMALL_SEARCH), Killing())  # type: ignore[arg-type]
    assert killed
    same_results(store, whole)
    assert rows(store, "SELECT DISTINCT host, device FROM attempt") == [(socket.gethostname(), "cpu")]


def test_a_slot_without_a_machine_is_given_up_and_the_rest_go_on(
    cluster: Cluster, engine: RayEngine, tmp_path: Path, sweep_file: SweepFile, whole: Path
) -> None:
    conformance.check_close(engine)  # its slots are wanted here
    assert engine.relay.returncode is not None
    assert leftovers.processes(engine.folder) == []
    assert not engine.folder.exists()
    many = RayEngine(["cpu"] * 3, cluster.address, patience=0.5)
    try:
        events: list[EngineEvent] = []
        given_up = [True]
        wait_for(
            lambda: [one.final for one in _more(many, events) if isinstance(one, WorkerDied)] == given_up,
            "its end",
            180,
        )
        assert EngineNote("2 of 3 slots: Ray has 2 CPUs on 2 machines") in events
        drive(tmp_path / "a.db", sweep_file(SMALL_SEARCH), many)
    finally:
        many.close()
    same_results(tmp_path / "a.db", whole)


def test_no_cluster_is_one_line(mlrtui: Mlrtui, sweep_file: SweepFile) -> None:
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--engine", "ray", "--ray-address", "127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr == (
        "mlrtui: --ray-address 127.0.0.1:1: no Ray cluster answers there (connection refused); is its head running?\n"
    )


@pytest.mark.usefixtures("no_driver_left")
def test_a_cluster_of_our_own_is_stopped_killed_and_resumed_and_leaves_nothing(
    mlrtui: Mlrtui, sweep_file: SweepFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    home, store = tmp_path / "home", tmp_path / "mlrtui.db"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    path = sweep_file(MANY_NETS)
    before = set(_clusters())
    begun = mlrtui("run", path, "--engine", "ray", "--devices", "cpu:2", "--detach")
    assert begun.returncode == 0, begun.stderr
    wait_for(lambda: _steps(store), "the first steps", 300)
    (ours,) = set(_clusters()) - before
    stopped = mlrtui("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert one(store, "SELECT status FROM sweep") == "stopped"
    _gone(ours)
    steps = one(store, "SELECT count(*) FROM step")
    resumed = mlrtui("resume", "--engine", "ray", "--devices", "cpu:2", "--detach")
    assert resumed.returncode == 0, resumed.stderr
    wait_for(lambda: one(store, "SELECT count(*) FROM step") > steps, "further steps", 300)  # type: ignore[operator]
    (ours,) = set(_clusters()) - before
    driver = driver_pid(store)
    assert driver is not None
    os.kill(driver, signal.SIGKILL)
    _gone(ours)
    assert not (home / ".ray").exists()


@full_only
def test_a_raylet_that_is_killed(tmp_path: Path, sweep_file: SweepFile, whole: Path) -> None:
    with ray_cluster(2) as cluster, pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        engine = RayEngine(["cpu", "cpu"], cluster.address, patience=40.0)
        try:
            conformance.wait_until_ready(engine)
            engine.submit(0, conformance.example_round(1, steps=2_000_000))
            engine.submit(1, conformance.example_round(1, steps=2_000_000))
            cluster.kill_raylet(1)
            died = _until(engine, lambda event: isinstance(event, WorkerDied))
            assert isinstance(died, WorkerDied)
            final = _until(engine, lambda event: isinstance(event, WorkerDied) and event.final)
            assert isinstance(final, WorkerDied)
            assert final.slot == died.slot
        finally:
            engine.close()


@full_only
def test_a_head_that_is_killed_ends_the_relay_and_not_the_driver() -> None:
    with ray_cluster(1) as cluster, pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        engine = RayEngine(["cpu"], cluster.address)
        try:
            conformance.wait_until_ready(engine)
            cluster.kill_head()
            with pytest.raises(EngineFailed, match="no Ray cluster answers there"):
                _until(engine, lambda event: isinstance(event, EngineNote))
        finally:
            engine.close()


@full_only
def test_a_cluster_of_our_own_whose_head_is_killed_is_started_anew(
    tmp_path: Path, sweep_file: SweepFile, whole: Path
) -> None:
    engine = RayEngine(["cpu"])
    try:
        conformance.wait_until_ready(engine)
        head = next(pid for pid in leftovers.processes(engine.folder) if "gcs_server" in _command(pid))
        os.kill(head, signal.SIGKILL)
        drive(tmp_path / "a.db", sweep_file(SMALL_SEARCH), engine)
    finally:
        engine.close()
    for query in (ETA_STAR, CURVES):
        assert rows(tmp_path / "a.db", query) == rows(whole, query)


def _worker(engine: Engine, slot: int) -> int:
    """Process of a slot's worker."""
    assert isinstance(engine, RayEngine)
    return engine.pids[slot]


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _clusters() -> list[str]:
    """Folders of clusters of ours, by the marks of running processes."""
    found = subprocess.run(
        f"cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a ^{leftovers.MARK}= | sort -u",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.partition("=")[2] for line in found.stdout.splitlines()]


def _gone(folder: str) -> None:
    wait_for(lambda: leftovers.processes(Path(folder)) == [], "the end of all processes")
    wait_for(lambda: not Path(folder).exists(), "the end of the folder")


def _steps(store: Path) -> bool:
    return (
        store.exists()
        and bool(one(store, "SELECT count(*) FROM sqlite_master WHERE name = 'step'"))
        and bool(one(store, "SELECT count(*) FROM step"))
    )


def _until(engine: RayEngine, found: Callable[[EngineEvent], bool]) -> EngineEvent:
    events: list[EngineEvent] = []
    wait_for(lambda: any(map(found, _more(engine, events))), "an event", 180)
    return next(event for event in events if found(event))


def _more(engine: RayEngine, events: list[EngineEvent]) -> list[EngineEvent]:
    events += engine.poll(0.2)
    return events
