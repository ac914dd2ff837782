"""Networks made by a function of the user's: ``package.module:factory``."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mlrtui_trainer.curvature.double_backward import custom_functions, with_second_derivatives, wrong_layer
from mlrtui_trainer.models.general import General, Made, scaling
from mlrtui_trainer.models.imported import imported
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.models.modes import in_training
from mlrtui_trainer.models.trying import Trial, named, nearby, tried, tried_in_training
from mlrtui_trainer.models.user_code import FactoryError
from mlrtui_trainer.models.user_layers import moved_layers
from mlrtui_trainer.models.user_nets import UserNets
from mlrtui_trainer.spec import NetSpec

__all__ = ["FIRST_ROWS", "FactoryError", "from_factory"]

FIRST_ROWS = 256
"""Samples that a fresh module sees in its first forward pass: the first ones that train."""

EXACT_IN_SINGLE = 1 << 24
"""Whole numbers beyond this are not all exact in single precision."""

KEPT_NUMBERS = 1 << 26
"""Numbers that the modules of models may hold together, which are kept so that no task tries and verifies them anew."""

_models: OrderedDict[tuple[NetSpec, bytes, str], tuple[General, UserNets]] = OrderedDict()  # tried, the newest last


def from_factory(net: NetSpec, x: Tensor, batch: int = 0, optimizer: str = "sgd") -> General:
    """The model that ``factory(inputs=, outputs=, depth=, width=)`` makes: an nn.Module of x [samples, inputs].

    ``x`` [samples, inputs] are the samples that train, on the device where they will: the net is tried on the first of
    them. What is trained is what the factory returned, the module of each seed with all that it holds: the global
    generators of torch (by (seed, "weights")), NumPy and Python are seeded while it is made and while it sees its
    first samples, on the CPU, so that every device starts from the same net. Parameters that need no gradient are
    part of the net, not of λ. Parametrizations and layers' rates go by the roles that the module gives its parameters
    (``mlrtui_roles``). With mode = "train" steps are in training mode, in batches of ``batch``.

    Raises FactoryError where anything of this fails, and for modules whose outputs (with mode = "train", in evaluation
    mode) are not a function of weights and sample alone, which is tested and not read off their types (`trying`).
    """
    factory = _imported(net)
    key = (net, sha256(x[:FIRST_ROWS].double().cpu().numpy().tobytes()).digest(), str(x.device))
    if key not in _models:
        _models[key] = _tried(factory, net, x)
    _models.move_to_end(key)
    while len(_models) > 1 and sum(nets.held for _, nets in _models.values()) > KEPT_NUMBERS:
        _models.popitem(last=False)
    model, nets = _models[key]
    if model.made is not None and model.made.integers and x.dtype == torch.float32:
        largest = float(x.abs().max())
        if largest >= EXACT_IN_SINGLE:
            raise FactoryError(
                f'{net.kind}: x has whole numbers up to {largest:.0f}, not all exact in float32; use dtype = "float64"'
            )
    model = _scaled(model, nets, net, optimizer)
    return in_training(model, nets, batch or x.shape[0]) if net.mode == "train" else model


def _scaled(model: General, nets: UserNets, net: NetSpec, optimizer: str) -> General:
    """The model with the rates and initial output weights of its parametrization."""
    by_role, top = scaling(net, optimizer)
    if top == 1.0 and set(by_role.values()) == {1.0}:
        return model
    if not nets.roles:
        raise FactoryError(
            f"{nets.call}: which of its layers are input and output is not known; give the module an attribute "
            'mlrtui_roles, such as {"embedding": "input", "head": "output"}'
        )

    def draw(seed: int) -> list[npt.NDArray[np.float64]]:
        drawn = model.draw(seed)
        return [w * top if role == "output" else w for w, role in zip(drawn, nets.roles, strict=True)]

    return replace(model, rate=tuple(by_role[role] for role in nets.roles), draw=draw)


def _tried(factory: Callable[..., object], net: NetSpec, x: Tensor) -> tuple[General, UserNets]:
    sizes = {"inputs": net.inputs, "outputs": net.outputs, "depth": net.depth, "width": net.width}
    call = f"{net.kind}({', '.join(f'{key}={value}' for key, value in sizes.items())})"
    with torch.inference_mode(False):
        rows = x[:FIRST_ROWS].detach().clone()
        trains = net.mode == "train"
        cpu = rows.double().cpu()
        nets = UserNets(partial(factory, **sizes), call, cpu, net.outputs, tokens=net.tokens, modes=trains)
        trial = tried(nets, net.kind, 0, rows)
        if trains:
            tried_in_training(nets, net.kind, 0, rows)
    nets.constant = trial.constant
    made = Made(
        name=net.kind,
        parameters=sum(torch.Size(shape).numel() for shape in nets.shapes),
        frozen=nets.frozen,
        complex=bool(nets.complex),
        integers=nets.integers,
        double=trial.double,
        same=trial.same,
        constant=trial.constant,
        blame=partial(_blamed, nets),
    )
    recurrent = x.device.type == "cuda" and nets.has(nn.RNNBase)

    def recording() -> AbstractContextManager[object]:
        return with_second_derivatives(recurrent)

    model = General(
        nets.network(0),
        nets.shapes,
        (1.0,) * len(nets.shapes),
        nets.draw,
        net.inputs + trial.units,
        dies=False,
        layers_of=lambda seed: moved_layers(nets, seed, training=trains),
        layered=False,
        of_net=nets.network,
        made_of=nets.module,
        recording=recording,
        alone=trains or (x.device.type == "cuda" and not _batches(nets, trial, rows)),
        made=made,
        classes=net.outputs if net.tokens else 0,
        names=nets.names,
    )
    return model, nets


def _batches(nets: UserNets, trial: Trial, rows: Tensor) -> bool:
    """Whether lanes can run as one batched program: it does not work for everything that a forward pass may do."""
    parameters = [torch.from_numpy(one).to(rows) for one in nets.draw(0)]
    network = nets.network(0)
    alone, _ = network(parameters, rows)
    try:
        two = tuple(torch.stack([one, one]).requires_grad_() for one in parameters)
        f, _ = torch.func.vmap(network, in_dims=(0, None))(two, rows)
        torch.autograd.grad(f.sum(), two, allow_unused=True)
    except Exception:
        return False
    return bool(((f[1] - alone).abs() <= 1e-3 * alone.abs().max()).all())


def _blamed(nets: UserNets, seed: int, x: Tensor) -> str:
    """The layer whose derivatives are wrong, with its custom autograd.Functions, as a phrase."""
    rows = x[:8].detach().clone().double()
    module = nets.module(seed, torch.float64, x.device)
    initial = [torch.from_numpy(one).double().to(x.device) for one in nets.draw(seed)]
    parameters = [one.requires_grad_() for one in nearby(initial, seed)]

    def run() -> Tensor:
        with with_second_derivatives():
            return nets.forward(seed, parameters, rows)

    try:
        found = wrong_layer(module, run)
        functions = custom_functions(run()) if found is None else found[1]
    except Exception:  # it does not run in double precision
        return "its module"
    where = "its module" if found is None else named(module, found[0])
    return f"autograd.Function {', '.join(functions)} in {where}" if functions else where


def _imported(net: NetSpec) -> Callable[..., object]:
    kind = MODEL_KINDS[net.kind]
    if not kind.coded:  # of an installed package, whose name was registered
        assert kind.make is not None, net.kind
        return kind.make
    return imported(net.kind, net.code_path, net.code_hash, "function")
