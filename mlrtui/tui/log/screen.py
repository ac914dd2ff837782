"""Log: every event of the store, newest first, by level and by text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual import events
from textual.app import ComposeResult

from mlrtui.text.lines import Line, clean, fit, holds, line
from mlrtui.text.numbers import clock, moment
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pages import LOG_LIMIT, LogPage
from mlrtui.tui.screen import FilterScreen
from mlrtui.tui.state import Look, Reading
from mlrtui.tui.tables import Table, log_table
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import window
from mlrtui.tui.widgets.typed import Prompt
from mlrtui_db.models import LogRow

__all__ = ["LEVELS", "LogPane", "LogScreen"]

LEVELS = {"all events": (), "warnings and errors": ("warning", "error"), "errors": ("error",)}
_SIGNS = {"error": ("!", "failed"), "warning": ("!", "stale")}


class LogPane(Pane):
    """The events that pass both filters, with a cursor that stays on its event while new ones come in."""

    OPENS = True

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="log", classes="pane")
        self.level = next(iter(LEVELS))
        self.filter = ""
        self._event_id: int | None = None  # None: the newest
        self._first = 0
        self._filtered: tuple[object, list[LogRow]] = (None, [])

    def title(self) -> Line:
        """Which events."""
        return ((self.level, "title"), ("  v", "dim"))

    def caption(self) -> Line:
        """How many pass the filters."""
        page = self._page()
        if page is None:
            return ()
        most = f"; the newest {LOG_LIMIT}" if len(page.rows) == LOG_LIMIT else ""
        return line(f"{len(self.rows())} of {len(page.rows)} events{most}")

    def body(self, width: int, height: int) -> Sequence[Line]:
        """One event a row."""
        rows = self.rows()
        if not rows:
            page = self._page()
            words = "no event passes the filters" if page is not None and page.rows else "nothing happened yet"
            return [line(f" {words}", "note")]
        at = self._at(rows)
        visible = window(len(rows), at, height)
        self._first = visible.start
        names = {} if self.reading is None else _sweep_names(self.reading)
        several = len({row.sweep_id for row in rows}) > 1 and width >= 100
        lines = []
        for index in visible:
            row = rows[index]
            sign, role = _SIGNS.get(row.level, (" ", ""))
            when = f"{moment(row.at)[:5]} {clock(row.at)}" if width >= 60 else clock(row.at)
            about = f"{names.get(row.sweep_id, '')[:20]:<20} " if several else ""
            jump = "›" if row.trial_id is not None and index == at else " "
            chosen = "cursor" if index == at else role
            runs: Line = ((f"{jump}{when} ", "dim"), (f"{sign} ", role), (about, "dim"), (clean(row.text), chosen))
            lines.append(fit(runs, width, chosen if index == at else ""))
        return lines

    def rows(self) -> list[LogRow]:
        """What passes the filters, newest first."""
        page = self._page()
        key = (page, self.level, self.filter)
        if self._filtered[0] is None or self._filtered[0] != key:
            found = [] if page is None else [row for row in reversed(page.rows) if self._passes(row)]
            self._filtered = (key, found)
        return self._filtered[1]

    def chosen(self) -> LogRow | None:
        """The event under the cursor."""
        rows = self.rows()
        return rows[self._at(rows)] if rows else None

    def move(self, dx: int, dy: int) -> bool:
        """Along the list; at its top the cursor stays with the newest."""
        rows = self.rows()
        if rows:
            at = min(max(self._at(rows) + dy, 0), len(rows) - 1)
            self._event_id = rows[at].event_id if at else None
            self.update_rows()
        return True

    def on_click(self, event: events.Click) -> None:
        """The row under the pointer."""
        row = self._first + event.y - 1
        if event.y >= 1 and row < len(self.rows()):
            self._event_id = self.rows()[row].event_id
            self.update_rows()

    def _at(self, rows: Sequence[LogRow]) -> int:
        return next((at for at, row in enumerate(rows) if row.event_id == self._event_id), 0)

    def _page(self) -> LogPage | None:
        page = None if self.reading is None else self.reading.page
        return page if isinstance(page, LogPage) else None

    def _passes(self, row: LogRow) -> bool:
        levels = LEVELS[self.level]
        return (not levels or row.level in levels) and holds(row.text, self.filter)


class LogScreen(FilterScreen, inherit_bindings=False):
    """The list and its filter; enter goes to the trial that an event is about."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("log")]  # noqa: RUF012
    AUTO_FOCUS = "#log"

    def compose(self) -> ComposeResult:
        """Header, list, filter, status, footer."""
        yield Header(self.look, "5 Log")
        yield LogPane(self.look)
        yield Prompt(self.look, "filter", "none; / types words that must all occur")
        yield StatusLine(self.look)
        yield Footer(self.look, "log")

    def tables(self) -> Sequence[Table]:
        """The events that pass the filters."""
        reading = self.owner.reading
        return () if reading is None else (log_table(self.query_one(LogPane).rows(), _sweep_names(reading)),)

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """Sets of levels."""
        return super().choice_values() | {"level": tuple(LEVELS)}

    def choices(self) -> dict[str, str]:
        """Levels and words."""
        pane = self.query_one(LogPane)
        level = {} if pane.level == next(iter(LEVELS)) else {"level": pane.level}
        return level | ({"filter": pane.filter} if pane.filter else {})

    def choose(self, choices: Mapping[str, str]) -> None:
        """Other levels and words."""
        pane, prompt = self.query_one(LogPane), self.query_one(Prompt)
        if choices.get("level") in LEVELS:
            pane.level = choices["level"]
        pane.filter = prompt.text = choices.get("filter", "")

    def waits(self, key: Key) -> bool:
        """The cursor waits for the events."""
        reading = self.owner.reading
        read = reading is not None and (isinstance(reading.page, LogPage) or reading.wanted == self.owner.wanted)
        return key.action.startswith(("move", "open")) and not read

    def typed(self, text: str) -> None:
        """The list follows every letter."""
        self.query_one(LogPane).filter = text
        self.show(self.owner.reading)

    def action_level(self) -> None:
        """The next set of levels."""
        pane = self.query_one(LogPane)
        levels = list(LEVELS)
        pane.level = levels[(levels.index(pane.level) + 1) % len(levels)]
        self.show(self.owner.reading)

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.query_one(LogPane).move(dx, dy)

    def action_open(self) -> None:
        """The trial that the event is about, else its sweep."""
        row = self.query_one(LogPane).chosen()
        if row is None or row.sweep_id is None:
            return
        wanted = replace(self.owner.wanted, sweep_id=row.sweep_id, cell_id=row.cell_id, trial_id=row.trial_id)
        self.owner.want(wanted)
        self.owner.action_page("live")

    def action_back(self) -> None:
        """To Live."""
        self.owner.action_page("live")


def _sweep_names(reading: Reading) -> dict[int | None, str]:
    stores = reading.stores
    sweeps = stores[reading.wanted.store].sweeps if stores else ()
    return {sweep.sweep_id: clean(sweep.name) for sweep in sweeps}
