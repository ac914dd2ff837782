"""Whether what a factory makes is a function of weights and sample alone: tested on real rows of the data.

No layer is judged by its type. A net is run twice, on its rows in another order, on part of them and on one alone, at
its initial weights and at weights near them (a head that starts at zero hides what is before it).
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mlrtui_trainer.models.user_code import FactoryError, as_factory_error, keyed, seeded
from mlrtui_trainer.models.user_nets import Lane, UserNets, as_pairs, attributes
from mlrtui_trainer.seeds import generator

__all__ = ["TRIED_ROWS", "Trial", "named", "nearby", "tried", "tried_in_training"]

TRIED_ROWS = 16
NEAR = 0.05
"""Spread of the weights that are tried beside the initial ones, in RMS of each tensor, and a fifth of it at least."""

FAR = 1_000_003
"""Added to what a pass changes, to see whether anything depends on it: more than any count of steps is."""

ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 1e-1}
"""Difference of two outputs that counts as rounding, by the coarsest precision inside, over the largest output."""


@dataclass(frozen=True)
class Trial:
    """What a trial showed."""

    double: bool  # it runs in double precision, and nothing inside is coarser
    units: int  # numbers that a sample leaves in memory in a forward pass, about
    constant: tuple[str, ...]  # buffers that a pass changes though no output depends on them
    same: bool  # another seed gives the same net


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation of a pass: how many numbers it makes, and whether it leaves the precision of its input."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers, self.coarsest = 0, torch.float64
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        finest = max((a.element_size() for a in args if isinstance(a, Tensor) and a.is_floating_point()), default=0)
        for one in out if isinstance(out, tuple | list) else (out,):
            if not isinstance(one, Tensor):
                continue
            if one.is_floating_point() and one.element_size() < min(finest, self.coarsest.itemsize):
                self.coarsest = one.dtype
            place = one.untyped_storage().data_ptr()
            if place not in self._seen:
                self._seen.add(place)
                self.numbers += one.numel()
        return out


def nearby(parameters: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Weights near these: each tensor moved by a random one of `NEAR` of its own size."""
    drawn = generator(seed, "data", 1)
    moved = []
    for one in parameters:
        size = NEAR * max(float(one.square().mean().sqrt()) if one.numel() else 0.0, 0.2)
        noise = torch.from_numpy(drawn.standard_normal(tuple(one.shape))).to(one)
        moved.append(one + size * noise)
    return moved


