"""A CUDA device played by the CPU, for tests of what a program asks of a device where there is none.

Tensors on it are wrappers around CPU tensors that say "cuda:0" of themselves. As on a real one, an operation on tensors
of two devices is refused, memory comes back by copies only, and a recorded graph repeats the same operations on the
same memory, with the numbers from the host as they were. What no CPU can play: speed, the device's own rounding, and
operations that run after the call returns.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from mlrtui_trainer.curvature import lanczos
from mlrtui_trainer.fast import route

NUMBERS = {"item", "_local_scalar_dense", "is_nonzero", "equal", "tolist"}
"""Operations that give the host a number, and so wait for the device."""

SIZES = {"nonzero", "masked_select", "unique2"}
"""Those whose result has a size that only the device knows."""


class Remote(Tensor):
    """A tensor on the device."""

    held: Tensor

    @staticmethod
    def __new__(cls, real: Tensor) -> "Remote":
        wrapper: Any = torch.Tensor._make_wrapper_subclass(  # to C++ a tensor without memory, so that it must ask
            cls, real.shape, strides=real.stride(), dtype=real.dtype, device="meta", requires_grad=False
        )
        wrapper.held = real
        return wrapper  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda:0")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func}: the device is gone")


class Graph:
    """Stands for `torch.cuda.CUDAGraph`."""

    def __init__(self) -> None:
        self.tape: list[tuple[Any, Any, Any, Any]] = []

    def replay(self) -> None:
        for func, args, kwargs, before in self.tape:
            after = func(*args, **kwargs)
            for old, new in zip(tree_leaves(before), tree_leaves(after), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class _Stream:
    def wait_stream(self, other: "_Stream") -> None:
        pass


def played(patch: pytest.MonkeyPatch) -> Iterator["PretendCuda"]:
    """The device, entered, for a fixture; on the CPU itself everything goes the general way."""
    patch.setenv(route.SWITCH, "0")
    patch.setattr(lanczos, "_needed", {})  # no test knows what solves of another one needed
    with PretendCuda().entered(patch) as device:
        yield device


class PretendCuda(TorchDispatchMode):
    """The device; while it is entered, "cuda:0" may be named."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()  # of the host for the device
        self.uploads: Counter[str] = Counter()  # from the host's memory
        self.operations = 0
        self.graphs = 0
        self.replays = 0
        self._recording: Graph | None = None

    @contextmanager
    def entered(self, monkeypatch: pytest.MonkeyPatch) -> Iterator["PretendCuda"]:
        lift, threads = torch._C._only_lift_cpu_tensors(), torch.get_num_threads()
        torch.set_num_threads(1)  # small products: on a busy machine threads would wait for each other
        with monkeypatch.context() as patch, self:
            patch.setattr(torch.cuda, "_lazy_init", lambda: None)
            patch.setattr(torch.cuda, "set_device", lambda device: None)
            patch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80 << 30))
            patch.setattr(torch.cuda, "device", lambda device: nullcontext())
            patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
            patch.setattr(torch.cuda, "Stream", _Stream)
            patch.setattr(torch.cuda, "current_stream", _Stream)
            patch.setattr(torch.cuda, "CUDAGraph", self._counted)
            patch.setattr(torch.cuda, "graph", self._recorded)
            patch.setattr(torch.cuda, "get_rng_state", lambda device: torch.get_rng_state())  # of the CPU that plays it
            patch.setattr(torch.cuda, "set_rng_state", lambda state, device: None)
            torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=) copies where we can see it
            try:
                yield self
            finally:
                torch._C._set_only_lift_cpu_tensors(lift)
                torch.set_num_threads(threads)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        remote = [leaf for leaf in given if isinstance(leaf, Remote)]
        target = next((leaf for leaf in given if isinstance(leaf, torch.device)), None)
        comes_back = self._watch(func, args, given, remote, target)
        real_args, real_kwargs = tree_map(_real, args), tree_map(_real, kwargs)
        result = func(*real_args, **real_kwargs)
        if comes_back:
            return result.clone() if isinstance(result, Tensor) else result  # never the device's own memory
        if not (remote or _is_cuda(target)):
            return result
        if self._recording is not None:
            self._recording.tape.append((func, real_args, real_kwargs, result))
        known = {id(leaf.held): leaf for leaf in remote}
        return tree_map(lambda leaf: _wrapped(leaf, known), result)

    def _watch(self, func: Any, args: Any, given: list[Any], remote: list[Remote], target: torch.device | None) -> bool:
        """Count what crosses between host and device, refuse what may not; whether the result is the host's."""
        name = func._schema.name.split("::")[1]
        local = [leaf for leaf in given if isinstance(leaf, Tensor) and not isinstance(leaf, Remote)]
        indices = [i for i in args[1] if i is not None] if name.startswith("index") and type(args[1]) is list else []
        back = bool(remote) and (name in NUMBERS or name == "cpu" or (target is not None and target.type == "cpu"))
        self.operations += bool(remote)
        if back or (remote and name in SIZES) or any(i.dtype == torch.bool for i in indices):
            self._crosses(self.waits, name)
        elif (_is_cuda(target) and local) or (remote and any(i in local for i in indices)):
            self._crosses(self.uploads, name)
        elif remote and name == "copy_" and local:
            self._crosses(self.uploads if isinstance(args[0], Remote) else self.waits, name)
        elif remote and any(leaf.ndim for leaf in local):
            raise RuntimeError(f"{name}: tensors on cuda:0 and on the CPU")
        return back

    def _crosses(self, counter: Counter[str], name: str) -> None:
        if self._recording is not None:
            raise RuntimeError(f"{name}: operation not permitted when stream is capturing")
        counter[name] += 1

    def _counted(self) -> Graph:
        self.graphs += 1
        graph = Graph()
        repeat = graph.replay

        def replay() -> None:
            self.replays += 1
            repeat()

        graph.replay = replay  # type: ignore[method-assign]
        return graph

    @contextmanager
    def _recorded(self, graph: Graph) -> Iterator[None]:
        self._recording = graph
        try:
            yield
        finally:
            self._recording = None


def _is_cuda(device: torch.device | None) -> bool:
    """C++ takes our tensors for ones without memory, and asks for more of them by that name."""
    return device is not None and device.type in ("cuda", "meta")


def _real(leaf: Any) -> Any:
    if isinstance(leaf, Remote):
        return leaf.held
    return torch.device("cpu") if isinstance(leaf, torch.device) and _is_cuda(leaf) else leaf


def _wrapped(leaf: Any, known: dict[int, Remote]) -> Any:
    """The device's tensor: the same object for what is changed in place."""
    if not isinstance(leaf, Tensor):
        return leaf
    if id(leaf) in known:
        return known[id(leaf)]
    with torch.inference_mode(False):  # a view of a plain tensor must be one
        return Remote(leaf)
