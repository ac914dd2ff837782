"""Phases: every trial of a sweep by its phase, over the learning rate in units of the initial curvature."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.choices import among
from mlrtui.tui.control.offers import Target
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pages import MapPage, PhasePage
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.phases.maps import MapView
from mlrtui.tui.phases.panes import MapPane, MarkPane, PhaseWidget, RangesPane
from mlrtui.tui.phases.picture import Picture
from mlrtui.tui.phases.trials import AXES, SPELLED, PhaseView, varying
from mlrtui.tui.state import Reading
from mlrtui.tui.tables import Table
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine

__all__ = ["PhasesScreen"]


class PhasesScreen(PanesScreen, inherit_bindings=False):
    """A map of the phases with theory's lines, and a cursor that reads it out."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("phases")]  # noqa: RUF012
    PANES = ("map", "ranges", "mark")

    def __init__(self) -> None:
        super().__init__()
        self._trials = PhaseView()  # as it was last set
        self._map = MapView(())
        self._view: Picture = self._trials
        self._moved = False  # whether its cursor is where a key put it, not on the trial that is looked at
        self._is_read = False

    def compose(self) -> ComposeResult:
        """Header, the map beside the ranges, the trial, status, footer."""
        yield Header(self.look, "6 Phases")
        with Container(id="body"):
            with Container(id="upper"):
                yield MapPane(self.look)
                yield RangesPane(self.look)
            yield MarkPane(self.look)
        yield StatusLine(self.look)
        yield Footer(self.look, "phases")

    def show(self, reading: Reading | None) -> None:
        """Show the trials that were read."""
        self._view = self._viewed(reading)
        for pane in self.query(PhaseWidget):
            pane.view = self._view
        super().show(reading)

    def tables(self) -> Sequence[Table]:
        """The data of the picture."""
        return self._view.tables()

    def trials(self) -> Sequence[int]:
        """The trial under the cursor."""
        return () if self._view.trial_id is None else (self._view.trial_id,)

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """What is drawn upwards."""
        return super().choice_values() | {"value": tuple(SPELLED.values())}

    def choices(self) -> dict[str, str]:
        """The axis, and what is drawn upwards."""
        return super().choices() | self._view.choices()

    def choose(self, choices: Mapping[str, str]) -> None:
        """Another axis, or another value."""
        super().choose(choices)
        self._trials = self._trials.chosen(choices)

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """Axes that vary."""
        page = reading.page
        return among(choices, {"x": varying(page.marks)}) if isinstance(page, PhasePage) and page.marks else {}

    def waits(self, key: Key) -> bool:
        """Cursor and axis wait for the trials."""
        reading = self.owner.reading
        about_trials = key.action.startswith(("move", "open", "quantity"))
        return about_trials and not self._is_read and (reading is None or reading.wanted != self.owner.wanted)

    def move_cursor(self, dx: int, dy: int) -> None:
        """To a neighbouring trial, or on a map by a part of its axes."""
        self._take(self._view.stepped(dx, dy))

    def action_quantity_x(self) -> None:
        """The next axis that varies, or the next map."""
        self._take(self._view.along_x())

    def action_value(self) -> None:
        """What is drawn upwards: ηλ₀ against an axis, or accuracy or ηλ at the end against ηλ₀."""
        self._take(self._view.upwards())

    def _take(self, view: Picture) -> None:
        """Draw it so from now on."""
        if isinstance(view, MapView):
            self._map = view
        elif isinstance(view, PhaseView):
            self._trials, self._moved = view, True
        if view.page != self.owner.wanted.page == "phases":
            self.owner.want(replace(self.owner.wanted, page=view.page))  # from now on: with what they turn at
        self.show(self.owner.reading)

    def target(self) -> Target | None:
        """The sweep; of a map also the window around the cursor."""
        found = super().target()
        return replace(found, window=self._view.asks) if found is not None and self._view.asks else found

    def action_window(self) -> None:
        """Ask whether the window around the cursor is to be mapped as a sweep of its own."""
        self.owner.action_control("window")

    def action_theory(self) -> None:
        """Theory's lines, or none."""
        self.owner.change(theory=not self.look.theory)
        if self._view.without_theory:
            self.owner.say(self._view.without_theory)

    def action_open(self) -> None:
        """The curves of the trial under the cursor."""
        if self._view.closed:
            self.owner.say(self._view.closed)
            return
        reading, mark = self.owner.reading, self._trials.mark
        if reading is None or reading.snapshot is None or mark is None:
            return
        cell_id = next((cell.cell_id for cell in reading.snapshot.cells if cell.label == mark.label), None)
        self.owner.want(replace(self.owner.wanted, cell_id=cell_id, trial_id=mark.trial_id))
        self.owner.action_page("live")

    def _viewed(self, reading: Reading | None) -> Picture:
        """The maps of a sweep with [map], else its trials, set as they last were."""
        if reading is None:
            return replace(self._trials, words="opening the store")
        if reading.snapshot is None:
            return replace(self._trials, words="no sweep in this store yet")
        page, sweep_id = reading.page, reading.snapshot.sweep.sweep_id
        self._is_read = isinstance(page, MapPage | PhasePage) and page.sweep_id == sweep_id
        if not self._is_read:
            return self._view
        if isinstance(page, MapPage):
            if not page.maps:
                return PhaseView(words="no training of the map has started yet")
            self._map = replace(self._map, maps=page.maps, at=min(self._map.at, len(page.maps) - 1))
            return self._map
        assert isinstance(page, PhasePage)
        return self._of_trials(page)

    def _of_trials(self, page: PhasePage) -> PhaseView:
        last, axes = self._trials, varying(page.marks)
        axis = last.chosen_axis if last.chosen_axis in axes else axes[0]
        trial_id = last.trial_id if self._moved else self.owner.wanted.trial_id
        words = "no trial has ended yet" if not page.marks else "λ at init is not known for any trial"
        view = PhaseView.of(page.marks, axis or AXES[0], trial_id, words, page.growth)
        view = replace(view, onsets=page.onsets, forked=page.forked, theory=self.look.theory)
        self._trials = replace(view, value=last.value, chosen_axis=last.chosen_axis)
        return self._trials
