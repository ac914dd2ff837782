"""Curves that are kept and read ahead: what a visit then asks of the store, and that nothing old is shown."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from test_tui_feed import Clock, Watched
from tui_fakes import FakeReader, FakeStore, scan_store
from tui_laws import wide_scan_store
from tui_rows import make_curve, make_trial

from mlrtui.tui import feed as feed_module
from mlrtui.tui import traces as traces_module
from mlrtui.tui.feed import Feed
from mlrtui.tui.live.charts import no_curve
from mlrtui.tui.state import Reading, Wanted, cells_beside, neighbours
from mlrtui.tui.traces import Traces
from mlrtui_db.errors import StoreLocked
from mlrtui_db.models import Curve

LOOK_AT_6 = Wanted(cell_id=1, trial_id=6)
LOOK_AT_7 = Wanted(cell_id=1, trial_id=7)


def ahead(store: FakeStore, wanted: Wanted) -> Watched:
    """A feed that has shown what is wanted and read its neighbours ahead."""
    watched = Watched(store)
    watched.feed.want(wanted)
    watched.turn()
    read_ahead(watched)
    return watched


def read_ahead(watched: Watched) -> None:
    watched.feed._wake.clear()  # as `run` does before each turn
    watched.feed.read_ahead()


def go(watched: Watched, wanted: Wanted) -> list[tuple[object, ...]]:
    """Look at something else; which curves were asked for."""
    watched.feed.want(wanted)
    return [call for call in watched.turn() if call[0] == "curve"]


def long_store(steps: int, trials: int = 5) -> FakeStore:
    """Trials of so many steps, each with losses of its own."""
    rows = tuple(make_trial(number, 1, 0.1 * number, n_steps=steps) for number in range(1, trials + 1))
    store = scan_store("done", alive=False)
    store.trials[1] = rows
    store.snapshots[1] = replace(store.snapshots[1], trials=rows)
    store.curves = {row.trial_id: make_curve(row.trial_id, [float(row.trial_id)] * steps) for row in rows}
    return store


def test_the_neighbours_are_the_nearest_in_the_list() -> None:
    watched = Watched(scan_store())
    watched.feed.want(LOOK_AT_6)
    watched.turn()
    assert [trial.trial_id for trial in neighbours(watched.reading)] == [7, 5, 8, 4]
    assert [trial.trial_id for trial in neighbours(replace(watched.reading, trial_id=1))] == [2, 3]
    assert neighbours(replace(watched.reading, trial_id=None)) == ()


def test_a_neighbour_comes_from_what_was_read_ahead() -> None:
    store = scan_store()
    watched = ahead(store, LOOK_AT_6)
    assert go(watched, Wanted(cell_id=1, trial_id=5)) == [("curve", 5, 120)]  # only what may have come since
    trace = watched.reading.trace
    assert trace is not None
    assert trace.loss.tolist() == store.curves[5].loss.tolist()
    assert trace.step.tolist() == list(range(121))


def test_a_running_neighbour_that_was_read_ahead_follows_its_new_steps() -> None:
    store = scan_store()
    watched = ahead(store, LOOK_AT_6)
    store.curves[7] = make_curve(7, [0.5] * 90, [12.0] * 90)
    store.commit()
    assert go(watched, LOOK_AT_7) == [("curve", 7, 70)]
    trace = watched.reading.trace
    assert trace is not None
    assert (trace.trial_id, trace.last_step, float(trace.loss[-1])) == (7, 89, 0.5)


def test_a_neighbour_that_began_anew_is_read_whole() -> None:
    store = scan_store()
    watched = ahead(store, LOOK_AT_6)
    store.curves[7] = make_curve(7, [9.0, 8.0] * 40, attempt=2)
    store.commit()
    assert go(watched, LOOK_AT_7) == [("curve", 7, 70), ("curve", 7, -1)]
    trace = watched.reading.trace
    assert trace is not None
    assert (trace.attempt, trace.loss.tolist()) == (2, [9.0, 8.0] * 40)


@pytest.mark.parametrize("shown", [True, False])
def test_steps_that_were_pruned_are_shown_no_more(shown: bool) -> None:
    store = scan_store()
    watched = ahead(store, Wanted(cell_id=1, trial_id=5) if shown else LOOK_AT_6)
    store.curves[5] = make_curve(5, [])
    store.trials[1] = tuple(replace(row, n_steps=0) if row.trial_id == 5 else row for row in store.trials[1])
    store.commit()
    assert go(watched, Wanted(cell_id=1, trial_id=5)) == [("curve", 5, -1)]
    trace = watched.reading.trace
    assert trace is not None
    assert trace.last_step == -1


def test_what_was_looked_at_is_not_read_again() -> None:
    watched = Watched(scan_store())
    for wanted, calls in ((LOOK_AT_6, [("curve", 6, -1)]), (LOOK_AT_7, [("curve", 7, -1)])):
        assert go(watched, wanted) == calls
    assert go(watched, LOOK_AT_6) == [("curve", 6, 120)]


def test_the_same_number_in_another_store_is_another_trial() -> None:
    one, two = long_store(20), long_store(20)
    two.curves[3] = make_curve(3, [7.5] * 20)
    posted: list[Reading] = []
    feed = Feed([one.source("one"), two.source("two")], posted.append, Wanted(trial_id=3, cell_id=1), clock=Clock())
    feed.turn()
    feed.want(Wanted(store=1, trial_id=3, cell_id=1))
    feed.turn()
    trace = posted[-1].trace
    assert trace is not None
    assert trace.loss.tolist() == [7.5] * 20


def test_nothing_of_a_store_is_kept_when_it_had_to_be_opened_again() -> None:
    store = scan_store()
    watched = ahead(store, LOOK_AT_6)
    store.error = StoreLocked("database is locked")
    watched.turn()
    store.error = None
    store.curves[6] = make_curve(6, [3.25] * 121)  # another file under the same name
    assert ("curve", 6, -1) in watched.turn()
    trace = watched.reading.trace
    assert trace is not None
    assert set(trace.loss.tolist()) == {3.25}


def test_reading_ahead_stops_as_soon_as_something_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces_module, "PIECE", 50)
    store = long_store(200)
    watched = Watched(store)
    watched.feed.want(Wanted(cell_id=1, trial_id=3))
    watched.turn()
    pieces: list[int] = []

    def a_key(
        reader: FakeReader, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True
    ) -> Curve:
        pieces.append(after_step)
        if len(pieces) == 2:
            watched.feed.want(Wanted(cell_id=1, trial_id=4))
        return original(reader, trial_id, after_step, limit, residuals)

    original: Callable[..., Curve] = FakeReader.curve
    monkeypatch.setattr(FakeReader, "curve", a_key)
    read_ahead(watched)
    assert pieces == [-1, 49]
    assert go(watched, Wanted(cell_id=1, trial_id=4)) == [("curve", 4, 99)]  # the beginning is of use
    trace = watched.reading.trace
    assert trace is not None
    assert trace.step.tolist() == list(range(200))
    assert set(trace.loss.tolist()) == {4.0}


def test_before_many_steps_are_read_the_screen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LONG", 120)
    watched = Watched(scan_store())
    watched.feed.want(Wanted(cell_id=1, trial_id=6, detailed=True))
    watched.turn()
    watched.feed.want(Wanted(cell_id=1, trial_id=7, detailed=True))
    watched.turn()
    watched.feed.want(Wanted(cell_id=1, trial_id=6, detailed=True))
    watched.turn()
    seen = [(one.trial_id, one.trace is not None, one.details is not None) for one in watched.posted]
    assert seen == [(6, False, False), (6, True, True), (7, True, True), (6, True, True)]
    assert no_curve(watched.posted[0]) == "reading 121 steps"
    assert no_curve(None) == "no trial yet"


def test_nothing_is_read_ahead_twice() -> None:
    store = scan_store()
    watched = ahead(store, LOOK_AT_6)
    store.log.clear()
    read_ahead(watched)
    assert store.log == []


def test_trouble_while_reading_ahead_is_said_by_the_next_turn() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    store.error = StoreLocked("database is locked")
    read_ahead(watched)
    assert watched.reading.trouble == ""
    watched.turn()
    assert watched.reading.trouble == "database is locked"


def test_what_is_kept_in_memory_is_bounded() -> None:
    store = long_store(100, trials=9)
    reader, kept = store.open(), Traces(most_steps=250)
    for trial in (*store.trials[1], *store.trials[1][::-1]):
        trace = kept.read(reader, 0, trial)
        assert trace.step.size == 100
        assert kept.steps <= 250 + 100
    assert kept.steps == 300  # the last one, and two more
    huge = replace(store.trials[1][0], n_steps=1_000)
    store.curves[1] = make_curve(1, [1.0] * 1_000)
    assert kept.read(reader, 0, huge).step.size == 1_000  # what is shown stays, however long
    store.log.clear()
    kept.read(reader, 0, huge)
    assert store.log == [("curve", 1, 999)]


def test_no_more_is_read_ahead_than_can_be_kept() -> None:
    store = long_store(100)
    reader, kept = store.open(), Traces(most_steps=250)
    trials = store.trials[1]
    kept.read(reader, 0, trials[2])
    while kept.read_ahead(reader, 0, (trials[3], trials[1], trials[4], trials[0])):
        pass
    store.log.clear()
    for trial in (trials[3], trials[1]):  # the nearest, which did not push each other out
        assert np.array_equal(kept.read(reader, 0, trial).loss, [float(trial.trial_id)] * 100)
    assert store.log == [("curve", 4, 99), ("curve", 2, 99)]
    assert kept.steps <= 350


def cells_store() -> FakeStore:
    """Three cells in a row, the widths 128, 256 and 512."""
    store = wide_scan_store()
    for rows in store.trials.values():
        for row in rows:
            store.curves[row.trial_id] = make_curve(row.trial_id, [float(row.trial_id)] * row.n_steps)
    return store


def test_the_cells_beside_are_those_to_which_an_arrow_leads() -> None:
    watched = Watched(cells_store())
    watched.feed.want(Wanted(cell_id=2))
    watched.turn()
    assert cells_beside(watched.reading) == (1, 3)
    watched.feed.want(Wanted(cell_id=1))
    watched.turn()
    assert cells_beside(watched.reading) == (2,)


def test_a_trial_of_a_cell_beside_comes_from_what_was_read_ahead() -> None:
    store = cells_store()
    watched = ahead(store, Wanted(cell_id=2))
    for cell_id in (1, 3):
        steps = go(watched, Wanted(cell_id=cell_id))
        assert len(steps) == 1
        assert steps[0][2] >= 0  # only what may have come since
        assert watched.reading.trial is not None
        assert watched.reading.trial.cell_id == cell_id
        assert watched.reading.trace is not None
        assert watched.reading.trace.step.size == watched.reading.trial.n_steps > 0


def test_cells_beside_are_looked_at_once_and_only_where_the_grid_is_shown() -> None:
    store = cells_store()
    watched = ahead(store, Wanted(cell_id=2))
    store.commit()
    watched.turn()
    store.log.clear()
    read_ahead(watched)
    assert [call for call in store.log if call[0] == "live"] == []
    watched = ahead(store, Wanted(cell_id=2, page="phases"))
    assert [call[2] for call in store.log if call[0] == "live"] == [2]
