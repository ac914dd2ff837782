"""η* of a net that was not trained: the law in depth and width, with an interval that holds for the mean of seeds.

The interval is the prediction interval of least squares on per-cell means. What it misses was measured on leave-one-out
and extrapolated nets: exponents that change with width bend predictions beyond the grid. So inside it is widened
by a tenth, and outside its variance grows with the distance. Where it would not be worth its name there is none, and
the reason is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, isfinite, log, sqrt

import numpy as np
import numpy.typing as npt

from mlrtui.analysis.fits import CellPoint, t_quantile
from mlrtui_db.axes import SIZES

__all__ = [
    "LEVEL",
    "MAX_OCTAVES",
    "Drift",
    "Path",
    "Prediction",
    "Refusal",
    "drift",
    "predict",
    "predicted_path",
    "usable_points",
]

LEVEL = 0.9
"""Chance with which the mean over seeds falls into the interval."""

MIN_CELLS = 5
MIN_FREEDOM = 2  # cells less parameters
MAX_OCTAVES = 2.0  # beyond the grid, along an axis
INSIDE = 1.1  # factor of the interval's half-width
PER_OCTAVE = 0.15  # standard deviation of ln η* that an octave beyond the grid adds

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """η* of a cell that was not trained: a geometric mean over seeds, and where it lies with the chance ``level``."""

    eta_star: float
    low: float
    high: float
    level: float
    terms: tuple[tuple[str, float], ...]  # ("depth", -0.8)
    cells: int
    octaves: Mapping[str, float]  # how far beyond the grid, by axis; 0: inside
    spread_of_nets: float | None  # standard deviation of ln η* between the nets of a cell; None: one net a cell


@dataclass(frozen=True)
class Refusal:
    """Why there is no prediction, in a sentence."""

    reason: str


@dataclass(frozen=True)
class Path:
    """Predictions from one end of a grid to two octaves beyond the other, along one size, the other in its middle."""

    along: str  # "width", or "depth" where that alone varies
    other: tuple[str, float]  # ("depth", 4.0)
    steps: tuple[tuple[Mapping[str, float], Prediction], ...]  # by size, each at its depth and width
    ends_because: str  # why it ends before two octaves; "": it does not

    @property
    def words(self) -> str:
        """Where it goes: depth 4, width 64 to 1024."""
        name, value = self.other
        first, last = (sizes[self.along] for sizes in (self.steps[0][0], self.steps[-1][0]))
        return f"{name} {value:g}, {self.along} {first:g} to {last:g}"


@dataclass(frozen=True)
class Drift:
    """The law's ratio between two places, and where it lies with the chance ``level``."""

    ratio: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class _Law:
    """Least squares of mean ln y on the logarithms of the sizes that vary."""

    varying: tuple[str, ...]
    line: _Floats  # intercept, then a power for each size
    shape: _Floats  # inverse of designᵀ·design
    variance: float  # of a cell's mean
    freedom: int
    ends: Mapping[str, tuple[float, float]]  # range of ln size

    def row(self, at: Mapping[str, float]) -> _Floats:
        """The regressors at a place, by logarithms of its sizes."""
        return np.array([1.0, *(at[name] for name in self.varying)])

    def octaves(self, at: Mapping[str, float]) -> dict[str, float]:
        """How far a place lies beyond the cells."""
        return {name: max(low - at[name], at[name] - high, 0.0) / log(2.0) for name, (low, high) in self.ends.items()}

    def half(self, row: _Floats, at: Mapping[str, float], level: float, own: float) -> float:
        """Half the interval of ``row`` times the line; ``own`` is 1 with the scatter of a new cell, 0 without."""
        spread = own + float(row @ self.shape @ row)
        bend = sum((PER_OCTAVE * beyond) ** 2 for beyond in self.octaves(at).values())
        return t_quantile(self.freedom, level) * sqrt(self.variance * spread * INSIDE**2 + bend)


