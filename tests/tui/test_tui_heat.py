"""The grid as a heat map, on any two axes; what its signs, letters and shades mean is on the screen."""

import itertools
import math
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_tui_screens import shown
from test_tui_store import open_round
from tui_fakes import FakeStore, scan_store, search_store
from tui_laws import law_store
from tui_rows import make_cell

from mlrtui.text.marks import ASCII, STATE_WORDS, UNICODE, legend
from mlrtui.text.numbers import apart
from mlrtui.tui.live import sheets
from mlrtui.tui.live.grid import SweepGrid
from mlrtui.tui.live.heat import HEATS, SHADES, SHADES_ASCII, Heat, bound_text, heat_text
from mlrtui.tui.live.plane import SIZES, Plane, axis_names, turned
from mlrtui.tui.live.sheets import PHASE_LETTERS, cell_text
from mlrtui_db.models import CellRow
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

LOSSES = ("ce", "mse")
RATES = ("0.1", "1")


def cube() -> list[CellRow]:
    """Two depths, two widths, two rates of the first layer, two losses."""
    return [
        make_cell(
            1 + at,
            depth,
            width,
            variant=f"in={rate} {loss}",
            ln_eta_star_mean=math.log(10.0 ** (at % 4)),
            trials_done=8,
            diverged=at,
        )
        for at, (rate, loss, depth, width) in enumerate(
            (rate, loss, depth, width) for rate in RATES for loss in LOSSES for depth in (2, 10) for width in (64, 128)
        )
    ]


def test_axes_come_from_what_labels_say() -> None:
    assert axis_names(cube()) == ("depth", "width", "in", "ce|mse")
    assert axis_names([make_cell(1, 2, 64), make_cell(2, 3, 64)]) == ("depth", "width")
    assert axis_names([make_cell(1, 2, 64, variant="a b"), make_cell(2, 2, 64, variant="c")]) == ("depth", "width")


def test_any_two_axes_make_a_plane_and_the_others_choose_among_planes() -> None:
    plane = Plane.of(cube(), ("in", "ce|mse"))
    assert (plane.rows, plane.columns) == (RATES, LOSSES)
    assert sorted(set(plane.variants.values())) == [
        "depth=10 width=128",
        "depth=10 width=64",
        "depth=2 width=128",
        "depth=2 width=64",
    ]
    for cell in cube():
        row, column = plane.places[cell.cell_id]
        assert f"in={plane.rows[row]} {plane.columns[column]}" == cell.variant
    assert Plane.of(cube(), ("depth", "width")).rows == ("2", "10")  # by size, not by letters
    for axes in (("nothing", "width"), ("width", "width")):
        assert Plane.of(cube()[:4], axes).axes == ("depth", "width")


def test_no_cell_is_hidden_behind_another_on_any_axes() -> None:
    words = [make_cell(1, 2, 64, variant="a b"), make_cell(2, 2, 64, variant="c")]
    for cells in (cube(), words):
        names = axis_names(cells)
        for axes in itertools.permutations(names, 2):
            plane = Plane.of(cells, axes)
            assert plane.axes == axes
            assert len({(plane.variants[one.cell_id], plane.places[one.cell_id]) for one in cells}) == len(cells)


def test_axes_turn_and_change_places_where_they_meet() -> None:
    axes = ("depth", "width")
    seen = []
    for _ in range(4):
        axes = turned(cube(), axes, 1)
        seen.append(axes)
    assert seen == [("depth", "in"), ("depth", "ce|mse"), ("ce|mse", "depth"), ("ce|mse", "width")]
    assert turned(cube(), ("depth", "width"), 0) == ("width", "depth")


def test_shades_go_from_the_smallest_to_the_largest() -> None:
    cells = cube()[:4]
    heat = Heat.of(cells, "η*", {})
    assert heat is not None
    levels = [heat.level(10.0**power) for power in range(4)]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (0, len(SHADES) - 1)
    assert heat.level(None) is None
    text = "".join(part for part, _ in heat.legend())
    assert text.split()[0] == "1"
    assert "1000 log" in text


def test_a_shade_is_a_sign_and_a_colour_and_in_ascii_another_sign() -> None:
    signs = {state for marks in (UNICODE, ASCII) for _, state in marks.glyphs}
    for shades in (SHADES, SHADES_ASCII):
        assert len(set(shades)) == len(shades)
        assert not signs & set(shades)  # none of them means a state too
    assert "".join(SHADES_ASCII).isascii()


