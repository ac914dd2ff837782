"""Users' nets that are trained in training mode: batch normalisation with running statistics, dropout.

A step's outputs are those of the module in training mode, on the step's batch: samples of a batch are not independent.
What such a pass changes beside parameters (running statistics) is carried by each lane, and changes once a step.
Evaluations are in evaluation mode, with the lane's own statistics. Random numbers of a pass are keyed by (seed, step),
so a lane draws the same masks whatever runs beside it. λ is that of the mean over whole batches in the order of the
data, each seen in training mode with the masks of its step; with a full batch that is the loss which the step descends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import torch
from torch import Tensor

from mlrtui_trainer.curvature.autograd import AutogradCurvature, PieceByPiece
from mlrtui_trainer.models.base import Weights, flatten
from mlrtui_trainer.models.general import PIECE_BYTES, General, GeneralTrace, Network, recordable
from mlrtui_trainer.models.losses import Loss
from mlrtui_trainer.models.user_nets import Lane, UserNets

__all__ = ["InEvaluation", "InTraining", "TrainedTrace", "in_training"]


@dataclass(frozen=True)
class TrainedTrace(GeneralTrace):
    """A forward pass in training mode, and the statistics after it."""

    state: tuple[Tensor, ...] = ()  # [lanes, ...] each


@dataclass(frozen=True, kw_only=True)
class InEvaluation(General):
    """The nets in evaluation mode."""

    users: UserNets

    def keys(self, weights: Weights) -> tuple[Lane, ...]:
        """The lanes."""
        return _lanes_of(weights)

    def _network(self, nets: tuple[Lane, ...], lane: int) -> Network:
        return partial(_evaluated, self.users, nets[lane])


@dataclass(frozen=True, kw_only=True)
class InTraining(General):
    """The nets in training mode; ``quiet`` are the same in evaluation mode."""

    users: UserNets
    batch: int
    quiet: InEvaluation

    def whole_batches(self, samples: int) -> range:
        """Where each of them begins among so many samples; the range's step is their size."""
        rows = min(self.batch, samples)
        return range(0, samples - rows + 1, rows)

    def initial_weights(self, seeds: list[int], dtype: torch.dtype, device: str) -> Weights:
        """Stack the initial weights and statistics of nets with these seeds."""
        plain = General.initial_weights(self, seeds, dtype, device)
        own = [self.users.initial_state(seed, dtype, torch.device(device)) for seed in seeds]
        clock = torch.zeros(len(seeds), dtype=torch.int64, device=device)
        return replace(plain, nets=tuple(seeds), state=(clock, *(torch.stack(same) for same in zip(*own, strict=True))))

    def forward(self, weights: Weights, x: Tensor, part: int = 0) -> TrainedTrace:
        """Outputs of every lane for a batch x [lanes or 1, samples, inputs], number ``part`` of those of its step."""
        lanes, parts = _lanes_of(weights, part), []
        with torch.inference_mode(False), torch.enable_grad():
            leaves = tuple(recordable(w).requires_grad_() for w in weights.w)
            given = recordable(x)
            for i, lane in enumerate(lanes):
                with self.in_precision(x):
                    f, state = self.users.trained(
                        lane, [w[i].clone() for w in leaves], given[i if given.shape[0] > 1 else 0]
                    )
                parts.append((f if self.autocast is None else f.to(x.dtype), state))
            f = torch.stack([f for f, _ in parts])
            state = tuple(torch.stack(same) for same in zip(*(state for _, state in parts), strict=True))
        return TrainedTrace(f.detach(), f.detach(), f, leaves, state)

    def in_lower(self, dtype: torch.dtype) -> "InTraining":
        """The same, trained and evaluated under autocast."""
        return replace(self, autocast=dtype, quiet=replace(self.quiet, autocast=dtype))

    @property
    def said(self) -> str:
        """What it means, for a person."""
        users = self.users
        names = ", ".join(users.state[:2]) + ", ..." * (len(users.state) > 2)
        carried = f"; each training has its own buffers, {len(users.state)} ({names})" if users.state else ""
        random = "; random numbers are keyed by seed and step" * users.draws
        batches = f"over batches of {self.batch} samples"
        return f"trained in training mode: λ is that of the loss in training mode, {batches}{carried}{random}"

    def advance_(self, weights: Weights, trace: GeneralTrace) -> None:
        """Take the statistics of the step's forward pass, and count the step."""
        assert isinstance(trace, TrainedTrace)
        clock, *state = weights.state
        clock.add_(1)
        for old, new in zip(state, trace.state, strict=True):
            old.copy_(new)

    def curvature(self, weights: Weights, x: Tensor, y: Tensor, loss: Loss, full: bool) -> PieceByPiece:
        """The operator of the mean over whole batches of x [samples, inputs] in their order, y."""
        flat, starts = flatten(weights), self.whole_batches(x.shape[0])
        rows = starts.step
        keeps = len(starts) * rows * self.units * x.element_size() <= PIECE_BYTES
        pieces: list[AutogradCurvature] = []
        for part, at in enumerate(starts):
            lanes = _lanes_of(weights, part)
            pieces.append(self._curvature(flat, lanes, x[at : at + rows], y[at : at + rows], loss, full, keeps=keeps))
        return PieceByPiece(pieces, [1.0 / len(pieces)] * len(pieces))

    def _network(self, nets: tuple[Lane, ...], lane: int) -> Network:
        return partial(_trained, self.users, nets[lane])


def in_training(model: General, users: UserNets, batch: int) -> InTraining:
    """The same nets, trained in training mode in batches of this size."""
    same = {one.name: getattr(model, one.name) for one in fields(General)} | {"of_net": None, "alone": True}
    return InTraining(**same, users=users, batch=batch, quiet=InEvaluation(**same, users=users))


def _lanes_of(weights: Weights, part: int = 0) -> tuple[Lane, ...]:
    clock, *state = weights.state
    with torch.inference_mode(False):
        copies = [one.clone() for one in state]
    steps = clock.cpu().tolist()
    return tuple(Lane(seed, steps[i], tuple(one[i] for one in copies), part) for i, seed in enumerate(weights.nets))


def _trained(users: UserNets, lane: Lane, parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    f, _ = users.trained(lane, parameters, x)
    return f, f


def _evaluated(users: UserNets, lane: Lane, parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    f = users.evaluated(lane, parameters, x)
    return f, f
