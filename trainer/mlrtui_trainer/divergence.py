"""The loss above which a training has diverged. Imports nothing: a training's own process needs it at once."""

__all__ = ["DIVERGENCE_FACTOR", "divergence_limit"]

DIVERGENCE_FACTOR = 1e6
"""Of max(loss at the start, 1). Catapults peak at O(width) times the start (Lewkowycz et al. 2020): never less."""


def divergence_limit(loss_initial: float) -> float:
    """Loss above which a trial is stopped as diverged."""
    return DIVERGENCE_FACTOR * max(loss_initial, 1.0)
