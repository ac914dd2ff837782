"""What a user's factory makes, found out before anything is trained: one net of a cell, tried, verified and timed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import torch

from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.curvature.verification import verdict
from mlrtui_trainer.evaluation import evaluate
from mlrtui_trainer.lanes import DTYPES
from mlrtui_trainer.layers import LayerCheck
from mlrtui_trainer.measures import LAYER_SIZES
from mlrtui_trainer.meter import measured_samples
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.imported import admit
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.modes import InTraining
from mlrtui_trainer.models.user_code import as_factory_error
from mlrtui_trainer.optimizers.stepping import optimizer_of
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import SAME_NETS, Dataset, NetSpec, SharpnessSpec, TrainSpec

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """What is known of the nets of one cell."""

    lines: tuple[str, ...]  # for a person
    refused: tuple[tuple[str, str], ...]  # operators whose λ cannot be trusted, each with why


def inspect(
    net: NetSpec, train: TrainSpec, sharpness: SharpnessSpec, data: Dataset, seed: int, device: str, *, timed: bool
) -> Inspection:
    """Make the factory's net of a seed and look at it; ``timed``: and at what a step and a product cost.

    Raises FactoryError for a factory that fails, and for nets that are not a function of weights and sample alone.
    """
    if torch.device(device).type == "cpu":
        torch.set_num_threads(1)  # as in training
    admit(train)
    samples = Samples.of(data, DTYPES[train.dtype], device)
    if not MODEL_KINDS[net.kind].is_tried:
        return _of_training(train, samples)
    model = build(net, train.optimizer, samples.x, batch=train.batch, precision=train.precision)
    assert isinstance(model, General)
    assert model.made is not None
    made, weights = model.made, model.initial_weights([seed], samples.x.dtype, device)
    measured = measured_samples(samples, sharpness)
    operators = dict.fromkeys((sharpness.operator, *sharpness.others))
    verdicts = {name: verdict(model, weights, measured, train.loss, name) for name in operators}
    refused = tuple((name, one.refused) for name, one in verdicts.items() if one.refused)
    layers = _of_layers(model, weights, samples) if train.record_layers else []
    if not timed:
        return Inspection((), refused)
    low, high = float(samples.x.min()), float(samples.x.max())
    kind = "int64" if made.integers else train.dtype
    also = f", and {made.frozen} frozen" * (made.frozen > 0) + ", complex ones as pairs of real numbers" * made.complex
    held = f"; held as they are: {', '.join(made.constant)}" if made.constant else ""
    outputs = f"[samples, {net.tokens} tokens, {net.outputs}]" if net.tokens else f"[samples, {net.outputs}]"
    evaluated = ", in evaluation mode" * isinstance(model, InTraining)
    lines = [
        f"{made.parameters} parameters{also}",
        f"input: x [samples, {net.inputs}] {kind}, from {low:.6g} to {high:.6g}; outputs {outputs}",
        f"tried on real rows{evaluated}: outputs are a function of weights and sample alone{held}",
        *([f"{SAME_NETS}: seeds differ in the order of batches alone"] if made.same else []),
        *_of_mode(model),
        *layers,
        *(f"λ ({name}): {one.text}" for name, one in verdicts.items()),
        _costs(model, train, sharpness, samples, measured, seed, refused=[name for name, _ in refused]),
    ]
    return Inspection(tuple(lines), refused)


def _of_training(train: TrainSpec, samples: Samples) -> Inspection:
    """Of our own nets only a loss of the user's has something to be tried."""
    if train.loss not in dict(train.code):
        return Inspection((), ())
    _, y, labels = samples.part(0, 16)
    f = torch.zeros_like(y)
    loss = LOSSES[train.loss]
    with as_factory_error(f"{train.loss}: for outputs and targets {list(y[0].shape)} it"):
        e = loss.start(f, y)
        loss.per_sample(e, labels)
        loss.curve(e, torch.ones_like(f))
    return Inspection((), ())


def _of_mode(model: General) -> list[str]:
    """What is said of nets that are trained in training mode."""
    return [model.said] if isinstance(model, InTraining) else []


def _of_layers(model: General, weights: Weights, samples: Samples) -> list[str]:
    """What is said of layers, after they were looked at once. Raises FactoryError for nets that have none."""
    sizes = LayerCheck(model, weights, samples).measure(weights)
    return [f"record.layers: {len(sizes[LAYER_SIZES[0]])} calls of linear layers, numbered as they come"]


@torch.inference_mode()
def _costs(
    model: General,
    train: TrainSpec,
    sharpness: SharpnessSpec,
    samples: Samples,
    measured: Samples,
    seed: int,
    refused: list[str],
) -> str:
    """Seconds of a step, of an evaluation and of a product, each done once before it is timed."""
    device, loss = str(samples.x.device), LOSSES[train.loss]
    weights = model.initial_weights([seed], samples.x.dtype, device)
    plain = replace(train, optimizer="sgd", weight_decay=0.0, schedule="constant")
    optimizer = optimizer_of(model, plain, [0.0], samples.x.dtype, device, rows=samples.rows)
    x, y, _ = samples.part(0, train.batch)

    def step() -> None:
        trace = model.forward(weights, x)
        optimizer.descend_(weights, trace, loss.signal(loss.start(trace.f, y), y))

    parts = [f"a step {_timed(step, device)}"]
    parts.append(f"an evaluation {_timed(lambda: evaluate(model, weights, samples, train.loss), device)}")
    if sharpness.operator not in refused:
        at = weights.to(measured.x.dtype)
        operator = curvature(model, at, measured.x, measured.y, train.loss, sharpness.operator)
        v = torch.ones(1, model.n_params, dtype=measured.x.dtype, device=device)
        parts.append(f"a product with {sharpness.operator} {_timed(lambda: operator.apply(v), device)}")
    return f"cost on {device}: {', '.join(parts)}"


def _timed(work: Callable[[], object], device: str) -> str:
    def done() -> float:
        work()
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        return perf_counter()

    started = done()
    seconds = done() - started
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
