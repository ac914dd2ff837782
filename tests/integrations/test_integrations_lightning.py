"""The Lightning callback: the training's own losses and bits, with accumulation, clipping and manual optimisation."""

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import example, framework
from torch import Tensor, nn
from torch.nn import functional

from mlrtui.errors import BadInput
from mlrtui_trainer.gauge import recording

L = framework("lightning", "lightning")
adapter = framework("mlrtui.integrations.lightning", "lightning")

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own; what goes wrong in ours is raised (strict)

INPUTS, CLASSES, BATCH = 6, 3, 4


class Net(L.LightningModule):  # type: ignore[misc]
    """As Lightning's documentation writes one."""

    def __init__(self) -> None:
        super().__init__()
        from torchmetrics.classification import MulticlassAccuracy

        self.net = nn.Sequential(
            nn.Linear(INPUTS, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.2), nn.Linear(8, CLASSES)
        )
        self.accuracy = MulticlassAccuracy(CLASSES, average="micro")

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        logits = self.net(x + 0.1 * torch.randn_like(x))  # an augmentation, drawn before any forward pass
        loss = functional.cross_entropy(logits, y)
        self.accuracy(logits, y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("train_accuracy", self.accuracy, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 / (step + 1))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Manual(Net):
    """Manual optimisation, on two batches at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = own_loss(self, batch)
        self.manual_backward(loss / 2)
        if batch_idx % 2:
            optimizer = self.optimizers()
            optimizer.step()
            optimizer.zero_grad()
            self.lr_schedulers().step()
        return loss


def own_loss(module: Any, batch: Any) -> Tensor:
    return functional.cross_entropy(module.net(batch[0]), batch[1])


class Losses(L.Callback):  # type: ignore[misc]
    """What Lightning itself says of each batch."""

    def __init__(self) -> None:
        self.batches: list[Tensor] = []
        self.rates: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append(outputs["loss"])


def fit(module_class: Any, callback: Any, **settings: Any) -> tuple[dict[str, Any], Losses]:
    torch.manual_seed(5)
    module = module_class()
    data = torch.utils.data.TensorDataset(torch.randn(7 * BATCH, INPUTS), torch.arange(7 * BATCH) % CLASSES)
    losses = Losses()
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[losses] if callback is None else [losses, callback], **settings,
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True))
    left = {
        "weights": {name: t.clone() for name, t in module.state_dict().items()},
        "optimizer": trainer.optimizers[0].state_dict(),
        "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()},
        "random": torch.get_rng_state(),
        "hooks": [len(part._forward_pre_hooks) for part in module.modules()],
        "attributes": sorted(vars(module)),
    }
    return left, losses


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return len(a) == len(b) and all(map(same, a, b)) if isinstance(a, list | tuple) else bool(a == b)


SETTINGS = {"accumulate_grad_batches": 3, "gradient_clip_val": 0.5}


def test_losses_rates_and_bits_are_those_of_lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven batches an epoch, three a step: the last step of an epoch has one. Every gradient is compared."""
    monkeypatch.setattr(recording, "CHECK_EVERY", 1)
    callback = adapter.RecordCallback(every=1, strict=True)
    left, losses = fit(Net, callback, **SETTINGS)
    rec = callback.recorder
    windows = [losses.batches[start : start + 3] for start in (0, 3, 7, 10)]
    windows[2:2], windows[4:] = [losses.batches[6:7]], [losses.batches[10:13], losses.batches[13:14]]
    assert [row.loss for row in rec.steps] == [float(sum(window[1:], window[0])) for window in windows]
    assert [row.lr for row in rec.steps] == losses.rates
    assert not any(row.skipped for row in rec.steps)
    assert len(rec.series("batch").values) == len(rec.series("lambda").values) == 6
    assert rec.series("critical").edges == pytest.approx([2.0 / rate for rate in losses.rates])
    assert [row.readings[-1].status for row in rec.steps] == ["no-edge"] + ["found"] * 5  # Adam has no state at first
    assert same(left, fit(Net, None, **SETTINGS)[0])


def test_metrics_would_count_twice_without_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_states_of", lambda metric: [])
    changed, _ = fit(Net, adapter.RecordCallback(every=2, strict=True, measures=["critical"]))
    assert changed["metrics"] != fit(Net, None)[0]["metrics"]


def test_manual_optimisation_with_a_loss_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CHECK_EVERY", 1)
    callback = adapter.RecordCallback(own_loss, every=1, strict=True, measures=["critical", "directional"])
    left, losses = fit(Manual, callback)
    rows = callback.recorder.steps
    windows = [(0, 1), (2, 3), (4, 5), (6, 7, 8), (9, 10), (11, 12)]  # gradients of the seventh batch stay
    means = [float(sum(losses.batches[i] for i in window) / len(window)) for window in windows]
    assert [row.loss for row in rows] == pytest.approx(means)
    assert all(len(row.readings) == 3 for row in rows)
    assert same(left, fit(Manual, None)[0])


def test_manual_optimisation_needs_a_loss() -> None:
    with pytest.raises(BadInput, match=r"no loss_fn, but the module optimises manually: pass RecordCallback\(loss_fn="):
        fit(Manual, adapter.RecordCallback())


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(example(0), {"__name__": "__main__"})
