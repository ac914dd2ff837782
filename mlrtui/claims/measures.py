"""How the number of a claim is taken from the views of a store: exponents, means, extremes, shares."""

from collections.abc import Callable, Sequence
from math import hypot, log
from statistics import fmean, linear_regression, median

from mlrtui.analysis.fits import CellPoint, FitSpec, fit
from mlrtui.analysis.growth import growths
from mlrtui.claims.check import Measured, Results, Row
from mlrtui.text.numbers import counted, exact, fixed

__all__ = [
    "Measure",
    "average",
    "best_in_catapult",
    "column",
    "controlled",
    "difference",
    "distance",
    "elsewhere",
    "end_at",
    "exponent",
    "farthest",
    "first_catapult",
    "is_at",
    "largest",
    "number",
    "power",
    "r2",
    "settles",
    "share",
    "smallest",
    "time_to_peak",
]

Measure = Callable[[Results], Measured]


def exponent(term: str, where: str = "", y: str = "eta_star", alone: bool = True) -> Measure:
    """The exponent of ``term`` in the stored fit with this condition; ``alone``: in a fit of one term."""

    def measure(results: Results) -> Measured:
        row = _fit(results, term, where, y, alone)
        if row is None:
            return Measured(None, note="no such fit in this store")
        note = counted(int(number(row["cells"])), "cell")
        return Measured(number(row["exponent"]), _or_none(row["low"]), _or_none(row["high"]), note)

    return measure


def r2(term: str, where: str = "", y: str = "eta_star") -> Measure:
    """R² of the stored fit of ``term`` alone."""

    def measure(results: Results) -> Measured:
        row = _fit(results, term, where, y, True)
        return Measured(None, note="no such fit in this store") if row is None else Measured(_or_none(row["r2"]))

    return measure


def power(view: str, y: Callable[[Row], float | None], x: str = "width", **where: object) -> Measure:
    """The exponent of the cells' column ``x`` in ``y`` of a view's rows, fitted like every other."""

    def measure(results: Results) -> Measured:
        cells: dict[str, list[tuple[float, float]]] = {}
        for row in results.view(view, **where):
            value = y(row)
            if value is not None and value > 0:
                cells.setdefault(str(row["cell"]), []).append((number(row[x]), log(value)))
        points = [CellPoint(label, {x: rows[0][0]}, tuple(ln_y for _, ln_y in rows)) for label, rows in cells.items()]
        found = fit(points, FitSpec(view, (x,)))
        if not found.terms:
            return Measured(None, note="; ".join(found.warnings))
        (term,) = found.terms
        return Measured(term.exponent, term.low, term.high, counted(found.cells, "cell"))

    return measure


def difference(first: Measure, second: Measure) -> Measure:
    """First minus second, with the interval of the difference where both have one.

    Intervals of two fits, which are independent, add in quadrature; of ranges the farthest ends are taken.
    """

    def measure(results: Results) -> Measured:
        one, other = first(results), second(results)
        if one.value is None or other.value is None:
            return Measured(None, note="one of the two is missing")
        value, note = one.value - other.value, f"{fixed(one.value)} and {fixed(other.value)}"
        if one.interval is None or other.interval is None:
            return Measured(value, note=note)
        (a, b), (c, d) = one.interval, other.interval
        if one.is_range or other.is_range:
            return Measured(value, a - d, b - c, note, is_range=True)
        below, above = hypot(one.value - a, d - other.value), hypot(b - one.value, other.value - c)
        return Measured(value, value - below, value + above, note)

    return measure


def elsewhere(sweep: str, measure: Measure) -> Measure:
    """The same of another sweep of the store."""
    return lambda results: measure(results.of(sweep))


def average(view: str, y: Callable[[Row], float | None], **where: object) -> Measure:
    """Mean of ``y`` over a view's rows, with the smallest and the largest."""

    def summed(values: Sequence[float]) -> Measured:
        return Measured(fmean(values), min(values), max(values), _count(values), is_range=True)

    return _over(view, y, summed, where)


def farthest(target: float, view: str, y: Callable[[Row], float | None], **where: object) -> Measure:
    """The value of ``y`` that lies farthest from ``target``."""

    def worst(values: Sequence[float]) -> Measured:
        return Measured(max(values, key=lambda value: abs(value - target)), note=_count(values))

    return _over(view, y, worst, where)


def largest(view: str, y: Callable[[Row], float | None], **where: object) -> Measure:
    """The largest ``y``."""
    return _over(view, y, lambda values: Measured(max(values), note=f"of {len(values)}"), where)


def smallest(view: str, y: Callable[[Row], float | None], **where: object) -> Measure:
    """The smallest ``y``."""
    return _over(view, y, lambda values: Measured(min(values), note=f"of {len(values)}"), where)


def share(view: str, holds: Callable[[Row], bool | None], **where: object) -> Measure:
    """In what part of a view's rows a condition holds; rows where it is unknown do not count."""

    def part(values: Sequence[float]) -> Measured:
        return Measured(fmean(values), note=f"{exact(sum(values))} of {len(values)}")

    return _over(view, lambda row: None if holds(row) is None else float(bool(holds(row))), part, where)


