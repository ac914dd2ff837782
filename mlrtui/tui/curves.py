"""A trial's curve in memory: grown by what a reader returns, and turned into points for charts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.spec import Floats
from mlrtui.text.marks import CHART_SIGNS
from mlrtui.text.numbers import number
from mlrtui.tui.edges import Rates
from mlrtui_db.flags import FLAG_SHARPNESS_NOT_CONVERGED, nonfinite
from mlrtui_db.models import Curve, MeasureCurve, PartCurve
from mlrtui_db.parts import natural

__all__ = [
    "MeasureTrace",
    "PartTrace",
    "Trace",
    "caption",
    "loss_points",
    "missed_words",
    "not_converged",
    "peak_of",
    "ratio_points",
    "read_measure",
    "read_trace",
    "sharpness_points",
]

Ints = NDArray[np.integer[Any]]

_LOSS_BAD, _SHARPNESS_BAD = nonfinite("loss"), nonfinite("sharpness")


class CurveReader(Protocol):
    """What a trace is read from."""

    def curve(self, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True) -> Curve:
        """The steps of a trial's newest attempt after a step, the first `limit` of them or all."""


@dataclass(frozen=True, eq=False)
class Trace:
    """All known steps of one attempt of one trial."""

    trial_id: int
    attempt: int
    step: Ints  # [steps] strictly increasing
    loss: Floats  # [steps]
    sharpness: Floats  # [steps]
    flags: Ints  # [steps]
    accuracy: Floats  # [steps]; NaN where it was not evaluated

    @classmethod
    def of(cls, curve: Curve) -> "Trace":
        """The steps that a reader returned."""
        return cls(
            curve.trial_id,
            curve.attempt,
            np.array(curve.step, dtype=np.int64),
            np.array(curve.loss, dtype=np.float64),
            np.array(curve.sharpness, dtype=np.float64),
            np.array(curve.flags, dtype=np.int64),
            np.array(curve.accuracy, dtype=np.float64),
        )

    @property
    def last_step(self) -> int:
        """The newest step, -1 without any."""
        return int(self.step[-1]) if self.step.size else -1

    @cached_property
    def losses(self) -> tuple[Floats, Floats]:
        """Steps and losses [points]; NaN and infinities where the loss was not finite."""
        return _points(self, self.loss, _LOSS_BAD)

    @cached_property
    def sharpnesses(self) -> tuple[Floats, Floats]:
        """Steps and sharpness [points] at the steps where it was measured."""
        return _points(self, self.sharpness, _SHARPNESS_BAD)

    @cached_property
    def accuracies(self) -> tuple[Floats, Floats]:
        """Steps and accuracy [points] at the steps where it was evaluated."""
        known = ~np.isnan(self.accuracy)
        return self.step[known].astype(np.float64), self.accuracy[known]

    @cached_property
    def ratios(self) -> dict[tuple[Rates, float], Floats]:
        """Sharpness over the edge by learning rates and η·λ at the edge, as far as it was asked for."""
        return {}

    @cached_property
    def not_converged(self) -> NDArray[np.bool_]:
        """Which of the `sharpnesses` missed their tolerance, [points]."""
        return (self.flags[_measured(self, self.sharpness, _SHARPNESS_BAD)] & FLAG_SHARPNESS_NOT_CONVERGED) > 0

    @cached_property
    def loss_peak(self) -> int | None:
        """The step of the largest finite loss."""
        step, loss = self.losses
        at = peak_of(loss)
        return None if at is None else int(step[at])

    def extended(self, curve: Curve) -> "Trace":
        """This trace with later steps of the same attempt; itself when there are none."""
        more = Trace.of(curve)
        if not more.step.size:
            return self
        return Trace(
            self.trial_id,
            self.attempt,
            np.concatenate([self.step, more.step]),
            np.concatenate([self.loss, more.loss]),
            np.concatenate([self.sharpness, more.sharpness]),
            np.concatenate([self.flags, more.flags]),
            np.concatenate([self.accuracy, more.accuracy]),
        )


