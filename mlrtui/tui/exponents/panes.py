"""The panes of Exponents: the scatter with its line, the fit in words, the residuals, the cell under the cursor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlrtui.analysis.exclusions import NOT_YET, left_out
from mlrtui.charts.scatter import Dot, ScatterSpec, Stroke, draw_scatter
from mlrtui.text.lines import Line, centred, clean, line, plain
from mlrtui.text.lines import fit as fit_cells
from mlrtui.text.marks import CHART_SIGNS, Marks
from mlrtui.text.numbers import exact, factor, fixed, number, power
from mlrtui.text.phrases import condition, exponent, fit_groups, fit_notes, fit_sentence, quantity
from mlrtui.tui.exponents.extrapolation import Beyond
from mlrtui.tui.exponents.fit import CellFit, Place, SeedValue, band, fit_rows, fit_strokes, local_slopes
from mlrtui.tui.exponents.groups import Group, forest, group_dots, group_strokes
from mlrtui.tui.exponents.infinite import Infinite
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import RowsPane, sentence, window
from mlrtui_db.models import FitRow

__all__ = ["CellPane", "FitPane", "FitView", "PlotPane", "ResidualPane", "place_state", "spelled"]

# How a cell stands in a fit: role, sign, sign in ASCII.
_SIGNS = {
    "in": ("curve", *CHART_SIGNS["fitted"]),
    "out": ("waiting", *CHART_SIGNS["out"]),
    "at least": ("slow", *CHART_SIGNS["at least"]),
    "at most": ("slow", *CHART_SIGNS["at most"]),
    "none": ("diverged", *CHART_SIGNS["without"]),
}
_WHY = {"at_max": "the largest rate succeeds", "at_min": "every rate fails", "none": "no rate succeeds"}
"""Of a net that is censored."""

_NAMES = (("in", "fitted"), ("out", "out"), ("at least", "at least"), ("at most", "at most"), ("none", "without"))


@dataclass(frozen=True)
class FitView:
    """What the panes show: a fit and the cell under the cursor, or why there is none."""

    fit: CellFit | None = None
    at: int = 0
    words: str = "reading the cells"
    axis: str = ""  # the groups' axis
    groups: tuple[Group, ...] = ()
    theory: Infinite | None = None
    beyond: Beyond | None = None  # predictions, where they are asked for

    @property
    def place(self) -> Place | None:
        """The cell under the cursor."""
        return self.fit.places[self.at] if self.fit is not None and self.fit.places else None


class FitWidget(Pane):
    """A pane that shows a fit; the screen sets `view` before it shows a reading."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane")
        self.view = FitView()


class PlotPane(FitWidget):
    """The cells on two log axes, the line of the fit and the 95 % interval of the line."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "plot")

    def title(self) -> Line:
        """What is drawn against what."""
        fit = self.view.fit
        if fit is None:
            return line("exponents", "title")
        by = f" by {self.view.axis}" if self.view.groups else ""
        return ((f"{quantity(fit.choice.y)} against {spelled(fit.choice.x)}{by}", "title"), ("  log-log", "dim"))

    def caption(self) -> Line:
        """How many cells are in the fit, left out, bounds only."""
        fit, marks = self.view.fit, self.look.marks
        if fit is None:
            return ()
        if self.view.groups:
            signs = [(group.sign(marks.ascii_only), group) for group in self.view.groups]
            return tuple(run for sign, group in signs for run in ((f"{sign} ", group.role), (f"{group.value}  ", "")))
        states = [place_state(place) for place in fit.places]
        runs: list[tuple[str, str]] = []
        for state, name in _NAMES:
            if state in states:
                role, sign = _sign(state, marks)
                runs += [("  " if runs else "", ""), (f"{sign} ", role), (f"{states.count(state)} {name}", "")]
        lost = sum(not math.isfinite(place.height) or math.isnan(place.x) for place in fit.places)
        rest = [f"  {lost} without a place"] * (lost > 0) + [f"  {fit.waiting} {NOT_YET}"] * (fit.waiting > 0)
        return (*runs, *((text, "dim") for text in rest))

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The picture."""
        fit = self.view.fit
        if fit is None or not fit.places:
            return centred(self.view.words, width, height)
        theory = () if self.view.theory is None else self.view.theory.strokes
        if self.view.groups:
            shown = group_dots(self.view.groups, self.view.place, self.look.marks.ascii_only)
            lines = [*group_strokes(self.view.groups)]
        else:
            signed = [(place, _sign(place_state(place), self.look.marks)) for place in fit.places]
            shown = tuple(
                Dot(place.x, place.height, sign, role, place is self.view.place) for place, (role, sign) in signed
            )
            lines = _strokes(fit)
        spec = ScatterSpec(shown, (*theory, *lines), empty="no cell has a value yet")
        if self.view.beyond is not None and not self.view.beyond.refused:
            spec = self.view.beyond.added(spec)
        return draw_scatter(spec, width, height, self.look.marks.ascii_only)


