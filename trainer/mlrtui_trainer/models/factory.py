"""Networks made by a function of the user's: ``package.module:factory``.

The only place where code that a sweep names is imported and run; who starts a sweep has allowed it before.
"""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.sources import source_hash, source_of
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import NetSpec

__all__ = ["FactoryError", "from_factory"]

REFUSED = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
TRIED_SAMPLES = 3

_loaded: dict[str, str] = {}  # module by name → hash of the source that was imported
_folders: set[str] = set()  # what we have put on the import path


class FactoryError(Exception):
    """What is wrong with a factory or with what it made, as one sentence."""


def from_factory(net: NetSpec) -> General:
    """The model that ``factory(inputs=, outputs=, depth=, width=)`` makes: an nn.Module of x [samples, inputs].

    Initial weights are the module's own, drawn by torch's generator seeded by (seed, "weights"); they are made on the
    CPU, so that every device starts from the same net. Parameters that need no gradient stay frozen. Raises
    FactoryError where anything of this fails, and for modules whose outputs are not a function of weights and sample
    alone (dropout, batch normalisation, buffers that change).
    """
    factory = _imported(net)
    module = _made(factory, net, seed=0)
    named = dict(module.named_parameters())
    if not named:
        raise FactoryError(f"{net.kind}: its module has no parameters, so nothing would train")
    _tried(module, net)
    shapes = {name: tuple(one.shape) for name, one in named.items()}

    def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        buffers = {name: b.to(x) if b.is_floating_point() else b.to(x.device) for name, b in module.named_buffers()}
        f = torch.func.functional_call(module, dict(zip(named, parameters, strict=True)) | buffers, (x,))
        return f, f

    def draw(seed: int) -> list[npt.NDArray[np.float64]]:
        net_of_seed = _made(factory, net, seed)
        found = {name: one.detach().double().numpy() for name, one in net_of_seed.named_parameters()}
        if {name: one.shape for name, one in found.items()} != shapes:
            raise FactoryError(f"{net.kind}: makes another architecture every time; it must depend on its arguments")
        return list(found.values())

    rates = tuple(1.0 if one.requires_grad else 0.0 for one in named.values())
    units = net.inputs + 2 * sum(shape[0] if shape else 1 for shape in shapes.values())
    return General(network, tuple(shapes.values()), rates, draw, units, dies=False, layered=False)


def _imported(net: NetSpec) -> Callable[..., object]:
    name, _, attribute = net.kind.partition(":")
    origin = source_of(name, net.code_path)
    if origin is None:
        raise FactoryError(f"{net.kind}: no module {name!r} in {net.code_path} or among the installed packages")
    if source_hash(origin) != net.code_hash:
        raise FactoryError(f"{net.kind}: {origin} has changed since the sweep was planned; start the sweep again")
    with _as_factory_error(f"{net.kind}: importing {origin}"):
        module = _module(name, net)
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise FactoryError(f"{net.kind}: {origin} has no function {attribute!r}")
    return factory  # type: ignore[no-any-return]


def _module(name: str, net: NetSpec) -> ModuleType:
    """Import it, anew where another folder or another source gave the module of this name before."""
    package = name.partition(".")[0]
    if _loaded.setdefault(name, net.code_hash) != net.code_hash:
        for known in [one for one in sys.modules if one == package or one.startswith(f"{package}.")]:
            del sys.modules[known]
        _loaded[name] = net.code_hash
    if net.code_path not in sys.path:
        for other in [entry for entry in sys.path if entry in _folders]:
            sys.path.remove(other)
        _folders.add(net.code_path)
        sys.path.append(net.code_path)  # last: nothing there may stand in for an installed package
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _made(factory: Callable[..., object], net: NetSpec, seed: int) -> nn.Module:
    """The module with the initial weights of a seed; the generator of whoever calls is left as it was."""
    sizes = {"inputs": net.inputs, "outputs": net.outputs, "depth": net.depth, "width": net.width}
    call = f"{net.kind}({', '.join(f'{key}={value}' for key, value in sizes.items())})"
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "weights").integers(2**63)))
        with _as_factory_error(call):
            module = factory(**sizes)
    if not isinstance(module, nn.Module):
        raise FactoryError(f"{call}: returned {type(module).__name__}, not a torch.nn.Module")
    return module.cpu()


def _tried(module: nn.Module, net: NetSpec) -> None:
    """Look at what a forward pass does, on numbers of our own."""
    for name, part in module.named_modules():
        if isinstance(part, REFUSED):
            where = f"{net.kind}: {type(part).__name__} {name!r}"
            raise FactoryError(f"{where}: outputs must depend on weights and sample alone; leave it out")
    x = torch.from_numpy(generator(0, "data").standard_normal((TRIED_SAMPLES, net.inputs))).float()
    before = {name: b.clone() for name, b in module.named_buffers()}
    with torch.random.fork_rng(devices=[]), torch.no_grad(), _as_factory_error(f"{net.kind}: its module's forward"):
        first, second = module(x), module(x)
    if not isinstance(first, Tensor) or tuple(first.shape) != (TRIED_SAMPLES, net.outputs):
        got = list(first.shape) if isinstance(first, Tensor) else type(first).__name__
        wanted = f"[samples, outputs] = [{TRIED_SAMPLES}, {net.outputs}]"
        raise FactoryError(f"{net.kind}: for x [{TRIED_SAMPLES}, {net.inputs}] its module gave {got}, not {wanted}")
    changed = [name for name, b in module.named_buffers() if not torch.equal(b, before[name])]
    if changed:
        raise FactoryError(f"{net.kind}: its module's forward changes the buffer {changed[0]!r}; leave it out")
    if not torch.equal(first, second):
        raise FactoryError(f"{net.kind}: its module gives other outputs every time; leave out what is random in it")


@contextmanager
def _as_factory_error(what: str) -> Iterator[None]:
    """Whatever the user's code raises, said with what it was doing."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except BaseException as error:  # SystemExit too: the worker must live
        said = " ".join(str(error).split())[:200]
        raise FactoryError(f"{what} raised {type(error).__name__}{': ' + said if said else ''}") from None
