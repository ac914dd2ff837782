"""The scripts of `examples/slurm` on a real Slurm: shards, preemption, the time limit, cancelling, merging."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import LONG_SEARCH, SMALL_SEARCH
from slurm_cluster import Cluster, cluster, unavailable, wait_for

from mlrtui.engines.registry import ENGINES
from mlrtui_db import invariants

pytestmark = pytest.mark.timeout(900)

SCRIPTS = Path(__file__).resolve().parents[2] / "examples" / "slurm"
ETA_STAR = """
    SELECT cell, seed, eta_star, eta_star_se, eta_last, first_failure, eta_area, zone_octaves, reversals, trials,
           successes, censored, lambda0, lambda0_residual, window_low, window_high, status
    FROM eta_star ORDER BY cell, seed
"""
CURVES = "SELECT cell, seed, eta, step, loss, accuracy, sharpness, products FROM curves ORDER BY cell, seed, eta, step"
EXPONENTS = "SELECT * FROM exponents ORDER BY fit, term"
DONE = "SELECT trial_id, attempt FROM trial WHERE status = 'done'"
STATUS = "SELECT status FROM sweep"

SWEEP = SMALL_SEARCH.replace("seeds = 2", "seeds = 1").replace("tolerance = 0.3", "tolerance = 0.05")
MANY = (
    LONG_SEARCH.replace("seeds = 2", "seeds = 8")
    .replace("depth = [2, 3, 4, 5, 6]", f"depth = {list(range(1, 33))}")
    .replace("width = [128, 256]", f"width = {list(range(8, 136, 8))}")
)
"""Cells that come one after another: even with invented numbers it takes minutes, and the first are there at once."""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    for made in cluster():
        if isinstance(made, str):
            pytest.skip(f"Slurm: {made}")
        yield made


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def done(store: Path | None) -> dict[object, object]:
    """Attempt of every trial that is done; none where the store is not there yet, or gone."""
    try:
        return {} if store is None or not store.exists() else dict(rows(store, DONE))
    except sqlite3.OperationalError:
        return {}


def again(slurm: Cluster, job: object) -> None:
    """Let a requeued job start now: Slurm waits two minutes, in case its node is ill."""
    if slurm.job(job)["JobState"] == "PENDING":
        slurm.run("bash", "-c", f"scontrol update jobid={job} starttime=now || true")  # it may have just started


def test_an_array_with_a_preempted_shard_gives_what_one_run_gives(slurm: Cluster, tmp_path: Path) -> None:
    sweep, results = tmp_path / "sweep.toml", tmp_path / "results"
    sweep.write_text(SWEEP)
    said = slurm.run("bash", SCRIPTS / "submit.sh", sweep, results, 2, "--devices", "cpu:1", SHARDS="4")
    array, merge = (words.split()[0] for words in said.split(": job ")[1:])
    array, merge = array.rstrip(";"), merge.rstrip(";")

    wait_for(lambda: done(slurm.store(0)), "the first shard to have a trial", pause=0.01)
    (driver,) = slurm.drivers("0/4")
    os.kill(driver, signal.SIGSTOP)  # else it might be done before it is preempted
    wait_for(lambda: "T" in Path(f"/proc/{driver}/stat").read_text().rpartition(")")[2][:3], "it to be stopped")
    node = slurm.job(f"{array}_0")["NodeList"]
    slurm.run("sbatch", "--partition=high", f"--nodelist={node}", "--cpus-per-task=4", "--output=/dev/null", "--wrap=:")
    wait_for(lambda: slurm.job(f"{array}_0")["Restarts"] == "1", "the shard to be preempted and requeued")
    wait_for(lambda: not slurm.drivers("0/4"), "its driver to end")
    backup = results / "shard-0.db"
    wait_for(lambda: rows(backup, STATUS) == [("stopped",)], "its last backup")
    kept = done(backup)
    assert len(kept) > 0
    assert invariants.check(backup) == []

    alone = tmp_path / "alone.db"
    slurm.run("mlrtui", "run", sweep, "--foreground", "--store", alone, "--devices", "cpu:1")

    def merged() -> bool:
        again(slurm, f"{array}_0")
        return slurm.job(merge)["JobState"] == "COMPLETED"

    assert slurm.job(merge)["JobState"] == "PENDING"  # a requeued shard has not ended
    wait_for(merged, "the merge")
    assert slurm.job(f"{array}_0")["JobState"] == "COMPLETED"
    after = done(backup)
    assert {trial: after[trial] for trial in kept} == kept
    everything = results / "all.db"
    assert invariants.check(everything) == []
    assert rows(everything, STATUS) == [("done",)]
    for query in (ETA_STAR, CURVES, EXPONENTS):
        assert rows(everything, query) == rows(alone, query)
    assert len(rows(everything, ETA_STAR)) == 4
    assert sorted(path.name for path in results.glob("*.log")) == [f"shard-{index}.log" for index in range(4)]
    assert list((slurm.folder / "tmp").iterdir()) == []  # nothing is left on the nodes


def test_the_time_limit_stops_and_requeues_and_scancel_leaves_nothing(slurm: Cluster, tmp_path: Path) -> None:
    sweep, results = tmp_path / "sweep.toml", tmp_path / "results"
    sweep.write_text(MANY)
    results.mkdir()
    backup, log = results / "shard-0.db", results / "out"
    limit = ("--time=1", "--signal=B:USR1@60")  # near from the start; Slurm looks twice a minute
    words = ("--parsable", "--array=0", *limit, f"--output={log}", SCRIPTS / "shard.sbatch", sweep, results, 1)
    job = slurm.run("sbatch", *words, "--devices", "fake").strip() + "_0"

    def stopped_by_its_limit() -> bool:
        if backup.exists() and int(slurm.job(job)["Restarts"]) > 0 and "requeued" in log.read_text():
            return True
        again(slurm, job)  # on a busy machine it was stopped before it had a store
        return False

    wait_for(stopped_by_its_limit, "the time limit")
    wait_for(lambda: slurm.job(job)["JobState"] == "PENDING", "the job to be in the queue again")
    assert "stopped 'long search'; the same command resumes it" in (results / "shard-0.log").read_text()
    assert slurm.drivers() == []
    assert rows(backup, STATUS) == [("stopped",)]
    assert invariants.check(backup) == []
    kept = done(backup)  # on a busy machine none: the limit came before the first
    slurm.run("scontrol", "update", f"jobid={job}", "timelimit=60")

    def trains_again() -> bool:
        again(slurm, job)
        return len(done(slurm.store(0))) > len(kept)

    wait_for(trains_again, "the requeued job to train")
    slurm.run("scancel", job)
    wait_for(lambda: slurm.job(job)["JobState"] == "CANCELLED", "the job to be cancelled")
    wait_for(lambda: slurm.drivers() == [], "its driver to end")
    assert invariants.check(backup) == []
    after = done(backup)
    assert {trial: after[trial] for trial in kept} == kept


@pytest.mark.skipif("ray" not in ENGINES or find_spec("ray") is None, reason="the engine of Ray is not installed")
def test_one_sweep_on_ray_over_two_nodes_gives_what_one_machine_gives(slurm: Cluster, tmp_path: Path) -> None:
    sweep, results, alone = tmp_path / "sweep.toml", tmp_path / "results", tmp_path / "alone.db"
    sweep.write_text(SWEEP)
    results.mkdir()
    size = ("--nodes=2", "--cpus-per-task=1", f"--output={results}/out")
    job = slurm.run("sbatch", "--parsable", *size, SCRIPTS / "ray.sbatch", sweep, results).strip()
    slurm.run("mlrtui", "run", sweep, "--foreground", "--store", alone, "--devices", "cpu:1")
    wait_for(lambda: slurm.job(job)["JobState"] not in ("PENDING", "RUNNING", "COMPLETING"), "the job to end")
    assert slurm.job(job)["JobState"] == "COMPLETED", (results / "out").read_text()
    for query in (ETA_STAR, CURVES):
        assert rows(results / "ray.db", query) == rows(alone, query)
    assert slurm.run("bash", "-c", "pgrep --full '[r]aylet|[g]cs_server' || true") == ""


@pytest.mark.skipif(bool(unavailable()), reason=f"Slurm: {unavailable()}")
def test_the_scripts_are_as_shellcheck_wants_them() -> None:
    scripts = [*SCRIPTS.iterdir(), *Path(__file__).parent.glob("*.sh")]
    assert len(scripts) >= 5
    # 2317: it does not see that a function of a trap is called
    checked = subprocess.run(["shellcheck", "--exclude=SC2317", *scripts], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
