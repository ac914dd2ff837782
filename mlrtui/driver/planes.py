"""What is learnt of cells that nobody has worked on, from those that were: a plane through logarithms, with priors.

ln of some factor (how slow, how long) is taken as a sum over features of a cell, such as the logarithm of its size, and
a departure of its own. Before anything is seen each coefficient has the mean and the spread of its prior; what is seen
moves it (ridge regression, which is Bayes' rule for normal distributions). So a sweep that has seen only its smallest
nets says of the large ones what the prior slope says, with the spread of that, and learns the slope as soon as sizes
differ.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Features", "Likely", "Plane"]

Features = Mapping[str, float]


class Likely(NamedTuple):
    """A mean, and a standard deviation; of a coefficient, or of what a cell departs from the plane by."""

    mean: float
    sd: float


class _Seen(NamedTuple):
    features: Features
    value: float
    variance: float  # of the value, beside what the cell departs by


class _Coefficients(dict[str, float]):
    """By feature, those of its prior where nothing was seen of it."""

    def __init__(self, prior: Callable[[str], Likely], fitted: Iterable[tuple[str, float]] = ()) -> None:
        super().__init__(fitted)
        self._prior = prior

    def __missing__(self, name: str) -> float:
        self[name] = self._prior(name).mean
        return self[name]


class Plane:
    """ln of a factor over the features of cells.

    Args:
        prior: of the coefficient of a feature, by its name.
        own: standard deviation of what a cell departs from the plane by.
    """

    def __init__(self, prior: Callable[[str], Likely], own: float) -> None:
        self._prior, self._own = prior, own
        self._seen: dict[object, _Seen] = {}
        self._coefficients = _Coefficients(prior)
        self._names: dict[str, int] = {}  # of features that were seen, with their place below
        self._spread: npt.NDArray[np.float64] = np.zeros((0, 0))  # covariance of the coefficients
        self._is_new = False

    def __bool__(self) -> bool:
        return bool(self._seen)

    def see(self, key: object, features: Features, value: float, variance: float) -> None:
        """What is known of a cell by now, instead of what was known of it before."""
        self._seen[key] = _Seen(features, value, variance)
        self._is_new = True

    def at(self, key: object, features: Features) -> Likely:
        """Of a cell: its value, and the spread of what it departs by. See `spread` for what all have in common."""
        self._fit()
        known, plane = self._coefficients, 0.0
        for name, value in features.items():
            plane += value * known[name]
        own = self._seen.get(key)
        if own is None:
            return Likely(plane, self._own)
        weight = self._own**2 / (self._own**2 + own.variance)
        return Likely(plane + weight * (own.value - plane), self._own * (1 - weight) ** 0.5)

    def weight_of_own(self, key: object) -> float:
        """By how much a cell goes by itself rather than by the plane, 0 to 1."""
        own = self._seen.get(key)
        return 0.0 if own is None else self._own**2 / (self._own**2 + own.variance)

    def lean(self, direction: dict[str, float], key: object, features: Features, part: float) -> None:
        """Add to a direction a part of a sum: less where a cell goes by itself."""
        part *= 1.0 - self.weight_of_own(key)
        for name, value in features.items():
            direction[name] = direction.get(name, 0.0) + part * value

    def spread(self, direction: Features) -> float:
        """Standard deviation of the sum of the coefficients, each times what ``direction`` has for it."""
        self._fit()
        known = np.zeros(len(self._names))
        unknown = 0.0
        for name, value in direction.items():
            if name in self._names:
                known[self._names[name]] = value
            else:
                unknown += (value * self._prior(name).sd) ** 2
        return float(np.sqrt(known @ self._spread @ known + unknown))

    def _fit(self) -> None:
        if not self._is_new:
            return
        self._is_new = False
        self._names = {name: place for place, name in enumerate(sorted({n for s in self._seen.values() for n in s[0]}))}
        rows = np.zeros((len(self._seen), len(self._names)))
        for row, one in zip(rows, self._seen.values(), strict=True):
            for name, value in one.features.items():
                row[self._names[name]] = value
        priors = [self._prior(name) for name in self._names]
        before = np.array([prior.mean for prior in priors])
        weights = 1.0 / (self._own**2 + np.array([one.variance for one in self._seen.values()]))
        values = np.array([one.value for one in self._seen.values()])
        weighted = rows.T * weights
        precision = weighted @ rows + np.diag([prior.sd**-2.0 for prior in priors])
        self._spread = np.asarray(np.linalg.inv(precision), np.float64)
        means = before + self._spread @ (weighted @ (values - rows @ before))
        self._coefficients = _Coefficients(self._prior, zip(self._names, means.tolist(), strict=True))
