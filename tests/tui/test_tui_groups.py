"""Any axis groups Exponents, Phases and Compare; theory's lines stand only where they hold."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tui_page_rows
from test_tui_phases import mark
from test_tui_screens import shown
from tui_fakes import FakeStore, scan_store
from tui_laws import law_store, wide_scan_store
from tui_rows import make_details

from mlrtui.text.numbers import number
from mlrtui.tui.clocks import times
from mlrtui.tui.edges import stored_rates
from mlrtui.tui.exponents.fit import Choice, fit_cells
from mlrtui.tui.exponents.infinite import infinite
from mlrtui.tui.pages import FitPage
from mlrtui.tui.phases.lines import lines_for, words_for
from mlrtui.tui.phases.trials import VALUES, PhaseView
from mlrtui.tui.state import Mark
from mlrtui_db.models import TrialDetails, TrialRow
from mlrtui_trainer.theory import arc_cosine_lambda0, infinite_width_lambda0


async def test_exponents_by_depth_has_a_fit_a_sign_and_a_row_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(law_store(), (160, 48)) as view:
        await view.press("2", "g")
        await view.until(lambda: "by depth" in view.text())
        text = view.text()
        assert "exponents by depth" in text
        legend = next(row for row in text.splitlines() if row.startswith("┗"))
        assert [sign in legend for sign in "●■▲◆▼"] == [True] * 5
        forest = text.split("exponents by depth")[1].split("cell L")[0]
        assert forest.count("[") >= 3
        await view.press("w")
        await view.until(lambda: "-groups.csv" in view.text())
        await view.press("g")
        await view.until(lambda: "by width" in view.text())
        await view.press("g")
        await view.until(lambda: "residuals" in view.text())
    with (tmp_path / "mlrtui-exponents-groups.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows] == ["2", "3", "4", "6", "8"]
    # η* = 2 · depth^−0.9 · width^−0.6, so at one depth the power of depth × width is that of the width
    known = [float(row["exponent"]) for row in rows if row["exponent"] and int(row["cells"]) == 3]
    assert known == pytest.approx([-0.6] * len(known), abs=0.12)
    assert known


async def test_exponents_in_ascii_tells_groups_apart_without_colour() -> None:
    async with shown(law_store(), (120, 36), ascii_only=True, color=False) as view:
        await view.press("2", "g")
        await view.until(lambda: "by depth" in view.text())
        assert view.text().isascii()
        legend = next(row for row in view.text().splitlines() if row.startswith("+=") and "@ 2" in row)
        assert "# 3  K 4  Z 6  Y 8" in legend


async def test_phases_goes_against_any_axis_that_varies(monkeypatch: pytest.MonkeyPatch) -> None:
    real = tui_page_rows.view_rows

    def rows_of(store: FakeStore, view: str, sweep: str | None):  # type: ignore[no-untyped-def]
        columns, rows = real(store, view, sweep)
        at, width = columns.index("activation"), columns.index("width")
        return columns, iter([(*row[:at], "tanh" if row[width] == 256 else "relu", *row[at + 1 :]) for row in rows])

    monkeypatch.setattr("tui_fakes.view_rows", rows_of)
    async with shown(wide_scan_store(), (120, 36)) as view:
        await view.press("6")
        await view.until(lambda: "ηλ₀ against width" in view.text())
        await view.press("x")
        await view.until(lambda: "ηλ₀ against activation" in view.text())
        labels = next(row for row in view.text().splitlines() if "relu" in row and "tanh" in row and "┃" in row)
        assert labels.index("relu") < labels.index("tanh")
        assert "relu ✓ lazy 8" in view.text()
        await view.press("x")
        await view.until(lambda: "ηλ₀ against width" in view.text())


async def test_phases_shows_accuracy_and_the_final_ratio_and_where_a_net_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(wide_scan_store(), (160, 48)) as view:
        await view.press("6")
        await view.until(lambda: "ranges of" in view.text())
        assert "c_loss" not in view.text()
        await view.press("v")
        await view.until(lambda: "phases: accuracy against ηλ₀" in view.text() and "c_loss" in view.text())
        # the fake's nets rise from 2.1 on, and lose 4.5: with the widths' factors 1.02, 1.04, 1.06
        assert "c_loss 2.14" in view.text()
        assert "c_max 2.55 (lost at 4.59)" in view.text()
        assert "c_sharp" not in view.text()  # of none is known where λ rises
        await view.press("v")
        await view.until(lambda: f"phases: {VALUES[2]} against ηλ₀" in view.text())
        assert " 2▸" in view.text()
        await view.press("T")
        assert "▸" not in view.text()
        await view.press("w")
        await view.until(lambda: "-onsets.csv" in view.text())


def test_the_cursor_goes_along_the_rates_where_they_are_across() -> None:
    marks = [mark(at, 64, c, final_accuracy=0.1 * at) for at, c in enumerate([3.0, 1.0, 2.0])]
    view = replace(PhaseView.of(marks, "width", 1, ""), value=VALUES[1])
    there = view.moved(1, 0)
    assert there is not None
    assert there.trial_id == 2


def test_lines_stand_where_they_hold() -> None:
    def lines(**of: object) -> list[float]:
        return [line.value for line in lines_for(mark(1, 64, 1.0, **({"edge": 2.0, "loss": "mse"} | of)))]  # type: ignore[arg-type]

    assert lines(model="two-layer-linear") == [2.0, 4.0]
    assert lines(model="mlp", activation="linear", depth=1) == [2.0, 4.0]
    assert lines(model="mlp", activation="linear", depth=2) == [2.0]
    assert lines(model="mlp", activation="relu", depth=1) == [2.0]
    assert lines(model="two-layer-linear", loss="ce") == [2.0]
    assert lines(model="two-layer-linear", edge=3.8) == [3.8]  # momentum 0.9
    assert lines(edge=None) == []
    assert "divergence above" in words_for(mark(1, 64, 1.0, edge=2.0, loss="mse", model="two-layer-linear"))
    assert "linear nets of two layers only" in words_for(mark(1, 64, 1.0, edge=2.0, loss="mse", model="mlp"))
    assert words_for(mark(1, 64, 1.0, edge=None)).startswith("theory has no line")


FORM = {
    "data": "digits", "model": "mlp", "activation": "relu", "bias": 0, "parametrization": "sp", "standardize": "global",
    "training_loss": "mse",
}  # fmt: skip


def page_of(**changes: object) -> FitPage:
    cells = [(depth, width) for depth in (1, 2, 4) for width in (64, 256)]
    rows = [
        FORM
        | {"cell": f"{L}x{n}", "depth": L, "width": n, "nets": 1, "nets_done": 1, "lambda0_mean": 0.6 * L * n}
        | changes
        for L, n in cells
    ]
    return FitPage(
        1, tuple(rows[0]), tuple(tuple(row.values()) for row in rows), tuple((str(r["cell"]), 1) for r in rows)
    )


def test_the_line_of_infinite_width_bounds_the_exact_kernel_of_the_data() -> None:
    choice = Choice("lambda0", "depth*width")
    theory = infinite(fit_cells(page_of(), choice))
    assert theory is not None
    assert theory.inputs == 64
    whole, product = theory.strokes
    assert product.y.tolist() == pytest.approx(product.x.tolist())
    x = np.random.default_rng(0).standard_normal((32, 64))
    x *= math.sqrt(x.size / float((x**2).sum()))  # mean square 1
    for depth, width in ((1, 64), (2, 256), (4, 256)):
        exact = arc_cosine_lambda0(x, depth, width)
        drawn = float(np.interp(depth * width, whole.x, whole.y))
        assert drawn == pytest.approx(infinite_width_lambda0(1.0, depth, width, 64), rel=2e-3)
        assert 0.02 * drawn < exact < drawn


@pytest.mark.parametrize(
    "other",
    [{"activation": "tanh"}, {"training_loss": "ce"}, {"bias": 1}, {"standardize": "none"}, {"data": "somebody's"}],
)
def test_no_line_of_infinite_width_for_other_nets(other: dict[str, object]) -> None:
    assert infinite(fit_cells(page_of(**other), Choice("lambda0", "depth*width"))) is None
    assert infinite(fit_cells(page_of(), Choice("lambda0", "width"))) is None


async def test_compare_colours_by_a_setting_and_says_which_letters_have_which_value() -> None:
    marks = tuple(Mark(0, 1, trial_id) for trial_id in (7, 6, 4))
    async with shown(scan_store(), (120, 36), start="compare", marked=marks) as view:
        await view.until(lambda: len(view.reading.compared) == 3)
        await view.press("g")
        await view.until(lambda: "by eta: A 0.15 B 0.125 C 0.095" in view.text())
        await view.press("g")
        await view.until(lambda: "by eta" not in view.text() or "eta*lambda0" in view.text())


async def test_compare_over_physical_time_reads_all_curves_at_the_same_time() -> None:
    marks = tuple(Mark(0, 1, trial_id) for trial_id in (6, 2))  # η 0.125 and 0.05
    async with shown(scan_store("done", False), (120, 36), start="compare", marked=marks) as view:
        await view.until(lambda: len(view.reading.compared) == 2)
        await view.press("u")
        await view.until(lambda: "η·t 1.75" in view.text())  # step 14 of the first
        second = view.reading.compared[1].trace
        at = math.ceil(1.75 / 0.05 - 1e-9)
        assert f"B {second.loss[at]:.4g}" in view.text()


async def test_under_a_warm_up_the_cursor_stands_at_its_own_step_in_physical_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def warmed(trial: TrialRow, *rest: object) -> TrialDetails:
        details = make_details(trial)
        cell = dict(details.cell) | {"schedule": "linear-warmup", "warmup_steps": 10, "max_steps": 121}
        return replace(details, cell=tuple(cell.items()))

    monkeypatch.setattr("tui_fakes.make_details", warmed)
    marks = tuple(Mark(0, 1, trial_id) for trial_id in (6, 2))
    async with shown(scan_store("done", False), (120, 36), start="compare", marked=marks) as view:
        await view.until(lambda: len(view.reading.compared) == 2)
        first = view.reading.compared[0]
        time = float(times(stored_rates(first.details), np.array([14.0]))[0])
        assert 0.0 < time < 0.8 * 14 * 0.125  # the warm-up has taken some of it
        await view.press("u")
        await view.until(lambda: f"η·t {number(time)}" in view.text())
        assert f"A {number(float(first.trace.loss[14]), 4)}" in view.text()
