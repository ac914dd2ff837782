"""What is computed from the rows of a sweep is computed anew when rows of several stores are put together."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui
from faults_tools import drive, one, rows

from mlrtui.engines.fake import FakeEngine
from mlrtui_db import invariants
from mlrtui_db.merging import merge

WriteSweep = Callable[..., Path]
TEXT = SMALL_SEARCH.replace("depth = [1, 2]", "depth = [1, 2, 3]").replace("width = [16, 32]", "width = [16, 32, 64]")
EXPONENTS = "SELECT fit, y, term, exponent, low, high, r2, cells, intercept, f_equal FROM exponents ORDER BY fit, term"
DONE = "SELECT count(*) FROM net WHERE status = 'done'"


@pytest.fixture
def stopped(sweep_file: WriteSweep, tmp_path: Path) -> tuple[Path, Path]:
    """Two stores of one sweep, stopped when a part of its nets was done: few in the first, more in the second."""
    sweep, stores = sweep_file(TEXT), (tmp_path / "few.db", tmp_path / "more.db")
    counts = []
    for store, least in zip(stores, (5, 12), strict=True):
        stop_after = 20
        while not store.exists() or one(store, DONE) < least:  # type: ignore[operator]
            assert drive(store, sweep, FakeEngine(), stop_after=stop_after).status == "stopped"
        counts.append(one(store, DONE))
    assert counts[0] < counts[1] < 18  # type: ignore[operator]
    return stores


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_fits_and_means_are_those_of_all_rows(
    mlrtui: Mlrtui, stopped: tuple[Path, Path], tmp_path: Path, order: tuple[int, ...]
) -> None:
    few, more = stopped
    assert rows(few, EXPONENTS) != rows(more, EXPONENTS)
    out = tmp_path / "all.db"
    done = mlrtui("merge", out, *(stopped[at] for at in order))
    assert done.returncode == 0, done.stderr
    assert rows(out, EXPONENTS) == rows(more, EXPONENTS)  # whose rows hold those of the other
    assert invariants.check(out) == []
    means = rows(out, "SELECT cell, ln_eta_star_mean, ln_eta_star_sd FROM grid ORDER BY cell")
    for cell, mean, _ in means:
        logs = [
            math.log(eta)  # type: ignore[arg-type]
            for (eta,) in rows(
                out, f"SELECT eta_star FROM eta_star WHERE cell = '{cell}' AND status = 'done' AND censored IS NULL"
            )
        ]
        assert mean == (pytest.approx(math.fsum(logs) / len(logs), abs=1e-12) if logs else None)
    assert any(mean is not None for _, mean, _ in means)
    told = rows(out, "SELECT text FROM event WHERE text LIKE 'merged: its fits were computed anew%'")
    assert len(told) == (0 if order == (1, 0) else 1)


def test_fits_of_one_store_alone_are_never_those_of_a_merged_sweep(stopped: tuple[Path, Path], tmp_path: Path) -> None:
    """Who merges without a way to fit gets no fits rather than wrong ones; a resumed sweep makes them."""
    merge(tmp_path / "all.db", stopped)
    assert rows(tmp_path / "all.db", EXPONENTS) == []
    merge(tmp_path / "same.db", [stopped[0], stopped[0]])
    assert rows(tmp_path / "same.db", EXPONENTS) == rows(stopped[0], EXPONENTS) != []


def test_a_merged_sweep_goes_on_to_what_an_undisturbed_run_finds(
    mlrtui: Mlrtui, sweep_file: WriteSweep, stopped: tuple[Path, Path], tmp_path: Path
) -> None:
    drive(tmp_path / "whole.db", sweep_file(TEXT), FakeEngine())
    assert mlrtui("merge", "all.db", *stopped).returncode == 0
    drive(tmp_path / "all.db", tmp_path / "sweep.toml", FakeEngine())
    assert rows(tmp_path / "all.db", EXPONENTS) == rows(tmp_path / "whole.db", EXPONENTS) != []


def test_settings_that_this_version_does_not_know_leave_no_fits(
    mlrtui: Mlrtui, stopped: tuple[Path, Path], tmp_path: Path
) -> None:
    for store in stopped:
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("""UPDATE sweep SET spec = '{"of": "another version"}'""")
            connection.commit()
    assert mlrtui("merge", "all.db", *stopped).returncode == 0
    assert rows(tmp_path / "all.db", EXPONENTS) == []
    (text,) = rows(tmp_path / "all.db", "SELECT text FROM event WHERE text LIKE 'merged:%'")
    assert "does not know its settings" in str(text)
