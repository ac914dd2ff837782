"""Exponents: the fit on the screen is the stored fit, choices by key and by text, the cells read out exactly."""

import math
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import SMALL_SEARCH
from hypothesis import given
from hypothesis import strategies as st
from test_tui_screens import shown
from tui_fakes import FakeReader
from tui_laws import law_store, wide_scan_store
from tui_rows import make_fit

from mlrtui import data, planning
from mlrtui.analysis.fits import CellPoint, FitSpec, fit
from mlrtui.analysis.prediction import Path, predicted_path
from mlrtui.charts.scatter import Dot, ScatterSpec, Stroke, draw_scatter
from mlrtui.charts.spec import HLine
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.fake import FakeEngine
from mlrtui.text.lines import plain, width_of
from mlrtui.tui.boundary.screen import BoundaryScreen
from mlrtui.tui.exponents.extrapolation import beyond
from mlrtui.tui.exponents.fit import Choice, band, first_choice, fit_cells, local_slopes, stored, xs
from mlrtui.tui.exponents.panes import fit_rows
from mlrtui.tui.exponents.screen import ExponentsScreen
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.pages import FitPage, read_page
from mlrtui.tui.widgets.typed import Prompt
from mlrtui_db.models import FitRow
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[FitPage, tuple[FitRow, ...]]:
    """The rows and the stored fits of a real search with an axis beside depth and width."""
    folder = tmp_path_factory.mktemp("fitted")
    sweep = folder / "sweep.toml"
    text = SMALL_SEARCH.replace("depth = [1, 2]", "depth = [2, 4]\ninput_lr = [0.1, 1.0]")
    sweep.write_text(text.replace("width = [16, 32]", "width = [16, 32, 64]"))
    spec = load_sweep(sweep)
    with Store.open(folder / "s.db") as store:
        Driver(store, FakeEngine(), driver_id="test", should_stop=lambda: False).run_sweep(
            spec, planning.plan(spec, data.load)
        )
    with Reader.open(folder / "s.db") as reader:
        snapshot = reader.live()
        assert snapshot is not None
        page = read_page(reader, "exponents", snapshot.sweep, None)
    assert isinstance(page, FitPage)
    return page, snapshot.fits


def test_the_same_choice_gives_the_stored_numbers(fitted: tuple[FitPage, tuple[FitRow, ...]]) -> None:
    page, fits = fitted
    choices = stored(fits)
    assert {fit.y for fit in choices} == {"eta_star", "lambda0"}
    assert any("input_lr" in fit.where for fit in choices)
    for choice in choices:
        (mine,) = fit_rows(fit_cells(page, choice))
        kept = next(row for row in fits if (row.y, row.term, row.where_expr) == (choice.y, choice.x, choice.where))
        assert mine == kept  # every number, bit by bit, and every sentence


def test_fits_apart_are_the_stored_ones_of_two_terms(fitted: tuple[FitPage, tuple[FitRow, ...]]) -> None:
    page, fits = fitted
    pairs = [row for row in fits if row.term == "depth" and row.y == "eta_star"]
    assert pairs
    for row in pairs:
        apart = fit_cells(page, Choice("eta_star", "depth*width", row.where_expr)).apart
        assert apart is not None
        assert (apart.p_equal, apart.f_equal) == (row.p_equal, row.f_equal)
        assert apart.terms[0].exponent == row.exponent


def test_the_first_choice_is_the_headline(fitted: tuple[FitPage, tuple[FitRow, ...]]) -> None:
    empty = FitPage(1, (), (), ())
    fits = (make_fit(fit="a", where_expr=""), make_fit(fit="b", where_expr="width >= 16*depth"))
    assert first_choice(fits, True, empty) == Choice("eta_star", "depth*width", "width >= 16*depth")
    assert first_choice((), True, empty) == Choice("eta_star", "depth*width")
    assert first_choice((), True, fitted[0]) == Choice("eta_star", "depth*width", "input_lr == 0.1")
    assert first_choice((), False, empty) == Choice("lambda0", "depth*width")
    assert "lambda0" not in xs(fits, "lambda0")


