"""Stores on other machines in the list of Browse: `mlrtui browse --json` there, asked now and then in the background.

A row can be entered: the screen of the machine there takes the terminal. Nothing else of such a store is read here.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar, get_type_hints

from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line
from mlrtui.tui.ports import StoreSource
from mlrtui_db.errors import StoreError
from mlrtui_db.models import (
    Curve,
    FitRow,
    LiveSnapshot,
    LogRow,
    MachineRow,
    MeasureCurve,
    NoteRow,
    SweepRow,
    TrialDetails,
    WriterEnd,
)
from mlrtui_db.work import WorkRow

__all__ = ["Host", "Unreachable", "rows_of_answer"]

Row = TypeVar("Row", SweepRow, FitRow, NoteRow)

EVERY = 30.0  # s between two questions

Place = tuple[str, str]
"""The store there and the sweep's name: what is needed to enter it."""


class Unreachable(StoreError):
    """There is no answer of the other machine, and why."""


def rows_of_answer(text: str) -> list[tuple[str, SweepRow, tuple[FitRow, ...]]]:
    """Store, sweep and fits of each sweep of an answer; fields that its version lacks have their defaults.

    Raises:
        ValueError: this is no answer of `mlrtui browse --json`.
    """
    try:
        stores = json.loads(text)["stores"]
        return [
            (
                str(store["store"]),
                _sweep(sweep),
                tuple(_made(FitRow, fit | {"excluded": tuple(fit["excluded"])}) for fit in sweep["fits"]),
            )
            for store in stores
            for sweep in store["sweeps"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an answer without {error}") from None


class Host:
    """One address. A thread of its own asks; the reader that it gives shows the last answer.

    Args:
        label: of the store in the list.
        ask: returns the answer, or raises with one line that says why there is none.
        enter: shows the sweep of this name in this store there, on this terminal; returns an exit code.
    """

    def __init__(
        self, label: str, ask: Callable[[], str], enter: Callable[[str, str], int], every: float = EVERY
    ) -> None:
        self.label = label
        self.trouble = "asking the machine for its sweeps"
        self.version = 0
        self.sweeps: tuple[SweepRow, ...] = ()
        self.fits: dict[int, tuple[FitRow, ...]] = {}
        self._places: dict[int, Place] = {}
        self._numbers: dict[tuple[str, int], int] = {}  # by store and number there
        self._ask, self._enter, self._every = ask, enter, every
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def source(self) -> StoreSource:
        """For the list; the first look at it begins to ask."""
        return StoreSource(self.label, self._open, self.label, self.enter)

    def enter(self, sweep_id: int) -> int:
        """Show a sweep there; its exit code.

        Raises:
            BadInput: the last answer no longer has it.
        """
        place = self._places.get(sweep_id)
        if place is None:
            raise BadInput(f"{self.label}: the sweep is no longer there; the list shows what is")
        return self._enter(*place)

    def look(self) -> None:
        """Ask once."""
        try:
            answer = rows_of_answer(self._ask())
        except Exception as error:  # whatever fails there is a row of the list, and is tried again
            self.trouble = one_line(str(error)) or type(error).__name__
            return
        sweeps, fits, places = [], {}, {}
        for store, sweep, its in answer:
            number = self._numbers.setdefault((store, sweep.sweep_id), len(self._numbers) + 1)
            sweeps.append(replace(sweep, sweep_id=number))
            fits[number], places[number] = its, (store, sweep.name)
        if (tuple(sweeps), fits) != (self.sweeps, self.fits) or self.trouble:
            self.fits, self._places, self.sweeps = fits, places, tuple(sweeps)
            self.version += 1
        self.trouble = ""

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _open(self) -> "_HostReader":
        if self._thread is None and not self.version and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name=f"asks {self.label}", daemon=True)
            self._thread.start()
        if self.trouble:
            raise Unreachable(self.trouble)
        return _HostReader(self)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.look()
            self._stopped.wait(self._every)


class _HostReader:
    """A reader of what the list shows; of all else there is nothing."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def data_version(self) -> int:
        """Grows with every answer that differs."""
        if self._host.trouble:
            raise Unreachable(self._host.trouble)
        return self._host.version

    def sweeps(self) -> Sequence[SweepRow]:
        """Of the last answer."""
        return self._host.sweeps

    def fits(self, sweep_id: int) -> Sequence[FitRow]:
        """Of the last answer."""
        return self._host.fits.get(sweep_id, ())

    def live(self, sweep_id: int | None = None, cell_id: int | None = None, events: int = 30) -> LiveSnapshot | None:
        """Nothing: the sweep is shown by the machine there."""
        return None

    def curve(self, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True) -> Curve:
        """Never asked for, since there is no trial."""
        raise Unreachable(f"{self._host.label}: shown by the machine there")

    def measures(self, trial_id: int) -> Sequence[str]:
        """None."""
        return ()

    def measure_curve(self, trial_id: int, measure: str, after_step: int = -1) -> MeasureCurve:
        """Never asked for, since there is no trial."""
        raise Unreachable(f"{self._host.label}: shown by the machine there")

    def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """No rows."""
        return (), iter(())

    def machines(self, sweep_id: int) -> Sequence[MachineRow]:
        """Not in the answer."""
        return ()

    def seconds(self, sweep_id: int) -> dict[int, float]:
        """Not in the answer."""
        return {}

    def sizes(self, sweep_id: int) -> dict[str, int]:
        """Not in the answer."""
        return {}

    def log(self, after_event_id: int = 0, limit: int = 20_000) -> Sequence[LogRow]:
        """Not in the answer."""
        return ()

    def trial_details(self, trial_id: int) -> TrialDetails | None:
        """None."""
        return None

    def has_driver(self) -> bool:
        """Not asked for."""
        return False

    def last_end(self) -> WriterEnd | None:
        """Not asked for."""
        return None

    def work(self) -> WorkRow | None:
        """Not asked for."""
        return None

    def close(self) -> None:
        """Nothing to give back."""


def _sweep(values: Mapping[str, Any]) -> SweepRow:
    """A sweep, with its notes as rows."""
    notes = tuple(_made(NoteRow, note) for note in values.get("notes", ()))
    tags = tuple(map(str, values.get("tags", ())))
    return _made(SweepRow, {**values, "spec": json.dumps(values["spec"]), "tags": tags, "notes": notes})


_PLAIN: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    int | None: (int,),
    float | None: (int, float),
    str | None: (str,),
}
"""What JSON has for a field of this type; what an older version lacks is None."""


_HINTS = {kind: get_type_hints(kind) for kind in (SweepRow, FitRow, NoteRow)}


def _made(kind: type[Row], values: Mapping[str, Any]) -> Row:
    """A row of what there is: other fields are left out, missing ones have their default, else None."""
    known, hints = {}, _HINTS[kind]
    for field in fields(kind):
        if field.name in values:
            value = known[field.name] = values[field.name]
            wanted = _PLAIN.get(hints[field.name])
            if wanted is not None and value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
                raise ValueError(f"an answer whose {field.name} is {one_line(repr(value))[:40]}")
        elif field.default is MISSING and field.default_factory is MISSING:
            known[field.name] = None
    return kind(**known)