def read_trace(reader: CurveReader, trial_id: int, known: Trace | None, limit: int = -1) -> Trace:
    """The trial's curve: only the steps after the known ones are read, unless another attempt has begun.

    With a `limit` at most so many steps are read, and the curve may be a beginning.
    """
    if known is not None and known.trial_id == trial_id:
        more = reader.curve(trial_id, after_step=known.last_step, limit=limit, residuals=False)
        if more.attempt == known.attempt:
            return known.extended(more)
    return Trace.of(reader.curve(trial_id, limit=limit, residuals=False))


class PartTrace(NamedTuple):
    """The values of a measure, or of one part of it, each [values]; NaN where there is none."""

    step: Floats  # strictly increasing
    value: Floats
    edge: Floats
    edge_high: Floats  # of a band of edges

    @classmethod
    def of(cls, curve: PartCurve) -> "PartTrace":
        """The values that a reader returned."""
        high = curve.edge_high or [np.nan] * len(curve.step)
        return cls(*(np.array(column, dtype=np.float64) for column in (curve.step, curve.value, curve.edge, high)))

    def extended(self, more: "PartTrace") -> "PartTrace":
        """These with later ones."""
        return PartTrace(*map(np.concatenate, zip(self, more, strict=True)))

    @property
    def points(self) -> tuple[Floats, Floats]:
        """Steps and values [points] where there is one."""
        known = ~np.isnan(self.value)
        return self.step[known], self.value[known]


_EMPTY = PartTrace(*[np.empty(0)] * 4)


@dataclass(frozen=True, eq=False)
class MeasureTrace:
    """All known values of one measure of one attempt of one trial; what has no part's name is of the first part."""

    trial_id: int
    attempt: int
    measure: str
    parts: Mapping[str, PartTrace]  # by name, in order; of a measure without parts one, named ""

    @classmethod
    def of(cls, curve: MeasureCurve) -> "MeasureTrace":
        """The values that a reader returned."""
        parts = {name: PartTrace.of(part) for name, part in curve.parts.items()}
        return cls(curve.trial_id, curve.attempt, curve.measure, parts)

    @property
    def last_step(self) -> int:
        """The newest step of any part, -1 without any."""
        return max((int(part.step[-1]) for part in self.parts.values() if part.step.size), default=-1)

    def extended(self, more: "MeasureTrace") -> "MeasureTrace":
        """This trace with later values of the same attempt; itself when there are none."""
        if more.last_step < 0:
            return self
        names = sorted({*self.parts, *more.parts}, key=natural)
        parts = {name: self.parts.get(name, _EMPTY).extended(more.parts.get(name, _EMPTY)) for name in names}
        return MeasureTrace(self.trial_id, self.attempt, self.measure, parts)

    @cached_property
    def _first(self) -> PartTrace:
        return next(iter(self.parts.values()), _EMPTY)

    @property
    def others(self) -> Mapping[str, PartTrace]:
        """The parts after the first."""
        return dict([*self.parts.items()][1:])

    @property
    def step(self) -> Floats:
        """Steps [values], strictly increasing."""
        return self._first.step

    @property
    def value(self) -> Floats:
        """Values [values]; NaN where one was not finite."""
        return self._first.value

    @property
    def edge(self) -> Floats:
        """Edges [values]; NaN: there is none."""
        return self._first.edge

    @property
    def edge_high(self) -> Floats:
        """Upper ends of bands of edges [values]; NaN: none."""
        return self._first.edge_high

    @cached_property
    def points(self) -> tuple[Floats, Floats]:
        """Steps and values [points] where there is one."""
        return self._first.points

    @cached_property
    def edges(self) -> tuple[tuple[Floats, Floats], ...]:
        """Steps and edges [points]: of its edge, and of the upper end of a band; those that it has."""
        found = (
            (self.step[known], edge[known]) for edge in (self.edge, self.edge_high) if (known := ~np.isnan(edge)).any()
        )
        return tuple(found)

    @cached_property
    def ratios(self) -> tuple[Floats, Floats]:
        """Steps and values over their edge [points], where there are both."""
        ratio = self.value / self.edge
        known = ~np.isnan(ratio)
        return self.step[known], ratio[known]


