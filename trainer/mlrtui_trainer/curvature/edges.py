"""The edge of stability of optimizers whose learning rate is constant, in units of 1/λ."""

from dataclasses import replace

from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.spec import TrainSpec

__all__ = ["edge", "edge_of"]

_ANY = TrainSpec("mse", 1, 1, 1)  # an edge depends on the optimizer's own settings alone


def edge(optimizer: str, beta: float = 0.0) -> float | None:
    """η·λ at which training along λ's eigenvector neither grows nor shrinks: the edge is η = edge/λ, or λ = edge/η.

    "sgd": 2. "momentum": 2(1+β), for heavy-ball momentum v ← βv + g, w ← w − ηv. "adam": (2+2β)/(1−β) with β = β₁,
    for Adam whose second moment stands still; λ is then the effective sharpness, that of D^½ A D^½ with D the
    diagonal 1/(√v̂ + ε) (Cohen et al. 2022). The others: see their files in `optimizers`. None: it has no linear edge.
    β is in [0, 1). Raises UnknownNameError for an optimizer that is not known, ValueError for another β.

    >>> edge("sgd"), edge("momentum", 0.5), edge("muon", 0.9)
    (2.0, 3.0, None)
    """
    spec = OPTIMIZERS[optimizer]
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"beta must be at least 0 and below 1, not {beta}")
    own: dict[str, float] = {} if spec.inertia is None else {spec.inertia: beta}
    return spec.edge(replace(_ANY, optimizer=optimizer, **own))  # type: ignore[arg-type]


def edge_of(train: TrainSpec) -> float | None:
    """`edge` of the optimizer that a training has; None: it has no linear edge."""
    return OPTIMIZERS[train.optimizer].edge(train)
