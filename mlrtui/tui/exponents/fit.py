"""The fit that Exponents shows: what is fitted against what over which cells, and every cell's place in it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlrtui.analysis.exclusions import NOT_YET
from mlrtui.analysis.expressions import ExpressionError, cell_condition, cell_number
from mlrtui.analysis.fits import CellPoint, FitResult, FitSpec, fit, grouped, own_names, to_records
from mlrtui.analysis.points import BOUNDED, points
from mlrtui.charts.scatter import Stroke, padded
from mlrtui.charts.spec import Floats
from mlrtui.text.numbers import exact
from mlrtui.tui.choices import among
from mlrtui.tui.pages import FitPage
from mlrtui.tui.state import headline
from mlrtui_db.models import FitRow

__all__ = [
    "CellFit",
    "Choice",
    "Place",
    "SeedValue",
    "band",
    "first_choice",
    "fit_cells",
    "fit_rows",
    "fit_strokes",
    "local_slopes",
    "misread",
    "quantities",
    "rows_of",
    "stored",
    "xs",
]

_OF_A_SEARCH = ("eta_star", "lambda0", "eta_last")
_XS = ("depth*width", "(depth-1)*width", "depth", "width", "lambda0")
_APART = ("depth", "width")


@dataclass(frozen=True)
class Choice:
    """What the user looks at: one quantity against one expression, over the cells of a condition."""

    y: str
    x: str
    where: str = ""

    @property
    def spec(self) -> FitSpec:
        """The same as a fit to make."""
        return FitSpec(self.y, (self.x,), self.where)


@dataclass(frozen=True)
class SeedValue:
    """What one net gave; `censored` says why it is a bound only."""

    seed: int | None  # None: the mean of a scan's cell
    value: float | None
    censored: str | None


@dataclass(frozen=True)
class Place:
    """One cell in a fit."""

    label: str
    x: float  # nan where the expression has no positive value
    ln_y: float | None  # mean over the nets that are no bounds; None without any
    ln_sd: float | None  # sample standard deviation of the same; None below two nets
    bound: float | None  # mean of the bounds where censored nets have one
    seeds: tuple[SeedValue, ...]
    reason: str  # why it is left out of the fit; "" where it is in
    residual: float | None  # ln y minus the fit's
    point: CellPoint

    @property
    def height(self) -> float:
        """Where to draw it: y, else its bound, else nan."""
        return math.exp(self.ln_y) if self.ln_y is not None else self.bound or math.nan


@dataclass(frozen=True)
class CellFit:
    """A choice with its fit, the fit of depth and width apart, and the cells by x."""

    choice: Choice
    result: FitResult
    apart: FitResult | None
    places: tuple[Place, ...]
    waiting: int = 0  # cells whose nets are still at work: they have no place


def first_choice(fits: Sequence[FitRow], search: bool, page: FitPage) -> Choice:
    """The main fit of the sweep; without fits η* (for scans λ₀) against depth × width, over cells that differ in these
    alone: the first such."""
    usable = stored(fits, page)
    main = headline(tuple(row for row in fits if Choice(row.y, row.term, row.where_expr) in usable))
    if main is not None:
        return Choice(main.y, main.term, main.where_expr)
    y = quantities(page, search)[0]
    return Choice(y, _XS[0], next(iter(grouped(points(rows_of(page, y), y, dict(page.sizes)))), ""))


def quantities(page: FitPage | None, search: bool) -> tuple[str, ...]:
    """What can be fitted: of a scan λ₀ and what its file asks to be fitted."""
    return _OF_A_SEARCH if search else ("lambda0", *(y for y, _ in (page.derived if page else ())))


def stored(fits: Sequence[FitRow], page: FitPage | None = None) -> list[Choice]:
    """The stored fits of one term, in their order; those that can be read, with a page's own names where it has any."""
    own = {} if page is None else own_names(points(rows_of(page, "lambda0"), "lambda0", dict(page.sizes)))
    derived = [y for y, _ in page.derived] if page else []
    names = [row.fit for row in fits]
    single = [row for row in fits if names.count(row.fit) == 1 and (row.y in _OF_A_SEARCH or row.y in derived)]
    choices = dict.fromkeys(Choice(row.y, row.term, row.where_expr) for row in single)
    return [choice for choice in choices if _readable(choice, own)]


