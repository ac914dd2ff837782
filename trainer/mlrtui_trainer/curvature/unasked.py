"""Operators whose products are made without a question to the host in between, and may be recorded and repeated.

`ahead` makes several products before the host looks at any. For that an operator must have all that its products share
before the first one, in one precision, and where it is recorded, its weights in memory that stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from mlrtui_trainer.curvature.autograd import AutogradCurvature, PieceByPiece
from mlrtui_trainer.curvature.operators import MlpCurvature, Operator, Preconditioned

__all__ = ["Ahead", "ahead_of"]


class Ahead(Protocol):
    """An operator whose products are made without a look at its numbers.

    Nothing is computed before `renew`, which may be recorded, as may be the products of `operator` after it.
    """

    operator: Operator
    large: Tensor  # [lanes], bool: whose outputs are too large for this precision

    @property
    def recordable(self) -> bool:
        """Whether a recording of its products may be repeated, and is worth its memory."""

    def in_own_memory(self) -> "Ahead":
        """The same with weights and rates of its own, which `load` replaces."""

    def is_alike(self, other: "Ahead") -> bool:
        """Whether the other one's numbers fit into this one's memory; both are of the same samples."""

    def load(self, other: "Ahead") -> None:
        """Take the numbers of the other one's lanes, of which there may be fewer."""

    def renew(self) -> None:
        """Find what all products share, of the weights as they are now."""


def ahead_of(operator: Operator) -> Ahead | None:
    """An operator to make products with before the host looks at any; None where that is not possible."""
    inner, root = (operator.inner, operator.root) if isinstance(operator, Preconditioned) else (operator, None)
    if isinstance(inner, MlpCurvature):
        return _OfMlp(inner, root)
    if isinstance(inner, AutogradCurvature):
        return _OfGeneral([inner], None, root)
    if isinstance(inner, PieceByPiece):
        return _OfGeneral(inner.parts, inner.shares, root)
    return None


class _Rated:
    """What both kinds have in common: rates by which the operator is scaled."""

    operator: Operator

    def __init__(self, lanes: int, device: torch.device, root: Tensor | None) -> None:
        self.root = root
        self.large = torch.zeros(lanes, dtype=torch.bool, device=device)

    def _own_root(self) -> Tensor | None:
        return None if self.root is None else self.root.clone()

    def _has_rates_like(self, other: "_Rated") -> bool:
        mine, theirs = (None if one.root is None else one.root.ndim for one in (self, other))
        return mine == theirs

    def _load_rates(self, other: "_Rated", lanes: int) -> None:
        if self.root is not None and other.root is not None:
            mine = self.root if self.root.ndim == 1 else self.root[:lanes]
            mine.copy_(other.root)

    def _take(self, inner: Operator) -> None:
        self.operator = inner if self.root is None else Preconditioned(inner, self.root)


class _OfMlp(_Rated):
    """Of fully connected nets."""

    recordable = True

    def __init__(self, net: MlpCurvature, root: Tensor | None) -> None:
        super().__init__(net.lanes, net.x.device, root)
        self._net = net

    def in_own_memory(self) -> "_OfMlp":
        """See `Ahead`."""
        return _OfMlp(replace(self._net, weights=self._net.weights.clone()), self._own_root())

    def is_alike(self, other: Ahead) -> bool:
        """See `Ahead`."""
        return isinstance(other, _OfMlp) and self._net.mlp == other._net.mlp and self._has_rates_like(other)

    def load(self, other: Ahead) -> None:
        """See `Ahead`."""
        assert isinstance(other, _OfMlp)
        mine, theirs = self._net.weights, other._net.weights
        for a, b in zip((*mine.w, *mine.b), (*theirs.w, *theirs.b), strict=True):
            a[: theirs.lanes].copy_(b)
        self._load_rates(other, theirs.lanes)

    def renew(self) -> None:
        """See `Ahead`."""
        inner, large = self._net.at_once()
        self.large.copy_(large)
        self._take(inner)


class _OfGeneral(_Rated):
    """Of nets that are differentiated automatically. All parts are of the same weights."""

    def __init__(self, parts: Sequence[AutogradCurvature], shares: Sequence[float] | None, root: Tensor | None) -> None:
        self._flat = parts[0].flat
        super().__init__(parts[0].lanes, self._flat.device, root)
        self._parts, self._shares = parts, shares

    @property
    def recordable(self) -> bool:
        """See `Ahead`."""
        return all(part.repeats for part in self._parts)

    def in_own_memory(self) -> "_OfGeneral":
        """See `Ahead`."""
        flat = self._flat.clone()
        return _OfGeneral([replace(part, flat=flat) for part in self._parts], self._shares, self._own_root())

    def is_alike(self, other: Ahead) -> bool:
        """See `Ahead`."""
        if not isinstance(other, _OfGeneral) or not self._has_rates_like(other):
            return False
        lanes, width = other._flat.shape
        same = width == self._flat.shape[1] and self._shares == other._shares
        return same and all(
            a.gauss_newton == b.gauss_newton and a.nets[:lanes] == b.nets
            for a, b in zip(self._parts, other._parts, strict=True)
        )

    def load(self, other: Ahead) -> None:
        """See `Ahead`."""
        assert isinstance(other, _OfGeneral)
        lanes = len(other._flat)
        self._flat[:lanes].copy_(other._flat)
        self._load_rates(other, lanes)

    def renew(self) -> None:
        """See `Ahead`."""
        parts = [replace(part) for part in self._parts]  # without what was recorded for other weights
        for part in parts:
            part.prepare()
        self._take(parts[0] if self._shares is None else PieceByPiece(parts, self._shares))
