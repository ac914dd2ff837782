"""λ₀ of infinitely wide nets beside measured ones: only where the closed form holds for every cell that is fitted."""

import math
from dataclasses import dataclass

import numpy as np

from mlrtui.charts.scatter import Stroke, padded
from mlrtui.tui.exponents.fit import CellFit
from mlrtui_trainer.theory import infinite_width_lambda0

__all__ = ["Infinite", "infinite"]

_FORM = {
    "model": "mlp", "activation": "relu", "bias": 0.0, "parametrization": "sp", "standardize": "global", "loss": "mse",
}  # fmt: skip
"""A bias-free ReLU net with He's weights under squared loss, on inputs whose squares have mean 1."""


@dataclass(frozen=True, eq=False)
class Infinite:
    """The mean diagonal of the infinite-width kernel, which λ₀ cannot exceed, and its part in depth × width."""

    inputs: int
    strokes: tuple[Stroke, ...]

    @property
    def words(self) -> str:
        """What the lines are."""
        return f"theory: infinite width depth·width + {self.inputs} (upper line), depth·width alone (dotted)"


def infinite(fit: CellFit) -> Infinite | None:
    """The closed form over the fitted cells of λ₀ against depth·width; None where it does not hold for all of them."""
    if (fit.choice.y, fit.choice.x.replace(" ", "")) != ("lambda0", "depth*width"):
        return None
    cells = [place for place in fit.places if not place.reason]
    holds = all(place.point.values.get(name) == value for place in cells for name, value in _FORM.items())
    holds &= all(_is_unset(place.point.values.get("init_variance")) for place in cells)
    data = {str(place.point.values.get("data")) for place in cells}
    d = _inputs(data.pop()) if holds and len(data) == 1 else None
    if d is None:
        return None
    x = np.geomspace(*padded([place.x for place in cells], True), 64)
    whole = x + infinite_width_lambda0(1.0, 0, 0, d)  # depth·width and the inputs' part; q = 1: standardised inputs
    return Infinite(d, (Stroke(x, whole, "theory"), Stroke(x, x, "theory", dotted=True)))


def _is_unset(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _inputs(data: str) -> int | None:
    """Those of a built-in data set."""
    from mlrtui.data.built_in import SOURCES  # only where a line is drawn

    return SOURCES[data].inputs if data in SOURCES.ours else None
