"""What Exponents shows as tables: the cells of the law, the fit, and the value of every net."""

import math

from mlrtui.tui.exponents.fit import Law, Place
from mlrtui.tui.exponents.panes import fit_rows
from mlrtui.tui.tables import Table, Value, finite
from mlrtui_db.models import FitRow

__all__ = ["law_tables"]

_CELL = (
    "cell", "depth", "width", "y", "x", "where", "x_value", "y_value", "ln_y", "ln_y_sd", "bound", "nets", "censored",
    "fitted", "left_out", "ln_y_of_law", "residual",
)  # fmt: skip
_FIT = (
    "fit", "term", "y", "exponent", "low", "high", "intercept", "r2", "cells", "decades", "where_expr", "excluded",
    "f_equal", "p_equal", "method", "warnings",
)  # fmt: skip


def law_tables(law: Law | None) -> tuple[Table, ...]:
    """The cells by x; the fit, and that of depth and width apart, one row a term; the nets."""
    if law is None:
        return ()
    fits = [*fit_rows(law), *(() if law.apart is None else fit_rows(Law(law.choice, law.apart, None, ())))]
    nets = [(place.label, seed.seed, finite(seed.value), seed.censored) for place in law.places for seed in place.seeds]
    return (
        Table(_CELL, tuple(_cell(law, place) for place in law.places)),
        Table(_FIT, tuple(_fit(row) for row in fits), "fit"),
        Table(("cell", "seed", law.choice.y, "censored"), tuple(nets), "nets"),
    )


def _cell(law: Law, place: Place) -> tuple[Value, ...]:
    choice = law.choice
    predicted = None if place.ln_y is None or place.residual is None else place.ln_y - place.residual
    return (
        place.label,
        _plain(place.point.values.get("depth")),
        _plain(place.point.values.get("width")),
        choice.y,
        choice.x,
        choice.where,
        finite(place.x),
        None if place.ln_y is None else finite(math.exp(place.ln_y)),
        place.ln_y,
        place.ln_sd,
        place.bound,
        len(place.seeds),
        sum(seed.censored is not None for seed in place.seeds),
        int(place.residual is not None and not place.reason),
        place.reason,
        predicted,
        place.residual,
    )


def _fit(row: FitRow) -> tuple[Value, ...]:
    return tuple("; ".join(value) if isinstance(value, tuple) else value for value in (getattr(row, n) for n in _FIT))


def _plain(value: Value) -> Value:
    """Whole numbers without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
