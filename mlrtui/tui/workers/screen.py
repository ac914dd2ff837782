"""Workers: the devices that are at work, what each of them trains, how fast, and how busy it is."""

from collections.abc import Sequence

from textual.app import ComposeResult

from mlrtui.text.lines import Line, line
from mlrtui.text.numbers import clock
from mlrtui.text.working import workers_in_short
from mlrtui.tui.keymap import bindings
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import Look
from mlrtui.tui.tables import Table
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine
from mlrtui.tui.widgets.rows import RowsPane, sentence
from mlrtui.tui.workers.columns import worker_rows
from mlrtui.tui.workers.table import workers_table
from mlrtui_db.work import WorkRow

__all__ = ["WorkersPane", "WorkersScreen"]

_ROLES = {"training": "running", "lambda0": "running", "left out": "failed", "starting": "stale"}


class WorkersPane(RowsPane):
    """One worker a row."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="workers", classes="pane")

    def title(self) -> Line:
        """All of them in short."""
        work = self._work()
        return line("workers" if work is None else workers_in_short(work), "title")

    def caption(self) -> Line:
        """Which part is visible, and when the driver said it."""
        work, part = self._work(), super().caption()
        return (*part, (f"{'  ' if part else ''}as of {clock(work.at)}", "dim")) if work is not None else part

    def head(self, width: int) -> Sequence[Line]:
        """Names of the columns."""
        work = self._work()
        return () if work is None or not work.workers else (line(worker_rows(work, width)[0], "dim"),)

    def rows(self, width: int) -> Sequence[Line]:
        """The workers; without any, why."""
        work, reading = self._work(), self.reading
        if work is None:
            if reading is None:
                return ()
            words = "no driver is at work on this store; `mlrtui run` starts one, `mlrtui resume` goes on with a sweep"
            return sentence(words, "note", width)
        rows = [line(text, _ROLES.get(worker.state, "")) for worker, text in worker_rows(work, width)[1]]
        if work.unlisted:
            rows.append(line(f" and {work.unlisted} more", "note"))
        return rows or [line(" no worker has started yet", "note")]

    def _work(self) -> WorkRow | None:
        return None if self.reading is None else self.reading.work


class WorkersScreen(ReadingScreen, inherit_bindings=False):
    """The list of the driver that writes the store, whichever sweep is looked at."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("workers")]  # noqa: RUF012
    AUTO_FOCUS = "#workers"

    def compose(self) -> ComposeResult:
        """Header, list, status, footer."""
        yield Header(self.look, "7 Workers")
        yield WorkersPane(self.look)
        yield StatusLine(self.look)
        yield Footer(self.look, "workers")

    def tables(self) -> Sequence[Table]:
        """What is known of each worker."""
        reading = self.owner.reading
        return () if reading is None or reading.work is None else (workers_table(reading.work),)

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.query_one(WorkersPane).move(dx, dy)

    def action_back(self) -> None:
        """To Live."""
        self.owner.action_page("live")
