"""Scaling exponents: ln y on ln x by ordinary least squares over cells, with intervals that mean what they say.

One number per cell, the mean of ln y over its nets, because the nets of a cell share its lack of fit: intervals from
pooled nets or from a bootstrap over seeds are far too narrow. A cell with a censored net is left out and named; the
mean of the others would be biased. On request a cell whose censored nets have lower bounds enters as a bound itself
(`bounds`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, log, nan

import numpy as np
import numpy.typing as npt

from mlrtui.analysis.bounds import fit_with_bounds
from mlrtui.analysis.exclusions import NOT_YET, OUTSIDE
from mlrtui.analysis.expressions import CELL_NAMES, Expression, ExpressionError, cell_condition, cell_number
from mlrtui_db.axes import ALIASES, AXIS, SIZES
from mlrtui_db.records import FitRecord

__all__ = [
    "BOUND",
    "CONFIDENCE",
    "DROP",
    "MIN_CELLS",
    "WIDE",
    "CellPoint",
    "FitResult",
    "FitSpec",
    "FitTerm",
    "fit",
    "grouped",
    "own_names",
    "standard_fits",
    "t_quantile",
    "to_records",
]

CONFIDENCE = 0.95
MIN_CELLS = 4
"""Fewer cells give a slope and no interval."""

DROP, BOUND = "drop", "bound"
"""What becomes of a cell with a censored net: it is left out; or it enters as a lower bound, where it has one."""

WIDE = "width >= 16*depth"
"""Where a net is wide enough for its depth to follow the infinite-width law (Iyer, Hanin and Rolnick 2022)."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CellPoint:
    """What a fit sees of a cell."""

    label: str
    values: Mapping[str, float | str]  # by the names of `expressions.CELL_NUMBERS` and `expressions.CELL_TEXTS`
    ln_y: tuple[float, ...]  # one per uncensored net that is done
    censored: int = 0  # nets whose y is only a bound, or that have none
    rules: frozenset[int] = frozenset()  # editions of the rule by which the nets have their y, where it has a rule
    at_least: float | None = None  # lower bound of the mean ln y of all nets, where each censored one has a lower bound
    waits: bool = False  # nets of it are still at work


@dataclass(frozen=True)
class FitSpec:
    """A fit to make: y as a product of powers of the expressions x, over the cells where the condition holds."""

    y: str
    x: tuple[str, ...]
    where: str = ""
    mixed_rules: bool = False  # fitted although the nets have y by different rules
    censored: str = DROP  # or BOUND

    @property
    def name(self) -> str:
        """Short and unique within a sweep."""
        mixed = " (mixed rules)" if self.mixed_rules else ""
        bounds = " (with lower bounds)" if self.censored == BOUND else ""
        name = f"{self.y} ~ {', '.join(self.x)}{mixed}{bounds}"
        return f"{name} | {self.where}" if self.where else name


@dataclass(frozen=True)
class FitTerm:
    """One exponent; its interval is None where the cells do not carry one."""

    expression: str
    exponent: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FitResult:
    """A fit. Without ``terms`` no slope exists, and ``warnings`` says why."""

    spec: FitSpec
    terms: tuple[FitTerm, ...]
    intercept: float  # of ln y
    r2: float  # nan when all y are equal
    cells: int
    decades: float  # spanned by the product of all x
    excluded: tuple[str, ...]  # "8x64: censored"
    f_equal: float | None  # F statistic of "all exponents are equal", with two or more terms
    p_equal: float | None
    method: str
    warnings: tuple[str, ...]
    inputs: tuple[tuple[str, float, float], ...]  # (cell, x or nan with several, mean ln y)
    refused: bool = False  # the cells would carry a slope, but their y are of different rules


