"""Live: one sweep as a grid, the trials of a cell, the curves of a trial."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.events import DescendantFocus

from mlrtui.tui.keymap import bindings
from mlrtui.tui.screens.base import ReadingScreen
from mlrtui.tui.state import GRID_VALUES
from mlrtui.tui.widgets.charts import LossChart, LowerChart
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import EventList, FitsPane, Footer, StatusLine
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.sweep_grid import SweepGrid
from mlrtui.tui.widgets.trial_table import TrialTable

__all__ = ["LiveScreen"]

# In the order in which tab visits them.
_PANES = ("grid", "trials", "loss", "lower", "fits", "events")


class LiveScreen(ReadingScreen, inherit_bindings=False):
    """The screen of a running sweep, and of a finished one."""

    CSS_PATH = "live.tcss"
    BINDINGS = [*bindings("live")]  # noqa: RUF012
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._current = "grid"

    def compose(self) -> ComposeResult:
        """Header, two columns of panes, status, footer."""
        yield Header(self.look, "1 Live")
        with Container(id="body"):
            with Container(id="left"):
                yield SweepGrid(self.look)
                yield TrialTable(self.look)
                yield FitsPane(self.look)
                yield EventList(self.look)
            with Container(id="right"):
                yield LossChart(self.look)
                yield LowerChart(self.look)
        yield StatusLine(self.look)
        yield Footer(self.look, "live")

    def on_mount(self) -> None:
        """The grid is where a person starts."""
        self._focus("grid")

    @on(DescendantFocus)
    def follow_focus(self) -> None:
        """Where all panes are visible the focused one is the current one.

        Where only one is, a focus elsewhere was moved by the library when that pane was hidden, and is moved back.
        """
        focused = self.focused
        if isinstance(focused, Pane) and focused is not self.current:
            self._focus(str(self.current.id if self.single else focused.id))

    @property
    def current(self) -> Pane:
        """The pane that keys act on, and the one that stays where there is room for one only."""
        return self.query_one(f"#{self._current}", Pane)

    @property
    def single(self) -> bool:
        """Whether one pane has the whole screen."""
        return self.look.zoomed or self.has_class("-narrow") or self.has_class("-low")

    @on(SweepGrid.Chosen)
    def choose_cell(self, event: SweepGrid.Chosen) -> None:
        """Look at a cell; which of its trials is up to the feed."""
        self.owner.want(replace(self.owner.wanted, cell_id=event.cell_id, trial_id=None))

    @on(TrialTable.Chosen)
    def choose_trial(self, event: TrialTable.Chosen) -> None:
        """Look at a trial, and stay in its cell."""
        reading = self.owner.reading
        if reading is not None and reading.snapshot is not None:
            self.owner.want(replace(self.owner.wanted, cell_id=reading.snapshot.cell_id, trial_id=event.trial_id))

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key, for the focused pane."""
        self.current.move(dx, dy)

    def action_trial(self, step: int) -> None:
        """The neighbouring trial."""
        self.query_one(TrialTable).move(0, step)

    def action_pane(self, step: int) -> None:
        """The next pane that this layout has; with one pane at a time, all of them."""
        reachable = [name for name in _PANES if self.single or self.query_one(f"#{name}").display]
        at = reachable.index(self._current) if self._current in reachable else -step
        self._focus(reachable[(at + step) % len(reachable)])

    def action_open(self) -> None:
        """From the grid to its trials, from a trial to its loss, from a pane to the whole screen."""
        following = {"grid": "trials", "trials": "loss"}
        if self._current in following:
            self._focus(following[self._current])
        else:
            self.action_zoom()

    def action_back(self) -> None:
        """Out of the zoom, else to the grid, else to Browse."""
        if self.look.zoomed:
            self.action_zoom()
        elif self._current != "grid":
            self._focus("grid")
        else:
            self.owner.action_browse()

    def action_zoom(self) -> None:
        """The focused pane alone, and back."""
        self.owner.change(zoomed=not self.look.zoomed)
        self.set_class(self.look.zoomed, "-zoomed")

    def action_follow(self) -> None:
        """Let the newest trial be shown."""
        self.owner.want(replace(self.owner.wanted, cell_id=None, trial_id=None))

    def action_pause(self) -> None:
        """Stop drawing what comes; on the second press show what came."""
        self.owner.change(paused=not self.look.paused)

    def action_value(self) -> None:
        """The next value of the grid."""
        at = GRID_VALUES.index(self.look.grid_value)
        self.owner.change(grid_value=GRID_VALUES[(at + 1) % len(GRID_VALUES)])

    def action_log_x(self) -> None:
        """Both charts share their step axis."""
        self.owner.change(x_log=not self.look.x_log)

    def action_log_y(self) -> None:
        """The focused chart, else the loss."""
        if self._current == "lower":
            self.owner.change(ratio_log=not self.look.ratio_log)
        else:
            self.owner.change(loss_log=not self.look.loss_log)

    def action_edge(self) -> None:
        """Sharpness in units of its edge, or as it is."""
        self.owner.change(raw_sharpness=not self.look.raw_sharpness)

    def _focus(self, name: str) -> None:
        """Make a pane the current one; it takes the focus once it is shown, since what is hidden takes none."""
        self._current = name
        pane = self.current
        for node in self.query(".pane, #left, #right"):
            node.set_class(node is pane or node is pane.parent, "-current")
        self.call_after_refresh(pane.focus)
