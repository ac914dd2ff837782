"""Fits of the groups that an axis makes of the cells: one fit, colour and sign each; a forest table of exponents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlrtui.analysis.exclusions import OUTSIDE
from mlrtui.analysis.fits import grouped
from mlrtui.analysis.points import points
from mlrtui.charts.scatter import Dot, Stroke
from mlrtui.text.lines import Line, clean
from mlrtui.text.marks import CHART_SIGNS
from mlrtui.text.numbers import number
from mlrtui.text.phrases import exponent
from mlrtui.tui.exponents.fit import CellFit, Choice, Place, fit_cells, fit_rows, fit_strokes, rows_of
from mlrtui.tui.pages import FitPage
from mlrtui.tui.tables import Table, finite
from mlrtui_db.axes import AXIS

__all__ = ["Group", "axes_of", "forest", "group_dots", "group_fits", "group_strokes", "group_table"]

_SIGNS = (CHART_SIGNS["fitted"], ("■", "#"), ("▲", "K"), ("◆", "Z"), ("▼", "Y"), ("✶", "X"))
_DASHES = ((1, 0), (3, 1), (1, 1), (6, 2), (2, 3), (1, 3))
_ROLES = ("curve", "curve-2", "curve-3", "curve-4", "curve-5", "curve-6")


@dataclass(frozen=True)
class Group:
    """The cells with one value of an axis."""

    value: str
    order: int
    fit: CellFit

    def sign(self, ascii_only: bool) -> str:
        """That of its cells."""
        return _SIGNS[self.order % len(_SIGNS)][ascii_only]

    @property
    def role(self) -> str:
        """Of its cells and its line."""
        return _ROLES[self.order % len(_ROLES)]

    @property
    def dashes(self) -> tuple[int, int]:
        """Of its line."""
        return _DASHES[self.order % len(_DASHES)]

    @property
    def places(self) -> tuple[Place, ...]:
        """Its own cells: the fit knows those of other groups as left out."""
        return tuple(place for place in self.fit.places if place.reason != OUTSIDE)


def axes_of(page: FitPage, choice: Choice) -> list[str]:
    """The axes that differ between cells, depth and width among them."""
    cells = points(rows_of(page, choice.y), choice.y, dict(page.sizes))
    return [name for name in AXIS if len(grouped(cells, [name])) > 1]


def group_fits(page: FitPage, choice: Choice, axis: str) -> tuple[Group, ...]:
    """The choice, fitted for each value of the axis. A condition that is itself one value of it is left out."""
    cells = points(rows_of(page, choice.y), choice.y, dict(page.sizes))
    conditions = grouped(cells, [axis])
    also = "" if choice.where in conditions else choice.where
    found = []
    for order, (condition, members) in enumerate(conditions.items()):
        where = f"({also}) and {condition}" if also else condition
        value = members[0].values.get(axis)
        name = number(value, 6) if isinstance(value, float) else str(value)
        found.append(Group(name, order, fit_cells(page, replace(choice, where=where))))
    return tuple(found)


def group_dots(groups: Sequence[Group], chosen: Place | None, ascii_only: bool) -> tuple[Dot, ...]:
    """Every cell with its group's sign and colour; one that is a bound, or out of its fit, is dimmed."""
    label = None if chosen is None else chosen.label
    return tuple(
        Dot(
            place.x,
            place.height,
            group.sign(ascii_only),
            "waiting" if place.reason else group.role,
            place.label == label,
        )
        for group in groups
        for place in group.places
    )


def group_strokes(groups: Sequence[Group]) -> tuple[Stroke, ...]:
    """The line of each group's fit, in its colour and dashes."""
    return tuple(
        replace(stroke, role=group.role, dashes=group.dashes) for group in groups for stroke in fit_strokes(group.fit)
    )


def forest(groups: Sequence[Group], axis: str, width: int, ascii_only: bool) -> list[Line]:
    """One group a row: its exponent with its interval, in numbers and, where there is space, as a bar."""
    terms = [group.fit.result.terms[0] if group.fit.result.terms else None for group in groups]
    ends = [
        end for term in terms if term is not None for end in (term.exponent, term.low, term.high) if end is not None
    ]
    name_width = min(max(len(axis), *(len(group.value) for group in groups)), 12)
    room = max(width - name_width - 30, 0)
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    rows: list[Line] = [((f"   {axis[:name_width]:<{name_width}}", "dim"), ("  exponent, 95 %", "dim"))]
    for group, term in zip(groups, terms, strict=True):
        name = clean(group.value)[:name_width]
        head: Line = ((f" {group.sign(ascii_only)} ", group.role), (f"{name:<{name_width}}", "strong"))
        if term is None:
            rows.append((*head, ("  no fit: too few cells", "note")))
            continue
        text = exponent(fit_rows(group.fit)[0])
        bar = _bar(term.exponent, (term.low, term.high), (low, high), room, ascii_only) if room >= 8 else ""
        rows.append((*head, (f"  {text:<22}", "value"), (f" {bar}", group.role)))
    return rows


def _bar(
    value: float, ends: tuple[float | None, float | None], span: tuple[float, float], room: int, ascii_only: bool
) -> str:
    """The interval as a line from end to end, the exponent a dot on it."""

    def place(at: float) -> int:
        return round((at - span[0]) / max(span[1] - span[0], 1e-12) * (room - 1))

    cells = [" "] * room
    if ends[0] is not None and ends[1] is not None:
        first, last = place(ends[0]), place(ends[1])
        cells[first : last + 1] = ["-" if ascii_only else "─"] * (last + 1 - first)
    cells[place(value)] = CHART_SIGNS["fitted"][ascii_only]
    return "".join(cells)


def group_table(groups: Sequence[Group], axis: str) -> Table:
    """The forest as a table."""
    rows = []
    for group in groups:
        result = group.fit.result
        term = result.terms[0] if result.terms else None
        numbers = (None,) * 3 if term is None else (term.exponent, term.low, term.high)
        rows.append((axis, group.value, *numbers, finite(result.r2), result.cells, group.fit.choice.where))
    columns = ("axis", "value", "exponent", "low", "high", "r2", "cells", "where_expr")
    return Table(columns, tuple(rows), "groups")
