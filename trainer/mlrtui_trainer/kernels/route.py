"""Says where training goes to the kernel, and if not, why. Nothing here imports Triton before it is asked for."""

import os
from functools import cache
from importlib.util import find_spec
from shutil import which

import torch

from mlrtui_trainer.kernels.records import ACTIVATIONS, KINDS, LOSSES, OPTIMIZERS
from mlrtui_trainer.models.base import Model
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import TrainSpec

__all__ = ["SWITCH", "WIDEST", "asked", "is_asked_for", "is_measured", "missing", "refusal", "version"]

SWITCH = "MLRTUI_TRITON"
"""Environment variable: "1" takes training steps to the kernel, "auto" where it is faster, which is measured. Off by
default until it has been timed on a GPU."""

AUTO = "auto"

WIDEST = 128
"""Units of the widest layer: a tile of a wider one does not fit into registers."""


OLDEST = (3, 7)
"""Triton's version from which on the kernel is tested: that of torch 2.13 for CUDA."""


def is_asked_for() -> bool:
    """Whether the kernel is asked for."""
    return os.environ.get(SWITCH) in ("1", AUTO)


def is_measured() -> bool:
    """Whether it is asked for only where it is faster."""
    return os.environ.get(SWITCH) == AUTO


def asked() -> str:
    """How it is asked for, for messages."""
    return f"{SWITCH}={os.environ.get(SWITCH)}"


@cache
def version() -> str:
    """Triton's version; "" where it is not installed."""
    if find_spec("triton") is None:
        return ""
    import triton

    return str(triton.__version__)


def interprets() -> bool:
    """Whether Triton is told to run kernels on the CPU, by its interpreter: for tests, thousands of times slower."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def refusal(model: Model, train: TrainSpec, samples: Samples, *, forked: bool = False) -> str:
    """Why the kernel does not train this; "" where it does. ``forked``: it starts at a trained net."""
    if why := missing(samples.x.device) or _of_net(model, train, samples):
        return why
    return "the kernel starts at initialisation, and a fork does not" if forked else ""


def missing(device: torch.device) -> str:
    """What the kernel lacks on a device, whatever is trained; "": nothing."""
    if not version():
        return "Triton is not installed (pip install 'mlrtui[gpu]')"
    if tuple(int(part) for part in version().split(".")[:2]) < OLDEST:
        return f"Triton {version()} is older than {'.'.join(map(str, OLDEST))}, which comes with torch 2.13 for CUDA"
    if device.type != "cuda" and not interprets():
        return f"{device} is no CUDA device"
    if not (interprets() or os.environ.get("CC") or which("gcc") or which("clang")):
        return "Triton finds no C compiler: install gcc or clang, or name one in CC"
    return ""


def _of_net(model: Model, train: TrainSpec, samples: Samples) -> str:
    """Of the net and its training alone."""
    if not isinstance(model, Mlp):
        return "only fully connected nets have a kernel"
    widest = max(model.sizes[1:])
    named = (
        ("activation", model.activation, ACTIVATIONS),
        ("loss", train.loss, LOSSES),
        ("optimizer", train.optimizer, OPTIMIZERS),
        ("dtype", train.dtype, ("float32",)),
        ("data", samples.kind, KINDS),
    )
    for what, name, known in named:
        if name not in known:
            return f"{what} {name!r} is not in the kernel, which has {', '.join(known)}"
    if widest > WIDEST:
        return f"a layer of {widest} units is wider than {WIDEST}"
    if (model.sizes[0], model.sizes[-1]) != (samples.x.shape[1], samples.y.shape[1]):
        return "the data have other numbers of inputs or outputs than the net"
    if train.weight_decay > 0.0 or train.clip > 0.0:
        return "the kernel has no weight decay and no clipping"
    return ""
