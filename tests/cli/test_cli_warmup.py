"""`mlrtui suggest-warmup` and `mlrtui plot forks` over a store with the forks of a real warm-up of a tiny net."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from real_engine import RealEngine

from mlrtui import data, planning
from mlrtui.analysis.warmup import Suggestion, suggestions
from mlrtui.commands.warmup import Asked, suggest_warmup
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver
from mlrtui.errors import BadInput
from mlrtui.figures import fork_curves as fork_figures
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nets; the peak is above 2/λ₀ by more than they survive from the start."""
    document = {
        "sweep": {"name": "warm", "seeds": 2},
        "data": {"name": "digits", "samples": 64, "target": "parity"},
        "model": {"depth": 1, "width": 128},
        "training": {"loss": "mse", "batch": "full", "steps": 60},
        "search": {"success": "survives", "tolerance": 0.2},
        "fork": {
            "at": [0, 20, 120, 160],
            "base_eta_lambda0": 7.0,
            "schedule": "linear-warmup",
            "warmup_steps": 160,
            "steps": 60,
            "tolerance": 0.2,
        },
    }
    spec, path = parse_sweep(document, "f").settled, tmp_path_factory.mktemp("warm") / "s.db"
    with Store.open(path) as opened:
        Driver(opened, RealEngine(), driver_id="t").run_sweep(spec, planning.plan(spec, data.load))
    return path


def test_the_peak_survives_late_in_the_warm_up_alone_and_so_it_does_on_other_seeds(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggest_warmup(store, (), Asked(margin=0.25, check=True, nets=3, as_json=True)) == 0
    (found,) = json.loads(capsys.readouterr().out)["warmups"]
    assert (found["cell"], found["warmup_steps"], found["steps"], found["nets"]) == ("1x128", 160, [0, 20, 120, 160], 2)
    assert found["survivors"][0] == 0
    assert found["survivors"][-1] == 2
    assert 20 < found["first"] <= found["switch_at"] <= 160
    assert found["check"] == {"seeds": [2, 3, 4], "none": 0, "suggested": 3, "whole": 3}


def test_what_it_prints(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suggest_warmup(store, ("warm",), Asked(margin=0.0)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "warm: 1x128, warm-up of 160 steps"
    assert said[1] == "  from step 0: the peak survives in 0 of 2 nets"
    assert said[-1].startswith("  suggested: the same warm-up up to step 1")
    for asked, message in ((Asked(margin=-1.0), "--margin -1: use"), (Asked(0.25, nets=0), "--nets 0: use")):
        with pytest.raises(BadInput, match=message):
            suggest_warmup(store, (), asked)


def test_other_data_than_that_of_the_forks_is_no_check(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    shutil.copyfile(store, other)
    with closing(sqlite3.connect(other)) as opened, opened:
        opened.execute("UPDATE cell SET data_id = 'another'")
    with pytest.raises(BadInput, match=r"data\.name = 'digits': no longer the data with which 'warm' was started"):
        suggest_warmup(other, (), Asked(margin=0.25, check=True, nets=1))


def test_a_store_without_a_warm_up_says_what_to_run(tmp_path: Path) -> None:
    Store.open(tmp_path / "empty.db").close()
    with pytest.raises(BadInput, match="no forks of a warm-up in any sweep; run one with schedule"):
        suggest_warmup(tmp_path / "empty.db", (), Asked(margin=0.25))


def row(step: int, seed: int, eta_star: float | None, **other: Any) -> Row:
    return {
        "sweep": "s",
        "cell": "c",
        "seed": seed,
        "step": step,
        "base_schedule": "linear-warmup",
        "base_warmup_steps": 40,
        "base_eta": 1.0,
        "eta_star": eta_star,
        "status": "done",
        "censored": None,
        "reason": None,
    } | other


def test_a_set_with_gaps_is_reported_whole_and_the_suggestion_comes_after_them() -> None:
    rows = [row(step, seed, eta) for seed in (0, 1) for step, eta in ((0, 1.2), (10, 0.8), (20, 1.1), (40, 2.0))]
    (found,) = suggestions(rows)
    assert found == Suggestion("c", 40, (0, 10, 20, 40), (2, 0, 2, 2), 2, ())
    assert (found.surviving, found.first, found.monotone) == ((0, 20, 40), 20, False)
    assert [found.switch_at(margin) for margin in (0.0, 0.25, 9.0)] == [20, 25, 40]


def test_what_is_not_known_counts_for_nothing() -> None:
    rows = [
        row(0, 0, None, censored="none"),  # no rate survives
        row(10, 0, 0.9, censored="at_max"),  # at least that: the peak may survive
        row(20, 0, None, censored="none", reason="no η*(20): the base training had diverged before step 20"),
        row(25, 0, None, status="failed", reason="a training failed: out of memory"),
        row(30, 0, None, status="open"),
        row(35, 0, None, reason="no η*(35): the base has fitted its data"),
        row(40, 0, 1.5, censored="at_max"),
    ]
    (found,) = suggestions(rows)
    assert (found.steps, found.survivors, found.undecided) == ((0, 20, 40), (0, 0, 1), (10, 25, 30, 35))
    assert suggestions([row(0, 0, 1.0, base_schedule="constant")]) == []


def test_the_figure_has_means_ranges_and_both_lines(store: Path) -> None:
    with Reader.open(store) as reader:
        columns, rows = reader.query("forks")
        found = [dict(zip(columns, one, strict=True)) for one in rows]
    (curves,) = fork_figures.curves(found)
    assert (curves.cell, curves.steps, curves.left_out) == ("1x128", (0, 20, 120, 160), 0)
    for low, mean, high in zip(curves.low, curves.eta_star, curves.high, strict=True):
        assert low <= mean <= high
    assert curves.edge[0] < curves.edge[-1]  # λ has fallen
    assert [one / curves.base[-1] for one in curves.base] == pytest.approx([1 / 160, 21 / 160, 121 / 160, 1.0])
    both = [*found, *(one | {"sweep": "other"} for one in found)]
    assert [one.cell for one in fork_figures.curves(both)] == ["warm, 1x128", "other, 1x128"]
    with pytest.raises(BadInput, match="no fork is done"):
        fork_figures.curves([])
