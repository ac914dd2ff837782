"""Measures λ of lanes along training: which lanes are due, every operator that is asked for, several eigenvalues."""

from collections.abc import Sequence
from math import isfinite, nan

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.lanczos import Eigen
from mlrtui_trainer.curvature.operators import curvature, preconditioned
from mlrtui_trainer.curvature.schedule import Schedule
from mlrtui_trainer.curvature.tracker import Tracker
from mlrtui_trainer.measures import SPECTRUM
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.rows import Sharpness
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import Measured, SharpnessSpec

__all__ = ["EXACT_TOLERANCE", "Meter", "measured_samples"]

EXACT_TOLERANCE = 1e-8

Floats = npt.NDArray[np.float64]


def measured_samples(samples: Samples, spec: SharpnessSpec) -> Samples:
    """The samples on which λ is measured, in its precision."""
    chosen = samples.first(spec.samples) if spec.samples else samples
    return chosen.to(torch.float64) if spec.exact else chosen


class Meter:
    """λ of some lanes over time. Lanes are numbered as the weights that are measured stack them."""

    def __init__(
        self,
        model: Model,
        loss: str,
        spec: SharpnessSpec,
        seeds: list[int],
        samples: Samples,
        device: str,
        refused: Sequence[str] = (),
    ) -> None:
        """``refused``: operators whose λ cannot be trusted (`curvature.verification`), which are left out."""
        self._model, self._loss, self._samples = model, loss, samples
        self._operators = tuple(name for name in (spec.operator, *spec.others) if name not in refused)
        self._main = spec.operator not in refused  # else λ is missing, and only what is beside it is measured
        self._top = spec.top
        self._dtype = samples.x.dtype
        self._rates = model.rate_vector(self._dtype, device)
        self._plain = bool((self._rates == 1.0).all())  # asked once: on a GPU it is a wait
        self._schedule = Schedule(spec, len(seeds))
        tolerance = EXACT_TOLERANCE if spec.exact else spec.tolerance
        self._trackers = [
            Tracker(seeds, model.n_params, tolerance, self._dtype, device, top=spec.top, estimate=not spec.exact)
            for _ in self._operators
        ]

    def measure(
        self, step: int, weights: Weights, loss: Floats, diagonal: Tensor | None = None
    ) -> dict[int, Sharpness]:
        """λ of the lanes that are due at this step, by lane; their losses at this step [lanes].

        ``diagonal`` [lanes, n_params]: what an adaptive optimizer multiplies the layers' rates by.
        """
        due = np.flatnonzero(self._schedule.due(step, loss))
        if not due.size:
            return {}
        lanes = None if due.size == weights.lanes else torch.from_numpy(due).to(self._rates.device)
        part = weights if lanes is None else weights.select(lanes)
        scale = self._scale(diagonal, lanes)
        found = [
            self._solved(tracker, name, part, scale, None if lanes is None else (lanes, due))
            for tracker, name in zip(self._trackers, self._operators, strict=True)
        ]
        self._schedule.measured(due, step, loss[due], found[0].value)
        return dict(zip(due.tolist(), self._described(found), strict=True))

    def measure_last(
        self, weights: Weights, lanes: Sequence[int], diagonal: Tensor | None = None
    ) -> dict[int, Sharpness]:
        """λ of these lanes, due or not, as their last one: what comes later does not know of it."""
        if not lanes:
            return {}
        keep = torch.tensor(lanes, device=self._rates.device)
        part, scale = weights.select(keep), self._scale(diagonal, keep)
        found = [
            self._solved(tracker.select(keep, once=True), name, part, scale, None)
            for tracker, name in zip(self._trackers, self._operators, strict=True)
        ]
        return dict(zip(lanes, self._described(found), strict=True))

    def keep(self, lanes: list[int]) -> None:
        """Forget all lanes but those with these numbers."""
        self._schedule.keep(lanes)
        keep = torch.tensor(lanes, dtype=torch.int64, device=self._rates.device)
        self._trackers = [tracker.select(keep) for tracker in self._trackers]

    def _scale(self, diagonal: Tensor | None, lanes: Tensor | None) -> Tensor | None:
        """The rate of every parameter over η, [n_params] or [lanes, n_params]; None where all are 1."""
        if diagonal is None:
            return None if self._plain else self._rates
        return self._rates * (diagonal if lanes is None else diagonal[lanes]).to(self._dtype)

    @torch.inference_mode()
    def _solved(
        self,
        tracker: Tracker,
        operator: str,
        weights: Weights,
        scale: Tensor | None,
        lanes: tuple[Tensor, npt.NDArray[np.intp]] | None,
    ) -> Eigen:
        """``lanes``: those that are due as the device knows them and as the host does; None: all."""
        at = weights.to(self._dtype)
        matrix = curvature(self._model, at, self._samples.x, self._samples.y, self._loss, operator)
        whole = matrix if scale is None else preconditioned(matrix, scale)
        return tracker.measure(whole) if lanes is None else tracker.measure(whole, lanes[0], numbers=lanes[1])

    def _described(self, found: Sequence[Eigen]) -> list[Sharpness]:
        main = found[0]
        if not self._main:
            lanes = range(len(main.value))
            return [Sharpness(nan, nan, 0, converged=True, beside=self._beside(found, i)) for i in lanes]
        columns = (main.value.tolist(), main.residual.tolist(), main.products.tolist(), main.converged.tolist())
        return [
            Sharpness(value, residual, products, converged, self._beside(found, i))
            for i, (value, residual, products, converged) in enumerate(zip(*columns, strict=True))
        ]

    def _beside(self, found: Sequence[Eigen], lane: int) -> tuple[Measured, ...]:
        """What is kept beside a lane's λ: all that was found, unless that is λ alone."""
        whole = self._top > 1 or not self._main
        if not whole and len(found) == 1:
            return ()
        kept, names = (found, self._operators) if whole else (found[1:], self._operators[1:])
        return tuple(
            Measured(SPECTRUM + name, float(value), nan, str(rank + 1), float(eigen.residuals[lane, rank]))
            for name, eigen in zip(names, kept, strict=True)
            for rank, value in enumerate(eigen.values[lane])
            if rank == 0 or isfinite(value)
        )
