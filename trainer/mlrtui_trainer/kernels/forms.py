"""Chooses the kernel's tiles for an architecture. Nothing here imports Triton."""

from typing import Any

from mlrtui_trainer.kernels.records import ACTIVATIONS, EVALUATE, KINDS, LOSSES, OPTIMIZERS, Form
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.spec import TrainSpec

__all__ = ["ROWS", "form_of", "options_of"]

SMALLEST = 16  # of a product's sides


def form_of(model: Mlp, train: TrainSpec, kind: str, mode: int) -> Form:
    """What the kernel is compiled for: one form for all depths, rates, seeds and numbers of samples."""
    hidden = model.layers > 1
    width = model.sizes[1]
    units = padded(width)
    return Form(
        inputs=model.sizes[0],
        width=width,
        outputs=model.sizes[-1],
        hidden=int(hidden),
        units=units,
        classes=padded(model.sizes[-1]),
        rows=ROWS if mode == EVALUATE else min(ROWS, padded(train.batch)),
        terms=16,
        columns=min(units, 64),
        activation=ACTIVATIONS.index(model.activation),
        loss=LOSSES.index(train.loss),
        kind=KINDS.index(kind),
        optimizer=0 if mode == EVALUATE else OPTIMIZERS.index(train.optimizer),
        bias=int(model.bias),
        mode=mode,
    )


def padded(units: int) -> int:
    """The next power of two, and at least the smallest side of a product."""
    return max(SMALLEST, 1 << (units - 1).bit_length())


ROWS = 64
"""Samples in a tile, at most."""

REGISTERS = 168
"""Of a thread of plain gradient descent, at most: an SM then holds three programs of 128 threads, of which one has work
while others wait. What remembers more of each weight would spill."""


def options_of(form: Form) -> dict[str, Any]:
    """What Triton is told beside the form. Loads are not made ahead: other programs of an SM fill waits."""
    narrow = form.units <= 64 and form.classes <= 64
    options = {"num_warps": 4 if narrow else 8, "num_stages": 1, "enable_fp_fusion": True}
    return options | ({"maxnreg": REGISTERS} if narrow and OPTIMIZERS[form.optimizer] == "sgd" else {})
