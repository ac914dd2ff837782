"""Where the search for η* of a net starts: near the edge of stability, or where the nets that are done say.

Only how many trainings a search takes depends on it; a rate is kept once it is chosen, so that a resumed sweep asks the
same questions.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, log, log1p, sqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mlrtui.config.sections import SearchSection
from mlrtui.planning import Cell, CellPlan, LoopCell
from mlrtui_db.axes import SIZES
from mlrtui_db.records import NetLambdas
from mlrtui_trainer.losses import LOSS_KINDS
from mlrtui_trainer.optimizers import OPTIMIZERS

__all__ = ["Starts", "kind_of"]

NEWER = 1.02
"""A fit is taken anew once so many times as many nets are known: large grids would spend their time on it."""


class Base(Protocol):
    """What is known of the net that a fork starts from."""

    eta_star: float | None
    lambdas: NetLambdas | None


class Starts:
    """The rates at which the searches of a sweep start, from what has been learnt so far.

    With ``start = "fit"``: ln η* as a plane in ln(depth + 1) and ln width, through the nets that are done and differ in
    nothing else, as soon as their cells are one more than the plane needs, and span what is asked for.
    """

    def __init__(self, search: SearchSection) -> None:
        self._search = search
        self._known: dict[Hashable, list[tuple[tuple[float, ...], float]]] = {}
        self._fits: dict[Hashable, tuple[int, _Fit | None]] = {}  # through so many nets

    @property
    def learns(self) -> bool:
        """Whether nets that are done say where others start: it is then worth waiting for them."""
        return self._search.start == "fit"

    def in_order(self, plans: Iterable[Cell]) -> list[Cell]:
        """The order in which cells are worked on: the grid's; where it learns, each kind's corners come first."""
        plans = list(plans)
        if not self.learns:
            return plans
        spans: dict[Hashable, tuple[set[int], set[int]]] = {}
        for plan in plans:
            depths, widths = spans.setdefault(kind_of(plan), (set(), set()))
            depths.add(plan.depth)
            widths.add(plan.width)

        def inside(plan: Cell) -> bool:
            depths, widths = spans[kind_of(plan)]
            return plan.depth not in (min(depths), max(depths)) or plan.width not in (min(widths), max(widths))

        return sorted(plans, key=inside)

    def learn(self, plan: Cell, eta_star: float) -> None:
        """A net of this cell is done, and its η* is not censored."""
        self._known.setdefault(kind_of(plan), []).append((_place(plan), log(eta_star)))

    def rate(self, plan: Cell, lambda0: float | None) -> float:
        """Where a net with this λ₀ starts; without one in the middle of the range, in equal ratios."""
        given = self._search.start
        rate = given if isinstance(given, float) else self._predicted(plan) if self.learns else None
        if rate is None and lambda0 and isinstance(plan, CellPlan):
            rate = (OPTIMIZERS[plan.train.optimizer].start or 2 * LOSS_KINDS[plan.train.loss].start) / lambda0
        elif rate is None:
            rate = sqrt(self._search.eta_min * self._search.eta_max)
        return min(max(rate, self._search.eta_min), self._search.eta_max)

    def of_fork(self, base: "Base | None", sharpness: float | None) -> float | None:
        """Where a fork of a net starts: as many times above the edge as η* of the net was; None: elsewhere."""
        if base is None or base.eta_star is None or base.lambdas is None or sharpness is None:
            return None
        rate = base.eta_star * base.lambdas.preconditioned / sharpness
        return min(max(rate, self._search.eta_min), self._search.eta_max) if rate > 0.0 else None

    def _predicted(self, plan: Cell) -> float | None:
        kind = kind_of(plan)
        known = self._known.get(kind, [])
        count, fit = self._fits.get(kind, (-1, None))
        if len(known) > NEWER * count:
            fit = _Fit.through(known)
            self._fits[kind] = len(known), fit
        return None if fit is None else fit.at(_place(plan))


@dataclass(frozen=True)
class _Fit:
    """A plane through the places of some cells."""

    span: npt.NDArray[np.float64]  # [3 or fewer, 3]: the triangle of the cells, which spans what they do, however many
    rank: int
    slopes: npt.NDArray[np.float64]  # [3]
    rtol: float  # a singular value below this part of the largest is rounding

    @classmethod
    def through(cls, known: Sequence[tuple[tuple[float, ...], float]]) -> "_Fit | None":
        """The plane of least squares; None where the cells are no more than it needs."""
        known = sorted(known)  # in whatever order they were learnt
        cells = np.array(sorted({where for where, _ in known}))
        rank = int(np.linalg.matrix_rank(cells)) if len(cells) else 0
        if len(cells) <= rank:
            return None
        slopes, *_ = np.linalg.lstsq(np.array([at for at, _ in known]), np.array([y for _, y in known]), rcond=None)
        span: npt.NDArray[np.float64] = np.linalg.qr(cells)[1]
        return cls(span, rank, slopes, np.finfo(np.float64).eps * (len(cells) + 1))

    def at(self, place: tuple[float, ...]) -> float | None:
        """η* there; None beyond what the cells span."""
        if self.rank < len(place):
            values = np.linalg.svd(np.vstack([self.span, place]), compute_uv=False)
            if np.count_nonzero(values > self.rtol * values[0]) > self.rank:
                return None
        return exp(float(self.slopes @ place))


def kind_of(plan: Cell) -> Hashable:
    """What cells share that differ in depth and width alone."""
    if isinstance(plan, LoopCell):
        return tuple((name, value) for name, value in plan.values.items() if name not in SIZES)
    return replace(plan.net, depth=0, width=0), plan.train, plan.data


def _place(plan: Cell) -> tuple[float, ...]:
    return 1.0, log1p(plan.depth), log(max(plan.width, 1))
