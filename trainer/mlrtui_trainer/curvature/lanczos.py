"""The largest algebraic eigenvalues of stacked symmetric operators, by Lanczos with full reorthogonalisation.

Products and basis are in the operator's precision, the small tridiagonal problem in double. Every lane ends by its own
numbers and leaves the batch; nothing that a lane does, a NaN included, reaches another.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.operators import Operator
from mlrtui_trainer.fast import route
from mlrtui_trainer.fast.records import Stopping
from mlrtui_trainer.models.gemm import accumulate_, matmul
from mlrtui_trainer.seeds import generator

__all__ = [
    "AHEAD",
    "FORESEEN",
    "LINE",
    "MIN_PRODUCTS",
    "NOISE_EPS",
    "Eigen",
    "Floats",
    "estimated_error",
    "largest",
    "length",
    "relative",
    "settled",
    "start_vectors",
]

MIN_PRODUCTS = 3
NOISE_EPS = 50.0
"""In units of rounding, of the operator's norm: a new direction that is shorter is rounding."""

FORESEEN = 16
"""Products of a solve on a GPU before the host looks at any, where no solve before tells how many are needed."""

AHEAD = 4
"""Products between that look and the next one, at least: the last ones may be in vain, and change no answer."""

_needed: dict[tuple[str, int, int, float], int] = {}  # by the last such solve on a GPU; says when to look, only

LINE = 16  # basis vectors are padded to this many numbers, so that every lane's start on the same boundary

NEXT = 1
"""Values below those that are wanted whose vectors are kept: where two cross, the new one is known already."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Eigen:
    """The largest eigenvalues of each lane. A residual is ‖Av − λv‖ / |λ|, from the recurrence.

    ``rule`` says why a lane stopped: "converged" · "exhausted" (the Krylov space is invariant: exact) · "budget" (not
    converged) · "nonfinite" (a product overflowed: values and residuals are NaN).
    """

    values: Floats  # [lanes, top], falling; NaN where the Krylov space ended before: repeated ones are found once
    residuals: Floats  # [lanes, top]
    space: Tensor  # [lanes, rows, size], unit vectors of the largest, from which a later solve starts; NaN: not found
    products: npt.NDArray[np.int64]  # [lanes]
    rule: npt.NDArray[np.str_]  # [lanes]

    @property
    def value(self) -> Floats:
        """The largest, [lanes]."""
        return self.values[:, 0]

    @property
    def vector(self) -> Tensor:
        """Of the largest, [lanes, size], unit length."""
        return self.space[:, 0]

    @property
    def residual(self) -> Floats:
        """Of the largest, [lanes]."""
        return self.residuals[:, 0]

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Which lanes met the tolerance."""
        return np.isin(self.rule, ("converged", "exhausted"))


def start_vectors(seeds: list[int], size: int, dtype: torch.dtype, device: str, draw: int = 0) -> Tensor:
    """Random unit vectors [lanes, size], keyed by seed and draw: lanes of one seed get the same."""
    drawn = {seed: generator(seed, "lanczos", draw).standard_normal(size) for seed in dict.fromkeys(seeds)}
    units = np.stack([drawn[seed] / np.linalg.norm(drawn[seed]) for seed in seeds])
    return torch.from_numpy(units).to(dtype).to(device)