def _readable(choice: Choice, own: Mapping[str, float | str]) -> bool:
    try:
        cell_number(choice.x, own)
        if choice.where:
            cell_condition(choice.where, own)
    except ExpressionError:
        return False
    return True


def misread(choices: Mapping[str, str], page: FitPage, search: bool) -> dict[str, str]:
    """What is wrong with `y`, `x` and `where` among choices, a sentence by name; `search`: the sweep has an η*."""
    found = among(choices, {"y": quantities(page, search)})
    own = own_names(points(rows_of(page, "lambda0"), "lambda0", dict(page.sizes)))
    for name, read in (("x", cell_number), ("where", cell_condition)):
        if name in choices and (choices[name] or name == "x"):
            try:
                read(choices[name], own)
            except ExpressionError as error:
                found[name] = str(error)
    return found


def xs(fits: Sequence[FitRow], y: str, page: FitPage | None = None) -> list[str]:
    """What y may be drawn against: the usual expressions and those of stored fits."""
    known = dict.fromkeys([*_XS, *(choice.x for choice in stored(fits, page))])
    return [x for x in known if x != y]


def fit_cells(page: FitPage, choice: Choice) -> CellFit:
    """Fit the choice over the cells of a page. Raises ExpressionError for a condition that cannot be read."""
    rows = rows_of(page, choice.y)
    cells = points(rows, choice.y, dict(page.sizes))
    result = fit(cells, choice.spec)
    apart = None
    if choice.x not in _APART and choice.x != "lambda0":
        apart = fit(cells, FitSpec(choice.y, _APART, choice.where))
    by_cell: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_cell.setdefault(str(row["cell"]), []).append(row)
    used = {label for label, _, _ in result.inputs}
    reasons = iter(result.excluded)  # in the order of the cells that are not in the fit
    places = []
    for point in cells:
        reason = "" if point.label in used else next(reasons, "").removeprefix(f"{point.label}: ")
        places.append(_place(point, by_cell[point.label], choice, reason, result))
    known = [place for place in places if place.reason != NOT_YET]
    ordered = sorted(known, key=lambda place: (math.isnan(place.x), place.x, place.label))
    apart = apart if apart is not None and apart.terms else None
    return CellFit(choice, result, apart, tuple(ordered), len(places) - len(known))


def rows_of(page: FitPage, y: str) -> list[dict[str, object]]:
    """The rows of a page that tell a quantity, by column name."""
    for name, derived in page.derived:
        if name == y:
            return [dict(row) for row in derived]
    return [dict(zip(page.columns, row, strict=True)) for row in page.rows]


def fit_rows(fit: CellFit) -> tuple[FitRow, ...]:
    """The fit as the store would return it."""
    return tuple(
        FitRow(
            fit=record.fit,
            term=record.term,
            y=record.y,
            exponent=record.exponent,
            low=record.low,
            high=record.high,
            r2=record.r2 if math.isfinite(record.r2) else None,
            cells=record.cells,
            decades=record.decades,
            where_expr=record.where_expr,
            excluded=tuple(record.excluded),
            f_equal=record.f_equal,
            p_equal=record.p_equal,
            method=record.method,
            warnings=record.warnings,
            intercept=record.intercept,
        )
        for record in to_records(fit.result)
    )


