"""A figure of another package, drawn by `mlrtui plot` like ours."""

from pathlib import Path

import pytest
from conftest import SMALL_SEARCH
from other_package import install, run

pytest.importorskip("matplotlib", reason="figures need the extra plot")

FIGURE = '''
"""λ₀ over width."""

from mlrtui.charts.plain import TextChart
from mlrtui.figures.kinds import Figure, Loaded, view_rows


def load(reader, sweeps, asked):
    return Loaded(view_rows(reader, "eta_star", sweeps, asked.where))


def draw(rows, axes, asked):
    axes.plot([row["width"] for row in rows], [row["lambda0"] for row in rows], "o", gid="theirs")
    return axes


FIGURE = Figure("λ₀ over width", ("search",), load, draw, lambda rows, asked: TextChart((f"{len(rows)} nets",)))
'''


def test_a_figure_of_another_package(tmp_path: Path) -> None:
    install(tmp_path, "toy_figure", FIGURE, "mlrtui.figures", "lambda0 = toy_figure:FIGURE")
    (tmp_path / "sweep.toml").write_text(SMALL_SEARCH)
    assert run(tmp_path, "run", "sweep.toml", "--engine", "fake", "--no-tui").returncode == 0
    done = run(tmp_path, "plot", "lambda0", "--out", "a.svg")
    assert done.returncode == 0, done.stderr
    assert 'id="theirs"' in (tmp_path / "a.svg").read_text()
    assert run(tmp_path, "plot", "lambda0", "--text").stdout == "8 nets\n"
