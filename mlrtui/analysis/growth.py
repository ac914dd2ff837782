"""Controlled divergence as a statement about widths: how outputs and activations grow along a law of the rate.

Haas, Bordt, von Luxburg and Vankadara (2025): along η = factor · width^power the outputs grow with width, the
activations do not, and training succeeds, because the loss has a gradient by the outputs that is bounded. One training
shows none of this, so the label ``controlled`` of a trial marks an onset only; this is the statement itself, about all
cells of a sweep that differ in width alone. Rows are those of the view `width_growth`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, log, log2

from mlrtui.analysis.fits import CellPoint, FitSpec, FitTerm, fit
from mlrtui.analysis.rows import Row
from mlrtui.plurals import counted

__all__ = [
    "FEWEST_OCTAVES",
    "FEWEST_WIDTHS",
    "HIDDEN_EXPONENT",
    "LOGIT_EXPONENT",
    "SURVIVAL",
    "Growth",
    "growths",
]

LOGIT_EXPONENT = 0.25
"""Of the outputs' RMS from which they grow. Measured: 0.50 and 0.67 at 6/√width, 0.00 and −0.05 at 16/width."""

HIDDEN_EXPONENT = 0.2
"""Of the last hidden layer's RMS up to which activations are bounded. Measured: up to 0.11 where training succeeds."""

SURVIVAL = 0.8
"""Share of the trials that must end in a phase that is survived."""

FEWEST_WIDTHS = 3
FEWEST_OCTAVES = 3.0
"""Below them an exponent of 0.25 is a factor of 1.7 or less between the ends, which seeds alone can make."""


@dataclass(frozen=True)
class Growth:
    """One family: cells that differ in width alone, trained along one law of the rate.

    ``controlled`` is None where too little is known to say; ``reason`` names what decided, with its number.
    """

    cells: tuple[str, ...]  # labels, by width
    depth: int
    loss: str
    factor: float
    power: float
    widths: tuple[int, ...]
    logit: FitTerm | None  # exponent of the outputs' RMS in width; None: no fit
    hidden: FitTerm | None  # of the last hidden layer's RMS over its start
    survived: int
    trials: int
    controlled: bool | None
    reason: str

    @property
    def law(self) -> str:
        """The law of the rate: η = 6·width^-0.5."""
        return f"η = {self.factor:g}·width^{self.power:g}"


def growths(rows: Iterable[Row]) -> list[Growth]:
    """One statement for each family of a sweep's rows of `width_growth`, in the order of the families.

    >>> row = {"family": 1, "cell": "1x8", "width": 8, "depth": 1, "factor": 6.0, "power": -0.5, "survives": 1}
    >>> (one,) = growths([row | {"training_loss": "ce", "bounded": 1, "logit_rms": 2.0, "hidden_growth": 1.0}])
    >>> one.controlled, one.reason
    (None, '1 width over 0.0 octaves (needed: 3 over 3)')
    """
    families: dict[object, list[Row]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    return [_growth(families[family]) for family in sorted(families, key=_whole)]


def _growth(rows: Sequence[Row]) -> Growth:
    first = rows[0]
    widths = sorted({_whole(row["width"]) for row in rows})
    logit, hidden = _exponent(rows, "logit_rms"), _exponent(rows, "hidden_growth")
    survived = sum(bool(row["survives"]) for row in rows)
    controlled, reason = _judged(bool(first["bounded"]), widths, logit, hidden, survived / len(rows))
    return Growth(
        cells=tuple(dict.fromkeys(str(row["cell"]) for row in sorted(rows, key=lambda row: _whole(row["width"])))),
        depth=_whole(first["depth"]),
        loss=str(first["training_loss"]),
        factor=float(str(first["factor"])),
        power=float(str(first["power"])),
        widths=tuple(widths),
        logit=logit,
        hidden=hidden,
        survived=survived,
        trials=len(rows),
        controlled=controlled,
        reason=reason,
    )


def _exponent(rows: Sequence[Row], column: str) -> FitTerm | None:
    """Of ``column`` in width, over per-cell means of its logarithm; a trial without a finite value is left out."""
    cells: dict[str, tuple[float, list[float]]] = {}
    for row in rows:
        value = row[column]
        if isinstance(value, int | float) and value > 0 and isfinite(value):
            cells.setdefault(str(row["cell"]), (float(_whole(row["width"])), []))[1].append(log(value))
    points = [CellPoint(label, {"width": width}, tuple(logs)) for label, (width, logs) in cells.items()]
    terms = fit(points, FitSpec(column, ("width",))).terms
    return terms[0] if terms else None


def _judged(
    bounded: bool, widths: Sequence[int], logit: FitTerm | None, hidden: FitTerm | None, share: float
) -> tuple[bool | None, str]:
    """Whether the family diverges in a controlled way, and the first condition that it misses."""
    octaves = log2(widths[-1] / widths[0])
    if not bounded:
        return False, "the squared loss has no bounded gradient by the outputs"
    if len(widths) < FEWEST_WIDTHS or octaves < FEWEST_OCTAVES:
        named = f"{counted(len(widths), 'width')} over {octaves:.1f} octaves"
        return None, f"{named} (needed: {FEWEST_WIDTHS} over {FEWEST_OCTAVES:g})"
    if share < SURVIVAL:
        return False, f"{share:.0%} of the trials survive (limit {SURVIVAL:.0%})"
    if logit is None:
        return None, "the outputs' size is not known"
    if logit.exponent < LOGIT_EXPONENT:
        return False, f"the outputs grow like width^{logit.exponent:.2f} (limit {LOGIT_EXPONENT:g})"
    if hidden is None:
        return None, "the size of the last hidden layer is not known"
    if hidden.exponent > HIDDEN_EXPONENT:
        return False, f"the last hidden layer grows like width^{hidden.exponent:.2f} (limit {HIDDEN_EXPONENT:g})"
    return True, "outputs grow with width, the last hidden layer does not, and training succeeds"


def _whole(value: object) -> int:
    return int(str(value))