def tried(nets: UserNets, name: str, seed: int, x: Tensor) -> Trial:
    """Try the net of a seed on x [samples, inputs], on whose device it then runs. Raises FactoryError."""
    rows = x[:TRIED_ROWS].detach().clone()
    initial = [torch.from_numpy(one) for one in nets.draw(seed)]
    with seeded(seed):
        again, other = nets.fresh(seed), nets.fresh(seed + 1)
        if (what := _difference(nets, nets.module(seed, torch.float32, torch.device("cpu")), again)) is not None:
            raise FactoryError(
                f"{name}: gives other weights when it is called twice with the same seed ({what}); "
                "draw them from the global generator of torch, NumPy or Python, which are seeded, and from no other"
            )
        same = _difference(nets, again, other) is None
        double = True
        try:
            watch = _watched(nets, seed, initial, rows.double())
        except (FactoryError, torch.OutOfMemoryError, MemoryError):
            raise
        except Exception:  # it has single precision written into it
            double, dtype = False, torch.float32
            with as_factory_error(f"{name}: its module's forward"):
                watch = _watched(nets, seed, initial, rows.float())
        else:
            double, dtype = watch.coarsest is torch.float64, torch.float64
        coarsest = watch.coarsest if dtype is torch.float64 else min(watch.coarsest, dtype, key=lambda d: d.itemsize)
        units = max(1, watch.numbers // len(rows))
        at = [one.to(dtype).to(x.device) for one in initial]
        run = _Run(nets, name, seed, rows.to(dtype), ROUNDING.get(coarsest, 1e-1))
        constant: dict[str, None] = {}
        for parameters in (at, nearby(at, seed)):
            constant |= dict.fromkeys(run.check(parameters))
        _same_gradient(nets, name, again)
    return Trial(double, units, tuple(constant), same)


def tried_in_training(nets: UserNets, name: str, seed: int, x: Tensor) -> None:
    """Find out what passes in training mode change and whether they draw, and note it in ``nets``.

    Raises FactoryError for nets that a lane cannot carry: state that is no buffer, buffers that are replaced instead of
    changed in place, randomness that follows no generator.
    """
    if not nets.trains:
        raise FactoryError(
            f'{name}: its module is in evaluation mode, so mode = "train" would change nothing; remove .eval(), or '
            "the key"
        )
    rows = x[:TRIED_ROWS].detach().clone().float()
    module = nets.module(seed, rows.dtype, rows.device)
    parameters = [torch.from_numpy(one).to(rows) for one in nets.draw(seed)]
    before = {full: (part, key, _copied(value)) for part, key, value, full in attributes(module)}
    buffers = dict(module.named_buffers(remove_duplicate=False))
    nets.state = tuple(buffers)
    at = Lane(seed, 0, tuple(one.clone() for one in buffers.values()))
    with as_factory_error(f"{name}: its module's forward in training mode"):
        f, after = nets.trained(at, parameters, rows)
        again, _ = nets.trained(at, parameters, rows)
        other, _ = nets.trained(replace(at, step=1), parameters, rows)
    for full, (part, key, old) in before.items():
        if key not in part._buffers and not _equal(_current(part, key), old):
            raise FactoryError(
                f"{name}: the forward of {named(module, part)} changes the attribute {full!r} in training mode; "
                "make it a buffer (register_buffer), which each training then has for itself"
            )
    size = float(f.abs().max())
    if not bool(((f - again).abs() <= ROUNDING[torch.float32] * size).all()):
        raise FactoryError(
            f"{name}: its module gives other outputs every time in training mode; draw from the global generator of "
            "torch, NumPy or Python, which are seeded at every step, and from no other"
        )
    own = nets.fresh(seed).to(rows.device)
    with keyed(rows.device, seed, 0, 0), nets.training(own), as_factory_error(f"{name}: its module's forward"):
        nets.plain(own, rows)
    plain = dict(own.named_buffers(remove_duplicate=False))
    for full, value in zip(buffers, after, strict=True):
        if not torch.allclose(plain[full].to(value), value, rtol=1e-3, atol=1e-6, equal_nan=True):
            raise FactoryError(
                f"{name}: its forward replaces the buffer {full!r} in training mode; change it in place (copy_, mul_)"
            )
    nets.state = tuple(full for full, old, new in zip(buffers, at.state, after, strict=True) if not _equal(new, old))
    nets.draws = not torch.equal(f, other)


def _difference(nets: UserNets, a: nn.Module, b: nn.Module) -> str | None:
    """The first parameter, buffer or tensor in which two fresh modules differ, None: there is none."""
    pairs: list[tuple[str, object]] = [(f"parameter {key!r}", one) for key, one in a.named_parameters()]
    pairs += [(f"{full!r}", value) for _, _, value, full in attributes(a)]
    others = [one for _, one in b.named_parameters()] + [value for _, _, value, _ in attributes(b)]
    if [key for key, _ in a.named_parameters()] != [key for key, _ in b.named_parameters()]:
        raise FactoryError(f"{nets.call}: makes another architecture every time; it must depend on its arguments")
    for (what, one), other in zip(pairs, others, strict=False):
        if isinstance(one, nn.Parameter) and isinstance(other, nn.Parameter) and one.shape != other.shape:
            raise FactoryError(f"{nets.call}: makes another architecture every time; it must depend on its arguments")
        if isinstance(one, int):
            continue  # a number that counts modules, as torch.compile's; weights hang on none
        if not _equal(one, other.to(one.dtype) if isinstance(one, Tensor) and isinstance(other, Tensor) else other):
            return what
    return None


def _watched(nets: UserNets, seed: int, initial: Sequence[Tensor], rows: Tensor) -> _Watch:
    parameters = [one.to(rows) for one in initial]
    watch = _Watch()
    nets.module(seed, rows.dtype, rows.device)  # not watched
    with watch:
        nets.forward(seed, parameters, rows)
    return watch


def _same_gradient(nets: UserNets, name: str, module: nn.Module) -> None:
    """Whether parameters that are handed in are all that the module uses: it may hold others of its own in a list."""
    own = {key: one for key, one in module.named_parameters() if one.requires_grad}
    first = next(iter(own.values()))
    x = nets.rows(TRIED_ROWS).to(torch.float64 if first.dtype in (torch.float64, torch.complex128) else torch.float32)
    handed = [one.detach().clone().requires_grad_() for one in own.values()]
    with as_factory_error(f"{name}: its module's forward and backward"):
        gradients = []
        for leaves in (list(own.values()), handed):
            given = list(map(as_pairs, leaves))
            f = nets.called(module, given, x) if leaves is handed else nets.plain(module, x)
            gradients.append(torch.autograd.grad(f.square().sum() + f.sum(), leaves, allow_unused=True))
    for key, plain, through in zip(own, *gradients, strict=True):
        a, b = (torch.zeros(1) if g is None else g for g in (plain, through))
        if a.isfinite().all() and float((a - b).abs().max()) > 1e-2 * float(a.abs().max()):
            raise FactoryError(
                f"{name}: its forward uses the parameter {key!r} by another way than its name (a list? a copy?), so "
                "other weights would not reach it; use it as an attribute of its module"
            )


class _Run:
    """Some rows, on which one net is run again and again from the same state."""

    def __init__(self, nets: UserNets, name: str, seed: int, rows: Tensor, rounding: float) -> None:
        self._nets, self._name, self._rows, self._rounding = nets, name, rows, rounding
        self._module = nets.module(seed, rows.dtype, rows.device)
        self._held = {full: (part, key, _copied(value)) for part, key, value, full in attributes(self._module)}

    def check(self, parameters: Sequence[Tensor]) -> list[str]:
        """Compare passes with these weights; the buffers that a pass changes. Raises FactoryError."""
        self._parameters = parameters
        first = self._pass(self._rows)
        for key, a, b in zip(self._nets.names, parameters, self._given, strict=True):
            if not torch.equal(a, b) and bool(a.isfinite().all()):
                raise FactoryError(f"{self._name}: its module's forward changes the parameter {key!r}; leave that out")
        changed = [full for full, (part, key, old) in self._held.items() if not _equal(_current(part, key), old)]
        if not bool(first.isfinite().all()):
            return []  # weights that overflow show nothing
        if self._differs(first, self._pass(self._rows)):
            where = self._culprit(torch.arange(len(self._rows), device=self._rows.device))
            raise FactoryError(
                f"{self._name}: {where} gives other outputs every time; "
                + self._nets.remedy("leave out what is random in it")
            )
        self._refuse_state(first, changed)
        self._refuse_company(first)
        self._restore()
        return [full for full in changed if self._held[full][1] in self._held[full][0]._buffers]

    def _pass(self, rows: Tensor) -> Tensor:
        """Outputs, from the state that the module had at the beginning."""
        self._restore()
        with as_factory_error(f"{self._name}: its module's forward"):
            return self._called(rows)

    def _called(self, rows: Tensor) -> Tensor:
        # as in training: copies of parameters that need a gradient, without which torch takes other ways through layers
        self._given = [one.detach().requires_grad_().clone() for one in self._parameters]
        return self._nets.called(self._module, self._given, rows).detach()

    def _restore(self) -> None:
        for part, key, old in self._held.values():
            _set(part, key, _copied(old))

    def _differs(self, a: Tensor, b: Tensor) -> bool:
        if a.shape != b.shape:
            return True
        size = float(a.abs().max())
        return not bool(((a - b).abs() <= self._rounding * size).all())

    def _refuse_state(self, first: Tensor, changed: Sequence[str]) -> None:
        """What a pass changes must be without effect, which other values of it must have too."""
        for full in changed:
            part, key, old = self._held[full]
            harmless = True
            for other in _others(old):
                self._restore()
                _set(part, key, other)
                try:
                    harmless &= not self._differs(first, self._called(self._rows))
                except Exception:
                    harmless = False
            self._restore()
            if not harmless:
                what = "buffer" if key in part._buffers else "attribute"
                layer = named(self._module, part)
                raise FactoryError(
                    f"{self._name}: the forward of {layer} changes the {what} {full!r}, and its outputs depend on it; "
                    + self._nets.remedy("leave it out")
                )

    def _refuse_company(self, first: Tensor) -> None:
        """A sample's outputs must be the same in another order, in a smaller batch, and alone."""
        count = len(self._rows)
        if count < 2:
            return
        backwards = torch.arange(count - 1, -1, -1, device=self._rows.device)
        half = torch.arange((count + 1) // 2, device=self._rows.device)
        alone = [torch.tensor([i], device=self._rows.device) for i in (0, count // 2, count - 1)]
        for keep in (backwards, half, *alone):
            try:
                f = self._pass(self._rows[keep])
            except FactoryError as error:
                raise FactoryError(f"{error} (for {len(keep)} of {count} samples)") from None
            if self._differs(first[keep], f):
                where = self._culprit(keep)
                raise FactoryError(
                    f"{self._name}: in {where} the outputs of a sample depend on the other samples of its batch; "
                    + self._nets.remedy("leave it out")
                )

    def _culprit(self, keep: Tensor) -> str:
        """The first layer that makes other outputs of the same inputs, in a pass of all samples and in one of these."""
        passes = [self._calls(self._rows), self._calls(self._rows[keep])]
        for (part, given, made), (_, given_too, made_too) in zip(*passes, strict=False):
            pairs = list(zip(given, given_too, strict=False))
            agree = [self._agree(a, b, keep) for a, b in zip(made, made_too, strict=False)]
            if pairs and all(self._agree(a, b, keep) for a, b in pairs) and not all(agree):
                return named(self._module, part)
        return "its module"

    def _agree(self, a: Tensor, b: Tensor, keep: Tensor) -> bool:
        """Whether b holds these samples of a; of tensors that are not by sample, first, nothing is said."""
        if a.ndim == 0 or b.ndim == 0 or len(a) % len(self._rows) or len(b) * len(self._rows) != len(a) * len(keep):
            return True
        by_sample = a.reshape(len(self._rows), -1)[keep]
        return not self._differs(by_sample, b.reshape(len(keep), -1))

    def _calls(self, rows: Tensor) -> list[tuple[nn.Module, list[Tensor], list[Tensor]]]:
        calls: list[tuple[nn.Module, list[Tensor], list[Tensor]]] = []

        def hook(part: nn.Module, given: Any, made: Any) -> None:
            calls.append((part, _floats(given), _floats(made)))

        with ExitStack() as stack:
            for part in self._module.modules():
                stack.callback(part.register_forward_hook(hook).remove)
            with suppress(FactoryError):  # what was called before it failed tells enough
                self._pass(rows)
        return calls


def named(module: nn.Module, part: nn.Module) -> str:
    """A layer as its user knows it: its type and where it is."""
    path = next((path for path, one in module.named_modules() if one is part), "")
    return f"{type(part).__name__} {path!r}" if path else f"the module ({type(part).__name__}) itself"


def _floats(value: Any) -> list[Tensor]:
    """Tensors of real numbers in a value, as they were at this moment."""
    if isinstance(value, Tensor):
        return [value.detach().clone()] if value.is_floating_point() else []
    return [one for part in value for one in _floats(part)] if isinstance(value, tuple | list) else []


def _current(part: nn.Module, key: str) -> object:
    return part._buffers[key] if key in part._buffers else vars(part).get(key)


def _set(part: nn.Module, key: str, value: object) -> None:
    if key in part._buffers:
        part._buffers[key] = value  # type: ignore[assignment]
    else:
        vars(part)[key] = value


def _copied(value: object) -> object:
    """A tensor as a copy; anything else as it is."""
    return value.detach().clone() if isinstance(value, Tensor) and not isinstance(value, nn.Parameter) else value


def _equal(a: object, b: object) -> bool:
    """Whether a value is as it was; of anything but numbers and tensors nothing is said."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | (a != a)).all())
    plain = (bool, int, float, complex)
    return not isinstance(a, plain) or not isinstance(b, plain) or a == b or a != a


def _others(value: object) -> list[object]:
    """Other values of the same kind, near it and far from it; none where there are none to try."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Tensor) and value.dtype == torch.bool:
        return [~value]
    if isinstance(value, int | float | complex | Tensor):
        return [2 * value + 1, value + FAR]
    return []