def predict(
    points: Sequence[CellPoint],
    target: Mapping[str, float],
    level: float = LEVEL,
    resolution: float = 0.0,
    what: str = "η*",
) -> Prediction | Refusal:
    """Predict η* at a depth and width from cells that agree in everything else.

    Args:
        points: cells of one group (`fits.grouped`), with ln η* of their nets.
        target: "depth" and "width".
        level: above 0 and below 1.
        resolution: width of the steps of ln y, where y is one of a list of rates: cells that agree to a step do not
            prove that they agree exactly.
        what: what y is, for a refusal.

    >>> cells = [CellPoint(f"{w}", {"depth": 2.0, "width": float(w)}, (-log(w) + e,)) for w, e in
    ...          ((16, 0.01), (32, -0.01), (64, 0.0), (128, 0.01), (256, -0.01))]
    >>> found = predict(cells, {"depth": 2, "width": 48})
    >>> round(found.eta_star * 48, 1), found.low < 1 / 48 < found.high
    (1.0, True)
    """
    law = _law(points, target, resolution, what)
    if isinstance(law, Refusal):
        return law
    goal = {name: log(target[name]) for name in SIZES}
    octaves = law.octaves(goal)
    for name, beyond in octaves.items():
        if beyond > MAX_OCTAVES + 1e-9:
            low, high = map(exp, law.ends[name])
            return Refusal(
                f"{name} {target[name]:g} is {beyond:.2g} octaves outside {low:g} to {high:g}; at most {MAX_OCTAVES:g}"
            )
    usable = usable_points(points)
    if nearer := _censored_nearby(points, usable, goal):
        return Refusal(f"the nearest cell {nearer} is censored: {what} there is not known")
    row = law.row(goal)
    middle, half = float(row @ law.line), law.half(row, goal, level, 1.0)
    return Prediction(
        eta_star=exp(middle),
        low=exp(middle - half),
        high=exp(middle + half),
        level=level,
        terms=tuple((name, float(slope)) for name, slope in zip(law.varying, law.line[1:], strict=True)),
        cells=len(usable),
        octaves=octaves,
        spread_of_nets=_spread(usable),
    )


def drift(
    points: Sequence[CellPoint],
    base: Mapping[str, float],
    target: Mapping[str, float],
    level: float = LEVEL,
    resolution: float = 0.0,
    what: str = "η*",
) -> Drift | Refusal:
    """How far the law moves from one place to another: what a rate that was chosen at ``base`` is wrong by.

    Args:
        points, target, level, resolution, what: as in `predict`.
        base: "depth" and "width" of a cell.

    >>> cells = [CellPoint(f"{w}", {"depth": 2.0, "width": float(w)}, (-log(w) + e,)) for w, e in
    ...          ((16, 0.01), (32, -0.01), (64, 0.0), (128, 0.01), (256, -0.01))]
    >>> found = drift(cells, {"depth": 2, "width": 16}, {"depth": 2, "width": 256})
    >>> round(found.ratio * 16, 1), found.low < 1 / 16 < found.high
    (1.0, True)
    """
    law = _law(points, target, resolution, what)
    if isinstance(law, Refusal):
        return law
    first, goal = ({name: log(place[name]) for name in SIZES} for place in (base, target))
    row = law.row(goal) - law.row(first)  # the intercept goes
    middle, half = float(row @ law.line), law.half(row, goal, level, 0.0)
    return Drift(exp(middle), exp(middle - half), exp(middle + half), level)


