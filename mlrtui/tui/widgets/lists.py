"""Panes that only inform: events, fits, the status line and the footer."""

from collections.abc import Sequence
from itertools import accumulate

from textual import events

from mlrtui.text.lines import Line, clean, fit, line, width_of
from mlrtui.text.numbers import clock, counted, r_squared
from mlrtui.text.phrases import condition, fit_groups, fit_notes, fit_sentence
from mlrtui.text.working import doing, workers_in_short
from mlrtui.tui.keymap import Key, footer_keys, shown_keys
from mlrtui.tui.machine import load_text
from mlrtui.tui.state import Look, headline, starts
from mlrtui.tui.widgets.pane import LinesWidget
from mlrtui.tui.widgets.rows import RowsPane, sentence

__all__ = ["EventList", "FitsPane", "Footer", "StatusLine"]

_LEVELS = {"error": ("!", "failed"), "warning": ("!", "stale")}


class EventList(RowsPane):
    """The log, newest first."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="events", classes="pane")

    def title(self) -> Line:
        """What it is."""
        return line("events", "title")

    def caption(self) -> Line:
        """The workers, else how busy this machine was when the store last moved."""
        reading = self.reading
        if reading is not None and reading.work is not None and reading.work.workers:
            return line(workers_in_short(reading.work), "dim")
        load = None if reading is None else reading.load
        return () if load is None else line(load_text(load), "dim")

    def rows(self, width: int) -> Sequence[Line]:
        """One event a row."""
        events = () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.events
        if not events:
            now = starts(self.reading, self.look)
            words = "nothing happened yet" if now is None or not now.log else f"the driver prints to {now.log}"
            return sentence(words, "note", width, hang=" ")
        rows = []
        shown = 8 if width >= 40 else 5  # narrow: hours and minutes
        for event in events:
            sign, role = _LEVELS.get(event.level, (" ", ""))
            rows.append(((f" {clock(event.at)[:shown]} ", "dim"), (sign + " ", role), (clean(event.text), role)))
        return rows


class FitsPane(RowsPane):
    """Every fit with its interval and what it rests on."""

    GROWS = True

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="fits", classes="pane")

    def title(self) -> Line:
        """What it is."""
        return line("fits, 95 % intervals", "title")

    def rows(self, width: int) -> Sequence[Line]:
        """The fits."""
        fits = () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.fits
        rows: list[Line] = []
        main = headline(fits)
        for terms in sorted(fit_groups(fits), key=lambda terms: main is None or terms[0].fit != main.fit):
            rows += sentence(fit_sentence(terms), "value", width)
            for note in fit_notes(terms):
                rows += sentence(note, "stale" if note.startswith("!") else "dim", width, "   ")
        return rows or [line(" none yet", "note")]


class StatusLine(LinesWidget):
    """What is going on: trouble with the store or its driver first, else what is followed and the main fit."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="status")
        self.note = ""

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        reading = self.reading
        if reading is None:
            return [line(" opening the store", "note")]
        if reading.trouble:
            return [((" ! ", "failed"), (clean(reading.trouble), "failed"))]
        if self.look.note:
            return [line(f" {clean(self.look.note)}", "value")]
        if reading.driver_end:
            return [((" ! ", "failed"), (clean(reading.driver_end), "failed"))]
        work = "" if reading.work_here is None else doing(reading.work_here)
        if not work and (now := starts(reading, self.look)) is not None:
            return [line(f" {clean(now.sweep) or 'a sweep'} is starting: data, workers, then λ₀", "note")]
        if reading.snapshot is None:
            if work:
                return [line(f" {work}", "value")]
            return [line(" no sweep in this store yet; `mlrtui run` starts one", "note")]
        following = reading.wanted.trial_id is None and reading.wanted.cell_id is None
        left: Line = ((f" {self.note or ('following newest' if following else 'f follows newest')}", "dim"),)
        if work:  # the fits have a pane of their own, and at the end this place
            both: Line = (*left, ("  ", ""), (work, "value"))
            return [both if width_of(both) < width else line(f" {work}", "value")]
        main = headline(reading.snapshot.fits)
        if main is None:
            return [left]
        terms = [fit for fit in reading.snapshot.fits if fit.fit == main.fit]
        sentence = fit_sentence(terms)
        r2 = "" if main.r2 is None else f"  {r_squared(main.r2)}"
        cells, where = counted(main.cells, "cell"), condition(main)
        whole = f"{sentence}{r2}  {cells} {where} " if where else ""
        short = f"{sentence}{r2}  where … " if where else f"{sentence}{r2}  {cells} "
        for text in filter(None, (whole, short, f"{sentence}{r2} ", f"{sentence} ")):
            right = line(clean(text), "value")
            if width_of(left) + width_of(right) + 2 <= width:
                break
        return [(*fit(left, max(width - width_of(right), 0)), *right)]


class Footer(LinesWidget):
    """The keys of this screen."""

    def __init__(self, look: Look, screen: str) -> None:
        super().__init__(look, id="footer")
        self.screen_name = screen
        self._spans: list[tuple[int, int, Key]] = []  # cells of each key, for the mouse

    async def on_click(self, event: events.Click) -> None:
        """A click on a key is the key."""
        for start, end, key in self._spans:
            if start <= event.x < end:
                await self.app.run_action(key.action, self.screen if key.screens else self.app)

    def lines(self, width: int, height: int) -> list[Line]:
        """As many keys as there is room for; help and quit always."""
        ascii_only = self.look.marks.ascii_only
        keys = footer_keys(self.screen_name)
        parts: list[Line] = [
            ((f" {shown_keys(key, ascii_only, self.look.keys).split()[0]}", "key"), (f" {key.label}", "dim"))
            for key in keys
        ]
        while len(parts) > 2 and sum(map(width_of, parts)) + len(parts) > width:
            parts.pop(-3)
            keys.pop(-3)
        ends = list(accumulate(width_of(part) + 1 for part in parts))
        self._spans = [(end - width_of(part), end, key) for end, part, key in zip(ends, parts, keys, strict=True)]
        return [tuple(run for part in parts for run in (*part, (" ", "")))]
