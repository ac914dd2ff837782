"""What is on screen, as frozen data: what was asked for, what was read, how it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlrtui.text.marks import Marks, trains
from mlrtui.text.phrases import Freshness
from mlrtui.tui.alarms import Alarms
from mlrtui.tui.curves import MeasureTrace, Trace
from mlrtui.tui.machine import Load
from mlrtui.tui.pages import FitPage, Page
from mlrtui.tui.trial.forks import ForkRow
from mlrtui_db.models import CellRow, FitRow, LiveSnapshot, MachineRow, NetRow, SweepRow, TrialDetails, TrialRow
from mlrtui_db.work import WorkRow

__all__ = [
    "GRID_VALUES",
    "KINDS",
    "MOST_MARKS",
    "QUIET_AFTER",
    "Compared",
    "ComparedNet",
    "ComparedSweep",
    "Look",
    "Mark",
    "Preview",
    "Reading",
    "Starting",
    "StoreState",
    "Wanted",
    "cells_beside",
    "choose_trial",
    "headline",
    "is_recorded",
    "is_starting",
    "knows_cell",
    "knows_sweep",
    "knows_trial",
    "marked_text",
    "neighbours",
    "starts",
]

GRID_VALUES = ("progress", "η*", "λ₀", "phases", "time", "diverged", "failures")

# Seconds without a commit after which an open sweep counts as quiet, then as stale.
QUIET_AFTER = 10.0
STALE_AFTER = 600.0


KINDS = ("trials", "nets", "sweeps")
"""What Compare shows, one at a time. A recorded run, which is one training, counts as a trial."""

# As many curves as can be told apart on one chart.
MOST_MARKS = 6


@dataclass(frozen=True)
class Mark:
    """What the user marked: a trial, a net, or a sweep, which has neither number."""

    store: int
    sweep_id: int
    trial_id: int | None
    net_id: int | None = None
    cell_id: int | None = None  # of a net

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return "trials" if self.trial_id is not None else "nets" if self.net_id is not None else "sweeps"


@dataclass(frozen=True)
class Compared:
    """What is known of a mark. The trace compares by identity, as in a reading."""

    mark: Mark
    details: TrialDetails
    trace: Trace
    fit: FitRow | None  # the main fit of a marked sweep
    measured: MeasureTrace | None = None  # of a recorded run: the measure that is compared with its edge


@dataclass(frozen=True)
class ComparedNet:
    """A marked net with its search."""

    mark: Mark
    details: TrialDetails  # of one of its trials, for the settings that all of them share
    cell: CellRow
    net: NetRow
    trials: tuple[TrialRow, ...]  # by learning rate


@dataclass(frozen=True)
class ComparedSweep:
    """A marked search or scan with its cells. Rows compare by identity."""

    mark: Mark
    store: str  # label
    sweep: SweepRow
    fits: tuple[FitRow, ...]
    page: FitPage
    nets: Sequence[Mapping[str, object]] = field(compare=False)  # of view `eta_star`; of a scan each net's best rate


@dataclass(frozen=True)
class Preview:
    """What is read of the sweep under the cursor of Browse."""

    store: int
    sweep_id: int
    fits: tuple[FitRow, ...]
    machines: tuple[MachineRow, ...] | None  # None: too many trainings to look them up


@dataclass(frozen=True)
class Wanted:
    """What the user looks at. None means: whatever is newest."""

    store: int = 0
    sweep_id: int | None = None
    cell_id: int | None = None
    trial_id: int | None = None
    browsing: bool = False  # the Browse screen is up: headlines of all sweeps are wanted
    page: str = ""  # one of `pages.PAGES`: the screen that is up wants these rows beside the snapshot
    detailed: bool = False  # the Trial screen is up: everything about the trial is wanted
    compared: tuple[Mark, ...] = ()  # the Compare screen is up: these are wanted
    seconds: bool = False  # the grid shows the time that cells took
    measure: str = ""  # what is drawn below the loss; "": the sharpness, of a recorded run the preferred measure
    beside: str = ""  # what Trial draws on the same axis
    preview: tuple[int, int] | None = None  # store and sweep under the cursor of Browse

    @property
    def has_grid(self) -> bool:
        """Whether the grid may be on the screen."""
        return not (self.browsing or self.page or self.detailed or self.compared)

    @property
    def place(self) -> tuple[int, int | None, int | None, int | None]:
        """Which trial, whatever else is to be read: store, sweep, cell, trial."""
        return self.store, self.sweep_id, self.cell_id, self.trial_id


@dataclass(frozen=True)
class StoreState:
    """One store as Browse shows it."""

    label: str
    sweeps: tuple[SweepRow, ...]
    headlines: tuple[tuple[int, FitRow], ...]  # (sweep_id, fit)
    trouble: str  # a sentence, or ""
    place: str = ""  # the file, which tells stores of equal labels apart
    driver_end: str = ""  # how its last driver died, or ""
    has_driver: bool = False  # somebody writes it; asked only while it has no sweep
    is_afar: bool = False  # on another machine, which shows its sweeps itself


@dataclass(frozen=True)
class Starting:
    """What `mlrtui run` has just started, for the screen while the store does not have it yet."""

    sweep: str = ""  # its name; "": started by another command
    grid: tuple[str, ...] = ()  # sentences about it: axes, numbers of cells and nets
    workers: str = ""  # "2 x cpu"
    log: str = ""  # where the driver prints


@dataclass(frozen=True)
class Reading:
    """Everything that was read in one turn."""

    stores: tuple[StoreState, ...]
    wanted: Wanted
    snapshot: LiveSnapshot | None
    trial_id: int | None
    trace: Trace | None
    freshness: Freshness
    at: float
    page: Page | None = None
    details: TrialDetails | None = None
    compared: tuple[Compared, ...] = ()
    nets: tuple[ComparedNet, ...] = ()
    sweeps: tuple[ComparedSweep, ...] = ()
    preview: Preview | None = None
    load: Load | None = None  # of this machine, when the store last moved
    measures: tuple[str, ...] = ()  # names of those that the trial has values of, for the Trial screen
    measured: MeasureTrace | None = None  # the one that is wanted
    second: MeasureTrace | None = None  # the one that is wanted beside it
    forks: tuple[ForkRow, ...] = ()  # of the trial's net, for the Trial screen
    work: WorkRow | None = None  # what the driver says of itself while it is at work
    seconds: Mapping[int, float] = field(default_factory=dict)  # by cell, where the grid shows them
    alarms: Alarms = field(default_factory=Alarms)

    @property
    def trouble(self) -> str:
        """What is wrong with the store that is looked at, or ""."""
        return self.stores[self.wanted.store].trouble if self.stores else "No store was named."

    @property
    def alive(self) -> bool:
        """Whether anything may run in the sweep that is looked at: a driver is at work, or its copy says it was."""
        return self.snapshot is None or self.snapshot.writer_alive or self.snapshot.copied_at is not None

    @property
    def driver_end(self) -> str:
        """How the last driver of the store that is looked at died, or ""."""
        return self.stores[self.wanted.store].driver_end if self.stores else ""

    @property
    def work_here(self) -> WorkRow | None:
        """What the driver says, where it is at work on the sweep that is looked at, or before there is one."""
        if self.work is None or self.snapshot is None or self.work.sweep_id == self.snapshot.sweep.sweep_id:
            return self.work
        return None

    @property
    def seconds_left(self) -> float | None:
        """How long the sweep that is looked at still takes, by its driver."""
        return None if self.work_here is None else self.work_here.left

    @property
    def trial(self) -> TrialRow | None:
        """The chosen trial."""
        if self.snapshot is None:
            return None
        return next((trial for trial in self.snapshot.trials if trial.trial_id == self.trial_id), None)

    @property
    def net(self) -> NetRow | None:
        """The net of the chosen trial, else the first of the cell."""
        if self.snapshot is None or not self.snapshot.nets:
            return None
        trial = self.trial
        nets = self.snapshot.nets
        return next((net for net in nets if trial and net.net_id == trial.net_id), nets[0])

    @property
    def cell(self) -> CellRow | None:
        """The chosen cell."""
        if self.snapshot is None:
            return None
        return next((cell for cell in self.snapshot.cells if cell.cell_id == self.snapshot.cell_id), None)


@dataclass(frozen=True)
class Look:
    """How things are drawn; changed by keys."""

    marks: Marks
    grid_value: str = GRID_VALUES[0]
    grid_axes: tuple[str, str] = ("depth", "width")  # downwards and to the right
    x_log: bool = True
    loss_log: bool = True
    ratio_log: bool = False
    raw_sharpness: bool = False  # λ itself instead of λ over its edge
    paused: bool = False
    zoomed: bool = False
    marked: tuple[Mark, ...] = ()
    light: bool = False  # colours for a light terminal
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the user's own, by command
    theory: bool = True  # closed forms beside what was measured
    physical: bool = False  # steps labelled in η·t
    note: str = ""  # what the last command has to say, until the next key
    starting: Starting | None = None  # what the command before this screen started


def knows_sweep(reading: Reading, wanted: Wanted) -> bool:
    """Whether a reading shows the sweep that is wanted now."""
    return (reading.wanted.store, reading.wanted.sweep_id) == (wanted.store, wanted.sweep_id)


def knows_cell(reading: Reading, wanted: Wanted) -> bool:
    """Whether a reading has the trials of the cell that is wanted now."""
    if reading.wanted.place == wanted.place:
        return True
    cell_id = None if reading.snapshot is None else reading.snapshot.cell_id
    return knows_sweep(reading, wanted) and wanted.cell_id is not None and wanted.cell_id == cell_id


def knows_trial(reading: Reading, wanted: Wanted) -> bool:
    """Whether a reading has the curve of the trial that is wanted now, as far as it has one."""
    trial = reading.trial
    return reading.wanted.place == wanted.place and (trial is None or not trial.n_steps or reading.trace is not None)


def choose_trial(snapshot: LiveSnapshot, wanted: Wanted, shown: int | None) -> int | None:
    """The trial to draw.

    The one asked for; else, while following, the one already shown as long as its steps come, then the one whose steps
    moved last; in a cell that the user chose, the one already shown, then one whose steps come, then the largest
    learning rate that worked, then the last. A trial without a step is shown only where none has any.
    """
    trials = {trial.trial_id: trial for trial in snapshot.trials}
    if wanted.trial_id in trials:
        return wanted.trial_id
    if not trials:
        return None
    begun = [trial for trial in snapshot.trials if trial.n_steps]
    if shown in trials:
        stays = trains(trials[shown]) if wanted.cell_id is None else trials[shown].n_steps or not begun
        if stays:
            return shown
    if snapshot.newest_trial_id in trials:
        return snapshot.newest_trial_id
    training = [trial for trial in begun if trains(trial)]
    if training:
        return max(training, key=lambda trial: (trial.rev, trial.trial_id)).trial_id
    reached = [trial for trial in snapshot.trials if trial.verdict == "reached"]
    if reached:
        return max(reached, key=lambda trial: trial.eta).trial_id
    return (begun or snapshot.trials)[-1].trial_id


def neighbours(reading: Reading, reach: int = 2) -> tuple[TrialRow, ...]:
    """The trials beside the chosen one in the list of its cell, the nearest first."""
    trials = () if reading.snapshot is None else reading.snapshot.trials
    at = next((index for index, trial in enumerate(trials) if trial.trial_id == reading.trial_id), None)
    if at is None:
        return ()
    near = (at + way * distance for distance in range(1, reach + 1) for way in (1, -1))
    return tuple(trials[index] for index in near if 0 <= index < len(trials))


def cells_beside(reading: Reading) -> tuple[int, ...]:
    """The cells to which an arrow leads from the chosen one: at the next smaller or larger width or depth."""
    here = reading.cell
    if here is None or reading.snapshot is None or here.width is None or here.depth is None:
        return ()
    found: list[int] = []
    cells = [cell for cell in reading.snapshot.cells if cell.variant == here.variant]
    for along, across in (("width", "depth"), ("depth", "width")):
        line = [cell for cell in cells if getattr(cell, across) == getattr(here, across)]
        line.sort(key=lambda cell: getattr(cell, along) or 0)
        at = line.index(here)
        found += [cell.cell_id for cell in (*line[max(at - 1, 0) : at], *line[at + 1 : at + 2])]
    return tuple(found)


def headline(fits: tuple[FitRow, ...]) -> FitRow | None:
    """The fit to show where there is room for one: η* against depth × width with an interval, else the nearest to it.

    A condition comes before none: the exponent is claimed for nets much wider than deep. R² has no say.
    """

    def rank(fit: FitRow) -> tuple[bool, ...]:
        terms = sum(other.fit == fit.fit for other in fits)
        product, free = fit.term != "depth*width", not fit.where_expr
        return (fit.y != "eta_star", terms > 1, fit.low is None, "*" not in fit.term, product, free)

    return min(fits, key=rank, default=None)


def freshness(snapshot: LiveSnapshot, changed_at: float, now: float) -> Freshness:
    """The state of a sweep from its status, its writer and the last sign of life."""
    sweep = snapshot.sweep
    if sweep.status == "done":
        return Freshness("done", sweep.finished_at)
    if snapshot.copied_at is not None:
        return Freshness("copied", snapshot.copied_at)
    if snapshot.writer_end:
        return Freshness("driver died", sweep.heartbeat_at)
    if not snapshot.writer_alive:
        return Freshness("stopped" if sweep.status == "stopped" else "no driver", sweep.heartbeat_at)
    if snapshot.writer_note:
        return Freshness(snapshot.writer_note)
    alive_at = max(changed_at, sweep.heartbeat_at or sweep.created_at)
    if now - alive_at < QUIET_AFTER:
        return Freshness("live")
    return Freshness("stale" if now - alive_at >= STALE_AFTER else "quiet", alive_at)


def is_starting(reading: Reading | None) -> bool:
    """Whether a driver is at work whose store has no sweep yet."""
    if reading is None or reading.snapshot is not None or reading.trouble or reading.driver_end or not reading.stores:
        return False
    return reading.stores[reading.wanted.store].has_driver


def marked_text(mark: Mark, marked: Sequence[Mark], name: str) -> str:
    """What a key did to a mark, in words."""
    if mark not in marked:
        return f"{name} is no longer marked"
    count = sum(other.kind == mark.kind for other in marked)
    return f"{name} is marked, {count} of at most {MOST_MARKS}; = compares"


def starts(reading: Reading | None, look: Look) -> Starting | None:
    """What starts now; None where nothing does, and once the sweep is there."""
    return look.starting or Starting() if is_starting(reading) else None


def is_recorded(reading: Reading) -> bool:
    """Whether what is looked at is a script's own training."""
    return reading.snapshot is not None and reading.snapshot.sweep.mode == "recorded"
