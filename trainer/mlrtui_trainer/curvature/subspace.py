"""The largest eigenvalues along a training: Rayleigh-Ritz on the Ritz vectors of the step before, and on residuals.

Where two eigenvalues cross, the vector of the new top is among those that were kept: it need not be found first. All
products are of the operator at hand; after those with the kept vectors, each further one is with the residual of the
first Ritz vector that is not good enough yet (Davidson's method without a preconditioner; from one vector: Lanczos).
Products and basis are in the operator's precision, the small problem in double. Lanes share nothing.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.ahead import Foresight, solve_ahead
from mlrtui_trainer.curvature.answers import Answers
from mlrtui_trainer.curvature.lanczos import LINE, NOISE_EPS, Eigen, Floats, length
from mlrtui_trainer.curvature.operators import Operator
from mlrtui_trainer.curvature.stopping import Last
from mlrtui_trainer.fast import route
from mlrtui_trainer.fast.records import Stopping
from mlrtui_trainer.models.gemm import accumulate_, matmul

__all__ = ["Last", "followed"]


def followed(
    operator: Operator,
    block: Tensor,
    tolerance: float,
    max_products: int,
    *,
    top: int = 1,
    last: Last | None = None,
    foresight: Foresight | None = None,
) -> Eigen:
    """Solve all lanes for their ``top`` largest eigenvalues from ``block`` [lanes, rows, size].

    The rows of a lane are the Ritz vectors of its last solve, the largest's first; none may be zero. With ``last`` a
    lane stops as `stopping.RULES` says, by the sine of the angle between its largest Ritz vector and the first row.
    Without, it stops as `lanczos.largest` does. Never raises for a lane's numbers; raises ValueError for budgets or
    numbers of values below 1.

    Takes the compiled route where `fast.route` has one for the operator, and on a GPU, with ``foresight``, that of
    `ahead`.
    """
    if max_products < 1 or top < 1:
        raise ValueError("max_products and top must be at least 1")
    size = block.shape[2]
    most, top = min(max_products, size), min(top, size)
    block = block[:, : min(most, block.shape[1])]
    noise = NOISE_EPS * torch.finfo(block.dtype).eps
    fast = route.follow(operator, block, most, Stopping(tolerance, top, noise), last)
    if fast is not None:
        return Eigen(fast.values, fast.residuals, fast.space, fast.products, fast.rule)

    def unanswered() -> Answers:
        return Answers(len(block), size, tolerance, most, top, last, noise)

    if foresight is not None and block.device.type != "cpu":
        ahead = solve_ahead(operator, block, unanswered(), foresight)
        if ahead is not None:
            return ahead
    run = _Run(operator, block, unanswered())
    while run.lanes.size:
        run.step()
    found = run.answers
    return Eigen(found.values, found.residuals, run.space, found.products, found.rule)


class _Run:
    """One solve: basis and products of the lanes still in it, and the answers of those that left."""

    def __init__(self, operator: Operator, block: Tensor, answers: Answers) -> None:
        lanes, self.rows, self.size = block.shape
        self.operator, self.answers = operator, answers
        self.top, self.max_products = answers.top, answers.max_products
        max_products = self.max_products
        padded = -(-self.size // LINE) * LINE
        self.start = block.new_zeros(lanes, self.rows, padded)
        self.start[:, :, : self.size] = block
        self.basis = block.new_zeros(lanes, min(8, max_products), padded)  # [lanes, capacity, padded]
        self.pulled = torch.zeros_like(self.basis)  # A times the basis
        self.small = np.zeros((lanes, max_products, max_products))  # the operator in the basis
        self.depth = 0  # basis vectors in use
        self.direction = self.start[:, 0]  # [lanes, padded], what the basis grows by
        self.space = block.new_full((lanes, self.rows, self.size), torch.nan)

    @property
    def lanes(self) -> npt.NDArray[np.intp]:
        """Who is still in the batch."""
        return self.answers.lanes

    def step(self) -> None:
        """One product for every lane in the batch."""
        finite = self._extend()
        if self.depth < self.rows:
            self._keep(finite)
            if self.lanes.size:
                self.direction = self.start[:, self.depth]
            return
        small = np.where(finite[:, None, None], self.small[self.lanes, : self.depth, : self.depth], 0.0)
        values, vectors = np.linalg.eigh(small)
        values, vectors = values[:, ::-1].copy(), vectors[:, :, ::-1].swapaxes(1, 2).copy()  # falling; by rows
        k = min(self.top + 1, self.depth)
        residuals = self._residuals(values[:, :k], vectors[:, :k])  # [lanes, k, padded]
        error = _lengths(residuals)  # [lanes, k]
        leaves, wanted = self.answers.take(self.depth, finite, values, vectors, error)
        self._release(leaves & finite, vectors)
        self.direction = residuals[torch.arange(len(wanted)), torch.from_numpy(wanted).to(residuals.device)]
        self._keep(~leaves)

    def _extend(self) -> npt.NDArray[np.bool_]:
        """Take the direction into the basis, with its product; which lanes are finite."""
        j = self.depth
        if j == self.basis.shape[1]:
            grown = self.basis.new_zeros(len(self.basis), min(2 * j, self.max_products), self.basis.shape[2])
            grown[:, :j] = self.basis
            self.basis, grown = grown, torch.zeros_like(grown)
            grown[:, :j] = self.pulled
            self.pulled = grown
        row = _unit(self.direction)[:, None]  # [lanes, 1, padded]
        if j:
            used = self.basis[:, :j]
            for _ in range(2):  # once is not enough when the direction almost lies in the basis
                accumulate_(row, matmul(row, used.mT), used, alpha=-1.0)
            row = _unit(row[:, 0])[:, None]
        self.basis[:, j] = row[:, 0]
        self.pulled[:, j, : self.size] = self.operator.apply(row[:, 0, : self.size])
        along = matmul(self.pulled[:, j : j + 1], self.basis[:, : j + 1].mT)[:, 0].double().cpu().numpy()
        self.small[self.lanes, j, : j + 1] = self.small[self.lanes, : j + 1, j] = along
        self.depth = j + 1
        self.answers.products[self.lanes] = j + 1
        finite: npt.NDArray[np.bool_] = np.isfinite(along).all(1)
        return finite

    def _residuals(self, values: Floats, vectors: Floats) -> Tensor:
        """A u − θ u of these values [lanes, k] and vectors in the basis [lanes, k, depth]."""
        like = self.basis
        weights = torch.from_numpy(vectors).to(like.dtype).to(like.device)
        theta = torch.from_numpy(values).to(like.dtype).to(like.device)
        ritz = matmul(weights, self.basis[:, : self.depth])
        return matmul(weights, self.pulled[:, : self.depth]) - theta[:, :, None] * ritz

    def _release(self, leaves: npt.NDArray[np.bool_], vectors: Floats) -> None:
        """Write down the Ritz vectors of the lanes that leave; vectors [lanes, depth, depth] in the basis, by rows."""
        if not leaves.any():
            return
        like = self.basis
        index = torch.from_numpy(np.flatnonzero(leaves)).to(like.device)
        weights = torch.from_numpy(vectors[leaves, : self.rows]).to(like.dtype).to(like.device)
        ritz = matmul(weights, self.basis[index, : self.depth])[:, :, : self.size]  # [leaving, rows, size]
        scale = length(ritz.reshape(-1, self.size)).reshape(len(index), -1, 1).to(ritz.dtype)
        self.space[torch.from_numpy(self.lanes[leaves]).to(like.device)] = ritz / scale

    def _keep(self, stays: npt.NDArray[np.bool_]) -> None:
        """Go on with these of the lanes in the batch."""
        if stays.all():
            return
        self.answers.lanes = self.lanes[stays]
        if not stays.any():
            return
        keep = torch.from_numpy(np.flatnonzero(stays)).to(self.basis.device)
        self.basis, self.pulled, self.start = self.basis[keep], self.pulled[keep], self.start[keep]
        self.direction, self.operator = self.direction[keep], self.operator.select(keep)


def _unit(v: Tensor) -> Tensor:
    """Unit vectors along these, [lanes, n]."""
    return v / length(v)[:, None].to(v.dtype)


def _lengths(v: Tensor) -> Floats:
    """Euclidean lengths [lanes, k] of vectors [lanes, k, n]."""
    lengths: Floats = length(v.reshape(-1, v.shape[2])).reshape(v.shape[:2]).cpu().numpy()
    return lengths
