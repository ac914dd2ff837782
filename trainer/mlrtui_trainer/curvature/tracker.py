"""Sharpness along training: warm starts from the last eigenvectors, and cold audits against following a wrong one."""

from copy import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.lanczos import Eigen, Floats, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator

__all__ = [
    "AUDIT_EVERY",
    "COLD_PRODUCTS",
    "MORE_PRODUCTS",
    "NOISE",
    "TIGHT_BUDGET",
    "WARM_PRODUCTS",
    "Tracker",
]

COLD_PRODUCTS = 60
WARM_PRODUCTS = 40
STARTS = 2
"""Eigenvectors of the measurement before that a warm start has, at least: where two eigenvalues cross, the second is
the one that mostly becomes the largest."""

NOISE = 0.05
"""Length of the random part of a warm start: a direction that no vector has ever had would never be found."""

MORE_PRODUCTS = 10
"""Products by which the budget grows for every eigenvalue beyond the first."""

TIGHT_BUDGET = 5
"""Factor on the budget of a solve that is judged by its residual."""

AUDIT_EVERY = 20
"""Measurements of a lane between two that are solved again from the random vector alone."""


class Tracker:
    """The sharpness of some lanes over time. Lanes are numbered as the operators that are measured stack them."""

    def __init__(
        self,
        seeds: list[int],
        size: int,
        tolerance: float,
        dtype: torch.dtype,
        device: str,
        *,
        top: int = 1,
        estimate: bool = True,
    ) -> None:
        distinct = list(dict.fromkeys(seeds))
        self._random = start_vectors(distinct, size, dtype, device)  # [nets, size]
        self._noise = NOISE * self._random
        self._net = torch.tensor([distinct.index(seed) for seed in seeds], device=device)
        self._tolerance, self._top, self._estimate = tolerance, top, estimate
        self._starts = max(STARTS, top)
        self._start: Tensor | None = None  # [lanes, starts, size]
        self._value = np.full(len(seeds), np.nan)
        self._measured = np.zeros(len(seeds), dtype=np.int64)

    def measure(self, operator: Operator, lanes: Tensor | None = None) -> Eigen:
        """The largest eigenvalues of the operator of these lanes (all without numbers); of solve and audit the larger.

        The first measurement must be of all lanes.
        """
        nets = self._net if lanes is None else self._net[lanes]
        if self._start is None:
            found = self._solve(operator, self._random[nets], COLD_PRODUCTS, None)
            self._start, self._value = found.vectors.clone(), found.value.copy()
            self._measured += 1
            return found
        at = np.arange(len(self._value)) if lanes is None else lanes.cpu().numpy()
        start = self._start if lanes is None else self._start[lanes]
        finite = start.sum((1, 2), keepdim=True).isfinite()  # of unit vectors; a lane that overflowed starts anew
        start = torch.where(finite, start, 0.0)
        start[:, 0] += self._noise[nets]
        found = self._solve(operator, start, WARM_PRODUCTS, self._value[at] if self._estimate else None)
        found = self._audited(operator, found, nets, at)
        self._value[at] = found.value
        self._measured[at] += 1
        self._start = found.vectors if lanes is None else self._start.index_copy(0, lanes, found.vectors)
        return found

    def select(self, keep: Tensor) -> "Tracker":
        """A tracker that goes on from here for the lanes with these numbers."""
        part, at = copy(self), keep.cpu().numpy()
        part._net, part._value, part._measured = self._net[keep], self._value[at], self._measured[at]
        part._start = None if self._start is None else self._start[keep]
        return part

    def _solve(self, operator: Operator, start: Tensor, most: int, before: Floats | None) -> Eigen:
        most = (most + MORE_PRODUCTS * (self._top - 1)) * (1 if self._estimate else TIGHT_BUDGET)
        return largest(operator, start, self._tolerance, most, top=self._top, keep=self._starts, before=before)

    def _audited(self, operator: Operator, found: Eigen, nets: Tensor, at: npt.NDArray[np.intp]) -> Eigen:
        """What was found, with the lanes that are due solved a second time."""
        due = np.flatnonzero(np.isfinite(found.value) & (self._measured[at] % AUDIT_EVERY == 0))
        if not due.size:
            return found
        keep = torch.from_numpy(due).to(nets.device)
        unknown = np.full(due.size, np.nan) if self._estimate else None
        return _larger(found, self._solve(operator.select(keep), self._random[nets[keep]], WARM_PRODUCTS, unknown), due)


def _larger(warm: Eigen, audit: Eigen, lanes: npt.NDArray[np.intp]) -> Eigen:
    """``warm`` with the audited lanes' answers replaced where the audit found more; products of both count."""
    wins = np.flatnonzero(np.isfinite(audit.value) & (audit.value > warm.value[lanes]))
    values, residuals, rule = warm.values.copy(), warm.residuals.copy(), warm.rule.copy()
    products = warm.products.copy()
    products[lanes] += audit.products
    values[lanes[wins]], residuals[lanes[wins]] = audit.values[wins], audit.residuals[wins]
    rule[lanes[wins]] = audit.rule[wins]
    vectors = warm.vectors.clone()
    to, of = (torch.from_numpy(i).to(vectors.device) for i in (lanes[wins], wins))
    vectors[to] = audit.vectors[of]
    return Eigen(values, residuals, vectors, products, rule)