def fit(points: Sequence[CellPoint], spec: FitSpec) -> FitResult:
    """Fit a power law to cells. Raises ExpressionError for an expression that cannot be read.

    Ordinary least squares on per-cell means; the interval uses the t quantile on cells − parameters degrees of freedom.
    With ``censored`` of the spec BOUND and cells that are lower bounds: maximum likelihood, with profile intervals.
    """
    expressions = [cell_number(text, own_names(points)) for text in spec.x]
    used, bounded, excluded = _select(points, expressions, spec)
    ln_x = np.array([row for _, row in used], dtype=np.float64).reshape(len(used), len(spec.x))  # [cells, terms]
    ln_y = np.array([_mean(point.ln_y) for point, _ in used], dtype=np.float64)  # [cells]
    span = ln_x.sum(axis=1)  # [cells]
    decades = float(np.ptp(span)) / log(10.0) if len(used) else 0.0
    inputs = tuple(
        (point.label, float(np.exp(row[0])) if len(row) == 1 else nan, _mean(point.ln_y)) for point, row in used
    )
    mixture = _mixture(used, spec)
    obstacle = mixture or _obstacle(ln_x)
    if obstacle:
        why, refused = (obstacle,), mixture is not None
        return FitResult(
            spec=spec,
            terms=(),
            intercept=nan,
            r2=nan,
            cells=len(used),
            decades=decades,
            excluded=excluded,
            f_equal=None,
            p_equal=None,
            method=_METHOD,
            warnings=why,
            inputs=inputs,
            refused=refused,
        )

    slopes, intercept, residual_ss, covariance = _least_squares(ln_x, ln_y)
    total_ss = float(np.sum((ln_y - ln_y.mean()) ** 2))
    freedom = len(used) - len(spec.x) - 1
    has_interval = len(used) >= MIN_CELLS and freedom > 0
    half = t_quantile(freedom) * np.sqrt(np.diag(covariance)) if has_interval else None  # [terms]
    r2 = 1.0 - residual_ss / total_ss if total_ss > 0.0 else nan
    f_equal, p_equal = _equal_exponents(ln_x, ln_y, residual_ss, freedom)
    method = f"{_METHOD}, t({freedom})" if has_interval else _METHOD
    ends = None if half is None else (slopes - half, slopes + half)
    if bounded:
        slopes, intercept, ends = _with_bounds(ln_x, ln_y, bounded, freedom if has_interval else None)
        r2, f_equal, p_equal = nan, None, None  # of least squares alone
        count = f"{len(bounded)} lower bound{'s' if len(bounded) > 1 else ''}"
        method = f"Tobit on per-cell means and {count}{f', profile of t({freedom})' if has_interval else ''}"
    return FitResult(
        spec=spec,
        terms=tuple(
            FitTerm(text, float(b), *(_interval(ends, i)))
            for i, (text, b) in enumerate(zip(spec.x, slopes, strict=True))
        ),
        intercept=intercept,
        r2=r2,
        cells=len(used),
        decades=decades,
        excluded=excluded,
        f_equal=f_equal,
        p_equal=p_equal,
        method=method,
        warnings=(*_warnings(len(used), freedom, decades), *_bent(excluded, len(used)), *_doubts(spec, used)),
        inputs=inputs,
    )


def standard_fits(points: Sequence[CellPoint], search: bool) -> tuple[FitSpec, ...]:
    """The fits made when a sweep file asks for none.

    A search: η* against depth × width (also with depth − 1, which small grids prefer), against depth and width apart,
    and against λ₀; every sweep: λ₀ against depth × width. Each for every combination of the grid's other axes, on all
    of its cells and on the wide ones where these are fewer yet enough. Of a training of the user's that has not both
    sizes: η* against each of its numbers that vary, for every combination of the others.
    """
    if any(isnan(_value(point, size)) for point in points for size in SIZES):
        return tuple(_by_each_number(points)) if search else ()
    specs: list[FitSpec] = []
    for condition, group in grouped(points).items():
        wide = sum(_value(point, "width") >= 16.0 * _value(point, "depth") for point in group)
        conditions = [condition]
        if MIN_CELLS <= wide < len(group):
            conditions.append(f"{condition} and {WIDE}" if condition else WIDE)
        specs.extend(FitSpec(y, x, where) for y, x in _standard(group, search) for where in conditions)
    return tuple(specs)


def grouped(
    points: Sequence[CellPoint], names: Sequence[str] | None = None, *, sizes: Sequence[str] = ()
) -> dict[str, list[CellPoint]]:
    """Cells apart by axes: a condition that holds for a group alone, and its cells, in the order of the cells.

    Args:
        points: cells of one sweep.
        names: of axes; None: all that vary but depth and width, so that nothing is pooled unasked. Of no axis, or of
            axes that do not vary: one group, with the condition "".
        sizes: of depth and width those that are kept apart, too, where ``names`` is None.

    Raises:
        ExpressionError: a name is of no axis.

    >>> cells = [CellPoint("a", {"depth": 1.0, "eps": 1e-8}, ()), CellPoint("b", {"depth": 1.0, "eps": 1e-4}, ())]
    >>> list(grouped(cells)), list(grouped(cells, []))
    (['eps == 1e-08', 'eps == 0.0001'], [''])
    """
    known = [ALIASES.get(name, name) for name in names or ()]
    for name in known:
        if name not in AXIS:
            raise ExpressionError(f"{name!r} is no axis of a grid; use one of: {', '.join(AXIS)}")
    return _grouped(points, _that_split(points, [*sizes, *_other_axes(points)] if names is None else known))


