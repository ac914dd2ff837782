"""Solves along a training on a GPU with one wait of the host: products are made ahead, and judged afterwards.

The general way (`subspace`) asks the host after every product which residual comes next. Here the basis grows by a rule
that needs no answer: after the two kept Ritz vectors come the products of their best combination and of the other one,
and then those of each new vector (Lanczos), all orthogonalised against the whole basis. As many products as are
foreseen are made at once; then the small matrices come to the host, which judges after every one of them as the
general way does: a lane's answer is that of the product that it needs. Only for a lane that needs more than was
foreseen does the host wait again.

All of it has fixed shapes, so that the products of nets of ours are recorded once (CUDA graphs) and replayed. Those of
a user's module are not: what it does on the host would happen once, in the recording.
"""

from collections.abc import Callable
from functools import partial
from math import pi

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer import recorded
from mlrtui_trainer.curvature.answers import Answers
from mlrtui_trainer.curvature.lanczos import LINE, Eigen, Floats, length
from mlrtui_trainer.curvature.operators import Operator
from mlrtui_trainer.curvature.stopping import RULES
from mlrtui_trainer.curvature.unasked import Ahead, ahead_of
from mlrtui_trainer.models.gemm import accumulate_, matmul

__all__ = ["FIRST", "Foresight", "solve_ahead"]

FIRST = 4
"""Recorded products after which a solve may be looked at; then at twice as many, and so on."""

MORE = 2
"""Products between two looks where they are not recorded, and each may take long."""

BEST, OTHER = 2, 4
"""Places in a basis that starts from two vectors of what comes from the better of their combinations, and from the
other one, whose residual must show that no third value is larger."""

SPARE = 0.75
"""Part of a recording's lanes that must be in use."""

LENGTHS_OF_ROUNDING = 50.0
"""A vector that is shorter than so many roundings, of a unit, once the basis is taken out of it is rounding."""


class Foresight:
    """What one tracker's solves on a GPU have in common: how many products are foreseen, and recordings of them."""

    def __init__(self, *, records: bool = True) -> None:
        """Without ``records`` nothing is recorded: for solves that come once."""
        self._records = records
        self._foreseen = 2 * FIRST  # after a solve at the start the vectors have turned
        self._recording: _Recording | None = None

    def products(self, rows: int, most: int, *, strict: bool, fixed: bool = True) -> int:
        """How many products come before the first wait; ``strict``: some lane is judged as strictly as can be."""
        return _stop(max(self._foreseen, rows, int(RULES[-1].products) if strict else 0), most, fixed)

    def learn(self, products: npt.NDArray[np.int64]) -> None:
        """Take what the lanes of a solve needed: a calm training's next step needs as many."""
        self._foreseen = max(int(products.max(initial=0)), self._foreseen - 1)

    def work(self, ahead: Ahead, block: Tensor, top: int, most: int) -> "_Work":
        """Memory and products of a solve from ``block`` [lanes, rows, size], recorded where that is worth its while."""
        if not (self._records and ahead.recordable and recorded.in_use(block.device)):
            ahead.renew()
            return _Work(ahead, block, top, most)
        used = self._recording
        if used is None or not used.fits(ahead, block, top, most):
            self._recording = None  # its memory first
            used = self._recording = _Recording(ahead, block, top, most)
        used.load(ahead, block)
        return used


def solve_ahead(operator: Operator, block: Tensor, answers: Answers, foresight: Foresight) -> Eigen | None:
    """What `subspace.followed` answers, with as few waits as can be; None where it must be done in the general way.

    That is where a fully connected net's outputs are too large for single precision, its products overflow on the way,
    or its space is exhausted before its rules are met.
    """
    ahead = ahead_of(operator)
    if ahead is None:
        return None
    rows, most = block.shape[1], answers.max_products
    strict = answers.last is None or bool(answers.last.audits.any())
    work = foresight.work(ahead, block, answers.top, most)
    weights = np.zeros((len(block), rows, most))  # of the Ritz vectors in the basis
    depth = rows - 1
    fixed = isinstance(work, _Recording)
    count = foresight.products(rows, most, strict=strict, fixed=fixed)
    while answers.lanes.size:
        seen = work.look(count)
        if seen is None or not _judge(answers, seen, weights, (max(depth + 1, rows), count)):
            return None
        depth, count = count, _stop(count + (1 if fixed else MORE), most, fixed)
    foresight.learn(answers.products)
    space = work.combined(weights[:, :, :depth])
    return Eigen(answers.values, answers.residuals, space, answers.products, answers.rule)


def _stop(products: int, most: int, fixed: bool = True) -> int:
    """The first number of products, of those after which one may look, that is as large as this: of recorded ones few,
    since each needs its recording; else any."""
    if not fixed:
        return min(products, most)
    stop = FIRST
    while stop < products:
        stop *= 2
    return min(stop, most)


