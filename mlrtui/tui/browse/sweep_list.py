"""The list of Browse: sweeps with a cursor, filtered and sorted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from textual import events
from textual.message import Message

from mlrtui.text.lines import Line, as_shown, clean, fit, line
from mlrtui.text.marks import Marks
from mlrtui.text.numbers import day
from mlrtui.text.phrases import exponent, quantity
from mlrtui.tui.browse.filtering import SORTS, Entry, Found, entries_of, find
from mlrtui.tui.state import Look, StoreState, Wanted
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import window

__all__ = ["SweepList"]


@dataclass(frozen=True)
class _Column:
    name: str
    width: int  # negative: left-aligned
    text: Callable[[Entry, float], str]  # the entry and the time now


def _main_fit(entry: Entry, now: float) -> str:
    if entry.fit is None:
        return "-"
    of = "" if entry.fit.y == "eta_star" else f"{quantity(entry.fit.y)} "
    return as_shown(f"{of}{exponent(entry.fit)}")


_MODE = _Column("mode", -6, lambda entry, now: entry.sweep.mode.removesuffix("ed"))
_WHEN = _Column("when", -11, lambda entry, now: day(entry.sweep.created_at, now))
_STATUS = _Column("status", -7, lambda entry, now: entry.sweep.status)
_CELLS = _Column("cells", 5, lambda entry, now: str(entry.sweep.cells))
_NETS = _Column("nets", 7, lambda entry, now: f"{entry.sweep.nets_done}/{entry.sweep.nets}")
_TRIALS = _Column("trials", 6, lambda entry, now: str(entry.sweep.trials_done))
_FAILED = _Column("failed", 6, lambda entry, now: str(entry.sweep.trials_failed))
_EXPONENT = _Column("exponent of η*", -22, _main_fit)
_LONGEST_EXPONENT = 32
_ROOM = 48  # for a name, before other columns are dropped
_MARGIN = 6  # marks before the name, and a space behind it
_STORE = _Column("store", -16, lambda entry, now: clean(entry.label))


class SweepList(Pane):
    """The sweeps, one a row, with a cursor."""

    OPENS = True

    class Chosen(Message):
        """Another row was clicked."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="sweeps", classes="pane")
        self.filter = ""
        self.sort = 0
        self.reverse = False
        self.bookmarks: frozenset[str] = frozenset()
        self._key: tuple[int, int] | None = None  # store and sweep under the cursor; None: the first
        self._at = 0  # where it was when it was last seen
        self._first = 0

    def title(self) -> Line:
        """How many, in which order."""
        count, shown = len(self._all()), len(self.found().entries)
        of = f"{shown} of {count}" if self.filter.strip() else str(count)
        return line(f"{of} sweep{'' if count == 1 else 's'}, {self._order()}", "title")

    def caption(self) -> Line:
        """The sweep under the cursor in full, since its row may be cut."""
        entry = self.entry()
        if entry is None:
            return ()
        sweep = entry.sweep
        failed = f" · {sweep.trials_failed} failed" if sweep.trials_failed else ""
        newest = f" · {clean(sweep.notes[-1].text)}" if sweep.notes else ""
        more = f" (1 of {len(sweep.notes)} notes)" if len(sweep.notes) > 1 else ""
        return line(f"{_label(entry)} · {sweep.status}{failed}{newest}{more}")

    def body(self, width: int, height: int) -> Sequence[Line]:
        """Column names and sweeps."""
        entries = self.found().entries
        unread = [] if self.reading is None or len(self.reading.stores) < 2 else _troubles(self.reading.stores)
        if self.reading is None or not entries:
            if unread:
                return unread
            words = (
                "no sweep fits the filter; esc clears it" if self._all() else "no sweep yet; `mlrtui run` starts one"
            )
            return [line(), line(f"  {words}", "note")]
        at = self._place(entries)
        rows = window(len(entries), at, height - 1 - len(unread))
        self._first = rows.start
        longest = max(len(_label(entry)) for entry in entries)
        columns = _columns(entries, width - _MARGIN - min(longest, _ROOM), several=len(self.reading.stores) > 1)
        name_width = max(min(longest, width - _MARGIN - _used(columns)), 6)
        head = " ".join(_pad(column.name, column.width) for column in columns).rstrip()
        lines = [line(f"     {'name':<{name_width}} {head}", "dim")]
        star = "$" if self.look.marks.ascii_only else "★"
        for index in rows:
            entry = entries[index]
            runs = _row(entry, columns, name_width, self.look.marks, self.reading.at)
            runs = (("•" if entry.mark in self.look.marked else " ", "strong"), *runs)
            runs = ((star if entry.key in self.bookmarks else " ", "value"), *runs)
            if index == at:
                runs = (*runs[:3], *((text, "cursor") for text, _ in fit(runs, width)[3:]))
            lines.append(runs)
        return [*lines, *unread]

    def move(self, dx: int, dy: int) -> bool:
        """Up and down the list; the cursor stays on its sweep when others come or the order is another one."""
        entries = self.found().entries
        if entries:
            self._go(entries, min(max(self._place(entries) + dy, 0), len(entries) - 1))
        return True

    def on_click(self, event: events.Click) -> None:
        """The row under the pointer."""
        row = self._first + event.y - 2
        entries = self.found().entries
        if event.y >= 2 and row < len(entries):
            self._go(entries, row)
            self.post_message(self.Chosen())

    def chosen(self) -> Wanted | None:
        """What the cursor is on."""
        entry = self.entry()
        return None if entry is None else Wanted(entry.store, entry.sweep.sweep_id)

    def entry(self) -> Entry | None:
        """The sweep under the cursor."""
        entries = self.found().entries
        return entries[self._place(entries)] if entries else None

    def found(self) -> Found:
        """What the filter keeps, in order."""
        return find(self._all(), self.filter, self.sort, self.reverse, self.look.marked, self.bookmarks)

    def _go(self, entries: Sequence[Entry], at: int) -> None:
        self._key = entries[at].store, entries[at].sweep.sweep_id
        self.update_rows()

    def _place(self, entries: Sequence[Entry]) -> int:
        """Where the cursor is among these; on a sweep that the filter hides, near where it was."""
        keys = [(entry.store, entry.sweep.sweep_id) for entry in entries]
        self._at = keys.index(self._key) if self._key in keys else min(self._at, len(entries) - 1)
        return self._at

    def _all(self) -> list[Entry]:
        return [] if self.reading is None else entries_of(self.reading.stores)

    def _order(self) -> str:
        name, _, largest_first = SORTS[self.sort]
        if name == "when":
            return "oldest first" if self.reverse else "newest first"
        return f"by {name}, {'largest' if largest_first != self.reverse else 'smallest'} first"


