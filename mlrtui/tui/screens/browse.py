"""Browse: every sweep of every store that was opened, newest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult

from mlrtui.tui.keymap import bindings
from mlrtui.tui.marks import Marks
from mlrtui.tui.numbers import day
from mlrtui.tui.screens.base import ReadingScreen
from mlrtui.tui.state import Look, Mark, StoreState, Wanted
from mlrtui.tui.text import Line, clean, fit, line
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.pane import LinesWidget, Pane
from mlrtui.tui.widgets.scroll import window
from mlrtui.tui.words import exponent, quantity
from mlrtui_db.models import FitRow, SweepRow

__all__ = ["BrowseScreen", "SweepList"]


@dataclass(frozen=True)
class _Entry:
    store: int
    label: str
    sweep: SweepRow
    law: FitRow | None


@dataclass(frozen=True)
class _Column:
    name: str
    width: int  # negative: left-aligned
    text: Callable[[_Entry, float], str]  # the entry and the time now


def _law(entry: _Entry, now: float) -> str:
    if entry.law is None:
        return "-"
    of = "" if entry.law.y == "eta_star" else f"{quantity(entry.law.y)} "
    return f"{of}{exponent(entry.law)}"


_MODE = _Column("mode", -6, lambda entry, now: entry.sweep.mode)
_WHEN = _Column("when", -11, lambda entry, now: day(entry.sweep.created_at, now))
_STATUS = _Column("status", -7, lambda entry, now: entry.sweep.status)
_CELLS = _Column("cells", 5, lambda entry, now: str(entry.sweep.cells))
_NETS = _Column("nets", 7, lambda entry, now: f"{entry.sweep.nets_done}/{entry.sweep.nets}")
_TRIALS = _Column("trials", 6, lambda entry, now: str(entry.sweep.trials_done))
_FAILED = _Column("failed", 6, lambda entry, now: str(entry.sweep.trials_failed))
_EXPONENT = _Column("exponent of η*", -22, _law)
_STORE = _Column("store", -16, lambda entry, now: clean(entry.label))


class SweepList(Pane):
    """The sweeps, one a row, with a cursor."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="sweeps", classes="pane")
        self._at = 0
        self._first = 0

    def title(self) -> Line:
        """How many."""
        count = len(self._entries())
        return line(f"{count} sweep{'' if count == 1 else 's'}, newest first", "title")

    def caption(self) -> Line:
        """The sweep under the cursor in full, since its row may be cut."""
        entries = self._entries()
        if not entries:
            return ()
        sweep = entries[min(self._at, len(entries) - 1)].sweep
        failed = f" · {sweep.trials_failed} failed" if sweep.trials_failed else ""
        return line(f"{clean(sweep.name)} · {sweep.status}{failed}")

    def body(self, width: int, height: int) -> Sequence[Line]:
        """Column names and sweeps."""
        entries = self._entries()
        if not entries or self.reading is None:
            return [line(), line("  no sweep yet; `mlrtui run` starts one", "note")]
        self._at = min(self._at, len(entries) - 1)
        rows = window(len(entries), self._at, height - 1)
        self._first = rows.start
        columns = _columns(width, several=len(self.reading.stores) > 1)
        used = sum(abs(column.width) + 1 for column in columns)
        longest = max(len(clean(entry.sweep.name)) for entry in entries)
        name_width = max(min(longest, width - used - 5), 6)
        head = " ".join(_pad(column.name, column.width) for column in columns)
        lines = [line(f"    {'name':<{name_width}} {head}", "dim")]
        for index in rows:
            entry = entries[index]
            runs = _row(entry, columns, name_width, self.look.marks, self.reading.at)
            runs = (("•" if _mark(entry) in self.look.marked else " ", "strong"), *runs)
            if index == self._at:
                runs = (*runs[:2], *((text, "cursor") for text, _ in fit(runs, width)[2:]))
            lines.append(runs)
        return lines

    def move(self, dx: int, dy: int) -> None:
        """Up and down the list."""
        self._at = min(max(self._at + dy, 0), max(len(self._entries()) - 1, 0))
        self.update_rows()

    def on_click(self, event: events.Click) -> None:
        """The row under the pointer."""
        row = self._first + event.y - 2
        if event.y >= 2 and row < len(self._entries()):
            self._at = row
            self.update_rows()

    def chosen(self) -> Wanted | None:
        """What the cursor is on."""
        entries = self._entries()
        return Wanted(entries[self._at].store, entries[self._at].sweep.sweep_id) if entries else None

    def mark(self) -> Mark | None:
        """The sweep under the cursor as a mark."""
        entries = self._entries()
        return _mark(entries[self._at]) if entries else None

    def _entries(self) -> list[_Entry]:
        if self.reading is None:
            return []
        found = [
            _Entry(index, store.label, sweep, dict(store.headlines).get(sweep.sweep_id))
            for index, store in enumerate(self.reading.stores)
            for sweep in store.sweeps
        ]
        return sorted(found, key=lambda entry: entry.sweep.created_at, reverse=True)


