"""Gradient descent w ← w − η g, full or in mini-batches."""

from mlrtui_trainer.optimizers.base import Compiled, Optimizer

__all__ = ["SGD"]

SGD = Optimizer(
    text="plain gradient descent, w − η·g",
    edge=lambda how: 2.0,
    transient=lambda beta: 1.0,
    compiled=Compiled(0),
)