def _columns(entries: Sequence[Entry], width: int, several: bool) -> tuple[_Column, ...]:
    """What there is room for in what the longest name leaves: the two that are needed most, and others by need."""
    exponents = max(len(_main_fit(entry, 0.0)) for entry in entries)
    name = as_shown(_EXPONENT.name)
    exponent_of = replace(_EXPONENT, name=name, width=-min(max(exponents, len(name)), _LONGEST_EXPONENT))
    store = (_STORE,) if several else ()
    needed = (_NETS, exponent_of, _WHEN, *store, _TRIALS, _MODE, _FAILED, _CELLS, _STATUS)
    count = next((count for count in range(len(needed), 2, -1) if _used(needed[:count]) <= width), 2)
    shown = (_MODE, _STATUS, _WHEN, _CELLS, _NETS, _TRIALS, _FAILED, exponent_of, *store)
    return tuple(column for column in shown if column in needed[:count])


def _used(columns: Sequence[_Column]) -> int:
    return sum(abs(column.width) + 1 for column in columns)


def _cut(text: str, width: int) -> str:
    """A name that is too long without its middle: those of one family begin alike, and end apart."""
    if len(text) <= width or width < 9:
        return text
    head = (width - 1) // 3
    return f"{text[:head]}{as_shown('…')}{text[len(text) - (width - 1 - head) :]}"


def _troubles(stores: Sequence[StoreState]) -> list[Line]:
    """A row for each store that cannot be read, with why."""
    return [
        ((f"   ! {clean(store.label)}  ", "failed"), (clean(store.trouble), "")) for store in stores if store.trouble
    ]


def _row(entry: Entry, columns: Sequence[_Column], name_width: int, marks: Marks, now: float) -> Line:
    lost = "failed" if entry.driver_died else "running"  # an open sweep without its driver does not run
    state = entry.sweep.status if entry.sweep.status in ("done", "stopped") else lost
    name = fit(line(_cut(_label(entry), name_width)), name_width)
    rest = " ".join(_pad(column.text(entry, now), column.width) for column in columns).rstrip()
    return ((f" {marks.glyph(state)} ", state), *name, (f" {rest}", ""))


def _label(entry: Entry) -> str:
    """Name and tags."""
    return as_shown(clean(" ".join((entry.sweep.name, *(f"#{tag}" for tag in entry.sweep.tags)))))


def _pad(text: str, width: int) -> str:
    return f"{text:<{-width}}" if width < 0 else f"{text:>{width}}"
