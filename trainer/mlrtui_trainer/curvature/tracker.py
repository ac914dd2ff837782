"""Sharpness along training: warm starts from the last eigenvector, and cold audits against following a wrong one."""

from copy import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.lanczos import Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator

__all__ = [
    "AUDIT_DROP",
    "AUDIT_EVERY",
    "COLD_PRODUCTS",
    "FALLEN_NOISE",
    "MORE_PRODUCTS",
    "NOISE",
    "TIGHT_BUDGET",
    "WARM_PRODUCTS",
    "Tracker",
]

COLD_PRODUCTS = 60
WARM_PRODUCTS = 40
NOISE = 0.05
"""Length of the random part of a warm start: an eigenvector that has become exactly second would never be left."""

MORE_PRODUCTS = 10
"""Products by which the budget grows for every eigenvalue beyond the first."""

TIGHT_BUDGET = 5
"""Factor on the budget of a solve that is judged by its residual."""

AUDIT_EVERY = 20
AUDIT_DROP = 0.85
"""A value below this part of the last one is solved again: the top may have been lost."""

FALLEN_NOISE = 0.5
"""Length of the random part in that solve; the regular ones start from the random vector alone."""


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
        self._net = torch.tensor([distinct.index(seed) for seed in seeds], device=device)
        self._tolerance, self._top, self._estimate = tolerance, top, estimate
        self._start: Tensor | None = None  # [lanes, size]
        self._value = np.full(len(seeds), np.nan)
        self._measured = np.zeros(len(seeds), dtype=np.int64)

    def measure(self, operator: Operator, lanes: Tensor | None = None) -> Eigen:
        """The largest eigenvalues of the operator of these lanes (all without numbers); of solve and audit the larger.

        The first measurement must be of all lanes.
        """
        cold = self._random[self._net if lanes is None else self._net[lanes]]  # [lanes, size]
        if self._start is None:
            found = self._solve(operator, cold, COLD_PRODUCTS, estimate=False)
            self._start, self._value = found.blend.clone(), found.value.copy()
            self._measured += 1
            return found
        at = np.arange(len(self._value)) if lanes is None else lanes.cpu().numpy()
        start = self._start if lanes is None else self._start[lanes]
        finite = (start * 0.0 == 0.0).all(1, keepdim=True)  # a lane that overflowed starts anew
        found = self._solve(operator, torch.where(finite, start, 0.0) + NOISE * cold, WARM_PRODUCTS, self._estimate)
        found = self._audited(operator, found, cold, at)
        self._value[at] = found.value
        self._measured[at] += 1
        self._start[torch.from_numpy(at).to(cold.device)] = found.blend
        return found

    def select(self, keep: Tensor) -> "Tracker":
        """A tracker that goes on from here for the lanes with these numbers."""
        part, at = copy(self), keep.cpu().numpy()
        part._net, part._value, part._measured = self._net[keep], self._value[at], self._measured[at]
        part._start = None if self._start is None else self._start[keep]
        return part

    def _solve(self, operator: Operator, start: Tensor, most: int, estimate: bool) -> Eigen:
        most = (most + MORE_PRODUCTS * (self._top - 1)) * (1 if self._estimate else TIGHT_BUDGET)
        return largest(operator, start, self._tolerance, most, top=self._top, estimate=estimate)

    def _audited(self, operator: Operator, found: Eigen, cold: Tensor, at: npt.NDArray[np.intp]) -> Eigen:
        """What was found, with the doubtful lanes solved a second time."""
        finite = np.isfinite(found.value)
        regular = finite & (self._measured[at] % AUDIT_EVERY == 0)
        fallen = finite & ~regular & (found.value < AUDIT_DROP * self._value[at])
        doubtful = np.flatnonzero(regular | fallen)
        if not doubtful.size:
            return found
        keep = torch.from_numpy(doubtful).to(cold.device)
        old = torch.from_numpy(fallen[doubtful]).to(cold.device)[:, None]  # [doubtful, 1]
        start = torch.where(old, found.blend[keep], 0.0) + torch.where(old, FALLEN_NOISE, 1.0) * cold[keep]
        audit = self._solve(operator.select(keep), start, WARM_PRODUCTS, self._estimate)
        return _larger(found, audit, doubtful)


def _larger(warm: Eigen, audit: Eigen, lanes: npt.NDArray[np.intp]) -> Eigen:
    """``warm`` with the audited lanes' answers replaced where the audit found more; products of both count."""
    wins = np.flatnonzero(np.isfinite(audit.value) & (audit.value > warm.value[lanes]))
    values, residuals, rule = warm.values.copy(), warm.residuals.copy(), warm.rule.copy()
    products = warm.products.copy()
    products[lanes] += audit.products
    values[lanes[wins]], residuals[lanes[wins]] = audit.values[wins], audit.residuals[wins]
    rule[lanes[wins]] = audit.rule[wins]
    vector, blend = warm.vector.clone(), warm.blend.clone()
    to, of = (torch.from_numpy(i).to(vector.device) for i in (lanes[wins], wins))
    vector[to], blend[to] = audit.vector[of], audit.blend[of]
    return Eigen(values, residuals, vector, blend, products, rule)