def first_catapult(**where: object) -> Measure:
    """The smallest c = η·λ₀ labelled catapult, mean over nets."""

    def measure(results: Results) -> Measured:
        first: dict[tuple[object, object], float] = {}
        for row in results.view("phases", phase="catapult", **where):
            net, c = (row["cell"], row["seed"]), number(row["eta_lambda0"])
            first[net] = min(first.get(net, c), c)
        found = list(first.values())
        if not found:
            return Measured(None, note="no catapult in this scan")
        return Measured(fmean(found), min(found), max(found), _count(found), is_range=True)

    return measure


def end_at(c: float, **where: object) -> Measure:
    """η·λ at the end of the run at c = η·λ₀, mean over nets."""

    def at_c(row: Row) -> float | None:
        return _or_none(row["eta_final_sharpness"]) if is_at(c, row) else None

    return average("phases", at_c, **where)


def controlled(loss: str) -> Measure:
    """1 where all families of this loss diverge in a controlled way by `growth`, 0 where none does; with the reason."""

    def measure(results: Results) -> Measured:
        found = growths(results.view("width_growth", training_loss=loss))
        if not found:
            return Measured(None, note="no rates by width under this loss in this store")
        unknown = next((one for one in found if one.controlled is None), None)
        if unknown is not None:
            return Measured(None, note=unknown.reason)
        reasons = dict.fromkeys(one.reason for one in found)
        return Measured(fmean(float(bool(one.controlled)) for one in found), note="; ".join(reasons))

    return measure


def distance(sweep: str, y: str) -> Measure:
    """Median of |ln y − ln y| over the nets (depth, width, input rate, seed) that another sweep also has."""

    def measure(results: Results) -> Measured:
        def net(row: Row) -> tuple[object, ...]:
            return row["depth"], row["width"], row["input_lr"], row["training_loss"], row["seed"]

        theirs = {net(row): row[y] for row in results.of(sweep).view("eta_star") if row[y] is not None}
        pairs = [(row[y], theirs[net(row)]) for row in results.view("eta_star") if row[y] and net(row) in theirs]
        apart = [abs(log(number(a) / number(b))) for a, b in pairs]
        if not apart:
            return Measured(None, note=f"no net in common with {sweep!r}")
        return Measured(median(apart), note=f"{_count(apart)}, {fixed(min(apart))} to {fixed(max(apart))}")

    return measure


def time_to_peak(c: float) -> Measure:
    """Slope of the peak's step in ln(width / f₀²) over the runs of the solvable model at c = η·λ₀.

    The output f₀ at the start varies by seed and starts the same growth, so that f₀² / width counts, not width alone.
    """

    def measure(results: Results) -> Measured:
        runs = [row for row in results.view("phases") if is_at(c, row)]
        if len(runs) < 3:
            return Measured(None, note=f"no runs at η·λ₀ = {exact(c)}")
        starts = [log(number(row["width"]) / (2.0 * number(row["loss_initial"]))) for row in runs]
        slope, _ = linear_regression(starts, [number(row["peak_step"]) for row in runs])
        return Measured(slope, note=_count(starts))

    return measure


def column(name: str) -> Callable[[Row], float | None]:
    """A column's number; None where it is NULL."""
    return lambda row: _or_none(row[name])


def settles(row: Row) -> bool | None:
    """Whether a catapult has ended below the edge."""
    return None if row["eta_final_sharpness"] is None else number(row["eta_final_sharpness"]) < 2.15


def best_in_catapult(row: Row) -> bool | None:
    """Whether the rate with the best accuracy lies above 2/λ₀ and survives, of a row of `onsets`."""
    if row["eta_best"] is None or row["c_max"] is None:
        return None
    return 2.0 < number(row["eta_best"]) * number(row["lambda0_preconditioned"]) <= number(row["c_max"]) * (1 + 1e-9)


def number(value: object) -> float:
    """A column's value as a number. Raises TypeError for anything else."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def is_at(c: float, row: Row) -> bool:
    """Whether a training's rate is c / λ₀, within 0.1 %: rates of a scan lie farther apart."""
    return abs(number(row["eta_lambda0"]) - c) < 1e-3 * c


def _over(
    view: str,
    y: Callable[[Row], float | None],
    summary: Callable[[Sequence[float]], Measured],
    where: dict[str, object],
) -> Measure:
    def measure(results: Results) -> Measured:
        values = [value for row in results.view(view, **where) if (value := y(row)) is not None]
        return summary(values) if values else Measured(None, note="no such rows in this store")

    return measure


def _count(values: Sequence[float]) -> str:
    return f"of {len(values)}"


def _or_none(value: object) -> float | None:
    return None if value is None else number(value)


def _fit(results: Results, term: str, where: str, y: str, alone: bool) -> Row | None:
    rows = results.view("exponents")
    for row in rows:
        terms = sum(other["fit"] == row["fit"] for other in rows)
        same = (row["term"], row["y"], _squeezed(str(row["where_expr"]))) == (term, y, _squeezed(where))
        if same and (terms == 1) == alone:
            return row
    return None


def _squeezed(text: str) -> str:
    return text.replace(" ", "")