class _Seen:
    """What the host gets of some products: the operator in the basis, and what of its products lies outside."""

    def __init__(self, small: Floats, outside: Floats, kept: Floats, noise: float) -> None:
        self.small = small  # [lanes, depth, depth]: (A vᵢ) · vⱼ
        self.outside = outside  # [lanes, depth, depth]: products of what of A vᵢ lies outside the basis
        # [lanes, depth]: whether a vector was more than rounding before it was made a unit
        self.new: npt.NDArray[np.bool_] = np.asarray(kept > noise, dtype=np.bool_)
        self.new[:, 0] = True

    def pairs(
        self, lanes: npt.NDArray[np.intp], depth: int, k: int
    ) -> tuple[npt.NDArray[np.bool_], Floats, Floats, Floats]:
        """After so many products: which lanes are finite, Ritz values and vectors, and the lengths of k residuals."""
        part = self.small[lanes, :depth]  # [lanes, depth, whole depth]
        finite: npt.NDArray[np.bool_] = np.asarray(np.isfinite(part[:, :, :depth]).all((1, 2)), dtype=np.bool_)
        own = np.where(finite[:, None, None], part[:, :, :depth], 0.0)
        values, vectors = np.linalg.eigh(own)  # reads the lower triangle
        values, vectors = values[:, ::-1].copy(), vectors[:, :, ::-1].swapaxes(1, 2).copy()  # falling; by rows
        s = vectors[:, :k]
        later = s @ part[:, :, depth:]  # along vectors that came later
        beyond = np.einsum("lki,lij,lkj->lk", s, self.outside[lanes, :depth, :depth], s)
        error = np.sqrt((later * later).sum(2) + np.maximum(beyond, 0.0))
        return finite, values, vectors, error


def _judge(answers: Answers, seen: _Seen, weights: Floats, span: tuple[int, int]) -> bool:
    """Judge the lanes after each of these products; False where one can neither stop nor go on."""
    for depth in range(span[0], span[1] + 1):
        lanes = answers.lanes
        if not lanes.size:
            return True
        if not seen.new[lanes, :depth].all():
            return False
        with np.errstate(invalid="ignore", over="ignore"):  # of lanes that overflowed later
            finite, values, vectors, error = seen.pairs(lanes, depth, min(answers.top + 1, depth))
        if depth > weights.shape[1] and not finite.all():
            return False  # a product that overflowed later has spoilt what would have been an answer
        leaves, _ = answers.take(depth, finite, values, vectors, error)
        found = vectors[leaves, : weights.shape[1]]
        found[~finite[leaves]] = np.nan
        weights[lanes[leaves], :, :depth] = found
        answers.lanes = lanes[~leaves]
    return True