def largest(
    operator: Operator,
    start: Tensor,
    tolerance: float,
    max_products: int,
    *,
    top: int = 1,
    recurrence: bool = False,
    such: str = "",
) -> Eigen:
    """Solve all lanes from ``start`` [lanes, size] for their ``top`` largest eigenvalues.

    A lane has converged when, after at least `MIN_PRODUCTS` products, every value has changed by less than half the
    ``tolerance`` twice in a row and its relative residual is at most the ``tolerance``. The vectors of the ``top`` and
    of `NEXT` values below them are kept. Never raises for a lane's numbers; raises ValueError for budgets or numbers of
    values below 1.

    With ``recurrence`` the three-term recurrence takes the place of the first of two passes of reorthogonalisation:
    as orthogonal, for half of the work on a long basis, and other last digits.

    ``such``: what solves are alike. On a GPU the host first looks after as many products as the last such one needed.

    Takes the compiled route where `fast.route` has one for the operator.
    """
    if max_products < 1 or top < 1:
        raise ValueError("max_products and top must be at least 1")
    most, top = min(max_products, start.shape[1]), min(top, start.shape[1])
    noise = NOISE_EPS * torch.finfo(start.dtype).eps
    rows = min(top + NEXT, start.shape[1])
    fast = route.solve(operator, start, most, Stopping(tolerance, top, noise), rows)
    if fast is not None:
        return Eigen(fast.values, fast.residuals, fast.space, fast.products, fast.rule)
    run = _Run(operator, start, tolerance, most, (top, rows), noise, recurrence)
    alike = (such, start.shape[1], top, tolerance)
    run.foreseen = _needed.get(alike, FORESEEN)
    while run.lanes.size:
        run.step()
    if start.device.type != "cpu":
        _needed[alike] = int(run.products.max(initial=MIN_PRODUCTS))
    return Eigen(run.values, run.residuals, run.space, run.products, run.rule)


