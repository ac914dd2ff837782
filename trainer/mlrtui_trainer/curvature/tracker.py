"""Sharpness along training: from the last Ritz vectors, with audits against what grows where none of them points."""

from copy import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.ahead import Foresight
from mlrtui_trainer.curvature.lanczos import NEXT, Eigen, largest, start_vectors
from mlrtui_trainer.curvature.operators import Operator
from mlrtui_trainer.curvature.subspace import Last, followed

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
NOISE = 1.0
"""Length of the random part of the last row of a block: what is orthogonal to all kept vectors would never be found."""

MORE_PRODUCTS = 10
"""Products by which the budget grows for every eigenvalue beyond the first."""

TIGHT_BUDGET = 5
"""Factor on the budget of a solve that is judged by its residual."""

AUDIT_EVERY = 30
"""Measurements of a lane between two with a random direction of their own, which are judged as strictly as can be."""


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
        self._rows, self._size = min(top + NEXT, size), size
        self._seeds, self._dtype, self._device = seeds, dtype, device
        draws = [start_vectors(distinct, size, dtype, device, row) for row in range(self._rows)]
        self._random = torch.stack(draws, dim=1)  # [nets, rows, size]
        self._net = torch.tensor([distinct.index(seed) for seed in seeds], device=device)
        self._tolerance, self._top, self._estimate = tolerance, top, estimate
        self._foresight = Foresight() if torch.device(device).type != "cpu" else None
        self._space: Tensor | None = None  # [lanes, rows, size]
        self._value = np.full(len(seeds), np.nan)
        self._measured = np.zeros(len(seeds), dtype=np.int64)

    def measure(
        self, operator: Operator, lanes: Tensor | None = None, *, numbers: npt.NDArray[np.intp] | None = None
    ) -> Eigen:
        """The largest eigenvalues of the operator of these lanes (all without numbers).

        ``numbers``: the lanes as the host knows them, who would else ask the device.

        The first measurement must be of all lanes.
        """
        if self._space is None:
            start, most = self._random[self._net, 0], self._most(COLD_PRODUCTS)
            found = largest(operator, start, self._tolerance, most, top=self._top, such="training")
            self._space, self._value = found.space.clone(), found.value.copy()
            self._measured += 1
            return found
        at = np.arange(len(self._value)) if lanes is None else lanes.cpu().numpy() if numbers is None else numbers
        audits = self._measured[at] % AUDIT_EVERY == 0
        last = Last(self._value[at], audits) if self._estimate else None
        block = self._block(self._space if lanes is None else self._space[lanes], at, audits)
        most, foresight = self._most(WARM_PRODUCTS), self._foresight
        found = followed(operator, block, self._tolerance, most, top=self._top, last=last, foresight=foresight)
        self._value[at] = found.value
        self._measured[at] += 1
        self._space = found.space if lanes is None else self._space.index_copy(0, lanes, found.space)
        return found

    def select(self, keep: Tensor, *, once: bool = False) -> "Tracker":
        """A tracker that goes on from here for the lanes with these numbers; ``once``: for a single measurement."""
        part, at = copy(self), keep.cpu().numpy()
        if once and self._foresight is not None:
            part._foresight = Foresight(records=False)
        part._net, part._value, part._measured = self._net[keep], self._value[at], self._measured[at]
        part._seeds = [self._seeds[i] for i in at]
        part._space = None if self._space is None else self._space[keep]
        return part

    def _most(self, products: int) -> int:
        """The budget of a solve."""
        return (products + MORE_PRODUCTS * (self._top - 1)) * (1 if self._estimate else TIGHT_BUDGET)

    def _block(self, space: Tensor, at: npt.NDArray[np.intp], audits: npt.NDArray[np.bool_]) -> Tensor:
        """What the lanes at these places start from, [lanes, rows, size]."""
        random = self._random[self._net[torch.from_numpy(at).to(self._net.device)]]
        finite = space.sum(2, keepdim=True).isfinite()  # a lane that overflowed starts anew
        block = torch.where(finite, space, random)
        noise = NOISE * random[:, 0]
        for i in np.flatnonzero(audits):
            draw = self._rows + int(self._measured[at[i]]) // AUDIT_EVERY
            noise[i] = start_vectors([self._seeds[at[i]]], self._size, self._dtype, self._device, draw)[0]
        block[:, -1] += noise
        return block
