"""What Exponents shows as tables: the cells of the fit, the fit, and the value of every net."""

import math

from mlrtui.tui.exponents.fit import CellFit, Place, fit_rows
from mlrtui.tui.tables import Table, Value, finite
from mlrtui_db.models import FitRow

__all__ = ["fit_tables"]

_CELL = (
    "cell", "depth", "width", "y", "x", "where", "x_value", "y_value", "ln_y", "ln_y_sd", "bound", "nets", "censored",
    "fitted", "left_out", "ln_y_of_law", "residual",
)  # fmt: skip
_FIT = (
    "fit", "term", "y", "exponent", "low", "high", "intercept", "r2", "cells", "decades", "where_expr", "excluded",
    "f_equal", "p_equal", "method", "warnings",
)  # fmt: skip


def fit_tables(fit: CellFit | None) -> tuple[Table, ...]:
    """The cells by x; the fit, and that of depth and width apart, one row a term; the nets."""
    if fit is None:
        return ()
    fits = [*fit_rows(fit), *(() if fit.apart is None else fit_rows(CellFit(fit.choice, fit.apart, None, ())))]
    nets = [(place.label, seed.seed, finite(seed.value), seed.censored) for place in fit.places for seed in place.seeds]
    return (
        Table(_CELL, tuple(_cell(fit, place) for place in fit.places)),
        Table(_FIT, tuple(_fit(row) for row in fits), "fit"),
        Table(("cell", "seed", fit.choice.y, "censored"), tuple(nets), "nets"),
    )


def _cell(fit: CellFit, place: Place) -> tuple[Value, ...]:
    choice = fit.choice
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