class _Run:
    """One solve: the basis of the lanes still in it, and the answers of those that left."""

    def __init__(
        self,
        operator: Operator,
        start: Tensor,
        tolerance: float,
        max_products: int,
        wanted: tuple[int, int],
        noise: float,
        recurrence: bool,
    ) -> None:
        lanes, self.size = start.shape
        top, rows = wanted
        self.operator, self.tolerance, self.top, self.rows = operator, tolerance, top, rows
        self.max_products, self.noise, self.recurrence = max_products, noise, recurrence
        self.foreseen = FORESEEN  # products before the first look
        self.lanes = np.arange(lanes)  # who is still in the batch
        padded = -(-self.size // LINE) * LINE
        self.basis = start.new_zeros(lanes, min(8, self.max_products), padded)  # [lanes, capacity, padded]
        self.basis[:, 0, : self.size] = start / length(start)[:, None]
        self.depth = 0  # basis vectors in use
        self.alpha = np.zeros((lanes, self.max_products))
        self.beta = np.zeros((lanes, self.max_products))
        self.last = np.full((lanes, 2, top), np.nan)  # the values of the two products before
        self.values, self.residuals = np.full((lanes, top), np.nan), np.full((lanes, top), np.nan)
        self.products = np.zeros(lanes, dtype=np.int64)
        self.rule = np.full(lanes, "nonfinite", dtype="<U10")
        self.space = start.new_full((lanes, rows, self.size), torch.nan)

    def step(self) -> None:
        """Some products for every lane in the batch, and one wait; a lane leaves at the product that it needs."""
        first, batch = self.depth, self.lanes
        w, found = self._reach(self._ahead())
        places = np.arange(batch.size)  # in the batch, of the lanes that have not left
        for at, (alpha, beta) in enumerate(found):
            self.depth, self.lanes = first + at + 1, batch[places]
            places = places[~self._judge(places, alpha[places], beta[places])]
            if not places.size:
                break
        self.lanes = batch[places]
        if places.size:
            self._advance(w, found[-1, 1], places)

    def _ahead(self) -> int:
        """Products until the next wait. A CPU waits for nothing, and none is made in vain there."""
        if self.recurrence or self.basis.device.type == "cpu":
            return 1
        more = max(AHEAD, self.depth // 2) if self.depth else self.foreseen
        return min(more, self.max_products - self.depth)

    def _judge(self, places: npt.NDArray[np.intp], alpha: Floats, beta: Floats) -> npt.NDArray[np.bool_]:
        """Which of the lanes, at these places in the batch, leave after the product that gave them α and β."""
        j = self.depth - 1
        self.alpha[self.lanes, j], self.beta[self.lanes, j] = alpha, beta
        self.products[self.lanes] = j + 1
        finite = np.isfinite(alpha) & np.isfinite(beta)
        leaves: npt.NDArray[np.bool_] = ~finite
        k = min(self.top, j + 1)
        weights = np.zeros((self.lanes.size, min(self.rows, j + 1), j + 1))  # of the Ritz vectors in the basis
        if finite.any():
            alive = self.lanes[finite]
            values, vectors = np.linalg.eigh(self._tridiagonal(alive))
            values, s = values[:, ::-1], vectors[:, :, ::-1].swapaxes(1, 2)[:, : self.rows]  # falling
            error = beta[finite, None] * np.abs(vectors[:, -1, ::-1])  # [alive, j + 1]
            rule = self._rules(alive, values, error, beta[finite])
            done = rule != ""
            self.rule[alive[done]] = rule[done]
            self.values[alive, :k] = values[:, :k]
            self.residuals[alive, :k] = relative(error[:, :k], values[:, :k])
            self.last[alive, 1] = self.last[alive, 0]
            self.last[alive, 0, :k] = values[:, :k]
            weights[finite] = s
            leaves[finite] = done
        if leaves.any():
            self._release(places, leaves & finite, weights)
        return leaves

    def _reach(self, count: int) -> tuple[Tensor, Floats]:
        """So many products: the last one orthogonalised against the basis, and every one's α and β, [count, 2, lanes].

        Only the last is not in the basis yet: it is known whom it serves once α and β are with the host.
        """
        w, both = self._extend()
        found = [both]
        for j in range(self.depth + 1, self.depth + count):
            self._grow(j)
            torch.mul(w, (1.0 / both[1]).to(w.dtype)[:, None], out=self.basis[:, j])
            self.depth = j
            w, both = self._extend()
            found.append(both)
        return w, torch.stack(found).cpu().numpy()

    def _extend(self) -> tuple[Tensor, Tensor]:
        """A q orthogonalised against the basis, with the tridiagonal's new α and β, [2, lanes]."""
        used = self.basis[:, : self.depth + 1]  # [lanes, depth + 1, padded]
        w = torch.zeros_like(self.basis[:, 0])
        w[:, : self.size] = self.operator.apply(self.basis[:, self.depth, : self.size])
        row = w[:, None]  # [lanes, 1, padded]
        first = self._recurrence(row) if self.recurrence else self._projection(row, used)  # [lanes, 1, columns]
        second = matmul(row, used.mT)  # once is not enough when w almost lies in the basis
        accumulate_(row, second, used, alpha=-1.0)
        alpha = first[:, 0, -1].double() + second[:, 0, -1].double()
        return w, torch.stack([alpha, length(w)])

    def _projection(self, row: Tensor, used: Tensor) -> Tensor:
        """Take the whole basis out of the row; returns its coefficients."""
        first = matmul(row, used.mT)
        accumulate_(row, first, used, alpha=-1.0)
        return first

    def _recurrence(self, row: Tensor) -> Tensor:
        """Take the last two vectors of the basis out of the row; returns the last one's coefficient."""
        q = self.basis[:, self.depth : self.depth + 1]
        first = matmul(row, q.mT)
        accumulate_(row, first, q, alpha=-1.0)
        if self.depth:
            beta = torch.from_numpy(self.beta[self.lanes, self.depth - 1]).to(row.dtype).to(row.device)
            accumulate_(row, beta[:, None, None], self.basis[:, self.depth - 1 : self.depth], alpha=-1.0)
        return first

    def _tridiagonal(self, lanes: npt.NDArray[np.intp]) -> Floats:
        k = self.depth
        t = np.zeros((lanes.size, k, k))
        i = np.arange(k)
        t[:, i, i] = self.alpha[lanes, :k]
        t[:, i[1:], i[:-1]] = self.beta[lanes, : k - 1]  # eigh reads the lower triangle
        return t

    def _rules(self, lanes: npt.NDArray[np.intp], values: Floats, error: Floats, beta: Floats) -> npt.NDArray[np.str_]:
        """Why each lane stops, or "". values and error are [lanes, depth], values falling."""
        rule = np.full(lanes.size, "", dtype="<U10")
        if self.depth >= self.max_products:
            rule[:] = "exhausted" if self.depth == self.size else "budget"
        if self.depth >= max(MIN_PRODUCTS, self.top):
            good = settled(values[:, : self.top], error[:, : self.top], self.last[lanes], self.tolerance)
            rule[good.all(1)] = "converged"
        rule[beta <= self.noise * np.abs(values).max(axis=1)] = "exhausted"
        return rule

    def _release(self, places: npt.NDArray[np.intp], leaves: npt.NDArray[np.bool_], weights: Floats) -> None:
        """Write down the Ritz vectors of the lanes that leave; weights [lanes, rows, depth]."""
        index = torch.from_numpy(places[leaves]).to(self.basis.device)
        at = torch.from_numpy(self.lanes[leaves]).to(self.basis.device)
        for row in range(weights.shape[1]):
            self.space[at, row] = self._combined(index, weights[leaves, row])

    def _combined(self, index: Tensor, weights: Floats) -> Tensor:
        """Unit vectors [leaving, size] of these combinations [leaving, depth] of the basis."""
        s = torch.from_numpy(weights).to(self.basis.dtype).to(self.basis.device)[:, None]  # [leaving, 1, depth]
        whole = len(index) == len(self.basis)  # then there is nothing to choose, which copies the basis
        basis = self.basis[:, : self.depth] if whole else self.basis[index, : self.depth]
        ritz = matmul(s, basis)[:, 0, : self.size]  # [leaving, size]
        return ritz / length(ritz)[:, None].to(ritz.dtype)

    def _advance(self, w: Tensor, beta: Floats, places: npt.NDArray[np.intp]) -> None:
        """Take w / β as the next basis vector of the lanes that stay, by their places in the batch."""
        if places.size < len(w):
            keep = torch.from_numpy(places).to(w.device)
            self.basis, w, self.operator = self.basis[keep], w[keep], self.operator.select(keep)
        self._grow(self.depth)
        scale = torch.from_numpy(1.0 / beta[places]).to(w.dtype).to(w.device)
        torch.mul(w, scale[:, None], out=self.basis[:, self.depth])

    def _grow(self, depth: int) -> None:
        """Have space for a basis vector more than these."""
        if depth == self.basis.shape[1]:
            capacity = min(2 * depth, self.max_products)
            grown = self.basis.new_zeros(self.basis.shape[0], capacity, self.basis.shape[2])
            grown[:, :depth] = self.basis
            self.basis = grown


def length(v: Tensor) -> Tensor:
    """Euclidean length per lane, [lanes, n] → [lanes], summed in double precision."""
    return (v * v).sum(1, dtype=torch.float64).sqrt()


def relative(error: Floats, value: Floats) -> Floats:
    """error / |value|; 0 where both vanish."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0.0, 0.0, error / np.abs(value))


def settled(theta: Floats, error: Floats, seen: Floats, tolerance: float) -> npt.NDArray[np.bool_]:
    """Which values [lanes, top] have changed by less than half the tolerance twice in a row and have a small residual.

    ``seen`` [lanes, 2, top]: the values of the two products before.
    """
    limit = tolerance * np.abs(theta)
    changes = np.maximum(np.abs(theta - seen[:, 0]), np.abs(seen[:, 0] - seen[:, 1]))
    good: npt.NDArray[np.bool_] = (changes <= 0.5 * limit) & (error <= limit)
    return good


def estimated_error(values: Floats, error: Floats) -> Floats:
    """Error estimates [lanes, k] of the first Ritz values of [lanes, depth], falling, with these residual norms."""
    k = error.shape[1]
    none = np.full((len(values), 1), np.inf)
    gaps = np.concatenate([none, values[:, :-1] - values[:, 1:], none], axis=1)  # [lanes, depth + 1]
    gap = np.minimum(gaps[:, :k], gaps[:, 1 : k + 1]) - error
    if values.shape[1] == k:
        gap[:, -1] = 0.0  # nothing is known of the next one
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap > error, error * error / gap, error)
