"""Gathers what a phase rests on (`phases.Evidence`) while lanes train, in memory that does not grow with their length.

Losses of all lanes are taken a block of steps at a time; the numbers do not depend on how steps are cut into blocks,
nor on which lanes are beside. λ is taken per lane, where it is measured.
"""

from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from math import isfinite, isnan, nan

import numpy as np
import numpy.typing as npt

from mlrtui_trainer import phases

__all__ = ["SMOOTHED_SAMPLES", "UNKNOWN", "Curve", "History", "PhaseFacts", "RatioSummary", "Ratios", "window"]

SMOOTHED_SAMPLES = 64
"""A smoothed loss is over at least so many samples: losses of single ones scatter by half to all of their mean, so 64
leave 6 to 12 % of it."""

RISE_FLOOR = 1e-3
"""Of the loss at the start: below it a fitted net ripples by factors, which is no instability."""

SHORTEST_DRIFT = 20
"""Steps from which a drift is known; it is fitted over a quarter of them, 10 at least."""

GRAINS = 1024
"""Smoothed losses that are kept for the drift. A longer training keeps means over 2, 4, 8, … steps instead."""

MOST_RECORDS = 4096
"""Running extremes of λ that are kept; beyond, every second one is dropped."""

OUTPUTS, CENTRED, HIDDEN = range(3)  # rows of sizes, as `fast.records.SIZES` cuts them out of a step's numbers

Floats = npt.NDArray[np.float64]