class StoreLine(LinesWidget):
    """Which stores are open, and what is wrong with them."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="status")

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        stores: Sequence[StoreState] = () if self.reading is None else self.reading.stores
        trouble = next((store.trouble for store in stores if store.trouble), "")
        if trouble:
            return [((" ! ", "failed"), (clean(trouble), "failed"))]
        names = ", ".join(clean(store.label) for store in stores)
        return [line(f" {names} · read-only" if names else " opening the store", "dim")]


class BrowseHeader(LinesWidget):
    """One row: the place."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="header")

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        return [((" mlrtui ", "strong"), (" 3 Browse", "dim"))]


class BrowseScreen(ReadingScreen, inherit_bindings=False):
    """A list; enter opens the sweep in Live."""

    CSS_PATH = "browse.tcss"
    BINDINGS = [*bindings("browse")]  # noqa: RUF012
    AUTO_FOCUS = "#sweeps"

    def compose(self) -> ComposeResult:
        """Header, list, status, footer."""
        yield BrowseHeader(self.look)
        yield SweepList(self.look)
        yield StoreLine(self.look)
        yield Footer(self.look, "browse")

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.query_one(SweepList).move(dx, dy)

    def action_open(self) -> None:
        """Live on the sweep under the cursor."""
        wanted = self.query_one(SweepList).chosen()
        if wanted is not None:
            self.owner.open_sweep(wanted)

    def action_mark(self) -> None:
        """Mark the sweep for comparing, or take its mark away."""
        mark = self.query_one(SweepList).mark()
        if mark is not None:
            self.owner.toggle(mark)

    def action_overlay(self) -> None:
        """What is marked, on the same axes."""
        self.owner.action_compare()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.owner.change(marked=())

    def action_back(self) -> None:
        """To Live as it was left."""
        self.owner.action_live()


def _mark(entry: _Entry) -> Mark:
    return Mark(entry.store, entry.sweep.sweep_id, None)


def _columns(width: int, several: bool) -> tuple[_Column, ...]:
    """What there is room for beside the name."""
    if width < 60:
        return (_NETS, _EXPONENT)
    if width < 96:
        return (_MODE, _WHEN, _CELLS, _NETS, _TRIALS, _EXPONENT)
    store = (_STORE,) if several else ()
    return (_MODE, _STATUS, _WHEN, _CELLS, _NETS, _TRIALS, _FAILED, _EXPONENT, *store)


def _row(entry: _Entry, columns: Sequence[_Column], name_width: int, marks: Marks, now: float) -> Line:
    state, glyph = {
        "done": ("done", marks.glyph("done")),
        "stopped": ("slow", marks.glyph("slow")),
    }.get(entry.sweep.status, ("running", marks.glyph("running")))
    name = fit(line(clean(entry.sweep.name)), name_width)
    rest = " ".join(_pad(column.text(entry, now), column.width) for column in columns)
    return ((f" {glyph} ", state), *name, (f" {rest}", ""))


def _pad(text: str, width: int) -> str:
    return f"{text:<{-width}}" if width < 0 else f"{text:>{width}}"