def _grouped(points: Sequence[CellPoint], varying: Sequence[str]) -> dict[str, list[CellPoint]]:
    groups: dict[str, list[CellPoint]] = {}
    for point in points:
        groups.setdefault(" and ".join(_equals(name, _known(point, name)) for name in varying), []).append(point)
    return groups


def to_records(result: FitResult) -> list[FitRecord]:
    """Rows for the store, one per term."""
    return [
        FitRecord(
            fit=result.spec.name,
            term=term.expression,
            y=result.spec.y,
            exponent=term.exponent,
            low=term.low,
            high=term.high,
            intercept=result.intercept,
            r2=result.r2,
            cells=result.cells,
            decades=result.decades,
            where_expr=result.spec.where,
            excluded=result.excluded,
            f_equal=result.f_equal,
            p_equal=result.p_equal,
            method=result.method,
            warnings="; ".join(result.warnings),
            inputs=result.inputs,
        )
        for term in result.terms
    ]


# Cells ----------------------------------------------------------------------------------------------------------------


def own_names(points: Iterable[CellPoint]) -> dict[str, float | str]:
    """Settings of cells of a training that is not ours, which no axis has a name for: each with one of its values."""
    return {name: value for point in points for name, value in point.values.items() if name not in CELL_NAMES}


def _select(
    points: Sequence[CellPoint], expressions: Sequence[Expression], spec: FitSpec
) -> tuple[list[tuple[CellPoint, list[float]]], list[tuple[CellPoint, list[float]]], tuple[str, ...]]:
    """Cells that enter as values and as lower bounds, each with its ln x; the names of the others, with the reason."""
    condition = cell_condition(spec.where, own_names(points)) if spec.where.strip() else None
    used: list[tuple[CellPoint, list[float]]] = []
    bounded: list[tuple[CellPoint, list[float]]] = []
    excluded: list[str] = []
    for point in points:
        try:
            reason = _reason_to_leave_out(point, condition)
            is_bound = reason == _CENSORED and spec.censored == BOUND and point.at_least is not None
            reason = None if is_bound else reason
            row = [] if reason else [_logarithm(expression, point) for expression in expressions]
        except ExpressionError as error:
            reason = str(error)
        if reason:
            excluded.append(f"{point.label}: {reason}")
        else:
            (bounded if is_bound else used).append((point, row))
    return used, bounded, tuple(excluded)


def _reason_to_leave_out(point: CellPoint, condition: Expression | None) -> str | None:
    if condition is not None and not condition.evaluate(point.values):
        return OUTSIDE
    if point.censored:
        return _CENSORED
    if not point.ln_y:
        return NOT_YET if point.waits else "no value"
    return None if all(map(isfinite, point.ln_y)) else "a value that is not finite"


