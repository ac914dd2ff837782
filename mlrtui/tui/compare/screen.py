"""Compare: what is marked, on the same axes, with what differs."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.compare.differences import setting_rows
from mlrtui.tui.compare.panes import DifferenceTable, Overlay
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.tables import Table, compared_tables
from mlrtui.tui.trial import cursor as moving
from mlrtui.tui.trial.cursor import Sight
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine

__all__ = ["CompareScreen"]


class CompareScreen(PanesScreen, inherit_bindings=False):
    """Up to six trials; a marked sweep is shown by one of its trials and by its fit."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("compare")]  # noqa: RUF012
    PANES = ("loss", "ratio", "table")

    def compose(self) -> ComposeResult:
        """Header, table, charts, status, footer."""
        yield Header(self.look, "4 Compare")
        with Container(id="body"):
            yield DifferenceTable(self.look)
            with Container(id="charts", classes="column"):
                yield Overlay(self.look, "loss")
                yield Overlay(self.look, "ratio")
        status = StatusLine(self.look)
        status.note = "the same axes for all · space and = mark and compare"
        yield status
        yield Footer(self.look, "compare")

    def tables(self) -> Sequence[Table]:
        """Every step of every curve, and the table of settings and results."""
        reading = self.owner.reading
        return () if reading is None else compared_tables(reading.compared)

    def trials(self) -> Sequence[int]:
        """Those of the first curve's store: a command is about one store."""
        reading = self.owner.reading
        compared = () if reading is None else reading.compared
        return tuple(one.details.trial_id for one in compared if one.mark.store == compared[0].mark.store)

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """All settings, or those that differ."""
        return super().choice_values() | {"settings": ("all", "differing")}

    def choices(self) -> dict[str, str]:
        """The cursor's step, the setting that colours curves, and whether all settings are listed."""
        loss = self.query_one("#loss", Overlay)
        found = super().choices() | ({} if loss.sight.step is None else {"step": str(loss.sight.step)})
        found |= {"group": loss.axis_of_groups} if loss.axis_of_groups else {}
        return found | ({"settings": "all"} if self.query_one(DifferenceTable).all_settings else {})

    def choose(self, choices: Mapping[str, str]) -> None:
        """The cursor, and all settings."""
        super().choose(choices)
        for overlay in self.query(Overlay):
            overlay.sight, overlay.axis_of_groups = moving.sight_of(choices), choices.get("group", "")
        self.query_one(DifferenceTable).all_settings = choices.get("settings") == "all"

    def waits(self, key: Key) -> bool:
        """The cursor waits for the curves."""
        reading, wanted = self.owner.reading, self.owner.wanted
        return key.id in ("left", "right") and (reading is None or reading.wanted.compared != wanted.compared)

    def action_move(self, dx: int, dy: int) -> None:
        """The cursor by columns of the chart; up and down scroll the table."""
        if dy:
            self.query_one(DifferenceTable).move(0, dy)
        reading = self.owner.reading
        if not dx or reading is None or not reading.compared:
            return
        chart = self.query_one("#ratio" if self._current == "ratio" else "#loss", Overlay)
        first = reading.compared[0]
        axis, dots = chart.axis()
        sight = moving.by_column(first.trace, chart.points(first), chart.sight, dx, axis, dots, axis.high)
        with self.app.batch_update():
            for overlay in self.query(Overlay):
                overlay.sight = sight
                overlay.update_rows()

    def action_all_settings(self) -> None:
        """All settings, or only those that differ."""
        table = self.query_one(DifferenceTable)
        table.all_settings = not table.all_settings
        table.refresh(layout=True)
        self.call_after_refresh(table.update_rows)

    def action_time(self) -> None:
        """Curves over η·t, or over steps."""
        self.owner.change(physical=not self.look.physical)

    def action_group(self) -> None:
        """Colours by the next setting that differs, then by curve."""
        reading = self.owner.reading
        rows = setting_rows(() if reading is None else reading.compared)
        names = ["", *(row.name for row in rows if row.differs)]
        for overlay in self.query(Overlay):
            now = overlay.axis_of_groups
            overlay.axis_of_groups = names[(names.index(now) + 1) % len(names)] if now in names else ""
            overlay.update_rows()

    def action_unmark(self) -> None:
        """Take all marks away."""
        for overlay in self.query(Overlay):
            overlay.sight = Sight()
        self.owner.change(marked=())
        self.owner.action_page("compare")

    def action_log_x(self) -> None:
        """Both charts share their step axis."""
        self.owner.change(x_log=not self.look.x_log)

    def action_log_y(self) -> None:
        """The chart that has the focus."""
        if self._current == "ratio":
            self.owner.change(ratio_log=not self.look.ratio_log)
        else:
            self.owner.change(loss_log=not self.look.loss_log)

    def leave(self) -> None:
        """To where the marks were made."""
        self.owner.leave_compare()
