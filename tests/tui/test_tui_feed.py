"""The feed: what it reads when, and that trouble becomes a sentence."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store
from tui_rows import NOW, make_curve

from mlrtui.text.phrases import Freshness
from mlrtui.tui.feed import Feed
from mlrtui.tui.ports import StoreReader, StoreSource
from mlrtui.tui.state import Reading, Wanted, choose_trial
from mlrtui_db.errors import StoreLocked, StoreMissing, StoreNewer
from mlrtui_db.work import WorkRow


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Watched:
    """A feed with everything that it posted."""

    def __init__(self, store: FakeStore, **wanted: object) -> None:
        self.clock = Clock()
        self.posted: list[Reading] = []
        self.feed = Feed([store.source()], self.posted.append, Wanted(**wanted), clock=self.clock)  # type: ignore[arg-type]
        self.store = store

    def turn(self) -> list[tuple[object, ...]]:
        """One turn; what was asked of the store beyond its version."""
        self.store.log.clear()
        self.feed.turn()
        return [call for call in self.store.log if call != ("data_version",)]

    @property
    def reading(self) -> Reading:
        return self.posted[-1]


def test_nothing_is_read_or_posted_while_nothing_moves() -> None:
    watched = Watched(scan_store())
    assert watched.turn()
    assert len(watched.posted) == 1
    assert watched.turn() == []
    assert watched.turn() == []
    assert len(watched.posted) == 1


def test_only_new_steps_are_read() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    trace = watched.reading.trace
    assert trace is not None
    assert trace.trial_id == 7
    assert trace.last_step == 70
    store.curves[7] = make_curve(7, [0.5] * 90, [12.0] * 90)
    store.commit()
    assert watched.turn() == [("live", None, 1), ("curve", 7, 70)]
    grown = watched.reading.trace
    assert grown is not None
    assert grown.step.tolist() == list(range(90))
    assert np.array_equal(grown.loss[:71], trace.loss)


def test_a_new_attempt_is_read_whole() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    store.curves[7] = make_curve(7, [9.0, 8.0], attempt=2)
    store.commit()
    assert watched.turn()[-2:] == [("curve", 7, 70), ("curve", 7, -1)]
    trace = watched.reading.trace
    assert trace is not None
    assert (trace.attempt, trace.loss.tolist()) == (2, [9.0, 8.0])


def test_a_choice_is_read_at_once_though_nothing_moved() -> None:
    watched = Watched(search_store())
    watched.turn()
    watched.feed.want(Wanted(cell_id=3))
    assert watched.turn()[0] == ("live", None, 3)
    assert watched.reading.cell is not None
    assert watched.reading.cell.cell_id == 3
    chosen = watched.reading.trial
    assert chosen is not None
    assert chosen.verdict == "reached"
    assert chosen.eta == max(row.eta for row in watched.store.trials[3] if row.verdict == "reached")


def test_following_stays_with_a_trial_until_it_ends() -> None:
    store = search_store()
    watched = Watched(store)
    watched.turn()
    first = watched.reading.trial_id
    snapshot = store.snapshots[2]
    other = store.trials[14][-1].trial_id
    store.snapshots[2] = replace(snapshot, cell_id=14, newest_trial_id=other)
    store.commit()
    watched.turn()
    assert watched.reading.trial_id == first
    store.trials[15] = tuple(replace(row, status="done", verdict="reached") for row in store.trials[15])
    store.commit()
    watched.turn()
    assert watched.reading.trial_id == other


def test_a_newer_sweep_is_followed_when_none_was_chosen() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    search = search_store()
    for name in ("snapshots", "trials", "nets", "curves"):
        getattr(store, name).update(getattr(search, name))
    store.snapshots[1] = replace(store.snapshots[1], trials=(), sweep=replace(store.snapshots[1].sweep, status="done"))
    store.trials[1] = tuple(replace(row, status="done") for row in store.trials[1])
    store.commit()
    watched.turn()
    assert watched.reading.snapshot is not None
    assert watched.reading.snapshot.sweep.sweep_id == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreMissing("There is no store at runs.db."), "There is no store at runs.db."),
        (StoreNewer("The store is newer."), "The store is newer."),
        (StoreLocked("database is locked"), "database is locked"),
        (OSError(5, "Input/output error"), "cannot be read"),
        (RuntimeError(), "RuntimeError"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_trouble_is_a_sentence_and_the_store_is_tried_again(error: Exception, words: str, late: bool) -> None:
    store = scan_store()
    watched = Watched(store)
    if late:
        watched.turn()
    store.error = error
    watched.turn()
    assert words in watched.reading.trouble
    assert (watched.reading.snapshot is not None) == late  # what was read before stays
    assert store.opened == store.closed
    watched.turn()
    assert words in watched.reading.trouble
    store.error = None
    watched.turn()
    assert watched.reading.trouble == ""
    assert watched.reading.snapshot is not None


def test_an_empty_store_is_no_trouble() -> None:
    watched = Watched(FakeStore())
    watched.turn()
    assert watched.reading.trouble == ""
    assert watched.reading.snapshot is None


def test_freshness_goes_from_live_over_quiet_to_stale_and_back() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    assert watched.reading.freshness == Freshness("live")
    watched.clock.now = NOW + 30
    watched.turn()
    assert watched.reading.freshness == Freshness("quiet", NOW)
    count = len(watched.posted)
    watched.clock.now = NOW + 60
    watched.turn()
    assert len(watched.posted) == count  # a silent sweep costs nothing
    watched.clock.now = NOW + 700
    watched.turn()
    assert watched.reading.freshness == Freshness("stale", NOW)
    store.commit()
    watched.turn()
    assert watched.reading.freshness == Freshness("live")


def test_a_driver_that_ends_without_a_commit_is_noticed() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    store.snapshots[1] = replace(store.snapshots[1], writer_alive=False)
    watched.clock.now = NOW + 11
    watched.turn()
    assert watched.reading.freshness.state == "no driver"


@pytest.mark.parametrize(("status", "alive", "state"), [("done", False, "done"), ("stopped", False, "stopped")])
def test_ended_sweeps(status: str, alive: bool, state: str) -> None:
    watched = Watched(scan_store(status, alive))
    watched.turn()
    assert watched.reading.freshness.state == state


def test_time_left_is_what_the_driver_says_of_the_sweep_that_is_looked_at() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.turn()
    assert (watched.reading.seconds_left, watched.reading.work) == (None, None)
    store.work = WorkRow(NOW, "training", 1, "catapult scan", left=180.0)
    store.commit()
    watched.turn()
    assert watched.reading.seconds_left == 180
    assert watched.reading.work_here == store.work
    store.work = WorkRow(NOW, "training", 2, "another sweep", left=180.0)
    store.commit()
    watched.turn()
    assert (watched.reading.seconds_left, watched.reading.work_here) == (None, None)


def test_a_driver_that_is_gone_says_nothing_though_the_store_has_not_moved() -> None:
    store = scan_store()
    store.work = WorkRow(NOW, "training", 1, "catapult scan", left=180.0)
    watched = Watched(store)
    watched.turn()
    store.work = None
    watched.turn()
    assert (watched.reading.seconds_left, watched.reading.work) == (None, None)


def test_the_time_of_cells_is_read_for_the_grid_alone_and_kept_meanwhile() -> None:
    store = scan_store()
    watched = Watched(store)
    watched.feed.want(Wanted(seconds=True))
    watched.turn()
    known = watched.reading.seconds
    assert known
    store.log.clear()
    watched.feed.want(Wanted(seconds=True, detailed=True))
    store.commit()
    watched.turn()
    assert not [call for call in store.log if call[0] == "seconds"]
    assert watched.reading.seconds == known
    watched.feed.want(Wanted())
    watched.turn()
    assert watched.reading.seconds == {}


def test_browsing_reads_headlines_once() -> None:
    store = both_sweeps()
    watched = Watched(store, browsing=True)
    watched.turn()
    laws = dict(watched.reading.stores[0].headlines)
    assert laws[2].term == "depth*width"
    assert 1 not in laws
    assert watched.turn() == []
    store.commit()
    assert ("sweeps",) in watched.turn()
    assert ("live", 1, None) not in store.log


def test_stores_with_trouble_do_not_hide_the_others() -> None:
    good, bad = scan_store(), FakeStore(error=StoreMissing("gone"))
    posted: list[Reading] = []
    Feed([bad.source("bad.db"), good.source("good.db")], posted.append, Wanted(browsing=True), clock=Clock()).turn()
    assert [store.trouble for store in posted[0].stores] == ["gone", ""]
    assert len(posted[0].stores[1].sweeps) == 1


def test_one_thread_opens_reads_and_closes() -> None:
    store = scan_store()
    threads: set[int] = set()
    opened = threading.Event()

    def open_() -> StoreReader:
        threads.add(threading.get_ident())
        opened.set()
        return store.open()

    feed = Feed([StoreSource("x", open_)], lambda reading: None, Wanted(), refresh=60.0)
    thread = threading.Thread(target=feed.run)
    thread.start()
    assert opened.wait(30)
    feed.want(Wanted(cell_id=1))
    feed.reread()
    feed.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert threads == {thread.ident}
    assert store.closed == store.opened == 1


def test_the_trial_asked_for_is_shown_whatever_runs() -> None:
    snapshot = scan_store().snapshots[1]
    assert choose_trial(snapshot, Wanted(cell_id=1, trial_id=2), 7) == 2
    assert choose_trial(snapshot, Wanted(), None) == 7
    assert choose_trial(replace(snapshot, trials=()), Wanted(), 7) is None
    waiting = tuple(replace(row, status="queued", n_steps=0, verdict=None) for row in snapshot.trials)
    assert choose_trial(replace(snapshot, trials=waiting, newest_trial_id=None), Wanted(), None) == 9