class FitPane(FitWidget, RowsPane):
    """The fit with its interval, what it rests on, and whether depth and width need exponents of their own."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "fit")

    def title(self) -> Line:
        """What it is."""
        return line("fit, 95 % interval", "title")

    def rows(self, width: int) -> Sequence[Line]:
        """Sentences."""
        fit = self.view.fit
        if fit is None:
            return sentence(self.view.words, "note", width, hang=" ")
        rows: list[Line] = []
        beyond = self.view.beyond
        said = [] if beyond is None else [("stale" if beyond.refused else "value", beyond.words)]
        said += _sentences(fit)
        if self.view.theory is not None:
            said.append(("theory", self.view.theory.words))
        for role, text in said:
            rows += sentence(text, role, width, " " if role == "value" else "   ")
        others = self._others(fit)
        if others:
            rows += [line(), line(" other fits of the sweep", "dim")]
        for terms in others:
            rows += sentence(" ".join(filter(None, (fit_sentence(terms), condition(terms[0])))), "dim", width)
        return rows

    def _others(self, fit: CellFit) -> list[list[FitRow]]:
        """The stored fits that are not the one above."""
        stored = () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.fits
        shown = (fit.choice.y, (fit.choice.x,), fit.choice.where)
        return [
            terms
            for terms in fit_groups(stored)
            if (terms[0].y, tuple(row.term for row in terms), terms[0].where_expr) != shown
        ]


class ResidualPane(FitWidget):
    """Every cell with its distance from the fit, by x."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "residuals")

    def title(self) -> Line:
        """What the numbers are."""
        if self.view.groups:
            return ((f"exponents by {self.view.axis}", "title"), ("  g", "dim"))
        title: Line = (("residuals", "title"),)
        fit = self.view.fit
        return title if fit is None else (*title, (f"  of ln {quantity(fit.choice.y)}", "dim"))

    def body(self, width: int, height: int) -> Sequence[Line]:
        """One cell a row: sign, name, residual as a number and as a bar from the middle."""
        fit = self.view.fit
        if fit is None or not fit.places:
            return []
        if self.view.groups:
            return forest(self.view.groups, self.view.axis, width, self.look.marks.ascii_only)
        rows = window(len(fit.places), self.view.at, height)
        name_width = min(max(len(clean(place.label)) for place in fit.places), max(width - 11, 8))
        room = max((width - name_width - 12) // 2, 0)
        largest = max((abs(place.residual) for place in fit.places if place.residual is not None), default=0.0)
        lines: list[Line] = []
        for index in rows:
            place = fit.places[index]
            role, sign = _sign(place_state(place), self.look.marks)
            name = plain(fit_cells(line(clean(place.label)), name_width))
            value = "-" if place.residual is None else power(place.residual, 3, signed=True)
            bar = _bar(place.residual, largest, room, self.look.marks.ascii_only)
            chosen = index == self.view.at
            text = f"{name:<{name_width}} {value:>6}"
            lines.append(
                (
                    ("›" if chosen else " ", "strong"),
                    (f"{sign} ", role),
                    (text, "cursor" if chosen else ""),
                    (f" {bar}", role),
                )
            )
        return lines


class CellPane(FitWidget, RowsPane):
    """The cell under the cursor in full: every seed, the spread, what the fit says, the slopes around it."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "cell")

    def title(self) -> Line:
        """Which cell."""
        place = self.view.place
        if place is None or self.view.fit is None:
            return line("cell", "title")
        known = "" if math.isnan(place.x) else f"  {spelled(self.view.fit.choice.x)} = {exact(place.x)}"
        return ((f"cell {clean(place.label)}", "title"), (known, ""))

    def rows(self, width: int) -> Sequence[Line]:
        """Four sentences, wrapped."""
        fit, place = self.view.fit, self.view.place
        if fit is None or place is None:
            return []
        rows = []
        for role, text in _readings(fit, place):
            rows += sentence(text, role, width, hang=" ")
        return rows


def place_state(place: Place) -> str:
    """in (the fit), out, or a bound: at least, at most, none where no rate succeeds."""
    if not place.point.censored:
        return "out" if place.reason else "in"
    kinds = {seed.censored for seed in place.seeds if seed.censored}
    return (
        {"at_max": "at least", "at_min": "at most"}.get(min(kinds, default=""), "none") if len(kinds) == 1 else "none"
    )


def spelled(expression: str) -> str:
    """An expression as people write it: depth·width, λ₀."""
    return quantity(expression.replace(" ", "").replace("*", "·"))


def _sign(state: str, marks: Marks) -> tuple[str, str]:
    role, sign, plain_sign = _SIGNS[state]
    return role, plain_sign if marks.ascii_only else sign


def _strokes(fit: CellFit) -> list[Stroke]:
    """The line, and its interval behind it."""
    lines = fit_strokes(fit)
    edges = band(fit.result, lines[0].x) if lines else None
    if edges is None:
        return lines
    return [*(Stroke(lines[0].x, np.exp(edge), "band", dotted=True) for edge in edges), *lines]


def _sentences(fit: CellFit) -> list[tuple[str, str]]:
    """The fit in words, as (role, sentence)."""
    rows = fit_rows(fit)
    if not rows:
        reasons = [f"{quantity(fit.choice.y)} against {spelled(fit.choice.x)}: {'; '.join(fit.result.warnings)}"]
        excluded = f"left out: {left_out(fit.result.excluded)}"
        return [("stale", reasons[0]), *([("dim", excluded)] if fit.result.excluded else [])]
    notes = [("stale" if note.startswith("!") else "dim", note) for note in fit_notes(rows)]
    warned = [note for note in notes if note[0] == "stale"]  # a warning is read before any detail
    return [
        ("value", fit_sentence(rows)),
        notes[0],
        *warned,
        *_apart(fit),
        *(note for note in notes[1:] if note not in warned),
        ("dim", f"factor {number(math.exp(fit.result.intercept))}"),
    ]


def _apart(fit: CellFit) -> list[tuple[str, str]]:
    """Whether one exponent does for depth and width."""
    apart = fit.apart
    if apart is None:
        return []
    each = " · ".join(
        f"{term.expression}^{exponent(row)}" for term, row in zip(apart.terms, _term_rows(fit), strict=True)
    )
    if apart.p_equal is None or apart.f_equal is None:
        return [("dim", f"apart: {each}; too few cells to compare them")]
    verdict = "the exponents differ" if apart.p_equal < 0.05 else "one exponent does for both"
    test = f"F = {number(apart.f_equal)}, p = {number(apart.p_equal, 2)}"
    return [("", f"{verdict} ({test})"), ("dim", f"apart: {each}")]


def _term_rows(fit: CellFit) -> tuple[FitRow, ...]:
    assert fit.apart is not None
    return fit_rows(CellFit(fit.choice, fit.apart, None, ()))


def _readings(fit: CellFit, place: Place) -> list[tuple[str, str]]:
    """What is known of a cell, as (role, sentence)."""
    name = quantity(fit.choice.y)
    mean = "no value" if place.ln_y is None else exact(math.exp(place.ln_y))
    spread = (
        "" if place.ln_sd is None else (f" · spread {factor(math.exp(place.ln_sd))} (sd of ln {fixed(place.ln_sd, 3)})")
    )
    rows = [("value", f"{name} {mean}{spread}")]
    rows.append(
        ("", "seeds " + " · ".join(_seed_text(seed) for seed in place.seeds)) if _has_seeds(place) else ("", "")
    )
    if place.reason:
        rows.append(("stale", f"left out: {place.reason}"))
    if place.residual is not None:
        said = math.exp(place.residual)
        apart = f"residual {power(place.residual, 4, signed=True)} ({factor(said)})"
        rows.append(("", f"fitted {exact(place.height / said)} · {apart}"))
    slopes = local_slopes(fit, place)
    if slopes:
        around = " · ".join(f"{axis} {between} {power(slope, signed=True)}" for axis, between, slope in slopes)
        rows.append(("dim", f"local slopes: {around}"))
    return [row for row in rows if row[1]]


def _has_seeds(place: Place) -> bool:
    return any(seed.seed is not None for seed in place.seeds)


def _seed_text(seed: SeedValue) -> str:
    bound = {"at_max": "≥", "at_min": "≤"}.get(seed.censored or "", "")
    why = f" ({_WHY.get(seed.censored, 'censored')})" if seed.censored else ""
    return f"{seed.seed}: {bound}{exact(seed.value)}{why}"


def _bar(value: float | None, largest: float, room: int, ascii_only: bool) -> str:
    """A bar from the middle to the left or right, `room` cells on either side."""
    middle = "|" if ascii_only else "│"
    if value is None or room < 2 or largest <= 0:
        return " " * room + middle if room >= 2 else ""
    size = round(abs(value) / largest * room)
    block = "#" if ascii_only else "━"
    return " " * (room - size) + block * size + middle if value < 0 else " " * room + middle + block * size
