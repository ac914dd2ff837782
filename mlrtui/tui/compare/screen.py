"""Compare: what is marked, side by side: trials, nets or sweeps."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.text.numbers import counted
from mlrtui.tui.choices import among, beyond
from mlrtui.tui.compare.differences import setting_rows
from mlrtui.tui.compare.nets import NetTable, SearchesPane, VerdictsPane
from mlrtui.tui.compare.panes import Overlay, TrialTable
from mlrtui.tui.compare.sweep_panes import ExponentsPane, FitsPane, RatiosPane, SweepTable, SweepView
from mlrtui.tui.compare.sweeps import laws, ratios_of, stored_choices, sweep_tables
from mlrtui.tui.compare.table import DifferenceTable
from mlrtui.tui.exponents.fit import Choice, misread
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.state import KINDS, ComparedSweep, Reading
from mlrtui.tui.tables import Table, compared_tables, net_tables
from mlrtui.tui.trial import cursor as moving
from mlrtui.tui.trial.cursor import Sight
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine

__all__ = ["CompareScreen"]


_PANES = {
    "trials": ("loss", "ratio", "table"),
    "nets": ("searches", "verdicts", "found"),
    "sweeps": ("fits", "exponents", "ratios", "settings"),
}


_OF_KIND = {"group": "trials", "step": "trials", "y": "sweeps", "x": "sweeps", "where": "sweeps"}
_NAMED_BY = {
    "trials": "no trial is named; add --trial NUMBER",
    "nets": "nets are named by one of their trials; add --trial NUMBER for each",
    "sweeps": "no sweep is compared; add --sweep NAME for each, without --trial",
}


class CompareScreen(PanesScreen, inherit_bindings=False):
    """Up to six of a kind. The kind is that of the last mark, until a key chooses another one."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("compare")]  # noqa: RUF012
    PANES = _PANES["trials"]

    def __init__(self) -> None:
        super().__init__()
        self._kind = "trials"  # what is shown
        self._asked = ""  # the kind that was chosen; "": that of the last mark
        self._choice: Choice | None = None  # the fit of sweeps; None: the first one
        self._wished: Mapping[str, str] = {}  # the same by the command line
        self._made: tuple[tuple[ComparedSweep, ...], Choice | None, SweepView] = ((), None, SweepView())

    def compose(self) -> ComposeResult:
        """Header, the panes of each kind, status, footer."""
        yield Header(self.look, "4 Compare")
        with Container(id="trials", classes="kind"):
            yield TrialTable(self.look)
            with Container(id="charts", classes="column"):
                yield Overlay(self.look, "loss")
                yield Overlay(self.look, "ratio")
        with Container(id="nets", classes="kind"):
            yield NetTable(self.look)
            with Container(id="net-charts", classes="column"):
                yield SearchesPane(self.look)
                yield VerdictsPane(self.look)
        with Container(id="sweeps", classes="kind"):
            with Container(id="laws", classes="column"):
                yield FitsPane(self.look)
                with Container(id="numbers", classes="column"):
                    yield ExponentsPane(self.look)
                    yield RatiosPane(self.look)
            yield SweepTable(self.look)
        yield StatusLine(self.look)
        yield Footer(self.look, "compare")

    def panes(self) -> tuple[str, ...]:
        """Those of the kind that is shown."""
        return _PANES[self._kind]

    def show(self, reading: Reading | None) -> None:
        """Show the marks of one kind."""
        there = _there(reading)
        kind = self._asked if self._asked in there else _last(reading, there)
        for name in KINDS:
            self.set_class(name == kind, f"-{name}")
        if kind != self._kind:
            self._kind = kind
            if self._current not in self.panes():
                self.focus_pane(self.panes()[0])
        view = self._viewed(() if reading is None else reading.sweeps)
        for pane in self.query("FitsPane, ExponentsPane, RatiosPane, SweepTable"):
            assert isinstance(pane, FitsPane | ExponentsPane | RatiosPane | SweepTable)
            pane.view = view
        others = ", ".join(counted(count, name[:-1]) for name, count in there.items() if name != kind)
        status = self.query_one(StatusLine)
        status.note = f"{others} marked, too: v" if others else "the same axes for all · = compares what space marks"
        super().show(reading)

    def _viewed(self, sweeps: tuple[ComparedSweep, ...]) -> SweepView:
        """What the panes of sweeps show; made anew where other cells or another fit are to be shown."""
        known, choice, view = self._made
        if known == sweeps and choice == self._choice:
            return view
        first = next(iter(stored_choices(sweeps)), None)
        if self._wished and first is not None:
            self._choice = Choice(*(self._wished.get(name, getattr(first, name)) for name in ("y", "x", "where")))
            self._wished = {}
        choice = self._choice or first
        made = laws(sweeps, choice) if choice is not None else None
        view = SweepView(sweeps, made, ratios_of(sweeps) if len(sweeps) > 1 else None)
        self._made = sweeps, self._choice, view
        return view

    def tables(self) -> Sequence[Table]:
        """All that is behind what is shown: curves, searches, or cells; and settings with results."""
        reading = self.owner.reading
        if reading is None:
            return ()
        if self._kind == "nets":
            return net_tables(reading.nets)
        if self._kind == "sweeps":
            return sweep_tables(self._made[2].sweeps, self._made[2].laws)
        return compared_tables(reading.compared)

    def trials(self) -> Sequence[int]:
        """Those of the first one's store: a command is about one store. A net is named by its first trial."""
        reading = self.owner.reading
        if reading is None or self._kind == "sweeps":
            return ()
        compared = reading.nets if self._kind == "nets" else reading.compared
        return tuple(one.details.trial_id for one in compared if one.mark.store == compared[0].mark.store)

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """Panes and kinds, and all settings or those that differ."""
        panes = tuple(dict.fromkeys(pane for each in _PANES.values() for pane in each))
        return {"pane": panes, "kind": tuple(KINDS), "settings": ("all", "differing")}

    def sweeps(self) -> Sequence[tuple[int, int]]:
        """Store and number of each sweep that is compared."""
        reading = self.owner.reading
        if reading is None or self._kind != "sweeps":
            return ()
        return tuple((one.mark.store, one.mark.sweep_id) for one in reading.sweeps)

    def choices(self) -> dict[str, str]:
        """The kind, the fit, the cursor's step, what colours curves, and whether all settings are listed."""
        found = super().choices() | ({"settings": "all"} if self.query(DifferenceTable).first().all_settings else {})
        if self._kind == "nets":
            return found | {"kind": "nets"}
        if self._kind == "sweeps":
            chosen = {} if self._choice is None else {n: getattr(self._choice, n) for n in ("y", "x", "where")}
            return found | {name: text for name, text in chosen.items() if text}
        loss = self.query_one("#loss", Overlay)
        found |= {} if loss.sight.step is None else {"step": str(loss.sight.step)}
        return found | ({"group": loss.axis_of_groups} if loss.axis_of_groups else {})

    def choose(self, choices: Mapping[str, str]) -> None:
        """The kind, the fit, the cursor, and all settings."""
        self._asked = choices.get("kind", "")
        self._wished = {name: choices[name] for name in ("y", "x", "where") if name in choices}
        if self._wished and not choices.get("where"):
            self._wished = {**self._wished, "where": ""}
        self.show(self.owner.reading)  # the panes that there are
        super().choose(choices)
        for overlay in self.query(Overlay):
            overlay.sight, overlay.axis_of_groups = moving.sight_of(choices), choices.get("group", "")
        for table in self.query(DifferenceTable):
            table.all_settings = choices.get("settings") == "all"

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """Kinds of which something is compared, and what only one kind is asked."""
        there = _there(reading)
        if reading.snapshot is None and not there:
            return {}
        found = among(choices, {"kind": tuple(there)})
        if "kind" in found:
            found["kind"] = _NAMED_BY[choices["kind"]]
            return found
        kind = choices.get("kind") or _last(reading, there)
        found = among(choices, {"pane": _PANES[kind]})
        for name in _OF_KIND.keys() & choices.keys():
            if _OF_KIND[name] != kind:
                found[name] = f"{name} is about {_OF_KIND[name]}; {kind} are compared here"
        if kind == "sweeps":  # what one of them lacks is said beside its letter
            wrong = [misread(choices, one.page, one.sweep.mode == "search") for one in reading.sweeps]
            found |= {name: text for name, text in wrong[0].items() if all(name in one for one in wrong)}
        elif kind == "trials":
            differing = [row.name for row in setting_rows(reading.compared) if row.differs]
            found = among(choices, {"group": differing}) | found
            last = max((one.trace.last_step for one in reading.compared), default=-1)
            found |= beyond(choices, last, float(last))
        return found

    def waits(self, key: Key) -> bool:
        """The cursor waits for the curves."""
        reading, wanted = self.owner.reading, self.owner.wanted
        return key.id in ("left", "right") and (reading is None or reading.wanted.compared != wanted.compared)

    def action_move(self, dx: int, dy: int) -> None:
        """The cursor by columns of the chart; up and down scroll the table."""
        if self._kind != "trials":
            self.current.move(dx, dy)
            return
        if dy:
            self.query_one(TrialTable).move(0, dy)
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
        for table in self.query(DifferenceTable):
            table.all_settings = not table.all_settings
            table.refresh(layout=True)
            self.call_after_refresh(table.update_rows)

    def action_kind(self) -> None:
        """The next kind of what is marked."""
        there = [*_there(self.owner.reading)]
        if there:
            self._asked = there[(there.index(self._kind) + 1) % len(there)] if self._kind in there else there[0]
            self.show(self.owner.reading)

    def action_fit(self, step: int) -> None:
        """The next fit that one of the sweeps has stored."""
        fits = stored_choices(self._made[2].sweeps)
        if self._kind == "sweeps" and fits:
            now = self._choice or fits[0]
            self._choice = fits[(fits.index(now) + step) % len(fits)] if now in fits else fits[0]
            self.show(self.owner.reading)

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


def _there(reading: Reading | None) -> dict[str, int]:
    """The kinds of which something is marked and still there, with their numbers."""
    if reading is None:
        return {}
    found = {"trials": len(reading.compared), "nets": len(reading.nets), "sweeps": len(reading.sweeps)}
    return {kind: count for kind, count in found.items() if count}


def _last(reading: Reading | None, there: Mapping[str, int]) -> str:
    """The kind of the last mark that is there."""
    if reading is None or not there:
        return KINDS[0]
    of_sweeps = {one.mark for one in reading.sweeps}
    for mark in reversed(reading.wanted.compared):
        kind = "trials" if mark.kind == "sweeps" and mark not in of_sweeps else mark.kind  # a recorded run
        if kind in there:
            return kind
    return next(iter(there))
