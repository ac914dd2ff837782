"""A recorder for loops that give batches one by one and step the optimizer after one or several of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import mlrtui
from mlrtui_trainer.gauge.closure import RandomStates

__all__ = ["Accumulation", "MicroBatch"]


class MicroBatch(NamedTuple):
    """What one forward pass of the training was given."""

    batch: Any
    extra: Any  # for the framework: the number of the batch, or of its tokens
    random: RandomStates  # before the pass, so that dropout and augmentation are the same again


class _Window(NamedTuple):
    """All micro-batches of one optimizer step; a tuple, so that its tensors can be turned to double precision."""

    micro_batches: tuple[MicroBatch, ...]
    scale: float


class Accumulation:
    """Record a training whose steps are known by their micro-batches.

    Args:
        model: the bare module.
        optimizers: one of torch's, or several.
        loss_of: ``loss_of(model, micro_batch)``, the loss as the training computes it for one micro-batch.
        options: keyword arguments of `mlrtui.record`.
    """

    def __init__(
        self, model: Any, optimizers: Any, loss_of: Callable[[Any, MicroBatch], Any], options: Mapping[str, Any]
    ) -> None:
        self._loss_of = loss_of
        self._micro_batches: list[MicroBatch] = []
        self._losses: list[Any] = []
        self.recorder = mlrtui.record(model, optimizers, self._loss, **options)
        self.recorder.start()

    def add(self, batch: Any, extra: Any = None) -> None:
        """Note a micro-batch, before its forward pass."""
        self._micro_batches.append(MicroBatch(batch, extra, RandomStates()))

    def add_loss(self, loss: Any) -> None:
        """The loss of the last micro-batch. None: it was passed over, and is forgotten."""
        if loss is None:
            del self._micro_batches[-1:]
        else:
            self._losses.append(loss.detach())

    def step(self, scale: float, scale_losses: float) -> None:
        """Record one step of the optimizer.

        Args:
            scale: of each micro-batch's ``loss_of`` in the loss that is trained: 1/n for the mean of n of them.
            scale_losses: the same for the losses of `add_loss`: 1 where the framework has divided them already.
        """
        micro_batches, losses = tuple(self._micro_batches), self._losses
        self.clear()
        if losses:
            self.recorder.step(_sum(losses) * scale_losses, _Window(micro_batches, scale))

    @property
    def count(self) -> int:
        """Micro-batches since the last step."""
        return len(self._micro_batches)

    @property
    def last(self) -> MicroBatch:
        """The latest micro-batch since the last step."""
        return self._micro_batches[-1]

    def clear(self) -> None:
        """Forget the micro-batches since the last step."""
        self._micro_batches, self._losses = [], []

    def close(self, error: BaseException | None = None) -> None:
        """The training is over. ``error``: what ended it, if anything did."""
        self.clear()
        self.recorder.close(error)

    def _loss(self, model: Any, window: _Window) -> Any:
        losses = []
        for one in window.micro_batches:
            one.random.restore()
            losses.append(self._loss_of(model, one))
        return _sum(losses) * window.scale


def _sum(losses: Sequence[Any]) -> Any:
    return sum(losses[1:], losses[0])
