"""What the screens need of a store: the methods of `mlrtui_db.reader.Reader`, as a protocol."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlrtui_db.models import (
    Curve,
    FitRow,
    LiveSnapshot,
    LogRow,
    MachineRow,
    MeasureCurve,
    SweepRow,
    TrialDetails,
    WriterEnd,
)
from mlrtui_db.work import WorkRow

__all__ = ["StoreReader", "StoreSource"]


class StoreReader(Protocol):
    """A read-only view of one store; used by one thread only."""

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""

    def sweeps(self) -> Sequence[SweepRow]:
        """All sweeps."""

    def fits(self, sweep_id: int) -> Sequence[FitRow]:
        """The fitted terms of a sweep."""

    def live(self, sweep_id: int | None = None, cell_id: int | None = None, events: int = 30) -> LiveSnapshot | None:
        """What the Live screen shows; None in a store without sweeps."""

    def curve(self, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True) -> Curve:
        """The steps of a trial's newest attempt after a step, the first `limit` of them or all."""

    def measures(self, trial_id: int) -> Sequence[str]:
        """Names of the measures that a trial has values of."""

    def measure_curve(self, trial_id: int, measure: str, after_step: int = -1) -> MeasureCurve:
        """The values of a measure of a trial after a step."""

    def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Columns and rows of a view for people."""

    def machines(self, sweep_id: int) -> Sequence[MachineRow]:
        """Where the trainings of a sweep ran."""

    def seconds(self, sweep_id: int) -> dict[int, float]:
        """Seconds of workers that the trainings of each cell of a sweep took so far, by its number."""

    def sizes(self, sweep_id: int) -> dict[str, int]:
        """Trained parameters of each cell of a sweep, by its label."""

    def log(self, after_event_id: int = 0, limit: int = 20_000) -> Sequence[LogRow]:
        """The newest events of all sweeps after a number, oldest first."""

    def trial_details(self, trial_id: int) -> TrialDetails | None:
        """Everything stored about a trial but its steps."""

    def has_driver(self) -> bool:
        """Whether somebody writes the store now."""

    def last_end(self) -> WriterEnd | None:
        """How the last driver died, when none is at work and it did not end properly; else None."""

    def work(self) -> WorkRow | None:
        """What the driver that is at work says of itself; None when none is."""

    def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True)
class StoreSource:
    """A store that can be opened; opened by the thread that reads it."""

    label: str
    open: Callable[[], StoreReader]
    place: str = ""  # the file, for bookmarks
    enter: Callable[[int], int] | None = None  # of another machine: shows a sweep there on this terminal, an exit code