@pytest.mark.parametrize(
    ("bound", "eta", "text"),
    [
        ("at_max", 0.1, "≥0.1"),
        ("at_min", 0.001, "≤1e-3"),
        ("none", None, "none"),
        ("mixed", None, "mixed"),
        ("", None, "-"),
    ],
)
def test_a_censored_cell_says_in_which_direction(bound: str, eta: float | None, text: str) -> None:
    cell = make_cell(1, 2, 64, bound=bound, bound_eta=eta, censored=2)
    assert bound_text(cell) == heat_text(cell, "η*", {}) == text


@pytest.mark.parametrize("odd", [-0.5, 0.0, math.inf])
def test_a_value_that_has_no_place_on_a_log_scale_has_no_shade(odd: float) -> None:
    cells = [make_cell(at, 2, 64, lambda0_mean=one) for at, one in enumerate((1.0, odd, 10.0))]
    heat = Heat.of(cells, "λ₀", {})
    assert heat is not None
    assert (heat.low, heat.high) == (1.0, 10.0)
    assert [heat.level(cell.lambda0_mean) for cell in cells] == [0, None, len(SHADES) - 1]
    assert Heat.of(cells[1:2], "λ₀", {}) is None


async def test_every_value_is_drawn_with_its_numbers_and_its_scale() -> None:
    async with shown(law_store(), (120, 36)) as view:
        for value in HEATS:
            await view.until(lambda: bool(view.reading.snapshot))
            while view.app.look.grid_value != value:
                await view.press("v")
                await view.until(lambda: view.reading.wanted == view.app.wanted)
            text = view.app.screen.query_one(SweepGrid).picture()
            words = "".join(part for runs in text for part, _ in runs)
            assert f"sweep: {value}" in words
            if value != "failures":  # the same in every cell: there is no scale
                assert "░▒▓█" in words
        assert view.reading.seconds == {}


async def test_other_axes_are_a_key_away_and_the_cursor_stays_on_its_cell() -> None:
    store = FakeStore()
    base = search_store()
    cells = tuple(cube())
    store.snapshots[2] = replace(base.snapshots[2], cells=cells, cell_id=1, newest_trial_id=None)
    store.trials, store.nets = dict.fromkeys(range(1, 17), ()), dict.fromkeys(range(1, 17), ())
    async with shown(store, (120, 36)) as view:
        await view.press("right")
        grid = view.app.screen.query_one(SweepGrid)
        assert grid.chosen == 2
        await view.press("a", "a", "A", "A", "v")
        text = view.text()
        assert "in × ce|mse" in text
        assert "depth=2 width=128" in text
        await view.press("down")
        moved = next(cell for cell in cells if cell.cell_id == grid.chosen)
        assert (moved.depth, moved.width) == (2, 128)
        assert moved.cell_id != 2


async def test_axes_without_a_variant_line_take_the_cursor_back_to_its_cell() -> None:
    store = FakeStore()
    cells = tuple(
        make_cell(1 + at, depth, 64, variant=variant)
        for at, (variant, depth) in enumerate(itertools.product(("in=0.1", "in=1"), (2, 4)))
    )
    store.snapshots[2] = replace(search_store().snapshots[2], cells=cells, cell_id=1, newest_trial_id=None)
    store.trials, store.nets = dict.fromkeys(range(1, 5), ()), dict.fromkeys(range(1, 5), ())
    async with shown(store, (120, 36)) as view:
        grid = view.app.screen.query_one(SweepGrid)

        def roles() -> list[str]:
            return [role for runs in grid.picture() for _, role in runs]

        await view.press("up")
        assert "cursor" in roles()
        assert not [role for role in roles() if role.endswith("-chosen")]
        await view.press("A", "A")
        assert "in × depth" in view.text()
        assert [role for role in roles() if role.endswith("-chosen")]
        await view.press("down")
        assert grid.chosen == 3  # one key, one cell


