"""Kinds of models by name: ours below, others by entry points of ``mlrtui.models``. No torch here.

    [project.entry-points."mlrtui.models"]
    mine = "my_package:MINE"          # a `ModelKind`

A kind of another package is a factory of modules, as a sweep file may also name one of the user's code
("package.module:factory"): what it makes is tried before it is trained (`trying`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlrtui_trainer.models.parameters import Stretches, cnn_stretches, dense, transformer_stretches
from mlrtui_trainer.registry import Registry
from mlrtui_trainer.spec import NetSpec

if TYPE_CHECKING:
    from torch import nn

    from mlrtui_trainer.models.base import Model

__all__ = ["MODEL_KINDS", "ModelKind", "forward_work", "n_params"]

Build = Callable[[NetSpec, str], "Model"]
"""A net and the name of an optimizer → its model."""


@dataclass(frozen=True)
class ModelKind:
    """One kind. Give ``make``, called as ``make(inputs=, outputs=, depth=, width=)``, which returns a module.

    >>> MODEL_KINDS["cnn"].images, MODEL_KINDS["my_nets:make"].activation
    (True, 'own')
    """

    text: str  # for the sweep file's page
    make: "Callable[..., nn.Module] | None" = None
    build: Build | None = None  # of ours: a model that needs no trial
    stretches: Callable[[NetSpec], Stretches] | None = None  # of ours: parameters, layers that are alike once
    images: bool = False  # needs samples that are images
    activation: str | None = "own"  # the one that it fixes; None: the sweep file's
    biases: str = "decides by itself"  # what it says to bias = true; "": it can have them
    by_hand: bool = False  # whether its derivatives are written out, in one precision
    coded: bool = False  # whether it is code that a sweep file names
    layers: bool = True  # whether `record.layers` can look at its layers

    @property
    def is_tried(self) -> bool:
        """Whether its nets are modules that are tried before they are trained."""
        return self.build is None


_FACTORY = ModelKind("a factory of modules", coded=True)

MODEL_KINDS = Registry[ModelKind]("model kind", group="mlrtui.models", own=lambda name: _FACTORY)
"""All kinds by their names in sweep files."""


def n_params(net: NetSpec) -> int:
    """Number of parameters of one net; 0: not known, a module's. The time does not grow with depth."""
    return sum(times * sum(one.size for one in some) for some, times in _stretches(net))


def forward_work(net: NetSpec) -> int:
    """Multiplications in one sample's forward pass, about; 0: not known, a module's. The time is as of `n_params`."""
    return sum(times * sum(one.size * one.uses for one in some) for some, times in _stretches(net))


def _stretches(net: NetSpec) -> Stretches:
    of = MODEL_KINDS[net.kind].stretches if net.kind in MODEL_KINDS else None  # of a store from elsewhere: not known
    return () if of is None else of(net)


def _mlp(net: NetSpec, optimizer: str) -> "Model":
    from mlrtui_trainer.models.mlp import Mlp

    return Mlp.of(net, optimizer)


def _linearized(net: NetSpec, optimizer: str) -> "Model":
    from mlrtui_trainer.models.linearized import linearized

    return linearized(net, optimizer)


def _cnn(net: NetSpec, optimizer: str) -> "Model":
    from mlrtui_trainer.models.cnn import cnn

    return cnn(net, optimizer)


def _transformer(net: NetSpec, optimizer: str) -> "Model":
    from mlrtui_trainer.models.transformer import transformer

    return transformer(net, optimizer)


for _name, _kind in {
    "mlp": ModelKind("fully connected", build=_mlp, stretches=dense, activation=None, biases="", by_hand=True),
    "two-layer-linear": ModelKind(
        "f = v·(u x) / sqrt(width), the solvable model of Lewkowycz et al.",
        build=_mlp,
        stretches=dense,
        activation="linear",
        biases="has none",
        by_hand=True,
    ),
    "mlp-linearized": ModelKind(
        "the mlp's first-order expansion about its initial weights (constant tangent kernel)",
        build=_linearized,
        stretches=dense,
        activation=None,
        biases="",
        layers=False,
    ),
    "cnn": ModelKind(
        "3x3 convolutions, mean over the image, linear head",
        build=_cnn,
        stretches=cnn_stretches,
        images=True,
        activation=None,
        biases="",
    ),
    "transformer": ModelKind(
        "image rows as tokens",
        build=_transformer,
        stretches=transformer_stretches,
        images=True,
        activation="gelu",
        biases="has none",
    ),
}.items():
    MODEL_KINDS.register(_name, _kind)
