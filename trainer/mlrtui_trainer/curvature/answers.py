"""What solves along a training have found so far, lane by lane, and when each may stop.

The numbers of a product come in; which lanes leave goes out. Nothing here is on a device: every way to solve asks the
same.
"""

import numpy as np
import numpy.typing as npt

from mlrtui_trainer.curvature.lanczos import MIN_PRODUCTS, Floats, estimated_error, relative, settled
from mlrtui_trainer.curvature.stopping import Last, rules_of

__all__ = ["Answers"]


class Answers:
    """Values, residuals, products and rules of all lanes; ``lanes`` numbers those that have not left."""

    def __init__(
        self, lanes: int, size: int, tolerance: float, max_products: int, top: int, last: Last | None, noise: float
    ) -> None:
        self.lanes = np.arange(lanes)
        self.tolerance, self.top, self.last = tolerance, top, last
        self.size, self.max_products, self.noise = size, max_products, noise
        self.seen = np.full((lanes, 2, top), np.nan)  # the values of the two products before
        self.values, self.residuals = np.full((lanes, top), np.nan), np.full((lanes, top), np.nan)
        self.products = np.zeros(lanes, dtype=np.int64)
        self.rule = np.full(lanes, "nonfinite", dtype="<U10")

    def take(
        self, depth: int, finite: npt.NDArray[np.bool_], values: Floats, vectors: Floats, error: Floats
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Take the numbers of a product, for the lanes that have not left; which of them leave, and what comes next.

        Args:
            depth: products so far.
            finite: [lanes], whose products are finite.
            values: [lanes, depth], Ritz values, falling.
            vectors: [lanes, depth, depth], in the basis, by rows.
            error: [lanes, k], lengths of the residuals of the first ones; k is at most one more than ``top``.

        Returns:
            Which lanes leave, and of which residual each other lane's basis is to grow, [lanes] both.
        """
        rule, wanted = self._judge(depth, values, vectors, error)
        rule[~finite] = "nonfinite"
        leaves = ~finite | (rule != "")
        at = self.lanes[finite]
        found = min(self.top, depth)
        self.products[self.lanes] = depth
        self.values[at, :found] = values[finite, :found]
        self.residuals[at, :found] = relative(error[finite, :found], values[finite, :found])
        self.rule[self.lanes[leaves]] = rule[leaves]
        self.seen[self.lanes, 1] = self.seen[self.lanes, 0]
        self.seen[self.lanes, 0, :found] = values[:, :found]
        return leaves, wanted

    def _judge(
        self, depth: int, values: Floats, vectors: Floats, error: Floats
    ) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
        """Why each lane stops, or "", and by which of the residuals [lanes, k] its basis grows else."""
        lanes, k = self.lanes, error.shape[1]
        top = min(self.top, depth)
        limit = self.tolerance * np.abs(values[:, :top])
        if self.last is None:
            good = settled(values[:, :top], error[:, :top], self.seen[lanes, :, :top], self.tolerance)
            done = good.all(1) & (depth >= MIN_PRODUCTS)
        else:
            turn = np.sqrt(np.maximum(0.0, 1.0 - vectors[:, 0, 0] ** 2))
            rules = rules_of(turn, values[:, 0], self.last.value[lanes], self.last.audits[lanes])
            good = error[:, :top] <= rules.residual[:, None] * limit
            good &= estimated_error(values, error[:, :top]) <= rules.error[:, None] * limit
            done = good.all(1) & (depth >= rules.products)
            if k > top:
                distance = np.maximum(values[:, top - 1] - values[:, top], limit[:, -1])
                done &= error[:, top] <= rules.crowding * distance
        done &= depth >= self.top
        rule = np.full(lanes.size, "", dtype="<U10")
        if depth >= self.max_products:
            rule[:] = "exhausted" if depth == self.size else "budget"
        rule[done] = "converged"
        rounding = error <= self.noise * np.abs(values).max(axis=1, keepdims=True)  # [lanes, k]
        rule[rounding.all(1)] = "exhausted"
        wanted = np.argmin(np.concatenate([good, np.zeros((lanes.size, 1), np.bool_)], axis=1), axis=1)
        wanted = np.minimum(wanted, k - 1)
        no_use = rounding[np.arange(lanes.size), wanted]
        return rule, np.where(no_use, np.argmin(rounding, axis=1), wanted)
