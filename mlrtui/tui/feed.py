"""The one reader of the screens: a loop in a thread of its own that owns every connection and posts what it read."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from mlrtui.text.marks import trains
from mlrtui.text.phrases import Freshness
from mlrtui.tui.alarms import Alarms, crossed_at, low_space, nonfinite_trials, quiet_workers
from mlrtui.tui.compare.reading import Comparison
from mlrtui.tui.curves import MeasureTrace, Trace, read_measure
from mlrtui.tui.machine import Load
from mlrtui.tui.measured import chosen_measure
from mlrtui.tui.pages import Page, read_page
from mlrtui.tui.ports import StoreReader, StoreSource
from mlrtui.tui.state import (
    QUIET_AFTER,
    Preview,
    Reading,
    StoreState,
    Wanted,
    cells_beside,
    choose_trial,
    freshness,
    headline,
    neighbours,
)
from mlrtui.tui.traces import Traces
from mlrtui.tui.trial.forks import ForkRow, read_forks
from mlrtui_db.errors import StoreError
from mlrtui_db.models import FitRow, LiveSnapshot, SweepRow, TrialDetails, TrialRow
from mlrtui_db.work import WorkRow

__all__ = ["EVENTS", "LONG", "Feed"]

EVENTS = 60  # how many events a reading carries

LONG = 200_000  # steps whose reading takes so long, a fifth of a second, that the screen says so before

# Seconds that the screen has for painting before curves are read ahead.
_PAINTING = 0.05


@dataclass
class _Open:
    """One store and what is known of it."""

    at: int  # among the stores
    source: StoreSource
    reader: StoreReader | None = None
    version: int | None = None
    sweeps: tuple[SweepRow, ...] = ()
    headlines: dict[int, tuple[object, FitRow | None]] = field(default_factory=dict)  # by sweep: (as of, fit)
    trouble: str = ""
    driver_end: str = ""
    has_driver: bool = False


class Feed:
    """Reads the stores every `refresh` seconds and posts a `Reading` when something differs.

    `run` belongs to one thread, which opens and closes the readers; `want`, `reread` and `stop` may be called from any.
    Trouble with a store becomes a sentence in the reading, and the store is tried again at the next turn.
    """

    def __init__(
        self,
        sources: Sequence[StoreSource],
        post: Callable[[Reading], None],
        wanted: Wanted,
        *,
        refresh: float = 2.0,
        clock: Callable[[], float] = time.time,
        machine: Callable[[], Load] | None = None,
    ) -> None:
        self.refresh = refresh
        self._clock = clock
        self._post = post
        self._stores = [_Open(at, source) for at, source in enumerate(sources)]
        self._wake = threading.Event()
        self._stopped = False
        self._wanted = wanted
        self._forced = True
        self._read_for: Wanted | None = None
        self._read_at = 0.0
        self._changed_at = 0.0
        self._snapshot: LiveSnapshot | None = None
        self._trial_id: int | None = None
        self._afresh = False
        self._moved: tuple[int | None, int, float] = (None, 0, 0.0)  # the shown trial, its revision, when it was new
        self._traces = Traces()
        self._trace: Trace | None = None
        self._page: Page | None = None
        self._details: TrialDetails | None = None
        self._forks: tuple[ForkRow, ...] = ()
        self._measures: tuple[str, ...] = ()
        self._measured: MeasureTrace | None = None
        self._second: MeasureTrace | None = None
        self._comparison = Comparison()
        self._preview: Preview | None = None
        self._machine = machine
        self._load: Load | None = None
        self._work: WorkRow | None = None
        self._seconds: dict[int, float] = {}
        self._posted: Reading | None = None
        self._ahead: dict[int, TrialRow | None] = {}  # the trials that cells beside show, by cell
        self._ahead_of: tuple[int, int, int] | None = None  # of which store and sweep, and how many nets were done
        self.sweeps_alone = False
        """Read no more than Browse lists: for a picture of it, which no key follows."""

    def want(self, wanted: Wanted) -> None:
        """Look at something else, at once."""
        self._wanted = wanted
        self._wake.set()

    def follow(self, wanted: Wanted) -> None:
        """Look at something else, at once, and let go of the trial that is shown."""
        self._afresh = True
        self.want(wanted)

    def reread(self) -> None:
        """Read everything again, at once."""
        self._forced = True
        self._wake.set()

    def stop(self) -> None:
        """End `run`."""
        self._stopped = True
        self._wake.set()

    def run(self) -> None:
        """Read until `stop`."""
        try:
            while not self._stopped:
                self._wake.clear()
                self.turn()
                if not self._wake.wait(min(_PAINTING, self.refresh)):
                    self.read_ahead()
                    self._wake.wait(max(self.refresh - _PAINTING, 0.0))
        finally:
            self.close()

    def close(self) -> None:
        """Give all connections back; by the thread that read."""
        for store in self._stores:
            self._drop(store)

    def turn(self) -> None:
        """Look once at every store; post if what is to be shown differs."""
        wanted, forced = self._wanted, self._forced or self._afresh
        if self._afresh:
            self._trial_id = None
        self._forced = self._afresh = False
        now = self._clock()
        for index, store in enumerate(self._stores):
            try:
                self._look(store, wanted, forced, now if index == wanted.store else None)
            except Exception as error:  # whatever fails, the screen stays and says so; the next turn tries again
                store.trouble = _sentence(error)
                self._drop(store)
            else:
                store.trouble = ""
        self._hand_on(wanted, now)

    def _hand_on(self, wanted: Wanted, now: float) -> None:
        """Post what is known, if it differs from what was posted."""
        reading = self._reading(wanted, now)
        if self._posted is None or replace(reading, at=self._posted.at) != self._posted:
            self._posted = reading
            self._post(reading)

    def read_ahead(self) -> None:
        """Read the curves that a key leads to, piece by piece until something is wanted."""
        reading = self._posted
        if reading is None or not reading.stores:
            return
        at = reading.wanted.store
        reader = self._stores[at].reader
        with suppress(Exception):  # the next turn meets the same trouble and says it
            trials = () if reader is None else self._beside(reader, reading)
            while reader is not None and not self._wake.is_set() and self._traces.read_ahead(reader, at, trials):
                pass

    def _beside(self, reader: StoreReader, reading: Reading) -> Sequence[TrialRow]:
        """The trials that a key leads to, the likeliest first: those of the cells beside the chosen one where no trial
        was chosen, else its neighbours in the list.
        """
        near, wanted = neighbours(reading), reading.wanted
        if reading.snapshot is None or not wanted.has_grid:
            return near
        sweep, found = reading.snapshot.sweep, []
        as_of = wanted.store, sweep.sweep_id, sweep.nets_done
        if self._ahead_of != as_of:
            self._ahead_of, self._ahead = as_of, {}
        for cell_id in cells_beside(reading):
            if self._wake.is_set():
                return ()
            if cell_id not in self._ahead:  # not at every tick: a look at a cell costs as much as a turn
                there = reader.live(sweep.sweep_id, cell_id, events=1)
                shown = None if there is None else choose_trial(there, Wanted(cell_id=cell_id), self._trial_id)
                trials = () if there is None else there.trials
                self._ahead[cell_id] = next((trial for trial in trials if trial.trial_id == shown), None)
            trial = self._ahead[cell_id]
            found += [] if trial is None else [trial]
        return (*found, *near) if wanted.trial_id is None else (*near[:2], *found, *near[2:])

    def _look(self, store: _Open, wanted: Wanted, forced: bool, now: float | None) -> None:
        """Bring one store up to date; `now` is given for the store that is looked at."""
        if store.reader is None:
            store.reader = store.source.open()
            store.version = None
            self._traces.forget(store.at)
        version = store.reader.data_version()
        end = store.reader.last_end()
        store.driver_end = "" if end is None else end.sentence()
        moved = version != store.version or forced
        if moved and (wanted.browsing or not store.sweeps or forced):
            store.sweeps = tuple(store.reader.sweeps())
        store.has_driver = not store.sweeps and store.reader.has_driver()
        if wanted.preview is not None and wanted.preview[0] == store.at:
            self._read_preview(store, wanted.preview[1], moved)
        if wanted.browsing:
            if not moved and self._read_for is not None and not self._read_for.browsing:
                store.sweeps = tuple(store.reader.sweeps())
            _read_headlines(store, store.reader)
        if now is not None and (moved or self._work is not None or wanted != self._read_for):
            self._work = store.reader.work()  # of a driver that is gone it is none, though the store has not moved
        if now is not None and store.sweeps and not self.sweeps_alone:
            if version != store.version:
                self._changed_at = now
                self._load = None if self._machine is None else self._machine()
            # The driver's lock is no part of the data: whether it is still held shows only by looking again.
            overdue = now - self._read_at >= QUIET_AFTER and not self._ended()
            overdue |= self._snapshot is not None and bool(store.driver_end) != bool(self._snapshot.writer_end)
            if moved or wanted != self._read_for or overdue:
                self._read_live(store.reader, wanted, now)
                self._read_for, self._read_at = wanted, now
        store.version = version

    def _read_preview(self, store: _Open, sweep_id: int, moved: bool) -> None:
        """The sweep under the cursor of Browse, if it is another one or may have changed."""
        known = self._preview
        row = next((row for row in store.sweeps if row.sweep_id == sweep_id), None)
        if row is None or store.reader is None:
            self._preview = None
        elif moved or known is None or (known.store, known.sweep_id) != (store.at, sweep_id):
            from mlrtui.tui.browse.preview import read_preview  # its fits are nothing that the first picture needs

            self._preview = read_preview(store.reader, store.at, row)

    def _read_live(self, reader: StoreReader, wanted: Wanted, now: float) -> None:
        """Read the snapshot and the new steps of the chosen trial; before many steps, post what is known."""
        snapshot = None
        if wanted.cell_id is None and self._snapshot is not None and self._followed_runs(wanted):
            snapshot = reader.live(wanted.sweep_id, self._snapshot.cell_id, events=EVENTS)
            if snapshot is not None and self._is_outrun(snapshot, now):
                snapshot = self._trial_id = None
        if snapshot is None or not _runs(snapshot, self._trial_id):
            snapshot = reader.live(wanted.sweep_id, wanted.cell_id, events=EVENTS)
        self._snapshot = snapshot
        self._trial_id = None if snapshot is None else choose_trial(snapshot, wanted, self._trial_id)
        trials = () if snapshot is None else snapshot.trials
        chosen = next((trial for trial in trials if trial.trial_id == self._trial_id), None)
        if chosen is not None and self._traces.unread(wanted.store, chosen) > LONG:
            self._trace = self._details = None
            self._hand_on(wanted, now)
        self._trace = None if chosen is None else self._traces.read(reader, wanted.store, chosen)
        same_store = self._read_for is not None and self._read_for.store == wanted.store
        known = self._page if same_store else None
        self._page = None if snapshot is None else read_page(reader, wanted.page, snapshot.sweep, known)
        if wanted.has_grid or not same_store:  # all attempts are read for it, which no other screen needs
            self._seconds = reader.seconds(snapshot.sweep.sweep_id) if wanted.seconds and snapshot is not None else {}
        in_full = self._trial_id if wanted.detailed else None
        self._details = None if in_full is None else reader.trial_details(in_full)
        forked = snapshot if in_full is not None and chosen is not None else None
        self._forks = () if forked is None or chosen is None else read_forks(reader, forked, chosen)
        recorded = snapshot is not None and snapshot.sweep.mode == "recorded"
        measured = self._trial_id if recorded else in_full  # which has them on Live, too
        self._measures = () if measured is None else tuple(reader.measures(measured))
        known_values = self._measured if same_store else None
        self._measured = None
        measure = chosen_measure(wanted.measure, self._measures, recorded)
        if measured is not None and measure:
            self._measured = read_measure(reader, measured, measure, known_values)
        known_second, self._second = (self._second if same_store else None), None
        if in_full is not None and wanted.beside in self._measures:
            self._second = read_measure(reader, in_full, wanted.beside, known_second)

    def _followed_runs(self, wanted: Wanted) -> bool:
        """Whether the trial that is being followed was still running when last seen, in the sweep that is wanted."""
        same_sweep = self._read_for is not None and self._read_for.sweep_id == wanted.sweep_id
        return same_sweep and self._snapshot is not None and _runs(self._snapshot, self._trial_id)

    def _is_outrun(self, snapshot: LiveSnapshot, now: float) -> bool:
        """Whether the trial that is being followed has rested for a while in which another one moved."""
        rev = next((trial.rev for trial in snapshot.trials if trial.trial_id == self._trial_id), 0)
        if self._moved[:2] != (self._trial_id, rev):
            self._moved = self._trial_id, rev, now
        return snapshot.newest_trial_id != self._trial_id and now - self._moved[2] >= QUIET_AFTER

    def _ended(self) -> bool:
        return self._snapshot is not None and self._snapshot.sweep.status == "done"

    def _reading(self, wanted: Wanted, now: float) -> Reading:
        snapshot = self._snapshot
        marked = self._comparison.read(
            wanted.compared, [(store.reader, store.version, store.source.label) for store in self._stores]
        )
        return Reading(
            stores=tuple(_state(store) for store in self._stores),
            wanted=wanted,
            snapshot=snapshot,
            trial_id=self._trial_id,
            trace=self._trace,
            freshness=Freshness("") if snapshot is None else freshness(snapshot, self._changed_at, now),
            at=now,
            page=self._page,
            details=self._details,
            measures=self._measures,
            measured=self._measured,
            second=self._second,
            forks=self._forks,
            work=self._work,
            seconds=self._seconds,
            load=None if snapshot is None or not snapshot.writer_alive else self._load,
            alarms=self._alarms(wanted, now),
            compared=marked.trials,
            nets=marked.nets,
            sweeps=marked.sweeps,
            preview=self._preview,
        )

    def _alarms(self, wanted: Wanted, now: float) -> Alarms:
        """Of a sweep in which something may still happen."""
        if self._snapshot is None or self._ended() or not self._snapshot.writer_alive:
            return Alarms()
        place = self._stores[wanted.store].source.place
        trial = next((one for one in self._snapshot.trials if one.trial_id == self._trial_id), None)
        return Alarms(
            low_space(place),
            quiet_workers(self._work, now),
            nonfinite_trials(self._snapshot),
            crossed_at(trial, self._trace),
        )

    def _drop(self, store: _Open) -> None:
        """Close the reader; a failing close changes nothing, since the connection is given up either way."""
        if store.reader is not None:
            with suppress(Exception):
                store.reader.close()
        store.reader = None


def _runs(snapshot: LiveSnapshot, trial_id: int | None) -> bool:
    return any(trial.trial_id == trial_id and trains(trial) for trial in snapshot.trials)


def _read_headlines(store: _Open, reader: StoreReader) -> None:
    """The main fit of every sweep, read again only where nets have ended since."""
    for sweep in store.sweeps:
        as_of = (sweep.nets_done, sweep.status)
        if store.headlines.get(sweep.sweep_id, (None, None))[0] != as_of:
            store.headlines[sweep.sweep_id] = (as_of, headline(tuple(reader.fits(sweep.sweep_id))))


def _state(store: _Open) -> StoreState:
    known = tuple((sweep_id, fit) for sweep_id, (_, fit) in store.headlines.items() if fit is not None)
    return StoreState(
        store.source.label,
        store.sweeps,
        known,
        store.trouble,
        store.source.place,
        store.driver_end,
        store.has_driver,
        store.source.enter is not None,
    )


def _sentence(error: Exception) -> str:
    """What is wrong, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, StoreError) else f"The store cannot be read ({text}); trying again."
