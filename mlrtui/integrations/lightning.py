"""A callback for Lightning: sharpness, its edges, loss and learning rate along ``trainer.fit``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any

from mlrtui.errors import BadInput
from mlrtui.integrations.accumulation import Accumulation, MicroBatch

__all__ = ["RecordCallback"]

_NAMES = {"lightning.pytorch": "lightning", "pytorch_lightning": "pytorch_lightning"}


def _callback_class() -> Any:
    """Lightning has two names whose classes are not each other's: that which is in use, or both."""
    names = [name for name in _NAMES if name in sys.modules]
    names = names or [name for name, package in _NAMES.items() if find_spec(package) is not None]
    if not names:
        raise ImportError("mlrtui.integrations.lightning needs Lightning: pip install 'mlrtui[lightning]'")
    return type("Callback", tuple(import_module(name).Callback for name in names), {})


_Callback: Any = _callback_class()


class RecordCallback(_Callback):  # type: ignore[misc]
    """Record the training of a LightningModule as `mlrtui.record` does.

        callback = RecordCallback(store="runs.db", name="adamw 1e-3")
        L.Trainer(max_epochs=10, callbacks=[callback]).fit(module, loader)
        callback.recorder.series("critical")  # steps, values, edges

    The training gives the same bits with and without it. The loss is that of ``training_step``, called again with the
    same batch and random numbers; what it logs then is dropped, and its metrics are put back. Accumulated batches count
    as one step, with the loss that is trained.

    Args:
        loss_fn: ``loss_fn(module, batch)``, the scalar that is trained, in place of ``training_step``. Manual
            optimisation needs it, since its ``training_step`` steps; there the loss is the mean over the batches of a
            step, and ``training_step`` must return it.
        options: keyword arguments of `mlrtui.record`.

    Raises:
        BadInput: when the training starts, for manual optimisation without ``loss_fn``.
    """

    recorder: Any = None
    """The `Recorder` of the present or last training."""

    def __init__(self, loss_fn: Callable[[Any, Any], Any] | None = None, **options: Any) -> None:
        super().__init__()
        self._loss_fn, self._options = loss_fn, options
        self._accumulation: Accumulation | None = None
        self._steps = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start recording."""
        if self._loss_fn is None and not pl_module.automatic_optimization:
            raise BadInput(
                "RecordCallback has no loss_fn, but the module optimises manually: pass "
                "RecordCallback(loss_fn=lambda module, batch: ...), the loss that is trained"
            )
        self._close()
        self._accumulation = Accumulation(pl_module, trainer.optimizers, self._loss, self._options)
        self.recorder, self._steps = self._accumulation.recorder, trainer.global_step

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """No step of Lightning's own spans two epochs."""
        if self._accumulation is not None and pl_module.automatic_optimization:
            self._accumulation.clear()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Keep the batch, and the random states before its forward pass."""
        if self._accumulation is not None:
            self._accumulation.add(batch, batch_idx)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Record a step where the optimizer has made one."""
        kept = self._accumulation
        if kept is None:
            return
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is None and self._loss_fn is not None and not pl_module.automatic_optimization:
            raise BadInput("training_step returns no loss to record: return the loss, or a dict with 'loss'")
        kept.add_loss(loss)
        if trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        if pl_module.automatic_optimization:  # Lightning has divided the losses
            kept.step(1.0 / trainer.accumulate_grad_batches, 1.0)
        else:
            mean = 1.0 / max(1, kept.count)
            kept.step(mean, mean)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop recording."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Stop recording."""
        self._close(exception)

    def _close(self, error: BaseException | None = None) -> None:
        if self._accumulation is not None:
            self._accumulation.close(error)
        self._accumulation = None

    def _loss(self, module: Any, one: MicroBatch) -> Any:
        with _nothing_logged(module):
            if self._loss_fn is not None:
                return self._loss_fn(module, one.batch)
            takes_number = len(signature(module.training_step).parameters) > 1
            found = module.training_step(one.batch, one.extra) if takes_number else module.training_step(one.batch)
            return found["loss"] if isinstance(found, dict) else found


@contextmanager
def _nothing_logged(module: Any) -> Iterator[None]:
    """``self.log`` does nothing, and metrics of torchmetrics end as they were."""
    metrics = [part for part in module.modules() if hasattr(part, "metric_state")]
    before = [{key: deepcopy(vars(part)[key]) for key in _states_of(part)} for part in metrics]
    logs = vars(module).get("log")
    module.log = lambda *args, **kwargs: None
    try:
        yield
    finally:
        del module.log
        if logs is not None:
            module.log = logs
        for part, states in zip(metrics, before, strict=True):
            vars(part).update(states)


def _states_of(metric: Any) -> list[str]:
    names = (*metric.metric_state, "_update_count", "_computed", "_forward_cache")
    return [name for name in names if name in vars(metric)]