def test_the_band_holds_the_interval_of_the_slope() -> None:
    points = [
        CellPoint(f"c{k}", {"depth": 2.0, "width": float(2**k)}, (-0.7 * k + 0.1 * math.sin(5 * k),)) for k in range(6)
    ]
    result = fit(points, FitSpec("eta_star", ("width",)))
    x = np.array([1.0, 4.0, 32.0, 1e6])
    edges = band(result, x)
    assert edges is not None
    term = result.terms[0]
    middle = result.intercept + term.exponent * np.log(x)
    np.testing.assert_allclose((edges[0] + edges[1]) / 2, middle)
    # Far out the half width of the line's interval grows like that of the slope.
    assert term.high is not None
    mean = np.log([at for _, at, _ in result.inputs]).mean()
    far = (edges[1] - middle)[-1] / abs(np.log(1e6) - mean)
    assert far == pytest.approx(term.high - term.exponent, rel=0.02)
    # Against the textbook formula with s² and Σ(x − x̄)².
    ln_x = np.log([at for _, at, _ in result.inputs])
    ln_y = np.array([y for _, _, y in result.inputs])
    s2 = np.sum((ln_y - result.intercept - term.exponent * ln_x) ** 2) / 4
    t = 2.7764451051977987  # 97.5 % quantile, 4 degrees of freedom
    half = t * np.sqrt(s2 * (1 / 6 + (np.log(x) - mean) ** 2 / np.sum((ln_x - mean) ** 2)))
    np.testing.assert_allclose(edges[1] - middle, half, rtol=1e-9)


def test_local_slopes_are_those_between_neighbours(fitted: tuple[FitPage, tuple[FitRow, ...]]) -> None:
    fit = fit_cells(fitted[0], Choice("lambda0", "depth*width"))
    here = next(place for place in fit.places if place.point.values["width"] == 32)
    slopes = {(axis, between): slope for axis, between, slope in local_slopes(fit, here)}
    assert {axis for axis, _ in slopes} == {"depth", "width"}
    mate = next(
        place
        for place in fit.places
        if place.point.values["width"] == 64
        and place.point.values["depth"] == here.point.values["depth"]
        and place.point.values["input_lr"] == here.point.values["input_lr"]
    )
    assert mate.ln_y is not None
    assert here.ln_y is not None
    assert slopes["width", "32→64"] == pytest.approx((mate.ln_y - here.ln_y) / math.log(2))


def test_a_scatter_puts_marks_and_lines_where_they_belong() -> None:
    dots = (Dot(1.0, 1.0, "a", ""), Dot(100.0, 0.01, "b", "", chosen=True), Dot(10.0, math.nan, "c", ""))
    stroke = Stroke(np.array([1.0, 100.0]), np.array([1.0, 0.01]))
    spec = ScatterSpec(dots, (stroke,), hlines=(HLine(0.1, "here"),))
    lines = [plain(row) for row in draw_scatter(spec, 60, 20)]
    assert [width_of(row) for row in draw_scatter(spec, 60, 20)] == [60] * 20
    (a_row,) = (at for at, row in enumerate(lines) if "a" in row)
    (b_row,) = (at for at, row in enumerate(lines) if "b" in row)
    assert a_row < b_row
    assert lines[a_row].index("a") < lines[b_row].index("b")
    assert not any("c" in row for row in lines)
    assert any("  here▸" in row for row in lines)
    assert sum(any("\u2800" < char <= "\u28ff" for char in row) for row in lines) >= b_row - a_row - 1
    ascii_lines = [plain(row) for row in draw_scatter(spec, 60, 20, ascii_only=True)]
    assert all(row.isascii() for row in ascii_lines)


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=8),
    st.booleans(),
    st.booleans(),
    st.integers(0, 70),
    st.integers(0, 25),
)
def test_a_scatter_never_raises_and_keeps_its_size(
    points: list[tuple[float, float]], x_log: bool, y_log: bool, width: int, height: int
) -> None:
    dots = tuple(Dot(x, y, "o", "") for x, y in points)
    xs_, ys = (np.sort(np.array([point[k] for point in points], dtype=float)) for k in (0, 1))
    rows = draw_scatter(ScatterSpec(dots, (Stroke(xs_, ys),), x_log=x_log, y_log=y_log), width, height)
    assert len(rows) == height
    assert all(width_of(row) == width for row in rows)


async def test_keys_choose_what_is_fitted_against_what() -> None:
    async with shown(law_store(), (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "η* against depth·width" in view.text())
        assert "where: width >= 16*depth" in view.text()
        await view.press("x")
        assert "η* against (depth-1)·width" in view.text()
        await view.press("x", "x", "x")
        assert "η* against λ₀" in view.text()
        await view.press("y")
        assert "λ₀ against depth·width" in view.text()
        await view.press("right_square_bracket")
        assert "all cells; / types a condition" in view.text()
        await view.press("right_square_bracket")
        assert "where: width >= 16*depth" in view.text()
        await view.press("escape")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))


