"""Boundary: the search of one net, from its first question to η*."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.boundary.panes import FoundPane, RoundsPane, SearchPane, SearchView, SearchWidget
from mlrtui.tui.choices import among
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.state import Mark, Reading, knows_cell, marked_text
from mlrtui.tui.tables import Table, search_tables
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine

__all__ = ["BoundaryScreen"]


class BoundaryScreen(PanesScreen, inherit_bindings=False):
    """One net at a time; the other seeds of its cell are one key away."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("boundary")]  # noqa: RUF012
    PANES = ("search", "found", "rounds")

    def __init__(self) -> None:
        super().__init__()
        self._view = SearchView()
        self._place: object = None
        self._net_id: int | None = None  # None: the net that is looked at elsewhere
        self._trial_id: int | None = None  # None: the one at η*

    def compose(self) -> ComposeResult:
        """Header, the picture beside words and rounds, status, footer."""
        yield Header(self.look, "Boundary")
        with Container(id="body"):
            yield SearchPane(self.look)
            with Container(id="side"):
                yield FoundPane(self.look)
                yield RoundsPane(self.look)
        yield StatusLine(self.look)
        yield Footer(self.look, "boundary")

    def show(self, reading: Reading | None) -> None:
        """Show the search of the net."""
        place = self.owner.wanted.place
        if place != self._place:  # another net was chosen elsewhere
            self._place, self._net_id, self._trial_id = place, None, None
        self._view = SearchView.of(reading, self._net_id, self._trial_id)
        for pane in self.query(SearchWidget):
            pane.view = self._view
        super().show(reading)

    def tables(self) -> Sequence[Table]:
        """The trials of the search, its rounds, what it found."""
        return search_tables(self._view.net, self._view.trials)

    def trials(self) -> Sequence[int]:
        """The trial under the cursor, by which its net is found again."""
        return () if self._view.trial is None else (self._view.trial.trial_id,)

    def choices(self) -> dict[str, str]:
        """Where the cursor was moved to."""
        return super().choices() | ({} if self._trial_id is None else {"cursor": str(self._trial_id)})

    def choose(self, choices: Mapping[str, str]) -> None:
        """The cursor on a trial."""
        super().choose(choices)
        if choices.get("cursor", "").isdecimal():
            self._place, self._trial_id = self.owner.wanted.place, int(choices["cursor"])

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """The trials of the search."""
        trials = SearchView.of(reading, None, None).trials
        return among(choices, {"cursor": [str(trial.trial_id) for trial in trials]}) if reading.snapshot else {}

    def waits(self, key: Key) -> bool:
        """Cursor and seeds wait for the trials of the cell."""
        reading = self.owner.reading
        about_trials = key.action.startswith(("move", "open", "seed", "mark"))
        return about_trials and (reading is None or not knows_cell(reading, self.owner.wanted))

    def move_cursor(self, dx: int, dy: int) -> None:
        """To the next smaller or larger rate."""
        trials = self._view.trials
        if self._view.trial in trials:
            at = min(max(trials.index(self._view.trial) + (dx or dy), 0), len(trials) - 1)
            self._trial_id = trials[at].trial_id
            self.show(self.owner.reading)

    def action_seed(self, step: int) -> None:
        """The next net of this cell."""
        reading = self.owner.reading
        if reading is None or reading.snapshot is None or self._view.net is None:
            return
        nets = reading.snapshot.nets
        at = [net.net_id for net in nets].index(self._view.net.net_id)
        self._net_id, self._trial_id = nets[(at + step) % len(nets)].net_id, None
        self.show(reading)

    def action_mark(self) -> None:
        """Mark the net for comparing, or take its mark away."""
        reading, net, cell = self.owner.reading, self._view.net, self._view.cell
        if reading is not None and reading.snapshot is not None and net is not None and cell is not None:
            sweep_id = reading.snapshot.sweep.sweep_id
            mark = Mark(reading.wanted.store, sweep_id, None, net.net_id, net.cell_id)
            self.owner.toggle(mark)
            self.owner.say(marked_text(mark, self.look.marked, f"net {cell.size} seed {net.seed}"))

    def action_overlay(self) -> None:
        """What is marked, side by side."""
        self.owner.action_page("compare")

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.owner.change(marked=())

    def action_open(self) -> None:
        """The curves of the trial under the cursor."""
        if self._view.trial is not None:
            trial = self._view.trial
            self.owner.want(replace(self.owner.wanted, cell_id=trial.cell_id, trial_id=trial.trial_id))
            self.owner.action_page("live")