def window(batch: int) -> int:
    """Batch losses in a smoothed loss."""
    return -(-SMOOTHED_SAMPLES // batch)


@dataclass(frozen=True)
class PhaseFacts:
    """What the phases of all trials of a round rest on alike."""

    loss_constant: float  # smallest loss of an output that does not depend on the sample
    majority: float  # share of the largest class; NaN where accuracy has no meaning
    edge: float  # η·λ at the optimizer's edge; NaN where the λ that is measured has none
    linear: bool  # a fully connected net without hidden layers, trained at one rate, without decay


UNKNOWN = PhaseFacts(nan, nan, nan, False)


@dataclass(frozen=True)
class Curve:
    """What `History` says of one lane, by the names of `phases.Evidence`; of a lane without steps by default."""

    peak_smoothed: float = 1.0
    peak_step: int = 0
    rise: float = 1.0
    rise_step: int = 0
    rise_at_end: bool = False
    drift: float = nan
    logit_rms_initial: float = nan  # of the outputs as they are
    logit_rms_peak: float = nan
    logit_growth: float = nan
    hidden_growth: float = nan


class History:
    """Losses and sizes of some lanes, from their start. Lanes are numbered as the weights stack them."""

    def __init__(
        self, loss_initial: Floats, batch: int, most: int, *, full: bool, sizes_initial: Floats | None = None
    ) -> None:
        """``loss_initial`` [lanes] is over all training samples; a ``full`` batch sees them all and is not smoothed.

        ``most``: steps of the longest training. ``sizes_initial`` [3, lanes]: RMS over all training samples at the
        start, of what `add` takes; None: those of the first step, which in small batches are noise.
        """
        lanes = len(loss_initial)
        self._count = 0
        self._window = 1 if full else window(batch)
        self._initial = loss_initial
        self._tail = np.tile(loss_initial, (self._window - 1, 1))  # the last losses, [window − 1, lanes]
        self._low, self._peak = loss_initial.copy(), loss_initial.copy()
        self._rise = np.ones(lanes)
        self._peak_step, self._rise_step = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
        self._store = np.empty((min(2 * GRAINS, most + 1), lanes))  # smoothed losses, or means over `_grain` of them
        self._rest = np.empty((0, lanes))  # those that do not make a whole grain yet
        self._filled, self._grain = 0, 1
        self._rms_first = np.full((1, lanes), nan)  # of the outputs in the first batch
        self._sizes_first = sizes_initial
        self._sizes_top = np.full((3, lanes), nan)

    def add(self, loss: Floats, sizes: Floats | None = None) -> None:
        """Take the next steps: their losses [steps, lanes], and RMS of outputs, of centred ones and of the last
        hidden layer [steps, 3, lanes], NaN where they were not measured."""
        if not len(loss):
            return
        if sizes is not None:
            self._take_sizes(sizes)
        with np.errstate(all="ignore"):  # lanes that diverged
            self._take(self._smoothed(loss))

    def finish(self, loss: Floats) -> None:
        """Take the loss over all training samples at the end, [lanes]: it needs no smoothing."""
        with np.errstate(all="ignore"):
            self._take(loss[None])

    def select(self, lanes: Sequence[int]) -> "History":
        """The same of the lanes with these numbers, on its own from now on."""
        part, keep = copy(self), list(lanes)
        for name in ("_initial", "_low", "_peak", "_rise", "_peak_step", "_rise_step"):
            setattr(part, name, getattr(self, name)[keep])
        for name in ("_tail", "_rest", "_rms_first", "_sizes_top"):
            setattr(part, name, getattr(self, name)[:, keep])
        part._store = np.empty((len(self._store), len(keep)))
        part._store[: self._filled] = self._store[: self._filled, keep]
        part._sizes_first = None if self._sizes_first is None else self._sizes_first[:, keep]
        return part

    def curve(self, lane: int) -> Curve:
        """What there is to say of one lane."""
        initial, top = float(self._initial[lane]), self._sizes_top[:, lane]
        first = np.full(3, nan) if self._sizes_first is None else self._sizes_first[:, lane]
        growth = [float(b / a) if a > 0.0 else nan for a, b in zip(first, top, strict=True)]
        rise_step = int(self._rise_step[lane])
        return Curve(
            peak_smoothed=float(self._peak[lane]) / initial if initial > 0.0 else nan,
            peak_step=int(self._peak_step[lane]),
            rise=float(self._rise[lane]),
            rise_step=rise_step,
            rise_at_end=self._count > 0 and rise_step == self._count - 1,
            drift=self._drift(lane),
            logit_rms_initial=float(self._rms_first[0, lane]),
            logit_rms_peak=float(top[OUTPUTS]),
            logit_growth=growth[CENTRED],
            hidden_growth=growth[HIDDEN],
        )

    def _smoothed(self, loss: Floats) -> Floats:
        """Means over the window, [steps, lanes]: each the same sum in the same order however steps are cut."""
        steps, wide = len(loss), self._window
        if wide == 1:
            return loss
        part = np.concatenate([self._tail, loss])  # [window − 1 + steps, lanes]
        self._tail = part[steps:]
        total, span, taken = np.zeros_like(loss), 1, 0
        while True:  # ``part`` holds sums over 1, 2, 4, … neighbours; the window is put together from them
            if wide & span:
                total = total + part[taken : taken + steps]
                taken += span
            if 2 * span > wide:
                return total / wide
            part = part[:-span] + part[span:]
            span *= 2

    def _take(self, smoothed: Floats) -> None:
        self._take_extremes(smoothed)
        self._keep(smoothed)
        self._count += len(smoothed)

    def _take_extremes(self, smoothed: Floats) -> None:
        finite = np.where(np.isfinite(smoothed), smoothed, -np.inf)
        top, at = finite.max(axis=0), finite.argmax(axis=0)
        higher = top > self._peak
        self._peak = np.where(higher, top, self._peak)
        self._peak_step = np.where(higher, self._count + at, self._peak_step)
        low = np.fmin.accumulate(np.concatenate([self._low[None], smoothed]))
        self._low = low[-1]
        rise = np.where(finite > RISE_FLOOR * self._initial, finite / low[1:], -np.inf)
        top, at = rise.max(axis=0), rise.argmax(axis=0)
        higher = top > self._rise
        self._rise = np.where(higher, top, self._rise)
        self._rise_step = np.where(higher, self._count + at, self._rise_step)

    def _keep(self, smoothed: Floats) -> None:
        rows = np.concatenate([self._rest, smoothed]) if len(self._rest) else smoothed
        while True:
            whole = min(len(rows) // self._grain, len(self._store) - self._filled)
            part, size = rows[: whole * self._grain], self._grain
            while size > 1:
                part, size = 0.5 * (part[0::2] + part[1::2]), size // 2
            self._store[self._filled : self._filled + whole] = part
            self._filled += whole
            rows = rows[whole * self._grain :]
            if self._filled < 2 * GRAINS:
                break
            self._store[:GRAINS] = 0.5 * (self._store[0::2] + self._store[1::2])
            self._filled, self._grain = GRAINS, 2 * self._grain
        self._rest = rows

    def _drift(self, lane: int) -> float:
        """Slope of the logarithm over the last quarter, times its length."""
        if self._count < SHORTEST_DRIFT:
            return nan
        length = max(SHORTEST_DRIFT // 2, self._filled // 4)
        values = np.ascontiguousarray(self._store[self._filled - length : self._filled, lane])
        if not (np.isfinite(values) & (values > 0.0)).all():
            return nan
        at = np.arange(length) - 0.5 * (length - 1)
        return float(at @ np.log(values) / (at @ at) * length)

    def _take_sizes(self, sizes: Floats) -> None:
        """Outputs up to step `phases.LOGIT_STEPS`, the hidden layer throughout."""
        finite = np.where(np.isfinite(sizes), sizes, nan)
        if self._count == 0:
            self._rms_first = finite[0, OUTPUTS : OUTPUTS + 1]
            self._sizes_first = finite[0] if self._sizes_first is None else self._sizes_first
        early = max(phases.LOGIT_STEPS + 1 - self._count, 0)
        if early:
            self._sizes_top[:HIDDEN] = np.fmax(
                self._sizes_top[:HIDDEN], np.fmax.reduce(finite[:early, :HIDDEN], axis=0)
            )
        self._sizes_top[HIDDEN] = np.fmax(self._sizes_top[HIDDEN], np.fmax.reduce(finite[:, HIDDEN], axis=0))


@dataclass(frozen=True)
class RatioSummary:
    """What `Ratios` say, by the names of `phases.Evidence`; NaN where λ was not measured."""

    ratio_first: float = nan
    ratio_before_peak: float = nan
    ratio_low: float = nan
    ratio_hover: float = nan
    ratio_last: float = nan


class Ratios:
    """The measured η·λ/edge of one training, in the order of its steps."""

    def __init__(self) -> None:
        self._first = nan
        self._highest, self._lowest = list[tuple[int, float]](), list[tuple[int, float]]()  # (step, running extreme)
        self._recent: tuple[float, ...] = ()
        self._smoothed, self._near = 0, 0

    def add(self, step: int, ratio: float) -> None:
        """Take a measured one; what is not finite was not measured."""
        if not isfinite(ratio):
            return
        if isnan(self._first):
            self._first = ratio
        if not self._highest or ratio > self._highest[-1][1]:
            self._highest = _longer(self._highest, step, ratio)
        if not self._lowest or ratio < self._lowest[-1][1]:
            self._lowest = _longer(self._lowest, step, ratio)
        self._recent = (*self._recent[-2:], ratio)
        if len(self._recent) == 3:
            low, high = phases.HOVER_BAND
            self._smoothed += 1
            self._near += low <= sum(self._recent) / 3.0 <= high

    def summary(self, last_step: int, peak_step: int) -> RatioSummary:
        """At the end of a training of so many steps whose loss peaked, or rose furthest, at ``peak_step``."""
        if isnan(self._first):
            return RatioSummary()
        return RatioSummary(
            ratio_first=self._first,
            ratio_before_peak=_until(self._highest, peak_step),
            ratio_low=_until(self._lowest, (last_step - 1) // 2),
            ratio_hover=self._near / self._smoothed if self._smoothed else nan,
            ratio_last=self._recent[-1],
        )


def _until(records: Sequence[tuple[int, float]], step: int) -> float:
    """The last running extreme up to a step; the first of all where none is as early."""
    at = bisect_right(records, step, key=lambda record: record[0])
    return records[max(at - 1, 0)][1]


def _longer(records: list[tuple[int, float]], step: int, ratio: float) -> list[tuple[int, float]]:
    """The records and one more, in the same list where it is not full."""
    if len(records) >= MOST_RECORDS:
        records = [*records[:-1:2], records[-1]]
    records.append((step, ratio))
    return records
