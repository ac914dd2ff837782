"""What the phases of all trials of a round rest on alike: what a net that has learnt nothing gets, and the edge."""

from math import nan

import torch

from mlrtui_trainer.chance import constant_loss, majority_share
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
    edge = (edge_of(task.train) or nan) if curves_the_loss else nan
    if task.train.clip > 0.0:
        edge = nan  # a step that is clipped by the factor c has its edge at 1/c times as much
    settled = not (task.train.is_scheduled or task.train.weight_decay)  # else λ alone does not decide
    linear = task.net.kind == "mlp" and task.net.depth == 0 and settled
    return PhaseFacts(loss_of_constant(samples, loss), majority(held_out or samples), edge, linear)


def loss_of_constant(samples: Samples, loss: str) -> float:
    """`chance.constant_loss` of these samples."""
    return constant_loss(samples.all[1][0].double().cpu().numpy(), loss)


def majority(samples: Samples) -> float:
    """`chance.majority_share` of these samples."""
    if samples.classes:
        counts = torch.bincount(samples.labels.flatten())
        return float(counts.max() / counts.sum())
    return majority_share(samples.y.double().cpu().numpy(), samples.kind)
