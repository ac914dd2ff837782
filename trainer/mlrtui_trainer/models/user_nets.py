"""The nets of a user's factory, by seed: what the factory returned, as a function of its parameters.

Every seed has its own module, in every precision and on every device where it runs, so buffers, frozen parameters and
tensors that are plain attributes are those of the seed. Complex parameters are trained as pairs of real numbers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mlrtui_trainer.models.parameters import ROLES
from mlrtui_trainer.models.user_code import FactoryError, as_factory_error, eagerly, keyed, seeded

__all__ = ["Lane", "UserNets", "as_pairs", "attributes"]

COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
TORCHS = frozenset(vars(nn.Module()))
"""Attributes that torch gives every module."""


@dataclass(frozen=True)
class Lane:
    """What a pass in training mode depends on beside parameters and batch."""

    seed: int  # of its net
    step: int  # updates done
    state: tuple[Tensor, ...]  # the buffers that such passes change
    part: int = 0  # of the data, where one step sees several batches


class UserNets:
    """The modules that a factory makes. Raises FactoryError where it, or a forward pass of what it made, fails."""

    def __init__(
        self,
        make: Callable[[], object],
        call: str,
        rows: Tensor,
        outputs: int,
        *,
        tokens: int = 0,
        modes: bool = False,
    ) -> None:
        """``make`` calls the factory, ``call`` says how; ``rows`` [samples, inputs], float64 on the CPU, are real.

        ``tokens``: of a sample, each with ``outputs`` of its own; 0: a sample has them. ``modes``: steps are in
        training mode, all else in evaluation mode.
        """
        self._make, self.call, self._rows = make, call, rows
        self._shape = [tokens, outputs] if tokens else [outputs]
        self._moded, self._modes = modes, dict[str, bool]()
        self.state: tuple[str, ...] = ()  # buffers that a pass in training mode changes
        self.draws = True  # whether such a pass may draw random numbers
        self._whole = bool((rows == rows.round()).all())
        self._modules: dict[tuple[int, torch.dtype, torch.device], nn.Module] = {}
        self.integers = False  # whether modules take int64
        self.constant: tuple[str, ...] = ()  # buffers that a forward pass would change: it gets copies of them
        self._held: dict[tuple[int, torch.dtype, torch.device], dict[str, Tensor]] = {}
        first = self.fresh(0)
        trained = {name: one for name, one in first.named_parameters() if one.requires_grad}
        self.names = tuple(trained)
        self.complex = frozenset(name for name, one in trained.items() if one.is_complex())
        self.shapes = tuple(as_pairs(one).shape for one in trained.values())
        self.roles = self._roles(first)  # of the trained parameters; empty: the module names none
        self.frozen = sum(one.numel() for one in first.parameters() if not one.requires_grad)
        self.keep(0, first)

    def fresh(self, seed: int) -> nn.Module:
        """The factory's module of a seed, new, on the CPU, after one forward pass over the rows.

        That pass settles what a module makes when it first sees data: lazy parameters, initialisation by data.
        """
        with seeded(seed):
            module = self._new()
            try:
                self._first_pass(module)
            except FactoryError as error:
                if not self._whole or self.integers or not self._integers_work(seed):
                    raise self._hinted(error) from None
            else:
                return module
        with seeded(seed):
            self.integers = True
            module = self._new()
            self._first_pass(module)
        return module

    def draw(self, seed: int) -> list[npt.NDArray[np.float64]]:
        """The trained parameters of a seed, complex ones as pairs [2, ...]."""
        module = self._modules.get((seed, torch.float32, torch.device("cpu"))) or self.keep(seed, self.fresh(seed))
        found = {name: as_pairs(one.detach()) for name, one in module.named_parameters() if one.requires_grad}
        if tuple(found) != self.names or tuple(one.shape for one in found.values()) != self.shapes:
            raise FactoryError(f"{self.call}: makes another architecture every time; it must depend on its arguments")
        return [one.double().numpy() for one in found.values()]

    def keep(self, seed: int, module: nn.Module) -> nn.Module:
        """Take a fresh module as that of this seed; its trained parameters stay as precise as they are."""
        key = (seed, torch.float32, torch.device("cpu"))
        self._modules[key] = _converted(module, torch.float32, torch.device("cpu"))
        return module

    def module(self, seed: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
        """The module of a seed with all that is not trained in this precision on this device."""
        key = (seed, dtype, device)
        if key not in self._modules:
            self._modules[key] = _converted(self.fresh(seed), dtype, device)
        return self._modules[key]

    def forward(self, seed: int, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Outputs [samples, outputs] for x [samples, inputs] with these parameters, as they come or as pairs."""
        module = self.module(seed, x.dtype, x.device)
        held: dict[str, Tensor] = {}
        if self.constant:
            key = (seed, x.dtype, x.device)
            if key not in self._held:
                buffers = dict(module.named_buffers(remove_duplicate=False))
                self._held[key] = {name: buffers[name].clone() for name in self.constant}
            held = self._held[key]
        return self.called(module, parameters, x, held)

    def called(
        self,
        module: nn.Module,
        parameters: Sequence[Tensor],
        x: Tensor,
        held: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """A forward pass of one module with other parameters than its own, and with copies of these buffers."""
        given = self._named(parameters) | {name: value.clone() for name, value in held.items()}
        with eagerly(x.dtype):
            f: Tensor = torch.func.functional_call(module, given, (self.given(x),))
        return f

    def _named(self, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
        return {
            name: torch.complex(one[0], one[1]) if name in self.complex else one
            for name, one in zip(self.names, parameters, strict=True)
        }

    def plain(self, module: nn.Module, x: Tensor) -> Tensor:
        """A forward pass of one module with its own parameters."""
        with eagerly(x.dtype):
            f: Tensor = module(self.given(x))
        return f

    def trained(self, lane: Lane, parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A pass of a lane in training mode: outputs [rows, outputs], and its statistics afterwards."""
        module = self.module(lane.seed, x.dtype, x.device)
        state = {name: one.clone() for name, one in zip(self.state, lane.state, strict=True)}
        random = keyed(x.device, lane.seed, lane.step, lane.part) if self.draws else nullcontext()
        with random, self.training(module), eagerly(x.dtype):
            f: Tensor = torch.func.functional_call(module, self._named(parameters) | state, (self.given(x),))
        return self._by_row(f), tuple(one.detach() for one in state.values())

    def evaluated(self, lane: Lane, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """A pass of a lane in evaluation mode: outputs [rows, outputs]."""
        module = self.module(lane.seed, x.dtype, x.device)
        return self._by_row(self.called(module, parameters, x, dict(zip(self.state, lane.state, strict=True))))

    def initial_state(self, seed: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
        """What passes in training mode change, as a fresh net of a seed has it."""
        held = dict(self.module(seed, dtype, device).named_buffers(remove_duplicate=False))
        return [held[name].clone() for name in self.state]

    @contextmanager
    def training(self, module: nn.Module) -> Iterator[None]:
        """The module's parts in the modes in which the factory returned them."""
        for path, part in module.named_modules():
            part.training = self._modes[path]
        try:
            yield
        finally:
            module.eval()

    def remedy(self, leave: str) -> str:
        """What to do about a layer whose outputs are no function of weights and sample alone."""
        if self._moded:
            return "also in evaluation mode; make it follow self.training"
        return f'{leave}, or call .eval() on it before the factory returns it, or set model.mode = "train"'

    @property
    def trains(self) -> bool:
        """Whether any part of the module was in training mode when the factory returned it."""
        return any(self._modes.values())

    def _by_row(self, f: Tensor) -> Tensor:
        return f.flatten(0, 1) if len(self._shape) > 1 else f

    @property
    def held(self) -> int:
        """How many numbers the modules that are kept hold, about."""
        return len(self._modules) * (self.frozen + sum(map(prod, self.shapes)))

    def has(self, kind: type[nn.Module]) -> bool:
        """Whether layers of this type are in it."""
        return any(isinstance(part, kind) for part in self.module(0, torch.float32, torch.device("cpu")).modules())

    def rows(self, count: int) -> Tensor:
        """The first so many real rows, float64 on the CPU."""
        return self._rows[:count]

    def given(self, x: Tensor) -> Tensor:
        """What a module gets for x."""
        return x.long() if self.integers else x

    def network(self, seed: int) -> Callable[[Sequence[Tensor], Tensor], tuple[Tensor, Tensor]]:
        """The net of a seed as `general.Network`; of its last hidden layer nothing is known."""

        def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
            f = self._by_row(self.forward(seed, parameters, x))
            return f, f

        return network

    def _roles(self, module: nn.Module) -> tuple[str, ...]:
        """Each trained parameter's role by the module's ``mlrtui_roles``: the longest name that leads to it counts."""
        said = getattr(module, "mlrtui_roles", None)
        if said is None:
            return ()
        fits = isinstance(said, Mapping) and all(isinstance(name, str) and role in ROLES for name, role in said.items())
        if not said or not fits:
            raise FactoryError(
                f"{self.call}: mlrtui_roles is {said!r}; it must give names of submodules or parameters a role each, "
                f"{', '.join(map(repr, ROLES))}"
            )
        found = {name: [one for one in said if name == one or name.startswith(f"{one}.")] for name in self.names}
        unused = sorted(set(said) - {one for its in found.values() for one in its})
        if unused:
            raise FactoryError(f"{self.call}: mlrtui_roles names {unused[0]!r}, which no trained parameter begins with")
        return tuple(said[max(its, key=len)] if its else "hidden" for its in found.values())

    def _new(self) -> nn.Module:
        with as_factory_error(self.call):
            module = self._make()
        if not isinstance(module, nn.Module):
            raise FactoryError(f"{self.call}: returned {type(module).__name__}, not a torch.nn.Module")
        if self._moded:
            self._modes = self._modes or {path: part.training for path, part in module.named_modules()}
            module.eval()
        doubles = any(one.dtype in (torch.float64, torch.complex128) for one in module.parameters())
        return _converted(module.cpu(), torch.float64 if doubles else torch.float32, torch.device("cpu"), trained=True)

    def _first_pass(self, module: nn.Module) -> None:
        doubles = any(one.dtype in (torch.float64, torch.complex128) for one in module.parameters())
        x = self._rows.to(torch.float64 if doubles else torch.float32)
        with eagerly(x.dtype), as_factory_error(f"{self.call}: its module's forward"):
            f = module(self.given(x))
        if not any(one.requires_grad for one in module.parameters()):
            none = "no parameters that need a gradient" if any(True for _ in module.parameters()) else "no parameters"
            raise FactoryError(f"{self.call}: its module has {none}, so nothing would train")
        wanted = [len(x), *self._shape]
        if not isinstance(f, Tensor) or list(f.shape) != wanted:
            got = list(f.shape) if isinstance(f, Tensor) else type(f).__name__
            raise FactoryError(
                f"{self.call}: for x {list(x.shape)} its module gave {got}, not "
                f"[samples, {'tokens, ' * (len(wanted) > 2)}outputs] = {wanted}"
            )
        if not f.is_floating_point():
            raise FactoryError(f"{self.call}: its module gave {f.dtype}; outputs must be real numbers")
        if not f.requires_grad:
            raise FactoryError(
                f"{self.call}: its module's outputs depend on no parameter that needs a gradient; "
                "is its forward under torch.no_grad, or detached?"
            )
        for name, one in module.named_parameters():
            if isinstance(one, nn.parameter.UninitializedParameter):
                raise FactoryError(f"{self.call}: its parameter {name!r} is still lazy after a forward pass")

    def _integers_work(self, seed: int) -> bool:
        """Whether the module takes the rows, which are whole numbers, as int64."""
        with seeded(seed):
            self.integers = True
            try:
                self._first_pass(self._new())
            except FactoryError:
                return False
            finally:
                self.integers = False
        return True

    def _hinted(self, error: FactoryError) -> FactoryError:
        if ("IndexError" in str(error) or "'indices'" in str(error)) and not self._whole:
            return FactoryError(f'{error}; x is not whole numbers: for tokens set data.standardize = "none"')
        return error


def as_pairs(values: Tensor) -> Tensor:
    """Complex numbers [...] as real ones [2, ...], real parts first; real ones as they are."""
    return torch.stack([values.real, values.imag]) if values.is_complex() else values


def attributes(module: nn.Module) -> Iterator[tuple[nn.Module, str, object, str]]:
    """What a module holds beside parameters and submodules: (owner, name, value, full name); buffers too."""
    for path, part in module.named_modules():
        held = {name: value for name, value in vars(part).items() if name not in TORCHS}
        for name, value in ({name: b for name, b in part._buffers.items() if b is not None} | held).items():
            yield part, name, value, f"{path}.{name}" if path else name


def _converted(module: nn.Module, dtype: torch.dtype, device: torch.device, *, trained: bool = False) -> nn.Module:
    """Bring what it holds to a precision and a device, in place; trained parameters only where that is asked for.

    Not by Module.to, which leaves plain attributes where they are and makes complex numbers real.
    """

    def convert(value: object) -> object:
        if isinstance(value, nn.Parameter | nn.parameter.UninitializedBuffer):
            return value
        if isinstance(value, Tensor):
            to = dtype if value.is_floating_point() else COMPLEX[dtype] if value.is_complex() else value.dtype
            return value.to(to).to(device)
        if type(value) is list:
            return [convert(one) for one in value]
        if type(value) is tuple:
            return tuple(convert(one) for one in value)
        if type(value) is dict:
            return {key: convert(one) for key, one in value.items()}
        return value

    for part, name, value, _ in list(attributes(module)):
        new = convert(value)
        if name in part._buffers:
            part._buffers[name] = new  # type: ignore[assignment]
        elif new is not value and _holds_tensors(value):
            vars(part)[name] = new
    for part in module.modules():
        for one in part._parameters.values():
            if one is None or isinstance(one, nn.parameter.UninitializedParameter):
                continue
            if trained or not one.requires_grad:
                one.data = convert(one.data)  # type: ignore[assignment]
    return module


def _holds_tensors(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_tensors, value))
    if isinstance(value, dict):
        return any(map(_holds_tensors, value.values()))
    return isinstance(value, Tensor)
