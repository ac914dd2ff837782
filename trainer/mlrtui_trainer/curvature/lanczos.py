"""The largest algebraic eigenvalues of stacked symmetric operators, by Lanczos with full reorthogonalisation.

A solve starts from one vector, or from several: the eigenvectors of a matrix nearby, all of which get their product
before any other direction does, so that eigenvalues that have crossed are seen. With basis B and open directions F, at
most as many as there were starts, A B = B G + F Cᵀ: the Ritz values are those of G, their residuals the lengths of Cᵀy,
and the next direction is the residual F Cᵀy of the Ritz vector that falls short. From one start that is Lanczos.

Products and basis are in the operator's precision, the small problem in double. Every lane ends by its own numbers and
leaves the batch; nothing that a lane does, a NaN included, reaches another.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.operators import Operator
from mlrtui_trainer.fast import route
from mlrtui_trainer.models.gemm import accumulate_, matmul
from mlrtui_trainer.seeds import generator

__all__ = ["ALONG", "FALL", "MIN_PRODUCTS", "Along", "Eigen", "Floats", "largest", "start_vectors"]

MIN_PRODUCTS = 3
NOISE_EPS = 50.0
"""In units of rounding, of the operator's norm: a new direction that is shorter is rounding."""

_SPANNED = 0.1  # of a start vector, outside the span of those before it: less is left out
_TINY = 1e-300
_LINE = 16  # basis vectors are padded to this many numbers, so that every lane's start on the same boundary

Floats = npt.NDArray[np.float64]


class Along(NamedTuple):
    """When a solve along a training may end; stricter numbers take more products.

    The change of a lane's matrix A since its last measurement is known from the first product, with that time's λ and
    eigenvector v: ‖A v − λ v‖ / |λ|. Where it is small, no eigenvector that was not seen then can have become the
    largest since; where it is large, the solve must look for one.
    """

    change: float  # applies up to this change
    products: float  # at least
    residual: float  # the relative residual at most, in tolerances
    error: float  # the estimated relative error at most, in tolerances
    crowding: float  # the residual of the next value at most, in its distance from the wanted ones
    coupling: float  # or the square of that residual at most, in its distance times λ


ALONG = (
    Along(0.2, MIN_PRODUCTS, 10.0, 0.1, 0.7, 0.5),
    Along(0.5, 7, 5.0, 0.1, 0.5, 0.0),
    Along(np.inf, 9, 1.5, 0.1, 0.5, 0.0),
)
"""By the change. Where nothing was measured before, it counts as infinite: a random start may meet another
eigenvector first."""

FALL = 0.96
"""Below this part of the value before, no change counts as small: another eigenvalue may have taken its place."""


