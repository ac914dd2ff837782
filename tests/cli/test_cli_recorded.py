"""Commands and screens on stores with recorded runs."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
from conftest import Mlrtui

from mlrtui.tui.browse.filtering import Entry, find
from mlrtui.tui.measured import chosen_measure, edge_curves, edge_hlines, next_measure, starts_log, value_words
from mlrtui.tui.once import read_once, render_once
from mlrtui.tui.starting import looked_at, store_source
from mlrtui.tui.state import Reading
from mlrtui_db.own import Own, own_cell
from mlrtui_db.reader import Reader
from mlrtui_db.records import MeasureRow, NetRecord, Segment, StepRows, SweepRecord, TrialRecord
from mlrtui_db.store import Store

STEPS = 40
SWEEP = """
sweep = { name = "gpt", seeds = 1 }
data = { name = "digits", samples = 64 }
model = { depth = 1, width = 4 }
training = { loss = "ce", batch = 32, epochs = 1 }
search = { threshold = 0.2 }
"""


def add_run(path: Path, name: str, own: Own, error: str | None = None, warmup: bool = False) -> None:
    """A recorded run whose critical sharpness rises to its edge 2/η, with batch sharpness between two edges."""
    spec = json.dumps({"name": name, "recorded": {"settings": own, "every": 5}})
    rates = [0.1 * (min(step + 1, 10) / 10 if warmup else 1.0) for step in range(STEPS)]
    measures = []
    for step in range(0, STEPS, 5):
        edge = 2.0 / rates[step]
        measures += [
            MeasureRow(step, "batch", 5.0, 0.1 * edge, edge_high=1.9 * edge, status="found"),
            MeasureRow(step, "critical", edge * step / STEPS if step else nan, edge, status="found"),
            MeasureRow(step, "lambda", 3.0 + step, nan, residual=1e-3, status="found"),
        ]
    cell = own_cell(own, [NetRecord(0, "hessian", "own", "the batch of each step")], optimizer="SGD")
    key = f"{abs(hash(name)):064d}"[:64]
    with Store.open(path) as store, store.transaction():
        sweep_id = store.add_sweep(SweepRecord(name, key, spec, "recorded", "script", (cell,)))
        (net,) = store.sweep_state(sweep_id).nets
        (trial_id,) = store.add_trials([TrialRecord(net.net_id, key, 0.1, None, 0, 0)])
        store.open_attempts([trial_id], "script", "cpu", {})
        nothing = [None] * STEPS
        store.append_steps(
            StepRows(
                segments=(Segment(trial_id, 1, 0, 0, STEPS),),
                step=range(STEPS),
                loss=[2.0 / (step + 1) for step in range(STEPS)],
                accuracy=nothing,
                sharpness=[float(3 + step) if step % 5 == 0 else None for step in range(STEPS)],
                sharpness_residual=nothing,
                products=nothing,
                flags=[0] * STEPS,
                eta=rates,
                measures=measures,
            )
        )
        store.finish_recording(trial_id, "cancelled" if error else "done", error)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    add_run(path, "gpt", {"heads": 4, "rope": True})
    add_run(path, "warm", {"heads": 8, "note": "slow"}, warmup=True)
    add_run(path, "broken", {"heads": 2}, error="the script stopped: KeyError: 'x'")
    return path


def seen(path: Path, screen: str, sweep: str | None = None, trials: tuple[int, ...] = (), measure: str = "") -> Reading:
    with Reader.open(path) as reader:
        wanted, marks = looked_at(reader, sweep, trials)
    return read_once([store_source(path)], screen, replace(wanted, measure=measure), marks)


def shown(path: Path, screen: str, size: tuple[int, int], **how: object) -> str:
    text = render_once(seen(path, screen, **how), screen, size)  # type: ignore[arg-type]
    assert {len(line) for line in text.splitlines()} <= set(range(size[0] + 1))
    return text


def test_commands_say_whose_a_recorded_run_is(mlrtui: Mlrtui, runs: Path, tmp_path: Path) -> None:
    before = runs.read_bytes()
    for command in (("resume", "warm"), ("rerun", "--failed", "warm")):
        done = mlrtui(*command, "--store", runs)
        assert done.returncode == 2
        assert f"'warm' is a recorded run, which mlrtui cannot {command[0]}: start its script again" in done.stderr
    done = mlrtui("resume", "--store", runs)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "broken: a recorded run; its own script starts it again",
    )
    done = mlrtui("rerun", "--failed", "--store", runs)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "nothing to rerun: no trial has failed")
    (tmp_path / "sweep.toml").write_text(SWEEP)
    done = mlrtui("run", tmp_path / "sweep.toml", "--store", runs, "--no-tui")
    assert done.returncode == 2
    assert "has a recorded run of this name, a script's own" in done.stderr
    done = mlrtui("certify", "warm", "--store", runs, "--depth", 1, "--width", 8)
    assert done.returncode == 2
    assert done.stderr == "mlrtui: 'warm': a recorded run has one rate; name a search or a scan\n"
    assert mlrtui("certify", "--store", runs, "--depth", 1, "--width", 8).returncode == 2
    assert runs.read_bytes() == before
    status = mlrtui("status", "--store", runs)
    assert [line.split("  ")[-1] for line in status.stdout.splitlines()[1:]] == [
        *("broken: recorded, stopped", "warm: recorded, done", "gpt: recorded, done")
    ]
    assert mlrtui("doctor", runs).returncode == 0
    exported = mlrtui("export", "--view", "measures", "--store", runs, "--sweep", "gpt", "--out", tmp_path / "out")
    assert exported.returncode == 0, exported.stderr
    assert len((tmp_path / "out" / "measures.csv").read_text().splitlines()) == 1 + 3 * 8


def test_browse_lists_the_stores_of_a_folder(mlrtui: Mlrtui, runs: Path, tmp_path: Path) -> None:
    add_run(tmp_path / "other.db", "another", {})
    done = mlrtui("browse", tmp_path, "--once")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("4 sweeps", "gpt", "warm", "broken", "another", "record"))
    (tmp_path / "empty").mkdir()
    refused = mlrtui("browse", tmp_path / "empty")
    assert (refused.returncode, "no store (*.db) in this folder" in refused.stderr) == (2, True)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_live_and_trial_draw_a_measure_beside_its_edge(runs: Path, size: tuple[int, int]) -> None:
    live = shown(runs, "live", size, sweep="gpt")
    assert "critical  beside its edge" in live
    assert "edge 20▸" in live  # 2/η, a line
    assert "heads=4" in live
    assert "0x0" not in live
    assert "0×0" not in live
    trial = shown(runs, "trial", size, sweep="warm")
    assert "η 0.1 at its peak   critical 17.5 · edge 20 · 0.875 of it" in trial
    assert "40 steps recorded (loss 2 → 0.05)" in trial
    assert "edge 20▸" not in trial  # it changes along the warm-up: a curve
    assert "the script stopped: KeyError" in shown(runs, "trial", size, sweep="broken")


def test_the_other_measures_are_a_key_away(runs: Path) -> None:
    first = seen(runs, "live", sweep="gpt")
    assert first.measures == ("batch", "critical", "lambda", "learning rate")
    assert first.measured is not None
    assert first.measured.measure == "critical"
    names = [first.measured.measure]
    for _ in range(4):
        names.append(next_measure(names[-1], first.measures, recorded=True))
    assert names == ["critical", "lambda", "learning rate", "batch", "critical"]
    assert [chosen_measure(name, first.measures, True) for name in ("", "lambda", "gone")] == [
        *("critical", "lambda", "critical")
    ]
    assert chosen_measure("", ("grad_norm",), False) == ""
    assert [next_measure(now, ("a", "b"), False) for now in ("", "a", "b")] == ["a", "b", ""]


def test_edges_that_change_are_curves_and_bands_have_two(runs: Path) -> None:
    flat, changing = (seen(runs, "trial", sweep=name, measure="batch").measured for name in ("gpt", "warm"))
    assert flat is not None
    assert changing is not None
    assert [line.value for line in edge_hlines(flat)] == pytest.approx([2.0, 38.0])
    assert [line.label for line in edge_hlines(flat)] == ["low 2", "high 38"]
    assert edge_curves(flat) == ()
    assert edge_hlines(changing) == ()
    low, high = edge_curves(changing)
    assert list(low.y[:2]) == pytest.approx([20.0, 20.0 / 6])  # at a tenth of the peak, at six tenths
    assert list(high.y / low.y) == pytest.approx([19.0] * 8)
    assert value_words(flat) == "batch 5 · edges 2 to 38"
    rate = seen(runs, "trial", sweep="warm", measure="learning rate").measured
    assert rate is not None
    assert list(rate.value[:3]) == pytest.approx([0.01, 0.02, 0.03])
    assert rate.edges == ()
    assert not starts_log(rate)
    critical = seen(runs, "trial", sweep="warm").measured
    assert critical is not None
    assert starts_log(critical)
    assert value_words(critical, 0) == "critical not measured"  # NaN with a status
    assert critical.points[0][0] == 5.0


def test_runs_are_compared_over_the_edge_of_each_step(runs: Path) -> None:
    text = shown(runs, "compare", (120, 36), trials=(1, 2))
    assert "critical over the edge of each step, edge at 1" in text
    assert "own" in text
    reading = seen(runs, "compare", trials=(1, 2))
    ratios = [one.measured.ratios[1] for one in reading.compared if one.measured is not None]
    assert [list(one) for one in ratios] == [pytest.approx([step / STEPS for step in range(5, STEPS, 5)])] * 2


def test_browse_filters_by_a_runs_own_settings(runs: Path) -> None:
    with Reader.open(runs) as reader:
        entries = [Entry(0, "runs", "here", sweep, None) for sweep in reader.sweeps()]

    def names(text: str) -> list[str]:
        found = find(entries, text)
        assert found.trouble == ""
        return [entry.sweep.name for entry in found.entries]

    assert names("heads >= 4") == ["warm", "gpt"]
    assert names("rope == 1") == ["gpt"]
    assert names("note != 'fast'") == ["warm"]  # a run without a note is left out
    assert names("mode == 'recorded' and status == 'stopped'") == ["broken"]
    assert "unknown name 'tails'" in find(entries, "tails == 4").trouble


def test_an_old_reader_of_the_store_sees_no_invented_numbers(runs: Path) -> None:
    with closing(sqlite3.connect(runs)) as connection:
        row = connection.execute("SELECT depth, width, data, batch, optimizer, edge FROM cell").fetchone()
    assert row == (None, None, None, None, "SGD", 0.0)
