"""What a net that has learnt nothing gets, from the targets alone. Nothing here imports torch."""

from math import nan

import numpy as np
import numpy.typing as npt

from mlrtui_trainer.losses import LOSS_KINDS

__all__ = ["constant_loss", "majority_share"]

Floats = npt.NDArray[np.float64]


def constant_loss(y: Floats, loss: str) -> float:
    """Smallest loss of an output that does not depend on the sample, of targets [samples, outputs]; NaN: not known.

    Under ce the entropy of the classes' shares; else half the mean squared distance of the targets from their mean.
    """
    return LOSS_KINDS[loss].constant(y)


def majority_share(y: Floats, kind: str) -> float:
    """Share of the largest class among targets [samples, outputs], NaN where accuracy has no meaning (regression)."""
    if kind == "regression":
        return nan
    if kind == "classes":
        counts = np.bincount(y.argmax(axis=1))  # of each class
    elif y.shape[1] == 1:
        counts = np.unique(y[:, 0], return_counts=True)[1]
    else:
        counts = np.unique(y, axis=0, return_counts=True)[1]  # sorts rows, which takes as long as some steps
    return float(counts.max() / len(y))
