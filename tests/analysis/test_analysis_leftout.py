"""How the cells that a fit leaves out are told."""

import pytest

from mlrtui.analysis.exclusions import left_out


@pytest.mark.parametrize(
    ("excluded", "text"),
    [
        ((), ""),
        (("8x64: censored",), "8x64: censored"),
        (("8x64: outside where",), "1 cell outside where"),
        (("a: outside where", "b: censored", "c: outside where"), "b: censored, 2 cells outside where"),
        (
            ("a: censored", "b: not measured yet", "c: censored", "d: no value"),
            "2 cells censored (a, c), d: no value, 1 cell not measured yet",
        ),
    ],
)
def test_censored_cells_are_named_and_unasked_ones_counted(excluded: tuple[str, ...], text: str) -> None:
    assert left_out(excluded) == text