def fit_strokes(fit: CellFit) -> list[Stroke]:
    """The line of a fit from edge to edge."""
    if not fit.result.terms:
        return []
    x = np.geomspace(*padded([at for _, at, _ in fit.result.inputs], True), 64)
    return [Stroke(x, np.exp(fit.result.intercept + fit.result.terms[0].exponent * np.log(x)))]


def band(result: FitResult, x: Floats) -> tuple[Floats, Floats] | None:
    """The 95 % interval of the line at each x [points], as two lines in ln y; None where the slope has none."""
    if not result.terms or result.terms[0].low is None or result.terms[0].high is None:
        return None
    ln_x = np.log(x)
    inputs = np.log([at for _, at, _ in result.inputs])
    spread = float(np.sum((inputs - inputs.mean()) ** 2))
    half_slope = (result.terms[0].high - result.terms[0].low) / 2  # t·s/√spread
    middle = result.intercept + result.terms[0].exponent * ln_x
    half = half_slope * np.sqrt(spread / len(inputs) + (ln_x - inputs.mean()) ** 2)
    return middle - half, middle + half


def local_slopes(cell_fit: CellFit, place: Place) -> list[tuple[str, str, float]]:
    """Slopes d ln y / d ln axis to the neighbours of a cell: (axis, "64→128", slope), other settings equal."""
    if place.ln_y is None:
        return []
    found = []
    for axis, other in (("depth", "width"), ("width", "depth")):
        here = float(place.point.values[axis])
        same = _settings(place)
        line = [
            (float(mate.point.values[axis]), mate.ln_y)
            for mate in cell_fit.places
            if mate.ln_y is not None
            and not mate.point.censored
            and mate.point.values[other] == place.point.values[other]
            and _settings(mate) == same
        ]
        below = max((pair for pair in line if pair[0] < here), default=None)
        above = min((pair for pair in line if pair[0] > here), default=None)
        for mate_at, mate_y in (pair for pair in (below, above) if pair is not None):
            slope = (mate_y - place.ln_y) / math.log(mate_at / here) if mate_at > 0 and here > 0 else math.nan
            low, high = sorted((here, mate_at))
            found.append((axis, f"{exact(low)}→{exact(high)}", slope))
    return [entry for entry in found if math.isfinite(entry[2])]


def _settings(place: Place) -> dict[str, float | str]:
    """The settings of a cell without those that follow from depth and width."""
    follow = ("depth", "width", "n_params", "lambda0")
    return {name: value for name, value in place.point.values.items() if name not in follow}


def _place(
    point: CellPoint, nets: Sequence[dict[str, object]], choice: Choice, reason: str, result: FitResult
) -> Place:
    try:
        x = float(cell_number(choice.x, own_names([point])).evaluate(point.values))
    except ExpressionError:
        x = math.nan
    ln_y = sum(point.ln_y) / len(point.ln_y) if point.ln_y else None
    ln_sd = float(np.std(point.ln_y, ddof=1)) if len(point.ln_y) > 1 else None
    seeds = tuple(_seed(net, choice.y) for net in nets)
    bounds = [math.log(seed.value) for seed in seeds if seed.censored and seed.value is not None and seed.value > 0]
    residual = None
    if ln_y is not None and result.terms and x > 0:
        residual = ln_y - result.intercept - result.terms[0].exponent * math.log(x)
    return Place(
        label=point.label,
        x=x if x > 0 else math.nan,
        ln_y=ln_y,
        ln_sd=ln_sd,
        bound=math.exp(sum(bounds) / len(bounds)) if bounds else None,
        seeds=seeds,
        reason=reason,
        residual=residual,
        point=point,
    )


def _seed(net: dict[str, object], y: str) -> SeedValue:
    value = net.get(y) if y in net else net.get(f"{y}_mean")
    seed, censored = net.get("seed"), net.get("censored")
    return SeedValue(
        seed if isinstance(seed, int) else None,
        float(value) if isinstance(value, int | float) else None,
        str(censored) if censored is not None and y in BOUNDED else None,
    )
