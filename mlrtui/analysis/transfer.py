"""Whether a rate that was chosen at a small size holds at a larger one: a certificate from small cells.

Two statements of different kinds are kept apart. The rate: how far its law moves from the smallest size to the asked
one, with an interval. The layers: whether what they add to their outputs keeps its size, the refined coordinate
check of Haas, Bordt, von Luxburg and Vankadara (2025). The verdict is about the rate; a layer whose updates grow with
the size takes a "holds" back, because what holds up to there cannot hold for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, log

from mlrtui.analysis.fits import CellPoint, FitSpec, FitTerm, fit
from mlrtui.analysis.prediction import LEVEL, Drift, Prediction, Refusal, drift, predict, usable_points

__all__ = ["FACTOR", "KEEPS", "PARTS", "Certificate", "LayerTrend", "Measured", "certify", "trends"]

FACTOR = 2.0
"""A rate holds where its law stays within this factor of what it was at the smallest size."""

KEEPS = 0.25
"""Largest power of the size, either way, of an update that keeps its size; hidden layers of sp have 1/2 and more."""

PARTS = ("effective_rms", "propagating_rms")
"""Columns of the view `layers`: what a layer's own update adds to its output, and what those below it add."""


@dataclass(frozen=True)
class LayerTrend:
    """One part of the updates of the layers of a role, against the size."""

    role: str
    part: str
    term: FitTerm | None  # None: no fit

    @property
    def verdict(self) -> str:
        """keeps, grows or shrinks, where the whole interval says so; else undecided."""
        if self.term is None or self.term.low is None or self.term.high is None:
            return "undecided"
        if self.term.low > KEEPS:
            return "grows"
        if self.term.high < -KEEPS:
            return "shrinks"
        return "keeps" if self.term.low >= -KEEPS and self.term.high <= KEEPS else "undecided"


@dataclass(frozen=True)
class Measured:
    """What the net of the asked size turned out to have: a geometric mean over seeds, or a bound of it."""

    value: float
    bound: str = ""  # "at least" or "at most"


@dataclass(frozen=True)
class Certificate:
    """What small cells say of a rate at a larger size."""

    what: str  # "η*" or "best rate"
    along: str  # the size that grows
    base: Mapping[str, float]  # depth and width of the smallest cell
    target: Mapping[str, float]
    base_value: float  # geometric mean over seeds
    prediction: Prediction | Refusal
    drift: Drift | Refusal
    factor: float
    layers: tuple[LayerTrend, ...]
    lost: tuple[str, ...]  # larger cells, up to the asked size, where the rate of the smallest one diverges
    verdict: str  # "holds", "fails" or "undecided"
    fails_at: float | None  # the size from which on it fails
    reason: str
    measured: Measured | None = None

    @property
    def inside(self) -> bool | None:
        """Whether the measured value lies in the predicted interval; None: not known."""
        if self.measured is None or isinstance(self.prediction, Refusal):
            return None
        value, low, high = self.measured.value, self.prediction.low, self.prediction.high
        if self.measured.bound == "at least":
            return False if value > high else None
        if self.measured.bound == "at most":
            return False if value < low else None
        return low <= value <= high

    def confirmed(self, measured: Measured | None) -> "Certificate":
        """The certificate once the net of the asked size is trained; what was measured decides.

        None: its nets have no such rate, so that nothing holds. Where the rate of the smallest diverges at a trained
        size it still does.
        """
        size, known = f"{self.along} {self.target[self.along]:g}", replace(self, measured=measured)
        if measured is None:
            if self.verdict != "holds":
                return known
            return replace(known, verdict="undecided", reason=f"trained at {size}: its nets have no {self.what}")
        if self.lost:
            return known
        ratio = measured.value / self.base_value
        said = f"{measured.bound + ' ' if measured.bound else ''}{ratio:.2g} times the {self.what} of the smallest"
        beyond = ratio > self.factor if measured.bound != "at most" else False
        below = ratio < 1.0 / self.factor if measured.bound != "at least" else False
        if beyond or below:
            at = self.fails_at or self.target[self.along]
            return replace(known, verdict="fails", fails_at=at, reason=f"measured at {size}: {said}")
        if measured.bound:
            return replace(known, verdict="undecided", fails_at=None, reason=f"measured at {size}: {said}")
        if growing := _growing(self.layers):
            return replace(known, verdict="undecided", fails_at=None, reason=f"measured at {size}: {said}; {growing}")
        return replace(known, verdict="holds", fails_at=None, reason=f"measured at {size}: {said}")


