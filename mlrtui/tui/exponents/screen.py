"""Exponents: a scaling fit over the cells of a sweep, fitted anew for every choice of quantities and condition."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.analysis.expressions import CELL_NUMBERS, CELL_TEXTS, ExpressionError
from mlrtui.charts.memo import Kept
from mlrtui.tui.choices import among
from mlrtui.tui.exponents.extrapolation import Beyond, beyond
from mlrtui.tui.exponents.fit import Choice, first_choice, fit_cells, misread, quantities, stored, xs
from mlrtui.tui.exponents.groups import Group, axes_of, group_fits, group_table
from mlrtui.tui.exponents.infinite import infinite
from mlrtui.tui.exponents.panes import CellPane, FitPane, FitView, FitWidget, PlotPane, ResidualPane
from mlrtui.tui.exponents.tables import fit_tables
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pages import FitPage
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.state import Reading
from mlrtui.tui.tables import Table
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer, StatusLine
from mlrtui.tui.widgets.typed import Prompt
from mlrtui_db.models import FitRow

__all__ = ["ExponentsScreen"]


class ExponentsScreen(PanesScreen, inherit_bindings=False):
    """The fit, its picture and its cells. Choice and cursor belong to the screen, the rows to the feed."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("exponents")]  # noqa: RUF012
    PANES = ("plot", "fit", "residuals", "cell")

    def __init__(self) -> None:
        super().__init__()
        self._choice: Choice | None = None  # None: the main fit of the sweep
        self._wished: Mapping[str, str] = {}  # x and y of the command line, before any cell was read
        self._asked: str | None = None  # a condition that was entered before any cell was read
        self._label: str | None = None  # the cell under the cursor
        self._view = FitView()
        self._made: tuple[FitPage, Choice] | None = None
        self._predicts = False
        self._beyond: Kept[Beyond] = Kept(1)
        self._axis = ""  # "": the cells are not grouped
        self._grouped: tuple[tuple[FitPage, Choice, str], tuple[Group, ...]] | None = None

    def compose(self) -> ComposeResult:
        """Header, the picture beside fit and residuals, the cell, condition, status, footer."""
        yield Header(self.look, "2 Exponents")
        with Container(id="body"):
            with Container(id="upper"):
                yield PlotPane(self.look)
                with Container(id="side"):
                    yield FitPane(self.look)
                    yield ResidualPane(self.look)
            yield CellPane(self.look)
        yield Prompt(self.look, "where", "all cells; / types a condition", CELL_NUMBERS + CELL_TEXTS)
        yield StatusLine(self.look)
        yield Footer(self.look, "exponents")

    def show(self, reading: Reading | None) -> None:
        """Fit what was read, if it differs from what is fitted, and show it."""
        self._view = self._viewed(reading)
        for pane in self.query(FitWidget):
            pane.view = self._view
        if not isinstance(self.focused, Prompt):
            self.query_one(Prompt).text = "" if self._choice is None else self._choice.where
        super().show(reading)

    def tables(self) -> Sequence[Table]:
        """The cells of the fit, the fit, the nets."""
        groups = self._view.groups
        return (*fit_tables(self._view.fit), *([group_table(groups, self._view.axis)] if groups else []))

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """Whether predictions are drawn."""
        return super().choice_values() | {"predict": ("yes", "no")}

    def choices(self) -> dict[str, str]:
        """What is fitted against what, over which cells, and the cell under the cursor."""
        found = super().choices() | ({} if self._label is None else {"cell": self._label})
        found |= ({"group": self._axis} if self._axis else {}) | ({"predict": "yes"} if self._predicts else {})
        first = self._first()
        if self._choice is None or self._choice == first:
            return found
        return found | {name: getattr(self._choice, name) for name in ("y", "x", "where")}

    def choose(self, choices: Mapping[str, str]) -> None:
        """Another fit, once the cells have been read."""
        super().choose(choices)
        self._label, self._asked = choices.get("cell"), choices.get("where")
        self._axis, self._predicts = choices.get("group", ""), choices.get("predict") == "yes"
        self._wished = {name: choices[name] for name in ("y", "x") if name in choices}
        if self._wished and self._asked is None:
            self._asked = ""

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """Names and expressions that its cells know, axes that vary, and labels of cells."""
        page, snapshot = reading.page, reading.snapshot
        if not isinstance(page, FitPage) or snapshot is None or not page.rows:
            return {}
        search = snapshot.sweep.mode == "search"
        axes = axes_of(page, first_choice(snapshot.fits, search, page))
        labels = [cell.label for cell in snapshot.cells]
        return misread(choices, page, search) | among(choices, {"group": axes, "cell": labels})

    def waits(self, key: Key) -> bool:
        """Cursor and choices wait for the cells."""
        reading = self.owner.reading
        about_cells = key.action.startswith(("move", "open", "fit(", "quantity", "group"))
        return about_cells and self._view.fit is None and (reading is None or reading.wanted != self.owner.wanted)

    def move_cursor(self, dx: int, dy: int) -> None:
        """To the next or previous cell by x."""
        if self._view.fit is not None and self._view.fit.places:
            at = min(max(self._view.at + (dx or dy), 0), len(self._view.fit.places) - 1)
            self._label = self._view.fit.places[at].label
            self.show(self.owner.reading)

    async def entered(self, text: str) -> None:
        """Fit over other cells, if the condition can be read."""
        prompt = self.query_one(Prompt)
        if self._made is None:
            self._asked = text.strip()  # no cells have been read yet: these come first
            prompt.accept()
            return
        page, choice = self._made
        wanted = replace(choice, where=text.strip())
        try:
            fit_cells(page, wanted)
        except ExpressionError as error:
            prompt.refuse(str(error))
            return
        prompt.accept()
        self._choose(wanted)

    def left(self) -> None:
        """Back to the pane that had the focus; keys are commands again at once."""
        self.set_focus(None)
        self.focus_pane(self._current)

    def action_type(self) -> None:
        """Type a condition."""
        self.query_one(Prompt).begin()
        self.set_focus(self.query_one(Prompt))

    def action_quantity_x(self) -> None:
        """The next expression to draw against."""
        if self._choice is not None:
            known = xs(self._fits(), self._choice.y, self._page())
            self._choose(replace(self._choice, x=_next(known, self._choice.x)))

    def action_quantity_y(self) -> None:
        """The next quantity to fit: η* where the sweep searched for it, λ₀ always."""
        reading = self.owner.reading
        if self._choice is None or reading is None or reading.snapshot is None:
            return
        search = reading.snapshot.sweep.mode == "search"
        y = _next(quantities(self._page(), search), self._choice.y)
        x = self._choice.x if self._choice.x != y else xs((), y)[0]
        self._choose(replace(self._choice, y=y, x=x))

    def action_group(self) -> None:
        """By the next axis that differs between cells, then by none."""
        if self._made is not None:
            self._axis = _next(["", *axes_of(*self._made)], self._axis)
            self.show(self.owner.reading)

    def action_theory(self) -> None:
        """Closed forms beside the cells, or none."""
        self.owner.change(theory=not self.look.theory)
        if self.look.theory and self._view.fit is not None and infinite(self._view.fit) is None:
            self.owner.say("theory has no line for this fit: its line is of λ₀ against depth·width of ReLU nets")

    def action_fit(self, step: int) -> None:
        """The next fit that the store holds, with its condition."""
        fits = stored(self._fits(), self._page())
        if fits and self._choice is not None:
            at = fits.index(self._choice) + step if self._choice in fits else 0
            self._choose(fits[at % len(fits)])

    def action_predict(self) -> None:
        """Show what the cells predict beyond them, or no longer."""
        self._predicts = not self._predicts
        self.show(self.owner.reading)

    def action_open(self) -> None:
        """The searches of the cell; in a scan its trials."""
        reading, place = self.owner.reading, self._view.place
        if reading is None or reading.snapshot is None or place is None:
            return
        cell_id = next((cell.cell_id for cell in reading.snapshot.cells if cell.label == place.label), None)
        self.owner.want(replace(self.owner.wanted, cell_id=cell_id, trial_id=None))
        self.owner.action_page("boundary" if reading.snapshot.sweep.mode == "search" else "live")

    def _choose(self, choice: Choice) -> None:
        self._choice = choice
        self.show(self.owner.reading)

    def _first(self) -> Choice | None:
        """The choice that the screen opens with."""
        reading, page = self.owner.reading, self._page()
        if reading is None or reading.snapshot is None or page is None:
            return None
        return first_choice(reading.snapshot.fits, reading.snapshot.sweep.mode == "search", page)

    def _fits(self) -> Sequence[FitRow]:
        reading = self.owner.reading
        return () if reading is None or reading.snapshot is None else reading.snapshot.fits

    def _page(self) -> FitPage | None:
        return None if self._made is None else self._made[0]

    def _with_asked(self, page: FitPage, choice: Choice) -> Choice:
        """The choice with the condition that waited for the cells, if it can be read."""
        asked, wished, self._asked, self._wished = self._asked, self._wished, None, {}
        if asked is None:
            return choice
        wanted = replace(choice, where=asked, **wished)
        try:
            fit_cells(page, wanted)
        except ExpressionError as error:
            self.call_later(self.owner.say, str(error))
            return choice
        return wanted

    def _viewed(self, reading: Reading | None) -> FitView:
        """The fit for this reading; the one that is there where nothing has changed."""
        if reading is None:
            return FitView(words="opening the store")
        if reading.snapshot is None:
            return FitView(words="no sweep in this store yet")
        if reading.snapshot.sweep.is_map:
            return FitView(words="a map has no fit: η* and λ₀ of its nets are not measured; Phases (key 6) draws it")
        if not isinstance(reading.page, FitPage) or reading.page.sweep_id != reading.snapshot.sweep.sweep_id:
            return self._view if self._view.fit is not None else FitView()
        if self._made is not None and self._made[0].sweep_id != reading.page.sweep_id:
            self._choice = None
        if self._choice is None:
            self._choice = first_choice(reading.snapshot.fits, reading.snapshot.sweep.mode == "search", reading.page)
            self._choice = self._with_asked(reading.page, self._choice)
        made = (reading.page, self._choice)
        fit = self._view.fit if made == self._made else fit_cells(*made)
        self._made = made
        if fit is None:
            return FitView()
        labels = [place.label for place in fit.places]
        at = labels.index(self._label) if self._label in labels else 0
        return FitView(
            fit,
            at,
            "no cell in this sweep",
            axis=self._axis,
            groups=self._groups(made),
            theory=infinite(fit) if self.look.theory else None,
            beyond=self._beyond.get((fit,), None, lambda: beyond(fit)) if self._predicts else None,
        )

    def _groups(self, made: tuple[FitPage, Choice]) -> tuple[Group, ...]:
        """The fits by the chosen axis; those that are there where nothing has changed."""
        if not self._axis:
            return ()
        key = (*made, self._axis)
        if self._grouped is None or self._grouped[0] != key:
            self._grouped = key, group_fits(*key)
        return self._grouped[1] if len(self._grouped[1]) > 1 else ()


def _next(known: Sequence[str], now: str) -> str:
    return known[(known.index(now) + 1) % len(known)] if now in known else known[0]
