"""Rows that are checked column by column are taken, or named, as they are one by one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlrtui_db._checked import Unreadable, record, records
from mlrtui_db.models import EventRow

GOOD = st.tuples(st.integers(0, 9), st.floats(0, 1e9), st.sampled_from(["info", "error"]), st.text(max_size=3))
WRONG = st.none() | st.integers(-2, 2) | st.just(2**60) | st.floats(allow_nan=False) | st.text(max_size=2) | st.binary()


def one_by_one(rows: list[tuple[Any, ...]]) -> tuple[EventRow, ...]:
    return tuple(record(EventRow, row, "event") for row in rows)


def outcome(read: Any, rows: list[tuple[Any, ...]]) -> Any:
    try:
        return read(rows)
    except Unreadable as error:
        return str(error)


@given(st.lists(st.tuples(GOOD, st.none() | st.integers(0, 5)), max_size=6), st.data())
def test_columns_are_checked_as_rows_are(good: list[tuple[Any, Any]], data: st.DataObject) -> None:
    rows = [(*row, last) for row, last in good]
    assert records(EventRow, rows, "event") == one_by_one(rows)
    if rows:
        at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 4))
        rows[at] = (*rows[at][:column], data.draw(WRONG), *rows[at][column + 1 :])
    assert outcome(lambda given: records(EventRow, given, "event"), rows) == outcome(one_by_one, rows)