def predicted_path(points: Sequence[CellPoint], level: float = LEVEL, octave_steps: int = 4) -> Path | Refusal:
    """Predict η* along the width, or along the depth where that alone varies, for a picture.

    Args:
        points: cells of one group (`fits.grouped`), with ln η* of their nets.
        level: above 0 and below 1.
        octave_steps: how many predictions an octave has.

    >>> cells = [CellPoint(f"{w}", {"depth": 2.0, "width": float(w)}, (-log(w) + e,)) for w, e in
    ...          ((16, 0.01), (32, -0.01), (64, 0.0), (128, 0.01), (256, -0.01))]
    >>> path = predicted_path(cells)
    >>> path.words, path.ends_because, [round(path.steps[k][1].eta_star * 1024) for k in (0, -1)]
    ('depth 2, width 16 to 1024', '', [64, 1])
    """
    sizes = {name: sorted({_size(point, name) for point in points}) for name in SIZES}
    along = "depth" if len(sizes["width"]) < 2 <= len(sizes["depth"]) else "width"
    (other,) = (name for name in SIZES if name != along)
    if not sizes[along]:
        return Refusal("there is no cell")
    fixed = sizes[other][len(sizes[other]) // 2]
    first, last = sizes[along][0], sizes[along][-1] * 2.0**MAX_OCTAVES
    many = max(round(log(last / first) / log(2.0) * octave_steps), 1)
    found: list[tuple[Mapping[str, float], Prediction]] = []
    for place in range(many + 1):
        target = {along: first * (last / first) ** (place / many), other: fixed}
        answer = predict(points, target, level)
        if isinstance(answer, Refusal):
            if found and place < many:
                return Path(along, (other, fixed), tuple(found), answer.reason)
            if not found and target[along] < sizes[along][-1]:
                continue  # the smallest are censored: it begins where they end
            return answer
        found.append((target, answer))
    return Path(along, (other, fixed), tuple(found), "")


def usable_points(points: Sequence[CellPoint]) -> list[CellPoint]:
    """The cells in which every net has a value."""
    return [point for point in points if not point.censored and point.ln_y and all(map(isfinite, point.ln_y))]


def _law(points: Sequence[CellPoint], target: Mapping[str, float], resolution: float, what: str) -> _Law | Refusal:
    usable = usable_points(points)
    if len(usable) < MIN_CELLS:
        cells = f"{len(usable)} cell{'s' * (len(usable) != 1)}"
        return Refusal(f"{cells} with {what} in every net; a prediction needs {MIN_CELLS}")
    sizes = {name: np.log([_size(point, name) for point in usable]) for name in SIZES}  # [cells] each
    varying = tuple(name for name in SIZES if float(np.ptp(sizes[name])) > 0.0)
    for name in SIZES:
        if name not in varying and log(target[name]) != sizes[name][0]:
            return Refusal(f"all cells have {name} {exp(sizes[name][0]):g}: how {what} depends on {name} is not known")
    ln_y = np.array([sum(point.ln_y) / len(point.ln_y) for point in usable])
    design = np.array([[1.0, *(log(_size(point, name)) for name in varying)] for point in usable])  # [cells, 1 + terms]
    freedom = len(ln_y) - design.shape[1]
    if freedom < MIN_FREEDOM:
        return Refusal(f"{len(ln_y)} cells leave {freedom} degrees of freedom; a prediction needs {MIN_FREEDOM}")
    if np.linalg.matrix_rank(design - design.mean(axis=0)) < len(varying):
        return Refusal(f"the cells do not tell {' and '.join(varying)} apart")
    line, *_ = np.linalg.lstsq(design, ln_y, rcond=None)
    variance = max(float(np.sum((ln_y - design @ line) ** 2)) / freedom, resolution**2 / 12.0)  # of a uniform error
    ends = {name: (float(found.min()), float(found.max())) for name, found in sizes.items()}
    return _Law(varying, line, np.linalg.inv(design.T @ design), variance, freedom, ends)


def _size(point: CellPoint, name: str) -> float:
    return float(point.values[name])


def _censored_nearby(points: Sequence[CellPoint], usable: Sequence[CellPoint], goal: Mapping[str, float]) -> str | None:
    """A censored cell nearer to the goal than every usable one, by the distance in octaves."""

    def distance(point: CellPoint) -> float:
        return hypot(*(log(_size(point, name)) - goal[name] for name in SIZES))

    nearest = min(map(distance, usable))
    near = [point for point in points if point.censored and distance(point) < nearest - 1e-9]
    return min(near, key=distance).label if near else None


def _spread(usable: Sequence[CellPoint]) -> float | None:
    """Of ln y between the nets of a cell, pooled over cells."""
    several = [point.ln_y for point in usable if len(point.ln_y) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if freedom == 0:
        return None
    return sqrt(sum(float(np.var(values)) * len(values) for values in several) / freedom)