class _Work:
    """The basis of some lanes and its products; every method but `look` leaves the host free."""

    def __init__(self, ahead: Ahead, block: Tensor, top: int, most: int) -> None:
        self.lanes, self.rows, self.size = block.shape
        self.top, self.most = top, most
        self.ahead = ahead
        self.depth = 0  # vectors of the basis
        padded = -(-self.size // LINE) * LINE
        self.start = block.new_zeros(self.lanes, self.rows, padded)
        self.start[:, :, : self.size] = block
        self.basis = block.new_zeros(self.lanes, 0, padded)  # [lanes, capacity, padded]
        self.pulled = self.basis  # A times the basis
        self.kept = torch.zeros(self.lanes, 0, dtype=torch.float64, device=block.device)

    def look(self, count: int) -> _Seen | None:
        """So many products in all, and the one wait; None where outputs are too large for this."""
        self._reach(count)
        basis, pulled = self.basis[: self.lanes, :count], self.pulled[: self.lanes, :count]
        small = matmul(pulled, basis.mT)  # [lanes, count, count]
        outside = torch.baddbmm(pulled, small, basis, alpha=-1.0)
        beyond = matmul(outside, outside.mT)
        large = self.ahead.large[: self.lanes, None, None].double().expand(-1, count, 1)
        parts = [small.double(), beyond.double(), self.kept[: self.lanes, :count, None], large]
        table: Floats = torch.cat(parts, dim=2).cpu().numpy()
        if (table[:, :, -1] > 0.0).any():
            return None
        noise = LENGTHS_OF_ROUNDING * torch.finfo(basis.dtype).eps
        return _Seen(table[:, :, :count], table[:, :, count : 2 * count], table[:, :, -2], noise)

    def combined(self, weights: Floats) -> Tensor:
        """Unit vectors [lanes, rows, size] of these combinations [lanes, rows, depth] of the basis."""
        s = torch.from_numpy(weights).to(self.basis.dtype).to(self.basis.device)
        ritz = matmul(s, self.basis[: self.lanes, : weights.shape[2]])[:, :, : self.size]
        scale = length(ritz.reshape(-1, self.size)).reshape(self.lanes, -1, 1).to(ritz.dtype)
        return ritz / scale

    def _reach(self, count: int) -> None:
        self._grow(count)
        self._products(self.ahead.operator, self.depth, count)
        self.depth = count

    def _grow(self, count: int) -> bool:
        """Have space for so many vectors; whether memory was taken anew."""
        old = self.basis.shape[1]
        if count <= old:
            return False
        for name in ("basis", "pulled", "kept"):
            less = getattr(self, name)
            more = less.new_zeros(less.shape[0], count, *less.shape[2:])
            more[:, :old] = less
            setattr(self, name, more)
        return True

    def _products(self, operator: Operator, first: int, count: int) -> None:
        """Make these vectors of the basis, and the product of each."""
        for j in range(first, count):
            row = _unit(self._direction(j))[:, None]  # [lanes, 1, padded]
            if j:
                used = self.basis[:, :j]
                for _ in range(2):  # once is not enough when the direction almost lies in the basis
                    accumulate_(row, matmul(row, used.mT), used, alpha=-1.0)
                self.kept[:, j] = length(row[:, 0])
                row = _unit(row[:, 0])[:, None]
            self.basis[:, j] = row[:, 0]
            self.pulled[:, j, : self.size] = operator.apply(row[:, 0, : self.size])

    def _direction(self, j: int) -> Tensor:
        """What the basis grows by; [lanes, padded]."""
        if j < self.rows:
            return self.start[:, j]
        if self.rows != 2:
            return self.pulled[:, j - self.rows]  # every kept vector's in turn
        if j in (BEST, OTHER):
            return self._of_kept(j == OTHER)
        turn = (j - BEST) % 3  # two products from the best one on, then one from the other
        return self.pulled[:, j - (2, 1, 3)[turn]]

    def _of_kept(self, other: bool) -> Tensor:
        """The product of the best combination of two kept vectors, or of the other one; [lanes, padded].

        Their small matrix has its vectors in closed form.
        """
        a, c = ((self.pulled[:, i] * self.basis[:, i]).sum(1, dtype=torch.float64) for i in (0, 1))
        b = (self.pulled[:, 1] * self.basis[:, 0]).sum(1, dtype=torch.float64)
        angle = 0.5 * torch.atan2(2.0 * b, a - c) + (0.5 * pi if other else 0.0)
        one, two = (part.to(self.pulled.dtype)[:, None] for part in (angle.cos(), angle.sin()))
        return one * self.pulled[:, 0] + two * self.pulled[:, 1]


class _Recording(_Work):
    """The same for a fixed number of lanes in memory of its own, recorded; lanes beyond those of a solve lie idle."""

    def __init__(self, ahead: Ahead, block: Tensor, top: int, most: int) -> None:
        super().__init__(ahead.in_own_memory(), block, top, most)
        self._whole = self.lanes
        self._segments: dict[tuple[int, int], Callable[[], None]] = {}

    def fits(self, ahead: Ahead, block: Tensor, top: int, most: int) -> bool:
        """Whether it is worth its while for this solve."""
        lanes, rows, _ = block.shape
        same = (rows, top, most) == (self.rows, self.top, self.most)
        return same and SPARE * self._whole <= lanes <= self._whole and self.ahead.is_alike(ahead)

    def load(self, ahead: Ahead, block: Tensor) -> None:
        """Begin a solve of these lanes."""
        self.lanes, self.depth = len(block), 0
        self.ahead.load(ahead)
        self.start[: self.lanes, :, : self.size].copy_(block)

    def _reach(self, count: int) -> None:
        if self._grow(count):
            self._segments.clear()  # they work in the old memory
            if self.depth:
                self._products(self.ahead.operator, self.depth, count)
                self.depth = count
                return
        while self.depth < count:
            stop = min(_stop(self.depth + 1, self.most), count)
            segment = (self.depth, stop)
            if segment not in self._segments:
                self._segments[segment] = recorded.record(partial(self._segment, *segment), self.basis.device)
            self._segments[segment]()
            self.depth = stop

    def _segment(self, first: int, stop: int) -> None:
        """Forward pass and signals of the weights in our memory, at the first; and the products."""
        if first == 0:
            self.ahead.renew()
        self._products(self.ahead.operator, first, stop)


def _unit(v: Tensor) -> Tensor:
    """Unit vectors along these, [lanes, n]; zero where one is."""
    return v / length(v).clamp_min(torch.finfo(v.dtype).tiny)[:, None].to(v.dtype)