async def test_a_condition_is_typed_completed_refused_and_applied() -> None:
    async with shown(law_store(), (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "12 fitted" in view.text())
        await view.press("slash", "ctrl+u", *"1/q")
        assert "where: 1/q" in view.text()
        await view.press("ctrl+u", *"wid", "tab", *" > q1")
        assert "where: width > q1" in view.text()
        await view.press("enter")
        assert "unknown name 'q1' at column 9" in view.text()
        assert isinstance(view.app.focused, Prompt)
        await view.press("backspace", "backspace", *"64", "enter")
        await view.until(lambda: "10 fitted" in view.text())
        assert "where width > 64" in view.text()
        assert re.search(r"left out: .*\d cells outside where", view.text())
        await view.press("slash", *" / or", "escape")
        await view.until(lambda: not isinstance(view.app.focused, Prompt))
        assert "where: width > 64\n" in view.text()
        assert isinstance(view.app.screen, ExponentsScreen)


@pytest.mark.parametrize(
    ("typed", "fitted_cells", "said"), [("width > 64", "10 fitted", ""), ("width > q", "12 fitted", "unknown name 'q'")]
)
async def test_what_is_typed_before_the_cells_are_read_holds_then(typed: str, fitted_cells: str, said: str) -> None:
    store, read = law_store(), threading.Event()

    class Waiting(FakeReader):
        def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
            assert read.wait(60)
            return super().query(view, where_sweep)

    store.open = lambda: Waiting(store)  # type: ignore[method-assign]
    async with shown(store, (160, 48)) as view:
        await view.press("2", "slash", *typed, "enter", "right", "right")
        assert "reading the cells" in view.text()
        read.set()
        await view.until(lambda: fitted_cells in view.text() and "cell L2 n128 " in view.text())
        await view.until(lambda: said in view.text())


async def test_the_cell_under_the_cursor_is_read_out_exactly() -> None:
    store = law_store()
    async with shown(store, (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "cell L2 n64" in view.text())
        for words in ("↑ 1 at least", "≥", "(the largest rate succeeds)", "left out: censored"):
            assert words in view.text()
        await view.press("right")
        await view.until(lambda: "cell L3 n64" in view.text())
        cell = next(cell for cell in store.snapshots[2].cells if cell.label == "L3 n64")
        for net in store.nets[cell.cell_id]:
            assert f"{net.seed}: {net.eta_star:.6g}" in view.text()
        for words in ("spread ×1.024", "residual −0.0752", "depth 3→4", "width 64→128 −0.60"):
            assert words in view.text()
        await view.press("enter")
        await view.until(lambda: isinstance(view.app.screen, BoundaryScreen) and "L3 n64 seed 0" in view.text())


async def test_a_key_predicts_beyond_the_grid_or_says_why_not() -> None:
    store = law_store()
    async with shown(store, (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "η* against depth·width" in view.text())
        assert "predicted along" not in view.text()
        await view.press("p")
        widths = sorted({cell.width for cell in store.snapshots[2].cells})
        assert (
            f"width {widths[1]} to {4 * widths[-1]}" in view.text().replace("\n", " ")
            or "predicted along" in view.text()
        )
        screen = view.app.screen
        assert isinstance(screen, ExponentsScreen)
        fit = screen._view.fit
        assert fit is not None
        found = beyond(fit)
        cells = [place.point for place in fit.places if place.point.values["width"] >= 16 * place.point.values["depth"]]
        path = predicted_path(cells)
        assert isinstance(path, Path)
        last = path.steps[-1][1]
        assert [stroke.y[-1] for stroke in found.strokes] == pytest.approx([last.low, last.high, last.eta_star])
        await view.press("y")
        assert "no prediction: only η* is predicted, not λ₀" in view.text()
        await view.press("p")
        assert "prediction" not in view.text()


async def test_the_f_test_is_said_in_words() -> None:
    async with shown(law_store(), (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "the exponents differ (F = " in view.text())
        await view.press("y")
        await view.until(lambda: "λ₀ ∝ (depth·width)^1.00" in view.text())
        assert "exponents differ" not in view.text()


async def test_a_scan_has_its_sharpness_law() -> None:
    async with shown(wide_scan_store(), (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "λ₀ against depth·width" in view.text())
        assert "3 fitted" in view.text()
        await view.press("y")
        assert "λ₀ against depth·width" in view.text()