def _logarithm(expression: Expression, point: CellPoint) -> float:
    value = float(expression.evaluate(point.values))
    if not (value > 0.0 and isfinite(value)):
        raise ExpressionError(f"{expression.text} is {value:g}")
    return log(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# Least squares --------------------------------------------------------------------------------------------------------

_METHOD = "OLS on per-cell means"
_CENSORED = "censored"
_SHARE_THAT_BENDS = 0.1  # of the cells, left out as censored
_RANK_TOLERANCE = 1e-9  # of singular values, relative


def _mixture(used: Sequence[tuple[CellPoint, list[float]]], spec: FitSpec) -> str | None:
    """Why these cells must not be fitted together: their y was found by different rules, which differ by a bias."""
    rules = _rules(used)
    if spec.mixed_rules or len(rules) < 2:
        return None
    names = _in_words(rules)
    return f"no fit: the nets have {spec.y} by {names}; train the older ones anew, or set mixed_rules = true in [[fit]]"


def _in_words(rules: Sequence[int]) -> str:
    """Editions of the rule in words: "rules 1 and 2"."""
    return f"rules {' and '.join(map(str, rules))}"


def _rules(used: Sequence[tuple[CellPoint, list[float]]]) -> list[int]:
    return sorted({rule for point, _ in used for rule in point.rules})


def _doubts(spec: FitSpec, used: Sequence[tuple[CellPoint, list[float]]]) -> Iterator[str]:
    if spec.y == "eta_last":
        yield "depends on how many rates were tried"
    if len(rules := _rules(used)) > 1:
        yield f"mixes {_in_words(rules)}"


def _bent(excluded: Sequence[str], used: int) -> Iterator[str]:
    """A doubt where so many cells are censored that their absence may decide the slope."""
    censored = sum(text.endswith(f": {_CENSORED}") for text in excluded)
    if censored > _SHARE_THAT_BENDS * (used + censored):
        yield f"{censored} of {used + censored} cells left out as censored: the exponent may be bent"


def _with_bounds(
    ln_x: _Floats, ln_y: _Floats, bounded: Sequence[tuple[CellPoint, list[float]]], freedom: int | None
) -> tuple[_Floats, float, tuple[_Floats, _Floats] | None]:
    """Slopes, intercept and ends of the intervals, by values and lower bounds together."""
    bounds = np.array([point.at_least for point, _ in bounded], dtype=np.float64)
    found = fit_with_bounds(
        np.concatenate([ln_x, np.array([row for _, row in bounded], dtype=np.float64)]),
        np.concatenate([ln_y, bounds]),
        np.arange(len(ln_y) + len(bounds)) >= len(ln_y),
        None if freedom is None else t_quantile(freedom),
    )
    return found.slopes, found.intercept, None if freedom is None else (found.low, found.high)


def _interval(ends: tuple[_Floats, _Floats] | None, i: int) -> tuple[float | None, float | None]:
    """Ends of a term's interval; None where it has none, or where the bounds leave it open."""
    if ends is None:
        return None, None
    low, high = float(ends[0][i]), float(ends[1][i])
    return (low, high) if isfinite(low) and isfinite(high) else (None, None)


def _obstacle(ln_x: _Floats) -> str | None:
    """Why no slope exists for this design, if so."""
    cells, terms = ln_x.shape
    if cells < terms + 1:
        return f"no fit: {cells} cell{'s' * (cells != 1)} for {terms + 1} parameters"
    sizes = np.linalg.svd(ln_x - ln_x.mean(axis=0), compute_uv=False)  # [terms]
    if sizes[-1] <= _RANK_TOLERANCE * max(float(sizes[0]), 1.0):
        return "no fit: the cells do not tell the terms apart" if terms > 1 else "no fit: all cells have the same x"
    return None


def _least_squares(ln_x: _Floats, ln_y: _Floats) -> tuple[_Floats, float, float, _Floats]:
    """Slopes [terms], intercept, residual sum of squares, covariance of the slopes [terms, terms] (nan if exact)."""
    centred = ln_x - ln_x.mean(axis=0)  # [cells, terms]
    slopes = np.linalg.lstsq(centred, ln_y - ln_y.mean(), rcond=None)[0]  # [terms]
    intercept = float(ln_y.mean() - ln_x.mean(axis=0) @ slopes)
    residual_ss = float(np.sum((ln_y - intercept - ln_x @ slopes) ** 2))
    freedom = len(ln_y) - len(slopes) - 1
    scale = residual_ss / freedom if freedom > 0 else nan
    return slopes, intercept, residual_ss, scale * np.linalg.inv(centred.T @ centred)


def _equal_exponents(
    ln_x: _Floats, ln_y: _Floats, residual_ss: float, freedom: int
) -> tuple[float | None, float | None]:
    """F statistic and p value of the hypothesis that all exponents are equal: one power of the product of all x."""
    from scipy.special import fdtrc

    restrictions = ln_x.shape[1] - 1
    noise = np.finfo(np.float64).eps ** 2 * float(ln_y @ ln_y) * len(ln_y)
    if restrictions == 0 or freedom <= 0 or residual_ss <= noise:
        return None, None
    product = ln_x.sum(axis=1, keepdims=True)  # [cells, 1]
    if _obstacle(product):
        restricted_ss = float(np.sum((ln_y - ln_y.mean()) ** 2))
    else:
        restricted_ss = _least_squares(product, ln_y)[2]
    f_equal = max(restricted_ss - residual_ss, 0.0) / restrictions / (residual_ss / freedom)
    return f_equal, float(fdtrc(restrictions, freedom, f_equal))


def t_quantile(freedom: int, level: float = CONFIDENCE) -> float:
    """Half-width, in standard errors, of the interval that holds a Student t with the chance ``level``."""
    from scipy.special import stdtrit  # a third of the import time of scipy.stats

    return float(stdtrit(freedom, 0.5 + 0.5 * level))


def _warnings(cells: int, freedom: int, decades: float) -> tuple[str, ...]:
    warnings = []
    if decades < 1.0:
        warnings.append("under one decade")
    if cells < MIN_CELLS:
        warnings.append("fewer than four cells: no interval")
    elif freedom <= 0:
        warnings.append("interval needs cells > parameters")
    return tuple(warnings)


# Standard fits --------------------------------------------------------------------------------------------------------


def _standard(group: Sequence[CellPoint], search: bool) -> list[tuple[str, tuple[str, ...]]]:
    depths = {_value(point, "depth") for point in group}
    widths = {_value(point, "width") for point in group}
    if len({_value(point, "depth") * _value(point, "width") for point in group}) < 2:
        return []
    size = ("lambda0", ("depth*width",))
    if not search:
        return [size]
    found: list[tuple[str, tuple[str, ...]]] = [("eta_star", ("depth*width",))]
    if min(depths) > 1 and len(depths) > 1:
        found.append(("eta_star", ("(depth-1)*width",)))
    if len(depths) > 1 and len(widths) > 1:
        found.append(("eta_star", ("depth", "width")))
    return [*found, ("eta_star", ("lambda0",)), size]


def _by_each_number(points: Sequence[CellPoint]) -> Iterator[FitSpec]:
    """One fit for each number of cells that differs between them, with all other axes apart."""
    names = [*SIZES, *_other_axes(points)]
    varying = _that_split(points, names)
    for name in varying:
        values = [point.values.get(name) for point in points]
        if not all(isinstance(value, float) and value > 0.0 for value in values):
            continue
        for condition, group in _grouped(points, [other for other in varying if other != name]).items():
            if len({point.values[name] for point in group}) > 1:
                yield FitSpec("eta_star", (name,), condition)


def _other_axes(points: Sequence[CellPoint]) -> list[str]:
    """All names that are known of cells, but those which a fit explains by or with."""
    known = {name: None for point in points for name in point.values}  # a dict keeps their order
    return [name for name in known if name not in (*SIZES, "n_params", "lambda0")]


def _that_split(points: Sequence[CellPoint], names: Sequence[str]) -> list[str]:
    """The names that differ between cells which have them; any other where these leave together what it tells apart.

    Momentum, say, differs between cells of two optimizers, but one of them has none and the optimizer tells them apart.
    """
    values = {name: [_known(point, name) for point in points] for name in names}
    varying = [
        name for name in names if len({*values[name]} - {None}) > 1 and not (name in AXIS and AXIS[name].follows)
    ]
    for name in (name for name in names if len({*values[name]}) > 1):
        groups = list(zip(*(values[other] for other in varying), strict=True)) or [()] * len(points)
        if len(set(groups)) < len(set(zip(groups, values[name], strict=True))):
            varying.append(name)
    for name in (name for name in varying if name in AXIS and AXIS[name].of in varying):
        others = [one for one in varying if one != name]
        if _groups(values, others) == _groups(values, varying):  # each value of that axis has its own default
            varying = others
    return varying


def _groups(values: Mapping[str, Sequence[object]], names: Sequence[str]) -> int:
    """How many groups these names tell apart."""
    return len(set(zip(*(values[name] for name in names), strict=True)))


def _known(point: CellPoint, name: str) -> float | str | None:
    """A value of a cell; None where it does not apply."""
    value = point.values.get(name)
    return None if isinstance(value, float) and isnan(value) else value


def _equals(name: str, value: float | str | None) -> str:
    if value is None:
        return f"not {name} == {name}"  # of cells that have none: nothing is equal to it
    if isinstance(value, str):
        return f'{name} == "{value}"' if "'" in value else f"{name} == '{value}'"
    return f"{name} == {int(value) if float(value).is_integer() else float(value)!r}"


def _value(point: CellPoint, name: str) -> float:
    return float(point.values[name])
