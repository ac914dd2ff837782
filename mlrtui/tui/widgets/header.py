"""The line at the top: which screen, which sweep, how alive it is, how far."""

from mlrtui.text.lines import Line, clean, fit, line, width_of
from mlrtui.text.marks import Marks
from mlrtui.text.numbers import moment, span
from mlrtui.text.phrases import Freshness, fresh_text, progress
from mlrtui.tui.alarms import strip
from mlrtui.tui.state import Look, Reading
from mlrtui.tui.widgets.pane import LinesWidget

__all__ = ["Header", "freshness_line", "header_line"]


_LEAST_ROWS = 16  # of a screen that has space for alarms


class Header(LinesWidget):
    """One row, and under it another one while there are alarms. `place` names the screen: "1 Live"."""

    def __init__(self, look: Look, place: str) -> None:
        super().__init__(look, id="header")
        self.place = place

    def show(self, reading: Reading | None, look: Look) -> None:
        """Take new data; alarms take a row of their own, where the screen has one to spare."""
        wanted = 2 if reading is not None and reading.alarms.words() and self.screen.size.height >= _LEAST_ROWS else 1
        if self.size.height and self.size.height != wanted:
            self.styles.height = wanted
        super().show(reading, look)

    def lines(self, width: int, height: int) -> list[Line]:
        """The rows."""
        top = header_line(self.place, self.reading, self.look, width)
        return [top] if self.reading is None else [top, strip(self.reading.alarms, width)][:height]


def header_line(place: str, reading: Reading | None, look: Look, width: int) -> Line:
    """Place and name at the left; freshness, progress, failures and time left at the right, as far as they fit.

    A run that stops before its sweep is done has the moment at which it stops in place of the time left.
    """
    left: Line = ((" mlrtui ", "strong"), (f" {place} ", "dim"))
    if reading is None or reading.snapshot is None:
        return fit(left, width)
    sweep = reading.snapshot.sweep
    diverged = sum(cell.diverged for cell in reading.snapshot.cells)
    right: list[Line] = [(*freshness_line(reading.freshness, look.marks), ("  ", ""))]
    if look.paused:
        right.insert(0, line("paused  ", "stale"))
    right.append(line(progress(sweep) + "  "))
    if diverged:
        right.append(line(f"{look.marks.glyph('diverged')}{diverged} ", "diverged"))
    if sweep.trials_failed:
        right.append(line(f"{look.marks.glyph('failed')}{sweep.trials_failed} ", "failed"))
    until, seconds_left = reading.snapshot.writer_until, reading.seconds_left
    is_cut = until is not None and seconds_left is not None and reading.at + seconds_left > until
    if until is not None:
        right.append(line(f" until {moment(until)} "))
    if seconds_left is not None and not is_cut:
        right.append(line(f" ETA {span(seconds_left)} "))
    name = clean(sweep.name)
    room = width - width_of(left) - 2
    while len(right) > 1 and sum(map(width_of, right)) + min(len(name), 12) > room:
        right.pop(-2 if len(right) > 2 else -1)
    tail = tuple(run for part in right for run in part)
    head = fit((*left, (f" {name}", "title")), max(width - width_of(tail) - 1, 0))
    return fit((*head, (" ", ""), *tail), width)


def freshness_line(fresh: Freshness, marks: Marks) -> Line:
    """A glyph and words: ● live, ◐ quiet since 12:04:31, ◌ stale since 11:50:02, ✓ done, ! no driver."""
    if not fresh.state:
        return ()
    glyph, role = {
        "live": (marks.live, "live"),
        "quiet": (marks.quiet, "quiet"),
        "stale": (marks.stale, "stale"),
        "done": (marks.glyph("done"), "done"),
        "copied": (marks.quiet, "quiet"),
        "stopped": (marks.glyph("stopped"), "stopped"),
    }.get(fresh.state, (marks.glyph("failed"), "failed"))
    return ((f"{glyph} {fresh_text(fresh)}", role),)
