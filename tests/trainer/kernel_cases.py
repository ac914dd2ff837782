"""Small trainings by the kernel and by the general steps: every loss, optimizer and activation, and odd sizes."""

from dataclasses import dataclass, replace
from itertools import product

from mlrtui_trainer.kernels.records import ACTIVATIONS, LOSSES, OPTIMIZERS
from mlrtui_trainer.spec import NetSpec, TrainSpec

__all__ = ["ALONE", "BESIDE", "BROKEN", "CASES", "CHOSEN", "WILD", "Case"]

BROKEN = "ce-momentum-tanh"
"""The case that is also trained by a kernel that cannot be launched a second time."""

CHOSEN = "one hidden layer"
"""The case that is also trained by whatever is faster, as a clock of the test says."""

ALONE, BESIDE = "a calm lane alone", "a calm lane beside lanes that diverge at once"
WILD = 1e30


@dataclass(frozen=True)
class Case:
    name: str
    net: NetSpec
    train: TrainSpec
    etas: tuple[float, ...]
    samples: int = 40
    every: int = 0
    kind: str = ""  # of the data, where it is not its own
    held_out: int = 0  # of the samples
    by_column: bool = False  # how the inputs lie in memory


def _plain() -> list[Case]:
    """Full batches and mini-batches, with and without biases, by turns."""
    cases = []
    for number, (loss, optimizer, activation) in enumerate(product(LOSSES, OPTIMIZERS, ACTIVATIONS)):
        full = number % 2 == 0
        train = TrainSpec(loss, 40 if full else 20, 4, 1 if full else 2, optimizer=optimizer, momentum=0.8, beta1=0.85)
        net = NetSpec("mlp", 16, 10, 2, 5, activation, not full, layer_lr=(0.5, 1.0, 2.0))
        rate = {"sgd": 0.1, "momentum": 0.05, "adam": 0.01}[optimizer]
        cases.append(Case(f"{loss}-{optimizer}-{activation}", net, train, (rate, WILD)))
    return cases


_NET, _TRAIN = NetSpec("mlp", 16, 10, 2, 17), TrainSpec("ce", 40, 4, 1)
_TWO, _INERT = replace(_TRAIN, max_steps=2), replace(_TRAIN, optimizer="momentum")
_REACHED = replace(_TRAIN, success="accuracy", threshold=0.3, max_steps=40)

CASES = [
    *_plain(),
    Case("three layers, of 17 units, a batch of 100", replace(_NET, depth=3), replace(_TRAIN, batch=100), (0.1,), 130),
    Case(
        "of 3 units, a batch that is a tile and a part", replace(_NET, width=3), replace(_TRAIN, batch=70), (0.1,), 70
    ),
    Case("784 inputs", replace(_NET, inputs=784, depth=1, width=20), replace(_TRAIN, max_steps=2), (0.01, 0.02)),
    Case("no hidden layer", replace(_NET, depth=0, bias=True), _TRAIN, (0.1, WILD)),
    Case("one hidden layer", replace(_NET, depth=1, bias=True), _TRAIN, (0.1,)),
    Case("a frozen layer", replace(_NET, layer_lr=(1.0, 0.0, 1.0)), replace(_TRAIN, optimizer="adam"), (0.01,)),
    Case("more classes than units", replace(_NET, width=4, parametrization="mup"), _TRAIN, (0.05,)),
    Case("two-layer-linear", NetSpec("two-layer-linear", 16, 1, 1, 17, "linear"), replace(_TRAIN, loss="mse"), (0.1,)),
    Case(
        "parity", replace(_NET, outputs=1, depth=1), replace(_TRAIN, loss="mse", batch=20, steps_per_epoch=2), (0.05,)
    ),
    Case("regression", replace(_NET, depth=1), replace(_TRAIN, loss="mse"), (0.05,), kind="regression"),
    Case("a schedule", _NET, replace(_TRAIN, schedule="cosine", warmup_steps=2), (0.2,)),
    Case("reached", replace(_NET, depth=1, width=16), _REACHED, (0.5, 0.02)),
    Case(
        "accuracy of samples held out",
        replace(_NET, depth=1, width=16),
        replace(_REACHED, on="validation", threshold=0.5),
        (0.2,),
        60,
        held_out=20,
    ),
    Case("inputs column by column", _NET, _TRAIN, (0.1,), by_column=True),
    Case(
        "λ at some steps",
        replace(_NET, depth=1, width=8),
        replace(_TRAIN, batch=20, steps_per_epoch=2),
        (0.1,),
        every=2,
    ),
    *(Case(f"width {width}", replace(_NET, width=width, bias=True), _TWO, (0.1,)) for width in (33, 100, 128)),
    Case("width 1", replace(_NET, width=1, bias=True, activation="tanh"), _TWO, (0.1,)),  # a single relu may be dead
    Case("batches of one sample", _NET, replace(_TRAIN, batch=1, max_steps=5, steps_per_epoch=5), (0.05, WILD), 5),
    Case("samples left out of whole batches", _NET, replace(_TRAIN, batch=17, steps_per_epoch=2), (0.1,)),
    Case(
        "a single class", replace(_NET, outputs=1), replace(_TRAIN, batch=20, steps_per_epoch=2), (0.1,), kind="classes"
    ),
    Case("momentum, some layers frozen", replace(_NET, layer_lr=(0.0, 2.0, 0.5), bias=True), _INERT, (0.1,)),
    Case("eight layers", replace(_NET, depth=8, width=7), _TWO, (0.1,)),
    Case("rates too small to move", _NET, _TRAIN, (1e-45, 1e-320)),
    Case(ALONE, _NET, _TRAIN, (0.1,)),
    Case(BESIDE, _NET, _TRAIN, (0.1, WILD, 1e38)),
]
