"""Phases: every trial of a sweep by its phase, over the learning rate in units of the initial curvature."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.choices import among
from mlrtui.tui.control.offers import Target
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pages import MapPage, PhaseMark, PhasePage
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.phases.maps import MapView
from mlrtui.tui.phases.panes import AXES, SPELLED, VALUES, MapPane, MarkPane, PhaseView, PhaseWidget, RangesPane
from mlrtui.tui.state import Reading
from mlrtui.tui.tables import Table, onset_table, phase_table
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
        self._view = PhaseView()
        self._axis: str | None = None  # None: the first that varies
        self._trial_id: int | None = None
        self._value = VALUES[0]
        self._map = MapView(())  # where its cursor is

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
        """The trials on the map, and where each net turns."""
        if self._view.map is not None:
            return self._view.map.tables()
        onsets = [onset_table(self._view.onsets)] if self._view.onsets else []
        return (phase_table(self._view.marks), *onsets)

    def trials(self) -> Sequence[int]:
        """The trial under the cursor."""
        return () if self._view.mark is None else (self._view.mark.trial_id,)

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """What is drawn upwards."""
        return super().choice_values() | {"value": tuple(SPELLED.values())}

    def choices(self) -> dict[str, str]:
        """The axis, and what is drawn upwards."""
        found = super().choices() | ({} if self._axis is None else {"x": self._axis})
        return found | ({} if self._value == VALUES[0] else {"value": SPELLED[self._value]})

    def choose(self, choices: Mapping[str, str]) -> None:
        """Another axis, or another value."""
        super().choose(choices)
        self._axis = choices.get("x", self._axis)
        self._value = next((value for value, text in SPELLED.items() if text == choices.get("value")), VALUES[0])

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """Axes that vary."""
        page = reading.page
        return among(choices, {"x": _varying(page.marks)}) if isinstance(page, PhasePage) and page.marks else {}

    def waits(self, key: Key) -> bool:
        """Cursor and axis wait for the trials."""
        reading = self.owner.reading
        about_trials = key.action.startswith(("move", "open", "quantity"))
        return about_trials and not self._view.marks and (reading is None or reading.wanted != self.owner.wanted)

    def move_cursor(self, dx: int, dy: int) -> None:
        """To a neighbouring trial, or on a map by a part of its axes."""
        if self._view.map is not None:
            self._map = self._view.map.moved(dx, dy)
            self.show(self.owner.reading)
            return
        mark = self._view.moved(dx, dy)
        if mark is not None:
            self._trial_id = mark.trial_id
            self.show(self.owner.reading)

    def action_quantity_x(self) -> None:
        """The next axis that varies, or the next map."""
        if self._view.map is not None:
            self._map = self._view.map.next()
            self.show(self.owner.reading)
            return
        axes = _varying(self._view.marks)
        if axes:
            self._axis = axes[(axes.index(self._view.axis) + 1) % len(axes)] if self._view.axis in axes else axes[0]
            self.show(self.owner.reading)

    def action_value(self) -> None:
        """What is drawn upwards: ηλ₀ against an axis, or accuracy or ηλ at the end against ηλ₀."""
        self._value = VALUES[(VALUES.index(self._value) + 1) % len(VALUES)]
        if self._value != VALUES[0] and self.owner.wanted.page == "phases":
            self.owner.want(replace(self.owner.wanted, page="onsets"))  # from now on: with what they turn at
        self.show(self.owner.reading)

    def target(self) -> Target | None:
        """The sweep; of a map also the window around the cursor."""
        found = super().target()
        if found is None or self._view.map is None:
            return found
        return replace(found, window=self._view.map.asks)

    def action_window(self) -> None:
        """Ask whether the window around the cursor is to be mapped as a sweep of its own."""
        self.owner.action_control("window")

    def action_theory(self) -> None:
        """Theory's lines, or none."""
        self.owner.change(theory=not self.look.theory)

    def action_open(self) -> None:
        """The curves of the trial under the cursor."""
        if self._view.map is not None:
            self.owner.say("a map stores no curves; Z maps the window around the cursor")
            return
        reading, mark = self.owner.reading, self._view.mark
        if reading is None or reading.snapshot is None or mark is None:
            return
        cell_id = next((cell.cell_id for cell in reading.snapshot.cells if cell.label == mark.label), None)
        self.owner.want(replace(self.owner.wanted, cell_id=cell_id, trial_id=mark.trial_id))
        self.owner.action_page("live")

    def _viewed(self, reading: Reading | None) -> PhaseView:
        if reading is None:
            return PhaseView(words="opening the store")
        if reading.snapshot is None:
            return PhaseView(words="no sweep in this store yet")
        page = reading.page
        if isinstance(page, MapPage) and page.sweep_id == reading.snapshot.sweep.sweep_id:
            if not page.maps:
                return PhaseView(words="no training of the map has started yet")
            at = min(self._map.at, len(page.maps) - 1)
            return PhaseView(map=replace(self._map, maps=page.maps, at=at))
        if not isinstance(page, PhasePage) or page.sweep_id != reading.snapshot.sweep.sweep_id:
            return self._view
        axes = _varying(page.marks)
        axis = self._axis if self._axis in axes else axes[0]
        trial_id = self.owner.wanted.trial_id if self._trial_id is None else self._trial_id
        words = "no trial has ended yet" if not page.marks else "λ at init is not known for any trial"
        view = PhaseView.of(page.marks, axis or AXES[0], trial_id, words, page.growth)
        return replace(view, value=self._value, onsets=page.onsets, theory=self.look.theory)


def _varying(marks: Sequence[PhaseMark]) -> list[str]:
    """The axes with more than one value, the usual ones first; seed where there is none."""
    usual = [axis for axis in AXES if len({getattr(mark, axis) for mark in marks}) > 1]
    others = [name for name, _ in marks[0].axes] if marks else []
    return [*usual, *others] or [AXES[-1]]
