"""What the shown fit's cells predict beyond them: the 90 % band of η* to the next two octaves, or why there is none."""

from dataclasses import dataclass, replace

import numpy as np

from mlrtui.analysis.expressions import ExpressionError, cell_condition
from mlrtui.analysis.fits import grouped, own_names
from mlrtui.analysis.prediction import Refusal
from mlrtui.charts.scatter import ScatterSpec, Stroke, padded
from mlrtui.figures.predictions import Band, band, words
from mlrtui.text.phrases import quantity
from mlrtui.tui.exponents.fit import CellFit

__all__ = ["Beyond", "beyond"]


@dataclass(frozen=True, eq=False)
class Beyond:
    """Strokes for the picture, and a sentence."""

    words: str
    strokes: tuple[Stroke, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether there is no band."""
        return not self.strokes

    def added(self, spec: ScatterSpec) -> ScatterSpec:
        """A picture with the band, its axes as long as that needs."""
        xs = [float(end) for stroke in self.strokes for end in (stroke.x[0], stroke.x[-1])]
        ys = [float(end) for stroke in self.strokes for end in stroke.y]
        x_limits = padded([*(dot.x for dot in spec.dots if dot.x > 0), *xs], True)
        y_limits = padded([*(dot.y for dot in spec.dots if dot.y > 0), *ys], True)
        return replace(spec, strokes=(*self.strokes, *spec.strokes), x_limits=x_limits, y_limits=y_limits)


def beyond(fit: CellFit) -> Beyond:
    """The band of a fit's cells, placed on its x axis."""
    found = _band(fit)
    if isinstance(found, Refusal):
        return Beyond(words(found))
    x = np.array([step.x for step in found.steps])
    edges = ([step.low for step in found.steps], [step.high for step in found.steps])
    middle = Stroke(x, np.array([step.eta_star for step in found.steps]), dotted=True)
    return Beyond(words(found), (*(Stroke(x, np.array(ys), "band") for ys in edges), middle))


def _band(fit: CellFit) -> Band | Refusal:
    if fit.choice.y != "eta_star":
        return Refusal(f"only η* is predicted, not {quantity(fit.choice.y)}")
    cells = [place.point for place in fit.places]
    try:
        if fit.choice.where:
            condition = cell_condition(fit.choice.where, own_names(cells))
            cells = [cell for cell in cells if condition.evaluate(cell.values)]
        groups = grouped(cells)
    except ExpressionError as error:
        return Refusal(str(error))
    if len(groups) > 1:
        first = next(iter(groups))
        return Refusal(f"the cells are {len(groups)} groups, which have laws of their own; / takes one, as {first}")
    return band(cells, fit.choice.x)