@dataclass(frozen=True)
class Eigen:
    """The largest eigenvalues of each lane. A residual is ‖Av − λv‖ / |λ|, from the recurrence.

    ``rule`` says why a lane stopped: "converged" · "exhausted" (the Krylov space is invariant: exact) · "budget" (not
    converged) · "nonfinite" (a product overflowed: values, residuals and vectors are NaN).
    """

    values: Floats  # [lanes, top], falling; NaN where the Krylov space ended before: repeated ones are found once
    residuals: Floats  # [lanes, top]
    vectors: Tensor  # [lanes, keep, size], unit Ritz vectors of the largest; zero where the Krylov space ended before
    products: npt.NDArray[np.int64]  # [lanes]
    rule: npt.NDArray[np.str_]  # [lanes]

    @property
    def value(self) -> Floats:
        """The largest, [lanes]."""
        return self.values[:, 0]

    @property
    def residual(self) -> Floats:
        """Of the largest, [lanes]."""
        return self.residuals[:, 0]

    @property
    def vector(self) -> Tensor:
        """Of the largest, [lanes, size]."""
        return self.vectors[:, 0]

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Which lanes met the tolerance."""
        return np.isin(self.rule, ("converged", "exhausted"))


def start_vectors(seeds: list[int], size: int, dtype: torch.dtype, device: str) -> Tensor:
    """Random unit vectors [lanes, size], keyed by seed: lanes of one seed get the same."""
    drawn = {seed: generator(seed, "lanczos", 0).standard_normal(size) for seed in dict.fromkeys(seeds)}
    units = np.stack([drawn[seed] / np.linalg.norm(drawn[seed]) for seed in seeds])
    return torch.from_numpy(units).to(dtype).to(device)


def largest(
    operator: Operator,
    start: Tensor,
    tolerance: float,
    max_products: int,
    *,
    top: int = 1,
    keep: int = 1,
    before: Floats | None = None,
) -> Eigen:
    """Solve all lanes for their ``top`` largest eigenvalues, and give the Ritz vectors of the ``keep`` largest.

    ``start`` is [lanes, size], or [lanes, starts, size]: vectors beyond the first that are zero, or lie in the span of
    those before, are left out.

    A lane has converged when, after at least `MIN_PRODUCTS` products, every value has changed by less than half the
    ``tolerance`` twice in a row and its relative residual is at most the ``tolerance``. Along a training, with the
    largest values ``before`` this one [lanes] (NaN: not known), whose eigenvectors come first in ``start``, changes do
    not count, and it ends as `ALONG` says. The estimated error is the smaller of residual and residual²/gap (Kato and
    Temple), by the gap to the nearest value seen. Never raises for a lane's numbers.

    Takes the compiled route where `fast.route` has one for the operator.
    """
    if max_products < 1 or top < 1 or keep < 1:
        raise ValueError("max_products, top and keep must be at least 1")
    start = start if start.ndim == 3 else start[:, None]
    size = start.shape[2]
    most, top = min(max_products, size), min(top, size)
    noise = NOISE_EPS * torch.finfo(start.dtype).eps
    start, counts = _orthonormal(start[:, :most])
    along = None if before is None else (np.array(ALONG), before, FALL * before)
    fast = route.solve(operator, start, counts, route.Rules(most, tolerance, top, keep, noise), along)
    if fast is not None:
        return Eigen(fast.values, fast.residuals, fast.vectors, fast.products, fast.rule)
    run = _Run(operator, start, counts, tolerance, most, (top, keep), before, noise)
    while run.lanes.size:
        run.step()
    return Eigen(run.values, run.residuals, run.vectors, run.products, run.rule)


class _Run:
    """One solve: the basis of the lanes still in it, and the answers of those that left.

    ``frame`` holds a lane's open directions F, then its basis B, as rows; zeros where there is none yet.
    """

    def __init__(
        self,
        operator: Operator,
        start: Tensor,
        counts: npt.NDArray[np.int64],
        tolerance: float,
        max_products: int,
        numbers: tuple[int, int],
        before: Floats | None,
        noise: float,
    ) -> None:
        lanes, starts, self.size = start.shape
        self.operator, self.tolerance, self.before = operator, tolerance, before
        self.top, self.keep = numbers
        self.max_products, self.noise = max_products, noise
        self.lanes = np.arange(lanes)  # who is still in the batch
        self.counts, self.starts = counts, starts  # start vectors of each lane, and at most
        padded = -(-self.size // _LINE) * _LINE
        rows = starts + max(starts, min(8, max_products))
        self.frame = start.new_zeros(lanes, rows, padded)
        self.frame[:, starts : 2 * starts, : self.size] = start
        self.depth = 0  # basis vectors that have their product
        self.small = np.zeros((lanes, max_products, max_products))  # G
        self.open = np.zeros((lanes, max_products, starts))  # C
        self.width = np.zeros(lanes, dtype=np.int64)  # open directions
        self.opened = np.zeros(lanes, dtype=np.bool_)  # whether the last product opened one
        self.change = np.full(lanes, np.inf)
        self.last = np.full((lanes, 2, self.top), np.nan)  # the values of the two products before
        self.values, self.residuals = np.full((lanes, self.top), np.nan), np.full((lanes, self.top), np.nan)
        self.products = np.zeros(lanes, dtype=np.int64)
        self.rule = np.full(lanes, "nonfinite", dtype="<U10")
        self.vectors = start.new_full((lanes, self.keep, self.size), torch.nan)

    def step(self) -> None:
        """One product for every lane in the batch."""
        at, j = self.lanes, self.depth
        w, inside, outside, beta = self._extend()
        self.depth = j + 1
        self.products[at] = j + 1
        finite = np.isfinite(beta) & np.isfinite(inside).all(1) & np.isfinite(outside).all(1)
        if j == 0 and self.before is not None:
            known = self.before[at]
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.hypot(beta, inside[:, 0] - known) / np.abs(known)
            self.change[at] = np.where(np.isfinite(change), change, np.inf)
        self._note(at[finite], inside[finite], outside[finite])
        leaves, target = ~finite, np.zeros(at.size, dtype=np.int64)
        reach = np.zeros((at.size, self.starts, j + 1))  # Cᵀ y of all Ritz vectors
        weights = np.zeros((at.size, j + 1, j + 1))  # the Ritz vectors in the basis, as rows
        if finite.any():
            alive = at[finite]
            values, vectors = np.linalg.eigh(self.small[alive, : j + 1, : j + 1])
            values, s = values[:, ::-1], vectors[:, :, ::-1]  # falling
            floor = self.noise * np.abs(values).max(axis=1)
            self._open(alive, beta[finite], floor)
            found = self.open[alive, : j + 1].swapaxes(1, 2) @ s  # [alive, starts, j + 1]
            error = np.sqrt((found * found).sum(1))  # [alive, j + 1]
            rule, goal = self._rules(alive, values, error, floor)
            self._write(alive, values, error)
            done = rule != ""
            self.rule[alive[done]] = rule[done]
            reach[finite], weights[finite], target[finite] = found, s.swapaxes(1, 2), goal
            leaves[finite] = done
        if leaves.any():
            self._release(leaves & finite, weights)
        stays = ~leaves
        if stays.any():
            self._advance(w, beta, reach[np.arange(at.size), :, target], stays)
        self.lanes = at[stays]

    def _extend(self) -> tuple[Tensor, Floats, Floats, Floats]:
        """A q less its parts in the frame; those along the basis [lanes, basis], along F [lanes, starts]; its length.

        Rows of the basis that are still empty count too, so that a lane's shapes do not depend on others' starts.
        """
        q = self.starts + self.depth
        used = self.frame[:, : max(q + 1, 2 * self.starts)]
        w = torch.zeros_like(self.frame[:, 0])
        w[:, : self.size] = self.operator.apply(self.frame[:, q, : self.size])
        row = w[:, None]  # [lanes, 1, padded]
        first = matmul(row, used.mT)  # [lanes, 1, rows]
        accumulate_(row, first, used, alpha=-1.0)
        second = matmul(row, used.mT)  # once is not enough when w almost lies in the basis
        accumulate_(row, second, used, alpha=-1.0)
        parts = first[:, 0].double() + second[:, 0].double()
        parts = torch.cat([parts, _norm(w)[:, None]], dim=1).cpu().numpy()  # the one time that the device is waited for
        return w, parts[:, self.starts : -1], parts[:, : self.starts], parts[:, -1]

    def _note(self, lanes: npt.NDArray[np.intp], inside: Floats, outside: Floats) -> None:
        """A column of G and a row of C; a direction that was open has its other numbers in G already."""
        j = self.depth - 1
        self.open[lanes, j] = outside
        begins = j < self.counts[lanes]
        starts = lanes[begins]
        if starts.size:
            self.small[starts, : self.starts, j] = inside[begins, : self.starts]
            self.small[starts, j, : self.starts] = inside[begins, : self.starts]
        self.small[lanes, j, j] = inside[:, j]

    def _open(self, lanes: npt.NDArray[np.intp], beta: Floats, floor: Floats) -> None:
        """What is left of the product is open, unless it is rounding."""
        opens = beta > floor
        self.opened[lanes] = opens
        to = lanes[opens]
        self.open[to, self.depth - 1, self.width[to]] = beta[opens]
        self.width[to] += 1

    def _rules(
        self, lanes: npt.NDArray[np.intp], values: Floats, error: Floats, floor: Floats
    ) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
        """Why each lane stops, or ""; and the Ritz vector whose residual comes next. values, error [lanes, depth]."""
        rule = np.full(lanes.size, "", dtype="<U10")
        if self.depth >= self.max_products:
            rule[:] = "exhausted" if self.depth == self.size else "budget"
        met = self._met(lanes, values, error)  # [lanes, at most top + 1]
        if self.depth >= max(MIN_PRODUCTS, self.top):
            rule[met.all(1) & self._enough(lanes, values[:, 0])] = "converged"
        rule[(error <= floor[:, None]).all(1)] = "exhausted"
        rule[self.depth < self.counts[lanes]] = ""
        wanted = met[:, : self.top]
        goal = np.where(wanted.all(1), min(self.top, self.depth - 1), np.argmin(wanted, axis=1))
        at = np.arange(lanes.size)
        return rule, np.where(error[at, goal] > floor, goal, np.argmax(error, axis=1))

    def _enough(self, lanes: npt.NDArray[np.intp], theta: Floats) -> npt.NDArray[np.bool_]:
        """Which lanes have the least number of products."""
        return np.full(lanes.size, True) if self.before is None else self.depth >= self._along(lanes, theta)[:, 1]

    def _along(self, lanes: npt.NDArray[np.intp], theta: Floats) -> Floats:
        """The lanes' rules by their largest values [lanes]; [lanes, fields of `Along`]."""
        assert self.before is not None
        limits = np.array([rule.change for rule in ALONG])
        fallen = ~(theta >= FALL * self.before[lanes])
        return np.array(ALONG)[np.maximum(np.searchsorted(limits, self.change[lanes]), fallen)]

    def _met(self, lanes: npt.NDArray[np.intp], values: Floats, error: Floats) -> npt.NDArray[np.bool_]:
        """Which of the wanted values are good enough, and whether the next one leaves them alone: [lanes, top + 1]."""
        k = min(self.top, self.depth)
        theta = values[:, :k]
        limit = self.tolerance * np.abs(theta)
        if self.before is None:
            seen = self.last[lanes, :, :k]
            changes = np.maximum(np.abs(theta - seen[:, 0]), np.abs(seen[:, 0] - seen[:, 1]))
            settled: npt.NDArray[np.bool_] = (changes <= 0.5 * limit) & (error[:, :k] <= limit)
            return settled
        _, _, residual, estimate, crowding, coupling = self._along(lanes, values[:, 0]).T
        met: npt.NDArray[np.bool_] = error[:, :k] <= residual[:, None] * limit
        met &= _kato_temple(values, error[:, :k]) <= estimate[:, None] * limit
        if self.depth == k:
            return met
        distance = np.maximum(theta[:, -1] - values[:, k], limit[:, -1])
        apart = np.maximum(crowding * distance, np.sqrt(coupling * distance * np.abs(theta[:, -1])))
        return np.concatenate([met, (error[:, k] <= apart)[:, None]], axis=1)

    def _write(self, lanes: npt.NDArray[np.intp], values: Floats, error: Floats) -> None:
        """Values and residuals so far."""
        k = min(self.top, self.depth)
        self.values[lanes, :k] = values[:, :k]
        self.residuals[lanes, :k] = _relative(error[:, :k], values[:, :k])
        at = lanes[self.depth >= self.counts[lanes]]  # starts that wait for their product change a value when they come
        self.last[at, 1] = self.last[at, 0]
        self.last[at, 0, :k] = self.values[at, :k]

    def _release(self, leaves: npt.NDArray[np.bool_], weights: Floats) -> None:
        """Write down the Ritz vectors of the lanes that leave; weights [lanes, depth, depth], a vector a row."""
        index = torch.from_numpy(np.flatnonzero(leaves)).to(self.frame.device)
        at = torch.from_numpy(self.lanes[leaves]).to(self.frame.device)
        basis = self.frame[index, self.starts : self.starts + self.depth]
        for rank in range(self.keep):
            if rank >= self.depth:
                self.vectors[at, rank] = 0.0
                continue
            s = torch.from_numpy(weights[leaves, rank]).to(basis.dtype).to(basis.device)[:, None]  # [leaving, 1, depth]
            ritz = matmul(s, basis)[:, 0, : self.size]  # [leaving, size]
            self.vectors[at, rank] = ritz / _norm(ritz)[:, None].to(ritz.dtype)

    def _advance(self, w: Tensor, beta: Floats, aim: Floats, stays: npt.NDArray[np.bool_]) -> None:
        """Take the next direction of the lanes that stay into the basis: along F ``aim`` [lanes, starts], or a start."""
        lanes, starts = self.lanes[stays], self.starts
        if not stays.all():
            keep = torch.from_numpy(np.flatnonzero(stays)).to(w.device)
            self.frame, w, self.operator = self.frame[keep], w[keep], self.operator.select(keep)
            beta, aim = beta[stays], aim[stays]
        if starts + self.depth == self.frame.shape[1]:
            capacity = starts + min(2 * self.depth, self.max_products)
            grown = self.frame.new_zeros(self.frame.shape[0], capacity, self.frame.shape[2])
            grown[:, : starts + self.depth] = self.frame
            self.frame = grown
        turn = np.zeros((lanes.size, starts + 1, starts))  # the next direction, and what stays open, by rows of F
        opened = self.opened[lanes]
        begins = self.depth < self.counts[lanes]
        turn[begins, 1:] = np.eye(starts)
        turn[~begins, :starts] = _turned(aim[~begins])
        some, slots = np.flatnonzero(opened), self.width[lanes[opened]] - 1
        index, slot = torch.from_numpy(some).to(w.device), torch.from_numpy(slots).to(w.device)
        scale = torch.from_numpy(1.0 / beta[some]).to(w.dtype).to(w.device)
        self.frame[index, slot] = w[index] * scale[:, None]
        turned = matmul(torch.from_numpy(turn).to(w.dtype).to(w.device), self.frame[:, :starts])
        self.frame[:, :starts] = turned[:, 1:]
        self.frame[:, starts + self.depth] += turned[:, 0]
        moved = self.open[lanes, : self.depth] @ turn.swapaxes(1, 2)  # [lanes, depth, starts + 1]
        self.open[lanes, : self.depth] = moved[:, :, 1:]
        goes, new = lanes[~begins], moved[~begins, :, 0]
        self.small[goes, : self.depth, self.depth] = new
        self.small[goes, self.depth, : self.depth] = new
        self.width[goes] -= 1


