"""The field of a map: what is asked for, whatever the order of the answers; what follows; what boxes say of it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrtui.analysis.dimension import Dimension, box_dimension
from mlrtui.analysis.fields import SILENT, UNKNOWN, Bools, Field, Grid, boxes
from mlrtui.analysis.prediction import Refusal

SIDE = 65


def answered(grid: Grid, truth: Bools, at_once: int | None = None, seed: int = 0) -> Field:
    """All questions answered, so many at a time in a random order."""
    field, draws = Field(grid), np.random.default_rng(seed)
    while len(wanted := np.argwhere(field.wanted())):
        for row, column in draws.permutation(wanted)[:at_once].tolist():
            field.tell(row, column, bool(truth[row, column]))
    return field


def curved(a: float, b: float, c: float) -> Bools:
    """A smooth boundary that crosses the window from below to above, in columns by row."""
    y = np.linspace(0.0, 1.0, SIDE)[:, None]
    bound: Bools = np.linspace(0.0, 1.0, SIDE)[None] < a + b * y + c * np.sin(3.0 * y)
    return bound


smooth = st.builds(curved, st.floats(0.2, 0.5), st.floats(-0.2, 0.3), st.floats(-0.1, 0.1))


@settings(deadline=None, max_examples=25)
@given(truth=smooth, both=st.booleans())
def test_a_smooth_boundary_is_found_everywhere_by_few_trainings(truth: Bools, both: bool) -> None:
    grid = Grid(SIDE, SIDE, levels=3, both=both)
    field = answered(grid, truth)
    assert np.array_equal(field.filled() == 1, truth)
    measured = field.known != UNKNOWN
    beside = np.zeros_like(truth)
    beside[:, 1:] |= truth[:, 1:] != truth[:, :-1]
    beside[:, :-1] |= truth[:, 1:] != truth[:, :-1]
    assert measured[beside].all()  # what decides the boundary was trained, not inferred
    assert measured.sum() < truth.size * (0.25 if both else 0.5)


@settings(deadline=None, max_examples=15)
@given(truth=smooth, at_once=st.integers(1, 60), seed=st.integers(0, 99), margin=st.integers(0, 2))
def test_the_order_of_answers_decides_nothing(truth: Bools, at_once: int, seed: int, margin: int) -> None:
    grid = Grid(SIDE, SIDE, levels=2, margin=margin)
    one, other = answered(grid, truth), answered(grid, truth, at_once, seed)
    assert np.array_equal(one.known, other.known)


@settings(deadline=None, max_examples=15)
@given(truth=smooth)
def test_more_levels_keep_what_is_known(truth: Bools) -> None:
    coarse = answered(Grid(33, 33, levels=2), truth[::2, ::2])
    fine = Field(Grid(SIDE, SIDE, levels=3))
    for row, column in np.argwhere(coarse.known != UNKNOWN).tolist():
        fine.tell(2 * row, 2 * column, bool(coarse.known[row, column]))
    held = (fine.known != UNKNOWN).sum()
    whole = answered(Grid(SIDE, SIDE, levels=3), truth)
    assert (whole.known[fine.known != UNKNOWN] != UNKNOWN).all()  # nothing was trained in vain
    assert held < (whole.known != UNKNOWN).sum()


def test_an_island_is_missed_inside_a_square_and_followed_where_it_is_seen() -> None:
    truth = curved(0.3, 0.0, 0.0)
    truth[42:47, 50:55] = True  # between the corners of the squares of 8
    assert not answered(Grid(SIDE, SIDE, levels=3), truth).filled()[44, 52]
    truth[42:49, 50:57] = True  # holds the corner (48, 56)
    assert np.array_equal(answered(Grid(SIDE, SIDE, levels=3), truth).filled() == 1, truth)


def test_what_failed_says_nothing_and_is_not_asked_again() -> None:
    truth, grid = curved(0.4, 0.2, 0.0), Grid(SIDE, SIDE, levels=2)
    field = Field(grid)
    while len(wanted := np.argwhere(field.wanted())):
        for row, column in wanted.tolist():
            field.tell(row, column, None if (row, column) == (0, 0) else bool(truth[row, column]))
    assert field.known[0, 0] == SILENT
    assert field.filled()[0, 0] == UNKNOWN


def test_grids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not make squares of 8"):
        Grid(66, 65, levels=3)


def test_boxes_and_dimension_of_shapes_that_are_known() -> None:
    line = np.fromfunction(lambda row, column: column < 128, (257, 257)).astype(np.int8)
    assert boxes(line) == {side: 256 // side for side in (1, 2, 4, 8, 16, 32, 64)}
    found = box_dimension(boxes(line))
    assert isinstance(found, Dimension)
    assert found.value == pytest.approx(1.0)
    noise = np.random.default_rng(0).integers(0, 2, (257, 257)).astype(np.int8)
    dense = box_dimension(boxes(noise))
    assert isinstance(dense, Dimension)
    assert dense.value == pytest.approx(2.0, abs=0.03)
    assert dense.low < 2.0 < dense.high + 0.03
    assert koch_dimension() == pytest.approx(1.18, abs=0.02)  # of 1.26: what is finer than a square is not seen


def koch_dimension() -> float:
    """Of the boundary of Koch's snowflake: ln 4 / ln 3 = 1.26."""
    points = np.array([np.exp(2j * np.pi * k / 3) for k in (0, 2, 1, 0)])
    for _ in range(6):
        ends = points[1:] - points[:-1]
        parts = [points[:-1], points[:-1] + ends / 3, points[:-1] + ends / 3 * (1 + np.exp(1j * np.pi / 3)),
                 points[:-1] + 2 * ends / 3]  # fmt: skip
        points = np.append(np.stack(parts, 1).ravel(), points[-1])
    x = np.linspace(-1.25, 1.25, 513)
    inside = np.zeros((513, 513), bool)
    for start, end in itertools.pairwise(points):  # crossings to the left of each point of a row
        low, high = sorted((start.imag, end.imag))
        rows = np.flatnonzero((x >= low) & (x < high))
        at = start.real + (x[rows] - start.imag) / (end.imag - start.imag) * (end.real - start.real) if len(rows) else 0
        inside[rows] ^= np.atleast_1d(at)[:, None] < x[None]
    found = box_dimension(boxes(inside.astype(np.int8)))
    assert isinstance(found, Dimension)
    return found.value


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({1: 100, 2: 50, 4: 25}, "boxes of 3 sizes fit into the grid"),
        ({1: 0, 2: 0, 4: 0, 8: 0}, "success and failure meet nowhere"),
        ({1: 31, 2: 15, 4: 8, 8: 4}, "the boundary has 31 pieces"),
    ],
)
def test_too_little_is_refused_with_the_reason(counts: dict[int, int], reason: str) -> None:
    found = box_dimension(counts)
    assert isinstance(found, Refusal)
    assert found.reason.startswith(reason)
