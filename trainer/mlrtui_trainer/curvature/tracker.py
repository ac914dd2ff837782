"""Sharpness along training: warm starts from the last eigenvector, and cold audits against following a wrong one."""

from copy import copy
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.lanczos import Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator

__all__ = ["AUDIT_DROP", "AUDIT_EVERY", "COLD_PRODUCTS", "NOISE", "WARM_PRODUCTS", "Tracker"]

COLD_PRODUCTS = 60
WARM_PRODUCTS = 20
NOISE = 0.02
"""Length of the random part of a warm start: an eigenvector that has become exactly second would never be left."""

AUDIT_EVERY = 20
AUDIT_DROP = 0.9
"""A value below this part of the last one is solved again from a random start: the top may have been lost."""


class Tracker:
    """The sharpness of some lanes over time. Lanes are numbered as the operators that are measured stack them."""

    def __init__(self, seeds: list[int], size: int, tolerance: float, dtype: torch.dtype, device: str) -> None:
        distinct = list(dict.fromkeys(seeds))
        self._random = start_vectors(distinct, size, dtype, device)  # [nets, size]
        self._net = torch.tensor([distinct.index(seed) for seed in seeds], device=device)
        self._tolerance = tolerance
        self._vector: Tensor | None = None  # [lanes, size]
        self._value = np.full(len(seeds), np.nan)
        self._measured = 0

    def measure(self, operator: Operator) -> Eigen:
        """The operator's largest eigenvalue per lane; of warm solve and audit, the larger."""
        cold = self._random[self._net]  # [lanes, size]
        if self._vector is None:
            found = largest(operator, cold, self._tolerance, COLD_PRODUCTS)
        else:
            found = largest(operator, self._vector + NOISE * cold, self._tolerance, WARM_PRODUCTS)
            doubtful = self._doubtful(found)
            if doubtful.size:
                keep = torch.from_numpy(doubtful).to(cold.device)
                audit = largest(operator.select(keep), cold[keep], self._tolerance, WARM_PRODUCTS)
                found = _larger(found, audit, doubtful)
        self._vector, self._value = found.vector, found.value
        self._measured += 1
        return found

    def select(self, keep: Tensor) -> "Tracker":
        """A tracker that goes on from here for the lanes with these numbers."""
        part = copy(self)
        part._net, part._value = self._net[keep], self._value[keep.cpu().numpy()]
        part._vector = None if self._vector is None else self._vector[keep]
        return part

    def _doubtful(self, found: Eigen) -> npt.NDArray[np.intp]:
        finite = np.isfinite(found.value)
        if self._measured % AUDIT_EVERY == 0:
            return np.flatnonzero(finite)
        return np.flatnonzero(finite & (found.value < AUDIT_DROP * self._value))


def _larger(warm: Eigen, audit: Eigen, lanes: npt.NDArray[np.intp]) -> Eigen:
    """``warm`` with the audited lanes' answers replaced where the audit found more; products of both count."""
    wins = np.flatnonzero(np.isfinite(audit.value) & (audit.value > warm.value[lanes]))
    value, residual, rule = warm.value.copy(), warm.residual.copy(), warm.rule.copy()
    products, vector = warm.products.copy(), warm.vector.clone()
    products[lanes] += audit.products
    value[lanes[wins]], residual[lanes[wins]] = audit.value[wins], audit.residual[wins]
    rule[lanes[wins]] = audit.rule[wins]
    to, of = (torch.from_numpy(i).to(vector.device) for i in (lanes[wins], wins))
    vector[to] = audit.vector[of]
    return replace(warm, value=value, vector=vector, residual=residual, products=products, rule=rule)
