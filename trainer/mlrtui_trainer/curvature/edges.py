"""The edge of stability of optimizers whose learning rate is constant, in units of 1/λ."""

from mlrtui_trainer.spec import OPTIMIZER_SETTINGS, TrainSpec

__all__ = ["edge", "edge_of"]


def edge(optimizer: str, beta: float = 0.0) -> float:
    """η·λ at which training along λ's eigenvector neither grows nor shrinks: the edge is η = edge/λ, or λ = edge/η.

    "sgd": 2. "momentum": 2(1+β), for heavy-ball momentum v ← βv + g, w ← w − ηv. "adam": (2+2β)/(1−β) with β = β₁,
    for Adam whose second moment stands still; λ is then the effective sharpness, that of D^½ A D^½ with D the
    diagonal 1/(√v̂ + ε) (Cohen et al. 2022). β is in [0, 1). Raises ValueError for anything else.
    """
    if optimizer not in OPTIMIZER_SETTINGS:
        raise ValueError(
            f"the edge of optimizer {optimizer!r} is not known: use one of {', '.join(OPTIMIZER_SETTINGS)}"
        )
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"beta must be at least 0 and below 1, not {beta}")
    if optimizer == "sgd":
        return 2.0
    heavy_ball = 2.0 * (1.0 + beta)
    return heavy_ball if optimizer == "momentum" else heavy_ball / (1.0 - beta)


def edge_of(train: TrainSpec) -> float:
    """`edge` of the optimizer that a training has."""
    return edge(train.optimizer, {"momentum": train.momentum, "adam": train.beta1}.get(train.optimizer, 0.0))