def certify(
    points: Sequence[CellPoint],
    target: Mapping[str, float],
    layers: Sequence[LayerTrend] = (),
    *,
    lost: Sequence[str] = (),
    what: str = "η*",
    level: float = LEVEL,
    factor: float = FACTOR,
    resolution: float = 0.0,
) -> Certificate | Refusal:
    """Say whether a rate that is chosen at the smallest cell holds at ``target``.

    Args:
        points: cells of one group (`fits.grouped`), with ln of the rate of their nets.
        target: "depth" and "width", of which one is beyond the smallest cell.
        layers: `trends` of their updates at the rate of the smallest.
        lost: labels of cells where that rate diverges: there it does not hold, whatever the law says.
        what: what the rate is.
        level: chance with which the intervals hold.
        factor: how far the rate may move.
        resolution: as in `prediction.predict`.

    >>> flat = [CellPoint(f"{w}", {"depth": 2.0, "width": float(w)}, (log(0.1) + e,)) for w, e in
    ...         ((16, 0.02), (32, -0.02), (64, 0.0), (128, 0.02), (256, -0.02))]
    >>> certify(flat, {"depth": 2, "width": 512}).verdict
    'holds'
    >>> falling = [CellPoint(p.label, p.values, (p.ln_y[0] - log(p.values["width"]),)) for p in flat]
    >>> found = certify(falling, {"depth": 2, "width": 512})
    >>> found.verdict, found.fails_at
    ('fails', 64.0)
    """
    usable = usable_points(points)
    if not usable:
        return Refusal(f"no cell has its {what} in every net")
    if unknown := [name for name in target if not any(isfinite(float(p.values[name])) for p in usable)]:
        return Refusal(f"the cells have no {unknown[0]}: a training of your own needs it among its arguments")
    same: list[CellPoint] = []
    for along, other in (("width", "depth"), ("depth", "width")):
        same = [p for p in usable if float(p.values[other]) == target[other]]
        if any(float(p.values[along]) < target[along] for p in same):
            break
    else:
        said = ", ".join(f"{name} {value:g}" for name, value in target.items())
        return Refusal(f"no cell is smaller than {said} in one of them and equal in the other")
    smallest = min(same, key=lambda point: float(point.values[along]))
    base = {name: float(smallest.values[name]) for name in target}
    asked = {name: float(value) for name, value in target.items()}
    prediction = predict(points, asked, level, resolution, what)
    moved = drift(points, base, asked, level, resolution, what)
    sizes = {point.label: float(point.values[along]) for point in points}
    gone = [cell for cell in lost if cell in sizes and base[along] < sizes[cell] <= asked[along]]
    certificate = Certificate(
        what=what,
        along=along,
        base=base,
        target=asked,
        base_value=exp(sum(smallest.ln_y) / len(smallest.ln_y)),
        prediction=prediction,
        drift=moved,
        factor=factor,
        layers=tuple(layers),
        lost=tuple(gone),
        verdict="undecided",
        fails_at=None,
        reason="",
    )
    if gone:
        first = min(sizes[cell] for cell in gone)
        reason = f"the {what} of the smallest diverges at {along} {first:g}"
        return replace(certificate, verdict="fails", fails_at=first, reason=reason)
    if isinstance(prediction, Refusal):
        return replace(certificate, reason=prediction.reason)
    if isinstance(moved, Refusal):
        return replace(certificate, reason=moved.reason)
    size, span = f"{along} {asked[along]:g}", f"{moved.low:.2g} to {moved.high:.2g} times that of the smallest"
    if _is_beyond(moved, factor):
        first = next(
            at for at in _octaves(base[along], asked[along])
            if _is_beyond(drift(points, base, base | {along: at}, level, resolution, what), factor)
        )  # fmt: skip
        reason = f"the {what} moves to {span} at {size}"
        return replace(certificate, verdict="fails", fails_at=first, reason=reason)
    if not (1.0 / factor <= moved.low and moved.high <= factor):
        return replace(certificate, reason=f"the {what} may move to {span} at {size}: train larger or more cells")
    if growing := _growing(layers):
        return replace(certificate, reason=f"the {what} stays at {span} at {size}, but {growing}")
    return replace(certificate, verdict="holds", reason=f"the {what} stays at {span} at {size}")


def trends(rows: Sequence[Mapping[str, object]], along: str) -> tuple[LayerTrend, ...]:
    """Powers of the size with which parts of the updates change.

    Args:
        rows: of the view `layers`, of trials at one rate and one step.
        along: "width" or "depth".
    """
    found = []
    for role in ("input", "hidden", "output"):
        for part in PARTS:
            values: dict[str, tuple[float, list[float]]] = {}
            for row in rows:
                value, size = row[part], row[along]
                if row["role"] == role and isinstance(size, int | float) and isinstance(value, int | float):
                    at = values.setdefault(str(row["cell"]), (float(size), []))
                    at[1].extend([log(value)] if value > 0 and isfinite(value) else [])
            points = [CellPoint(cell, {along: size}, tuple(logs)) for cell, (size, logs) in values.items() if logs]
            if points:
                terms = fit(points, FitSpec(part, (along,))).terms
                found.append(LayerTrend(role, part, terms[0] if terms else None))
    return tuple(found)


def _growing(layers: Sequence[LayerTrend]) -> str:
    found = [layer for layer in layers if layer.verdict == "grows"]
    return "; ".join(
        f"the {layer.part.removesuffix('_rms')} update of the {layer.role} layer grows with the size" for layer in found
    )


def _is_beyond(moved: Drift | Refusal, factor: float) -> bool:
    return isinstance(moved, Drift) and (moved.low > factor or moved.high < 1.0 / factor)


def _octaves(first: float, last: float) -> list[float]:
    """Sizes from one to another, an octave apart; the last is one of them."""
    found, at = [], first
    while at < last:
        at = min(2.0 * at, last)
        found.append(at)
    return found