class MeasureReader(Protocol):
    """What values of measures are read from."""

    def measure_curve(self, trial_id: int, measure: str, after_step: int = -1) -> MeasureCurve:
        """The values of a measure of a trial after a step."""


def read_measure(reader: MeasureReader, trial_id: int, measure: str, known: MeasureTrace | None) -> MeasureTrace:
    """A trial's values of a measure: only those after the known ones are read, unless another attempt has begun.

    The known ones themselves where there are no others.
    """
    if known is not None and (known.trial_id, known.measure) == (trial_id, measure):
        more = MeasureTrace.of(reader.measure_curve(trial_id, measure, after_step=known.last_step))
        if more.attempt == known.attempt:
            return known.extended(more)
    return MeasureTrace.of(reader.measure_curve(trial_id, measure))


def loss_points(trace: Trace) -> tuple[Floats, Floats]:
    """Steps and losses [points]; NaN and infinities where the loss was not finite."""
    return trace.losses


def not_converged(trace: Trace) -> NDArray[np.bool_]:
    """Which of the `sharpness_points` missed their tolerance, [points]."""
    return trace.not_converged


def missed_words(hollow: NDArray[np.bool_], ascii_only: bool) -> str:
    """How many values missed their tolerance, with their mark; "" for none."""
    count = int(hollow.sum())
    return f"{count} not converged ({CHART_SIGNS['missed'][ascii_only]})" if count else ""


def ratio_points(trace: Trace, rates: Rates, edge: float) -> tuple[Floats, Floats]:
    """Steps and sharpness over its edge ``edge``/η [points], at the steps where it was measured."""
    step, sharpness = trace.sharpnesses
    if (rates, edge) not in trace.ratios:
        trace.ratios[rates, edge] = sharpness * (rates.over(step) / edge)
    return step, trace.ratios[rates, edge]


def sharpness_points(trace: Trace) -> tuple[Floats, Floats]:
    """Steps and sharpness [points] at the steps where it was measured."""
    return trace.sharpnesses


def peak_of(values: Floats) -> int | None:
    """Index of the largest finite value, None without any."""
    finite = np.isfinite(values)
    return int(np.argmax(np.where(finite, values, -np.inf))) if finite.any() else None


def caption(step: Floats, values: Floats, log: bool) -> str:
    """Peak and its step, newest value and its step, how many values could not be drawn."""
    finite = np.isfinite(values)
    parts = []
    peak = peak_of(values)
    if peak is not None:
        now = int(np.flatnonzero(finite)[-1])
        parts.append(f"peak {number(float(values[peak]))} @{int(step[peak])}")
        parts.append(f"now {number(float(values[now]))} @{int(step[now])}")
    bad = int((~finite).sum())
    if bad:
        parts.append(f"{bad} non-finite from @{int(step[~finite][0])}")
    below = int((values[finite] <= 0).sum()) if log else 0
    if below:
        parts.append(f"{below} not positive")
    return " · ".join(parts)


def _points(trace: Trace, values: Floats, bad: dict[int, float]) -> tuple[Floats, Floats]:
    """The measured points of one column; flag bits turn missing values into what they were."""
    if not (trace.flags & sum(bad)).any():  # of most curves all is there
        steps, known = trace.step.astype(np.float64), ~np.isnan(values)
        return (steps, values) if known.all() else (steps[known], values[known])
    shown = values.copy()
    for bit, value in bad.items():
        shown[(trace.flags & bit) > 0] = value
    measured = _measured(trace, values, bad)
    return trace.step[measured].astype(np.float64), shown[measured]


def _measured(trace: Trace, values: Floats, bad: dict[int, float]) -> NDArray[np.bool_]:
    """At which steps there is a value, or a flag that tells what it was; [steps]."""
    return ~np.isnan(values) | ((trace.flags & sum(bad)) > 0)
