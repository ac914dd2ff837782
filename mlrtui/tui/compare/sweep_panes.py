"""The panes of Compare for sweeps: fits overlaid, exponents side by side, η* ratios by cell, settings that differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.charts.scatter import Dot, ScatterSpec, draw_scatter
from mlrtui.figures.forest import condition_of
from mlrtui.text.lines import Line, Run, centred, clean, line
from mlrtui.text.numbers import counted, exact
from mlrtui.text.phrases import exponent, quantity
from mlrtui.tui.compare.differences import LETTERS
from mlrtui.tui.compare.sweeps import (
    Laws,
    Ratios,
    agreement_text,
    exponents_of,
    names_of,
    ratio_sentences,
    sweep_result_rows,
    sweep_setting_rows,
)
from mlrtui.tui.compare.table import Differences, DifferenceTable, role_of
from mlrtui.tui.exponents.groups import forest, group_dots, group_strokes
from mlrtui.tui.exponents.panes import spelled
from mlrtui.tui.state import ComparedSweep, Look
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import RowsPane, sentence

__all__ = ["ExponentsPane", "FitsPane", "RatiosPane", "SweepTable", "SweepView"]


@dataclass(frozen=True)
class SweepView:
    """What the panes show; the screen makes it once for all of them."""

    sweeps: tuple[ComparedSweep, ...] = ()
    laws: Laws | None = None
    ratios: Ratios | None = None


class SweepTable(DifferenceTable):
    """Settings and progress of the sweeps."""

    view = SweepView()

    def __init__(self, look: Look) -> None:
        super().__init__(look, "settings")

    def made(self) -> Differences:
        """Of the sweep files."""
        sweeps = self.view.sweeps
        return Differences(names_of(sweeps), tuple(sweep_setting_rows(sweeps)), tuple(sweep_result_rows(sweeps)))


class FitsPane(Pane):
    """The cells of every sweep with the line of its fit: a colour, a sign, dashes and a letter for each."""

    view = SweepView()

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="fits", classes="pane chart")

    def title(self) -> Line:
        """What is drawn against what."""
        made = self.view.laws
        if made is None:
            return line("fits", "title")
        condition = condition_of({"where_expr": made.choice.where})
        where = f"  where {condition}" if condition else ""
        name = f"{quantity(made.choice.y)} against {spelled(made.choice.x)}"
        return ((name, "title"), (f"{where}  [ ]", "dim"))

    def caption(self) -> Line:
        """Whose sign is which."""
        made = self.view.laws
        if made is None:
            return ()
        ascii_only = self.look.marks.ascii_only
        runs: list[Run] = []
        for group in made.groups:
            name = names_of(self.view.sweeps)[group.order]
            runs += [(f"{group.sign(ascii_only)} {group.value} ", group.role), (f"{name}  ", "")]
        bounds = sum(bool(place.point.censored) for group in made.groups for place in group.places)
        if bounds:
            runs.append((f"{bounds} censored, dim: in no fit  ", "dim"))
        runs += [(f"{', '.join(made.lacking)}: has no such fit", "stale")] if made.lacking else []
        return tuple(runs)

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The picture."""
        made = self.view.laws
        if made is None or not made.groups:
            return centred("no cell has a value yet", width, height)
        ascii_only = self.look.marks.ascii_only
        strokes = group_strokes(made.groups)
        letters = {group.role: group.value for group in made.groups}
        ends = tuple(
            Dot(float(stroke.x[-1]), float(stroke.y[-1]), letters[stroke.role], stroke.role) for stroke in strokes
        )
        dots = (*group_dots(made.groups, None, ascii_only), *ends)
        return draw_scatter(ScatterSpec(dots, strokes, empty="no cell has a value yet"), width, height, ascii_only)


class ExponentsPane(RowsPane):
    """The fit that is drawn, then every stored one, with intervals; of each sweep whether it differs from A."""

    view = SweepView()

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="exponents", classes="pane")

    def title(self) -> Line:
        """What they are compared with."""
        return (("exponents, 95 %", "title"), ("  each against A", "dim"))

    def rows(self, width: int) -> Sequence[Line]:
        """The forest of the fit that is drawn, then a block for each stored fit."""
        made, sweeps = self.view.laws, self.view.sweeps
        rows: list[Line] = []
        if made is not None and made.groups:
            rows += forest(made.groups, "sweep", width, self.look.marks.ascii_only)
        for one in exponents_of(sweeps):
            rows += [line(), *sentence(f"{one.y} on {one.term}, {one.where or 'all cells'}", "dim", width)]
            for at, row in enumerate(one.rows):
                text = "no such fit" if row is None else f"{exponent(row)}  {counted(row.cells, 'cell')}"
                rows.append(((f"   {LETTERS[at]} ", role_of(at)), (text, "value" if row else "note")))
                if at and (verdict := agreement_text(one.rows[0], row)):
                    rows += sentence(verdict, "stale" if verdict.startswith("differ") else "", width, "     ", "     ")
        return rows or [line(" no fit yet", "note")]


class RatiosPane(RowsPane):
    """η* of each cell of A, and the other sweeps' over it; where there is no ratio, why."""

    view = SweepView()

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="ratios", classes="pane")

    def title(self) -> Line:
        """What the ratios are of."""
        ratios = self.view.ratios
        return line(f"{'η*' if ratios is None else ratios.what} by cell, over that of A", "title")

    def head(self, width: int) -> Sequence[Line]:
        """Which column is which sweep."""
        ratios = self.view.ratios
        if ratios is None:
            return ()
        name, own = self._widths(ratios, width)
        heads = tuple((f" {LETTERS[at + 1] + '/A':>9}", role_of(at + 1)) for at in range(len(ratios.means)))
        return [((f" {'cell':<{name}} ", "dim"), (f"{'A':>{own}}", role_of(0)), *heads)]

    def rows(self, width: int) -> Sequence[Line]:
        """Cells, then sentences."""
        ratios = self.view.ratios
        if ratios is None:
            return [line(" one sweep is marked: mark another one", "note")]
        name, own = self._widths(ratios, width)
        rows: list[Line] = []
        for label, value, found in ratios.cells:
            runs: list[Run] = [(f" {label[:name]:<{name}} ", ""), (f"{value.split(' (')[0]:>{own}}", "")]
            for one in found:
                text = exact(one.value, 3) if one.value is not None else _short(one.reason)
                runs.append((f" {text:>9}", "value" if one.value is not None else "stale"))
            rows.append(tuple(runs))
        rows.append(())
        for text in ratio_sentences(ratios):
            rows += sentence(text, "stale" if "without a ratio" in text or " only" in text else "value", width)
        for label, _, found in ratios.cells:
            for one in found:
                if ":" in one.reason:
                    rows += sentence(f"{clean(label)}: {one.reason}", "dim", width, "   ", "     ")
        return rows

    def _widths(self, ratios: Ratios, width: int) -> tuple[int, int]:
        own = max([1, *(len(value.split(" (")[0]) for _, value, _ in ratios.cells)])
        longest = max([4, *(len(label) for label, _, _ in ratios.cells)])
        return max(min(longest, width - own - 3 - 10 * len(ratios.means)), 4), own


def _short(reason: str) -> str:
    """Why there is no ratio, in nine cells: "A cens.", "B open", "-"."""
    if reason == "no such cell":
        return "-"
    parts = [part.split(":")[0].split(" ", 1) for part in reason.split("; ") if ":" in part]
    letters = "+".join(letter for letter, _ in parts)
    return f"{letters} {'cens.' if any(words == 'censored' for _, words in parts) else 'open'}"
