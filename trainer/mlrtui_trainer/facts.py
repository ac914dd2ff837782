"""What the phases of all trials of a round rest on alike: what a net that has learnt nothing gets, and the edge."""

from math import log, nan

import numpy as np

from mlrtui_trainer.curvature.edges import edge_of
from mlrtui_trainer.phase_evidence import PhaseFacts
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import Round

__all__ = ["facts_of", "loss_of_constant", "majority"]


def facts_of(task: Round, samples: Samples, held_out: Samples | None) -> PhaseFacts:
    """Of a round that trains on ``samples`` and whose accuracy is that of those held out, if there are any."""
    how, loss = task.sharpness, task.train.loss
    # a kernel has no edge but under mse, where it is the Gauss-Newton matrix; on a probe set λ is another loss's
    curves_the_loss = (how.operator != "ntk" or loss == "mse") and not 0 < how.samples < samples.count
    edge = edge_of(task.train) if curves_the_loss else nan
    linear = task.net.kind == "mlp" and task.net.depth == 0
    return PhaseFacts(loss_of_constant(samples, loss), majority(held_out or samples), edge, linear)


def loss_of_constant(samples: Samples, loss: str) -> float:
    """Smallest loss of an output that does not depend on the sample.

    Under ce the entropy of the classes' shares; else half the mean squared distance of the targets from their mean.
    """
    y = samples.y.double().cpu().numpy()  # [samples, outputs]
    mean = y.mean(0)
    if loss == "ce":
        return float(-sum(share * log(share) for share in mean if share > 0.0))
    return float(0.5 * ((y - mean) ** 2).sum(1).mean())


def majority(samples: Samples) -> float:
    """Share of the largest class, NaN where accuracy has no meaning."""
    if samples.kind == "regression":
        return nan
    _, counts = np.unique(samples.y.cpu().numpy(), axis=0, return_counts=True)
    return float(counts.max() / samples.count)
