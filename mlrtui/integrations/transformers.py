"""A callback for the Trainer of Hugging Face transformers: sharpness, its edges, loss and learning rate."""

from functools import wraps
from typing import Any

from mlrtui.integrations.accumulation import Accumulation, MicroBatch

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError(
        "mlrtui.integrations.transformers needs transformers: pip install 'mlrtui[transformers]'"
    ) from error

__all__ = ["RecordCallback"]


class RecordCallback(TrainerCallback):  # type: ignore[misc]
    """Record the training of a ``transformers.Trainer`` as `mlrtui.record` does.

        callback = RecordCallback(trainer, store="runs.db", name="adamw 1e-3")
        trainer.add_callback(callback)
        trainer.train()
        callback.recorder.series("critical")  # steps, values, edges

    The training gives the same bits with and without it. The loss is that of ``trainer.compute_loss``, with its label
    names, label smoothing and loss functions; while the training lasts, a wrapper around it keeps each batch until the
    optimizer has stepped. Accumulated batches count as one step, with the loss that is trained.

    Args:
        trainer: the Trainer; a callback is not given one by itself, and without it sees neither batches nor losses.
        options: keyword arguments of `mlrtui.record`.
    """

    recorder: Any = None
    """The `Recorder` of the present or last training."""

    def __init__(self, trainer: Any, **options: Any) -> None:
        super().__init__()
        self._trainer, self._options = trainer, options
        self._compute: Any = None
        self._of_instance = False
        self._accumulation: Accumulation | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start recording."""
        self._close()
        optimizer = kwargs["optimizer"]
        while hasattr(optimizer, "optimizer"):  # accelerate's own around torch's
            optimizer = optimizer.optimizer
        self._accumulation = Accumulation(kwargs["model"], optimizer, self._loss, self._options)
        self.recorder = self._accumulation.recorder
        self._compute, self._of_instance = self._trainer.compute_loss, "compute_loss" in vars(self._trainer)
        self._trainer.compute_loss = _watched(self._compute, self._accumulation)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record the step that the optimizer has made."""
        kept = self._accumulation
        if kept is not None and kept.count:
            scale = 1.0 if self._is_scaled(kept) else 1.0 / kept.count
            kept.step(scale, scale)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop recording."""
        self._close()

    def _close(self) -> None:
        if self._accumulation is not None:
            del self._trainer.compute_loss  # the method of its class is there again
            if self._of_instance:
                self._trainer.compute_loss = self._compute
            self._accumulation.close()
        self._accumulation = None

    def _is_scaled(self, kept: Accumulation) -> bool:
        """Whether losses are shares of the accumulated loss already, by the rule of ``Trainer.training_step``."""
        trainer = self._trainer
        told = getattr(trainer, "loss_is_scaled_for_ga", None)
        if told is not None:
            return bool(told)
        by_model = trainer.model_accepts_loss_kwargs and kept.last.extra is not None
        return bool(by_model or trainer.compute_loss_func is not None)

    def _loss(self, model: Any, one: MicroBatch) -> Any:
        return self._compute(model, dict(one.batch), num_items_in_batch=one.extra)


def _watched(compute: Any, kept: Accumulation) -> Any:
    """``compute_loss`` that notes the batches and losses of the training, not those of an evaluation."""

    @wraps(compute)
    def compute_loss(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not model.training:
            return compute(model, inputs, *args, **kwargs)
        kept.add(dict(inputs), kwargs.get("num_items_in_batch"))  # a copy: labels are popped from the original
        found = compute(model, inputs, *args, **kwargs)
        kept.add_loss((found[0] if isinstance(found, tuple) else found).mean())
        return found

    return compute_loss