def _orthonormal(start: Tensor) -> tuple[Tensor, npt.NDArray[np.int64]]:
    """Start vectors [lanes, starts, size] at right angles, those to be left out zero and last; how many are there."""
    rows = list(start.unbind(1))
    lengths = [_norm(row) for row in rows]
    for i, row in enumerate(rows):
        rest = row / lengths[i].clamp_min(_TINY)[:, None].to(row.dtype)
        for _ in range(2 if i else 0):
            for other in rows[:i]:
                rest = rest - (other * rest).sum(1, keepdim=True) * other
        left = _norm(rest)
        rows[i] = torch.where(left > _SPANNED if i else left == left, 1.0 / left, 0.0)[:, None].to(row.dtype) * rest
        lengths[i] = left
    there = torch.stack([left > _SPANNED for left in lengths], dim=1)  # [lanes, starts]
    there[:, 0] = True
    order = torch.argsort(~there, dim=1, stable=True)
    return torch.stack(rows, dim=1).take_along_dim(order[:, :, None], 1), there.sum(1).cpu().numpy()


def _turned(aim: Floats) -> Floats:
    """Orthogonal matrices [lanes, n, n] whose first rows are along ``aim`` [lanes, n]: reflections.

    Where aim ends in zeros, so do all rows but those that are unit vectors there.
    """
    n = aim.shape[1]
    z = aim / np.linalg.norm(aim, axis=1)[:, None]
    if n == 1:
        return z[:, None]
    sign = np.where(z[:, 0] > 0.0, -1.0, 1.0)
    u = z.copy()
    u[:, 0] -= sign
    return np.eye(n) - 2.0 * u[:, :, None] * u[:, None] / (u * u).sum(1)[:, None, None]


def _norm(v: Tensor) -> Tensor:
    """Euclidean length per lane, [lanes, n] → [lanes], summed in double precision."""
    return (v * v).sum(1, dtype=torch.float64).sqrt()


def _relative(error: Floats, value: Floats) -> Floats:
    """error / |value|; 0 where both vanish."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0.0, 0.0, error / np.abs(value))


def _kato_temple(values: Floats, error: Floats) -> Floats:
    """Error estimates [lanes, k] of the first Ritz values of [lanes, depth], falling, with these residual norms."""
    k = error.shape[1]
    none = np.full((len(values), 1), np.inf)
    gaps = np.concatenate([none, values[:, :-1] - values[:, 1:], none], axis=1)  # [lanes, depth + 1]
    gap = np.minimum(gaps[:, :k], gaps[:, 1 : k + 1]) - error
    if values.shape[1] == k:
        gap[:, -1] = 0.0  # nothing is known of the next one
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap > error, error * error / gap, error)
