"""Charts are pure functions: what they draw is compared with what the data says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrtui.charts import ticks
from mlrtui.charts.downsample import reduce_columns
from mlrtui.charts.draw import draw
from mlrtui.charts.plain import loglog_text
from mlrtui.charts.reference import LABEL_WIDTH
from mlrtui.charts.spec import Axis, ChartSpec, Floats, HLine, Series
from mlrtui.text.lines import Line, plain, width_of
from mlrtui.tui.boundary.chart import Probe, draw_boundary


def chart(y: list[float] | Floats, x: list[float] | Floats | None = None, **changes: object) -> ChartSpec:
    values = np.array(y, dtype=float)
    steps = np.arange(values.size, dtype=float) if x is None else np.array(x, dtype=float)
    end = float(steps[-1]) if steps.size else 1.0
    return ChartSpec(series=(Series(steps, values),), **{"x_end": end, **changes})  # type: ignore[arg-type]


def rows(spec: ChartSpec, width: int = 60, height: int = 12, ascii_only: bool = False) -> list[str]:
    return [plain(line) for line in draw(spec, width, height, ascii_only).lines]


@pytest.mark.parametrize("x_log", [False, True])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("at", [0, 1, 49_999, 73_111, 99_999])
def test_a_spike_of_one_step_among_1e5_is_drawn_at_its_height(at: int, x_log: bool, ascii_only: bool) -> None:
    y = np.ones(100_000)
    y[at] = 1000.0
    lines = rows(chart(y, x_log=x_log, y_log=True), 80, 20, ascii_only)
    top = lines[0][LABEL_WIDTH + 1 :]
    assert lines[0].lstrip().startswith("1000")
    assert len(top.strip()) == 1  # the axis ends at the peak: its dot is in the top row, and nothing else is


def test_a_constant_between_limits_fills_one_row() -> None:
    lines = rows(chart([3.0] * 50))
    drawn = [line for line in lines[:-1] if line[LABEL_WIDTH + 1 :].strip()]
    assert len(drawn) == 1
    assert drawn[0].count("⣀") + drawn[0].count("⠤") + drawn[0].count("⠒") + drawn[0].count("⠉") == 60 - LABEL_WIDTH - 1


def test_one_point_is_one_mark() -> None:
    drawn = "".join(line[LABEL_WIDTH + 1 :].strip() for line in rows(chart([2.0], x_end=10.0))[:-1])
    assert len(drawn) == 1


@pytest.mark.parametrize(("ascii_only", "ring"), [(False, "○"), (True, "o")])
def test_a_hollow_point_is_a_ring_at_its_place(ascii_only: bool, ring: str) -> None:
    y = np.array([0.0, 1.0, math.nan, 1.0, 2.0])
    hollow = np.array([False, True, True, False, True])
    series = Series(np.arange(5.0), y, hollow=hollow)
    lines = rows(ChartSpec((series,), 4.0, y_limits=(0.0, 2.0)), LABEL_WIDTH + 1 + 9, 6, ascii_only)
    found = [(place, line.index(ring) - LABEL_WIDTH - 1) for place, line in enumerate(lines) if ring in line]
    assert found == [(0, 8), (2, 2)]  # what is not finite stays a cross
    assert sum(line.count(ring) for line in lines) == 2


@pytest.mark.parametrize(("bad", "top"), [(math.nan, True), (math.inf, True), (-math.inf, False)])
@pytest.mark.parametrize("at", [0, 5, 10])
def test_a_non_finite_value_breaks_the_line_and_is_marked(bad: float, top: bool, at: int) -> None:
    y = [1.0] * 11
    y[at] = bad
    spec = chart(y, y_limits=(0.0, 2.0))
    lines = rows(spec, LABEL_WIDTH + 1 + 21, 9)
    marks = lines[0] if top else lines[-2]
    column = LABEL_WIDTH + 1 + round(at / 10 * 41) // 2
    assert marks[column] == "×"
    assert sum(line.count("×") for line in lines) == 1
    drawn = lines[4][LABEL_WIDTH + 1 :]  # the row of 1.0
    assert drawn.strip()
    assert lines[4][column] == " "


def test_values_that_are_not_positive_are_marked_below_on_a_log_axis() -> None:
    lines = rows(chart([1.0, 0.0, -2.0, 10.0], y_log=True))
    assert lines[-2].count("×") == 2
    assert lines[0].count("×") == 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (chart([], empty="no step stored yet"), "no step stored yet"),
        (chart([math.nan] * 7), "no finite value among 7"),
        (chart([-1.0, 0.0], y_log=True), "no finite value among 2"),
    ],
)
def test_without_anything_to_draw_there_is_a_sentence(spec: ChartSpec, words: str) -> None:
    assert words in "\n".join(rows(spec))


def test_values_beyond_given_limits_are_clipped() -> None:
    lines = rows(chart([1e300, 1.0, -1e300], y_limits=(0.0, 2.0)))
    assert lines[0][LABEL_WIDTH + 1] != " "
    assert lines[-2].rstrip()[-1] not in "┤│"


def test_columns_do_not_move_when_points_arrive() -> None:
    rng = np.random.default_rng(0)
    y = rng.lognormal(size=900)
    end = 1000.0
    axes = Axis(0.0, end, True), Axis(1e-3, 1e3, True)
    x = np.arange(900.0)
    before = reduce_columns(x[:600], y[:600], *axes, 160, 80)
    after = reduce_columns(x, y, *axes, 160, 80)
    settled = before.column.size - 1  # the last column may still grow
    for name in ("column", "top", "bottom", "first", "last"):
        assert np.array_equal(getattr(before, name)[:settled], getattr(after, name)[:settled])


@pytest.mark.parametrize("columns", [2, 7, 100, 331])
def test_every_column_holds_its_extremes(columns: int) -> None:
    rng = np.random.default_rng(1)
    x, y = np.arange(5000.0), rng.normal(size=5000)
    axis = Axis(-5.0, 5.0, False)
    reduced = reduce_columns(x, y, Axis(0.0, 4999.0, False), axis, columns, 1000)
    owner = np.rint(x / 4999.0 * (columns - 1)).astype(int)
    for column, top, bottom in zip(reduced.column, reduced.top, reduced.bottom, strict=True):
        mine = y[owner == column]
        assert top == round((5.0 - mine.max()) / 10 * 999)
        assert bottom == round((5.0 - mine.min()) / 10 * 999)


SIZES = pytest.mark.parametrize(
    "size", [(31, 7), (72, 6), (112, 14), (190, 25)], ids=lambda size: f"{size[0]}x{size[1]}"
)


def dots_of(char: str) -> int:
    return ord(char) - 0x2800 if char != " " else 0


@SIZES
@pytest.mark.parametrize("value", [0.4, 1.0, 1.31, 1.77])
def test_a_reference_line_lies_in_its_dot_row_and_its_label_in_the_margin(size: tuple[int, int], value: float) -> None:
    width, height = size
    spec = chart([0.0, 0.0], hlines=(HLine(value, f"2/η {value}"),), y_limits=(0.0, 2.0))
    lines = rows(spec, width, height)
    dot_row = round((2.0 - value) / 2.0 * (4 * (height - 1) - 1))
    line = lines[dot_row // 4]
    assert line.startswith(f"2/η {value}".rjust(LABEL_WIDTH) + "▸")
    bits = (0x09, 0x12, 0x24, 0xC0)[dot_row % 4]
    plot = line.split("▸")[1]
    assert len(plot) > 12
    assert all(dots_of(char) and not dots_of(char) & ~bits for char in plot)
    assert sum("▸" in line for line in lines) == 1


@SIZES
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("log", [False, True])
def test_a_line_and_a_curve_near_it_or_on_it_are_told_apart(size: tuple[int, int], ascii_only: bool, log: bool) -> None:
    width, height = size

    def drawn(sharpness: float) -> list[Line]:
        spec = chart([sharpness] * 200, hlines=(HLine(5.88, "2/η 5.88"),), y_limits=(2.0, 12.0), y_log=log)
        return list(draw(spec, width, height, ascii_only).lines)

    edge = "2/eta 5.88>" if ascii_only else "2/η 5.88▸"
    for sharpness in (5.88, 6.01, 5.6, 2.5, 11.0):
        lines = drawn(sharpness)
        runs = [run for line in lines for run in line]
        assert sum(edge in text for text, role in runs if role == "edge") == 1
        assert sum(len(text.strip()) for text, role in runs if role == "curve") >= (width - 12) // 2
        assert sum(len(text.strip()) for text, role in runs if role == "edge") >= len(edge) + (width - 12) // 2 - 1
    texts = {sharpness: [plain(line) for line in drawn(sharpness)] for sharpness in (5.88, 2.5, 11.0)}
    assert len({tuple(text) for text in texts.values()}) == 3
    if not ascii_only and height >= 14:  # a dot is less than the difference
        assert [plain(line) for line in drawn(6.4)] != texts[5.88]


def test_a_point_on_a_line_is_not_hidden_by_it() -> None:
    for ascii_only in (False, True):
        for at in range(9):
            y = [0.0] * at + [1.0] + [0.0] * (8 - at)
            free = chart(y, y_limits=(0.0, 1.0))
            ruled = chart(y, y_limits=(0.0, 1.0), hlines=(HLine(1.0, "edge 1"),))
            for before, after in zip(rows(free, 24, 6, ascii_only), rows(ruled, 24, 6, ascii_only), strict=True):
                pairs = list(zip(before[LABEL_WIDTH + 1 :], after[LABEL_WIDTH + 1 :], strict=True))
                if ascii_only:
                    assert all(one in (" ", two) for one, two in pairs)
                elif "┤" in before or "│" in before:
                    assert all(dots_of(one) & dots_of(two) == dots_of(one) for one, two in pairs)


@pytest.mark.parametrize("ascii_only", [False, True])
def test_several_curves_on_a_line_leave_it_visible(ascii_only: bool) -> None:
    steps = np.arange(100.0)
    series = tuple(Series(steps, np.full(100, 1.0), f"curve-{k}", sign) for k, sign in enumerate("ABC", 1))
    spec = ChartSpec(series, x_end=99.0, y_limits=(0.0, 2.0), hlines=(HLine(1.0, "edge 1"),))
    runs = [run for line in draw(spec, 60, 10, ascii_only).lines for run in line]
    assert sum(len(text.strip()) for text, role in runs if role == "edge") >= len("edge 1>") + 26
    assert sum(len(text.strip()) for text, role in runs if role == "curve-3") >= 26


def test_two_lines_in_one_row_have_a_label_each() -> None:
    spec = chart([0.0, 1000.0], hlines=(HLine(5.0, "2/η 5"), HLine(10.0, "4/η 10")), y_limits=(0.0, 1000.0))
    lines = rows(spec, 50, 8)
    assert [line.split("▸")[0].strip() for line in lines if "▸" in line] == ["4/η 10", "2/η 5"]


any_floats = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=60)


@settings(max_examples=100, deadline=None)
@given(
    any_floats,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(min_value=0, max_value=90),
    st.integers(min_value=0, max_value=30),
    st.lists(st.floats(min_value=0.5, max_value=2.0), max_size=2),
)
def test_any_data_at_any_size_gives_lines_of_that_size(
    y: list[float], x_log: bool, y_log: bool, ascii_only: bool, width: int, height: int, edges: list[float]
) -> None:
    spec = chart(y, x_log=x_log, y_log=y_log, hlines=tuple(HLine(edge, f"edge {edge:.3g}") for edge in edges))
    spec = replace(spec, series=(*spec.series, Series(np.arange(9.0), np.full(9, edges[0] if edges else 1.0))))
    drawing = draw(spec, width, height, ascii_only)
    assert len(drawing.lines) == height
    assert {width_of(line) for line in drawing.lines} <= {width}
    if ascii_only:
        assert all(plain(line).isascii() for line in drawing.lines)


@settings(max_examples=100, deadline=None)
@given(any_floats, any_floats, st.booleans())
def test_limits_hold_the_data_and_only_grow(first: list[float], second: list[float], log: bool) -> None:
    values = np.array(first, dtype=float)
    low, high = ticks.limits(values, log)
    assert low < high
    good = values[np.isfinite(values) & ((values > 0) | (not log))]
    if good.size:
        slack = 1e-6 * max(abs(low), abs(high), 1e-300)
        assert low - slack <= good.min() <= good.max() <= high + slack
    wider = ticks.limits(np.array(second, dtype=float), log, (low, high))
    assert wider[0] <= low
    assert wider[1] >= high


@pytest.mark.parametrize(
    ("values", "log", "expected"),
    [
        ([0.13, 87.0], True, (0.1, 100.0)),
        ([0.6, 2.3], True, (0.5, 5.0)),
        ([1.0, 1.0], True, (0.5, 2.0)),
        ([0.9, 1.5], False, (0.8, 1.6)),
        ([0.1, 0.9], False, (0.0, 1.0)),
        ([3.0, 3.0], False, (0.0, 6.0)),
        ([0.0], False, (0.0, 1.0)),
        ([], True, (1.0, 10.0)),
        ([5e-324], True, (5e-308, 1e-307)),
        ([1.0, 1.7e308], True, (1.0, 1.7976931348623157e308)),
    ],
)
def test_limits_are_round(values: list[float], log: bool, expected: tuple[float, float]) -> None:
    assert ticks.limits(np.array(values), log) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01, "0.01"), (1.0, "1"), (20.0, "20"), (1e3, "1000"), (1e4, "1e4"), (2e-5, "2e-5"), (-0.5, "-0.5")],
)
def test_tick_labels(value: float, text: str) -> None:
    assert ticks.label(value) == text


def probes() -> list[Probe]:
    return [
        Probe(0.01, 0, "✓", "done"),
        Probe(0.1, 1, "✗", "diverged", chosen=True),
        Probe(0.03, 2, "✓", "done"),
        Probe(0.05, 3, "✗", "diverged"),
    ]


def test_boundary_shows_every_trial_and_both_edges() -> None:
    lines = [plain(line) for line in draw_boundary(probes(), 0.03, 0.05, 60, 12)]
    text = "\n".join(lines)
    assert text.count("✓") == 2
    assert text.count("✗") == 2
    star, fail = lines[-2].index("*"), lines[-2].index("fails")
    best_row = next(line for line in lines if line.lstrip().startswith("r2"))
    assert best_row[star] == "✓"
    assert next(line for line in lines if line.lstrip().startswith("r3"))[fail] == "✗"
    roles = {role for line in draw_boundary(probes(), 0.03, 0.05, 60, 12) for _, role in line}
    assert "diverged-chosen" in roles


@pytest.mark.parametrize("size", [(60, 12), (20, 4), (19, 3), (5, 1), (0, 0), (300, 60)])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_boundary_has_the_asked_size(size: tuple[int, int], count: int) -> None:
    width, height = size
    lines = draw_boundary(probes()[:count], 0.03 if count else None, None, width, height, ascii_only=True)
    assert len(lines) == height
    assert {width_of(line) for line in lines} <= {width}


def test_many_rounds_share_rows() -> None:
    many = [Probe(0.01 * 1.01**k, k, "+", "done") for k in range(40)]
    lines = draw_boundary(many, None, None, 70, 10, ascii_only=True)
    assert sum(plain(line).count("+") for line in lines) > 20


def test_plain_chart_names_what_it_leaves_out_and_is_ascii_when_asked() -> None:
    points = [(10.0**k, 10.0**-k) for k in range(4)] + [(1.0, math.nan), (0.0, 1.0), (5.0, math.inf)]
    text = loglog_text(points, (-1.0, 0.0), (60, 16), ascii=True)
    assert text.isascii()
    assert text.splitlines()[-1].startswith("3 of 7 points")
    assert len(text.splitlines()) == 16
    assert text.count("o") >= 4
    braille = loglog_text(points[:4], None, (60, 16))
    assert braille.count("●") == 4
    assert loglog_text([], None) == "no points to draw"
    assert loglog_text([(math.nan, 1.0)]).startswith("1 of 1 points")


def test_plain_chart_twice_is_the_same() -> None:
    points = [(1.0, 2.0), (30.0, 0.1)]
    assert loglog_text(points, (-0.5, 1.0)) == loglog_text(points, (-0.5, 1.0))


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(("x", "cell"), [(0.0, 0), (30.0, 18), (100.0, 59)])
def test_the_cursor_stands_where_its_step_is_drawn(ascii_only: bool, x: float, cell: int) -> None:
    steps = np.arange(101.0)
    spec = ChartSpec((Series(steps, steps),), x_end=100.0, cursor=x, point=x)
    rows = [plain(row)[LABEL_WIDTH + 1 :] for row in draw(spec, 67, 11, ascii_only).lines[:-1]]
    sign = "O" if ascii_only else "●"
    assert [row.index(sign) for row in rows if sign in row] == [cell]
    assert sum(row[cell] in ":┊" for row in rows) >= len(rows) - 2


@pytest.mark.parametrize("x_log", [True, False])
def test_a_part_of_the_steps_has_its_own_labels_and_no_curve_from_outside(x_log: bool) -> None:
    steps = np.arange(1001.0)
    values = np.where(steps < 400, 5.0, 1.0)
    spec = ChartSpec((Series(steps, values),), x_start=500.0, x_end=700.0, x_log=x_log, y_limits=(0.0, 6.0))
    rows = [plain(row) for row in draw(spec, 80, 12).lines]
    assert {"500", "600", "700"} <= set(rows[-1].split())
    assert not any(char > "⠀" and char < "⣿" for row in rows[:3] for char in row)


def test_letters_tell_curves_apart() -> None:
    steps = np.arange(100.0)
    series = tuple(Series(steps, np.full(100, float(k)), letter=letter) for k, letter in enumerate("ABC"))
    text = "\n".join(plain(row) for row in draw(ChartSpec(series, x_end=99.0), 80, 12).lines)
    assert all(text.count(letter) >= 3 for letter in "ABC")


@pytest.mark.parametrize(("low", "high"), [(0.70, 0.88), (2.6, 6.6), (0.011, 0.019)])
def test_a_narrow_log_axis_has_a_scale(low: float, high: float) -> None:
    shown = ticks.y_ticks(low, high, True, 20)
    assert len(shown) >= 2
    assert all(low * (1 - 1e-9) <= value <= high * (1 + 1e-9) for value in shown)
