"""Engines by name: `local` and `fake` are ours, others come as entry points of the group ``mlrtui.engines``.

    [project.entry-points."mlrtui.engines"]
    mine = "my_package:ENGINE"          # an EngineSpec

``mlrtui run --engine mine`` then trains with it. What it has to do is `mlrtui.engines.base.Engine`; nothing of it is
imported before it is asked for, and the driver alone opens it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlrtui.engines import devices
from mlrtui.engines.base import Engine
from mlrtui.errors import BadInput
from mlrtui_trainer.registry import Registry, UnknownNameError

__all__ = ["ENGINES", "EngineSpec", "engine_of"]


@dataclass(frozen=True)
class EngineSpec:
    """How an engine is opened and which workers it has."""

    open: Callable[[Sequence[str]], Engine]
    """From the device name of every worker; runs in the driver's process."""

    resolve: Callable[[str, int | None], Sequence[str]]
    """From the text of `--devices` and how many CPU workers have something to do; raises BadInput. At least one."""


ENGINES = Registry[EngineSpec]("engine", "mlrtui.engines")


def engine_of(name: str) -> EngineSpec:
    """The engine of this name. Raises BadInput for one that is not there."""
    try:
        return ENGINES[name]
    except UnknownNameError as error:
        raise BadInput(f"--engine: {error}") from error


def _local(names: Sequence[str]) -> Engine:
    if list(names) == [devices.FAKE]:
        return _fake(names)
    from mlrtui.engines.local import LocalEngine

    return LocalEngine(names)


def _fake(names: Sequence[str]) -> Engine:
    from mlrtui.engines.fake import FakeEngine

    return FakeEngine()


ENGINES.register("local", EngineSpec(_local, lambda text, useful: devices.resolve(text, useful=useful)))
ENGINES.register("fake", EngineSpec(_fake, lambda text, useful: (devices.FAKE,)))
