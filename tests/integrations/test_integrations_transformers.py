"""The callback of Hugging Face's Trainer: its own losses and bits, with accumulation, label names and evaluation."""

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks import example, framework
from torch import Tensor, nn
from torch.nn import functional

from mlrtui_trainer.gauge import recording

transformers = framework("transformers", "transformers")
framework("accelerate", "transformers")
adapter = framework("mlrtui.integrations.transformers", "transformers")

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own; what goes wrong in ours is raised (strict)

TOKENS, LENGTH = 11, 6


def gpt() -> tuple[nn.Module, list[dict[str, Any]], dict[str, Any]]:
    """A causal language model from its configuration, in batches of different numbers of tokens."""
    config = transformers.GPT2Config(
        vocab_size=TOKENS, n_positions=LENGTH, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )  # its dropout is 0.1
    rows = torch.randint(TOKENS, (26, LENGTH))
    data = [
        {"input_ids": row, "labels": row.masked_fill(torch.arange(LENGTH) < i % 4, -100)} for i, row in enumerate(rows)
    ]
    return transformers.GPT2LMHeadModel(config), data, {}


class Classifier(nn.Module):
    """A module of one's own, with another name for its labels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))

    def forward(self, values: Tensor, target: Tensor) -> dict[str, Tensor]:
        logits = self.net(values)
        return {"loss": functional.cross_entropy(logits, target), "logits": logits}


def classifier() -> tuple[nn.Module, list[dict[str, Any]], dict[str, Any]]:
    data = [{"values": torch.randn(5), "target": i % 3} for i in range(26)]
    return Classifier(), data, {"label_names": ["target"]}


def smoothed() -> tuple[nn.Module, list[dict[str, Any]], dict[str, Any]]:
    """The Trainer's own loss, which takes the labels out of the batch."""
    model, data, _ = gpt()
    return model, data, {"label_smoothing_factor": 0.1}


CASES = {"gpt": gpt, "classifier": classifier, "label smoothing": smoothed}


def train(name: str, folder: Path, recorded: bool) -> tuple[dict[str, Any], Any, Any]:
    torch.manual_seed(3)
    model, data, settings = CASES[name]()
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), use_cpu=True, max_steps=5, per_device_train_batch_size=4, learning_rate=1e-2,
        gradient_accumulation_steps=3, logging_steps=1, save_strategy="no", eval_strategy="steps", eval_steps=2,
        report_to=[], disable_tqdm=True, warmup_steps=2, seed=4, **settings,
    )  # fmt: skip
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=data, eval_dataset=data[:5])
    callback = None
    if recorded:
        callback = adapter.RecordCallback(trainer, every=1, strict=True)
        trainer.add_callback(callback)
    trainer.train()
    left = {
        "weights": {name: t.clone() for name, t in model.state_dict().items()},
        "optimizer": trainer.optimizer.state_dict(),
        "history": [
            {key: value for key, value in entry.items() if "runtime" not in key and "per_second" not in key}
            for entry in trainer.state.log_history
        ],
        "random": torch.get_rng_state(),
        "hooks": [len(part._forward_pre_hooks) for part in model.modules()],
        "patched": "compute_loss" in vars(trainer),
    }
    return left, trainer, callback


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return len(a) == len(b) and all(map(same, a, b)) if isinstance(a, list | tuple) else bool(a == b)


@pytest.mark.parametrize("name", CASES)
def test_losses_rates_and_bits_are_those_of_the_trainer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """26 samples in batches of 4, three a step: the last step of an epoch has one. Every gradient is compared."""
    monkeypatch.setattr(recording, "CHECK_EVERY", 1)
    left, trainer, callback = train(name, tmp_path, True)
    rec = callback.recorder
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logged) == len(rec.steps) == 5
    assert [row.loss for row in rec.steps] == pytest.approx([entry["loss"] for entry in logged], rel=1e-4, abs=1e-4)
    assert rec.series("lr").values == pytest.approx([entry["learning_rate"] for entry in logged], rel=1e-6)
    assert len(rec.series("batch").values) == 5
    assert not any(row.skipped for row in rec.steps)
    assert [row.readings[-1].status for row in rec.steps] == ["no-edge"] + ["found"] * 4  # AdamW has no state at first
    assert rec.events == []
    assert not left["patched"]
    assert same(left, train(name, tmp_path, False)[0])


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(example(1), {"__name__": "__main__"})