@pytest.mark.parametrize("value", ["progress", "eta_star", "phases"])
async def test_a_key_costs_no_more_than_the_visible_cells(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, side = FakeStore(), 40
    cells = tuple(
        make_cell(1 + at, 1 + at // side, 1 + at % side, ln_eta_star_mean=0.001 * at) for at in range(side**2)
    )
    store.snapshots[2] = replace(search_store().snapshots[2], cells=cells, cell_id=1, newest_trial_id=None)
    store.trials, store.nets = {cell.cell_id: () for cell in cells}, {cell.cell_id: () for cell in cells}
    made: list[int] = []

    def counted(cell: CellRow, *others: Any) -> str:
        made.append(cell.cell_id)
        return cell_text(cell, *others)

    monkeypatch.setattr(sheets, "cell_text", counted)
    async with shown(store, (80, 24), choices={"grid": value}) as view:
        grid = view.app.screen.query_one(SweepGrid)
        await view.until(lambda: grid.chosen == 1 and bool(made))
        await view.pilot.pause()
        made.clear()
        view.app.want = lambda wanted: None  # type: ignore[method-assign]
        await view.press("down")
        assert grid.chosen == 1 + side
        assert 0 < len(made) < 2 * side
        made.clear()
        snapshot = replace(view.reading.snapshot, cells=(*cells[:1], *cells[1:]))  # type: ignore[type-var]
        grid.show(replace(view.reading, snapshot=snapshot), grid.look)
        assert 0 < len(made) < 2 * side  # the same cells, read again


async def test_letters_of_phases_are_explained_and_a_finished_cell_has_no_sign_before_them() -> None:
    store = scan_store("done", False)
    snapshot = store.snapshots[1]
    phases = (("catastrophic", 11), ("stable", 6), ("catapult", 1))
    cells = tuple(replace(cell, phases=phases, nets_done=cell.nets, trials_running=0) for cell in snapshot.cells)
    store.snapshots[1] = replace(snapshot, cells=cells)
    async with shown(store, (80, 24)) as view:
        await view.press("v", "v", "v")
        text = view.text()
        assert "X11S6C1" in text
        assert "✓X11" not in text
        for name, _ in phases:
            assert f"{PHASE_LETTERS[name]} {name}" in text


async def test_what_has_ended_is_not_counted_under_one_verdict_s_sign() -> None:
    async with shown(search_store(), (80, 24)) as view:
        ended = sum(cell.trials_done for cell in view.reading.snapshot.cells)  # type: ignore[union-attr]
        assert f"{ended} ended" in view.text()
        assert "✓250" not in view.text()


def test_a_sign_has_one_meaning_and_a_legend_as_far_as_there_is_room() -> None:
    for marks in (UNICODE, ASCII):
        signs = [sign for _, sign in marks.glyphs]
        assert len(set(signs)) == len(signs)
        assert {state for state, _ in marks.glyphs} == set(STATE_WORDS)
    text = "".join(part for part, _ in legend(UNICODE, ("diverged", "done", "slow"), 80))
    assert text == "✓ done, reached  / goal not reached  ✗ diverged"
    assert "".join(part for part, _ in legend(UNICODE, ("diverged", "done", "slow"), 20)) == "✓ done, reached"


def test_lanes_of_a_round_count_once_in_the_time_of_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        lanes = open_round(store, 4)
    connection = sqlite3.connect(path)
    with connection:  # three lanes of one round, which took ten seconds, and a round of five
        connection.execute("UPDATE attempt SET started_at = 100, ended_at = 105 + trial_id % 3 * 2.5")
        connection.execute("UPDATE attempt SET started_at = 200, ended_at = 205 WHERE trial_id = ?", lanes[3:])
    connection.close()
    with Reader.open(path) as reader:
        assert list(reader.seconds(1).values()) == [15.0]


def test_values_of_many_digits_are_as_short_as_keeps_them_apart() -> None:
    values = ("0.001", "0.0012409377607517198", "0.0015399265260594923", "0.0015499265260594923")
    cells = [make_cell(at, 1, 16, variant=f"out={value}") for at, value in enumerate(values)]
    plane = Plane.of(cells, ("width", "out"))
    assert plane.columns == ("0.001", "0.00124", "0.00154", "0.00155")
    assert [plane.places[at] for at in range(4)] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert Plane.of(cells, SIZES).variants[1] == "out=0.00124"
    assert apart(("0.12345671", "0.12345672", "ce", "4096")) == ("0.12345671", "0.12345672", "ce", "4096")
