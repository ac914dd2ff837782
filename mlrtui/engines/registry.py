"""Engines by name: `local`, `ray` and `fake` are ours, others come as entry points of the group ``mlrtui.engines``.

    [project.entry-points."mlrtui.engines"]
    mine = "my_package:ENGINE"          # an EngineSpec

``mlrtui run --engine mine`` then trains with it. What it has to do is `mlrtui.engines.base.Engine`, which
`mlrtui.engines.conformance` checks; nothing of it is imported before it is asked for, and the driver alone opens it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlrtui.engines import devices
from mlrtui.engines.base import Engine
from mlrtui.errors import BadInput
from mlrtui_trainer.registry import Registry, UnknownNameError

__all__ = ["ENGINES", "EngineSpec", "Options", "engine_of"]

Options = Mapping[str, str]
"""Options of an engine that the user gave, by their names on the command line without "--"."""


@dataclass(frozen=True)
class EngineSpec:
    """How an engine is opened, which workers it has, and what it can do."""

    open: Callable[[Sequence[str], Options], Engine]
    """From the device name of every worker; runs in the driver's process."""

    resolve: Callable[[str, int | None, Options], Sequence[str]]
    """From the text of `--devices` and how many CPU workers have something to do; raises BadInput. At least one."""

    options: frozenset[str] = frozenset()
    """Options of the command line that it has and others have not."""

    runs_loops: bool = False
    """Whether its devices are of this machine, so that trainings of the user's (`[training] loop`) can run on them."""

    shares_devices: bool = True
    """Whether `--workers` can ask for several workers on a device."""


ENGINES = Registry[EngineSpec]("engine", "mlrtui.engines")


def engine_of(name: str, options: Options | None = None) -> EngineSpec:
    """The engine of this name. Raises BadInput for one that is not there, or has not one of these options."""
    try:
        engine = ENGINES[name]
    except UnknownNameError as error:
        raise BadInput(f"--engine: {error}") from error
    for option in options or {}:
        if option not in engine.options:
            owners = ", ".join(other for other in ENGINES.ours if option in ENGINES[other].options)
            raise BadInput(f"--{option}: the engine {name!r} has no such option; it is one of --engine {owners}")
    return engine


def _local(names: Sequence[str], options: Options) -> Engine:
    if list(names) == [devices.FAKE]:
        return _fake(names, options)
    from mlrtui.engines.local import LocalEngine

    return LocalEngine(names)


def _fake(names: Sequence[str], options: Options) -> Engine:
    from mlrtui.engines.fake import FakeEngine

    return FakeEngine()


def _ray(names: Sequence[str], options: Options) -> Engine:
    from mlrtui.engines.ray.engine import RayEngine

    return RayEngine(names, options.get("ray-address"))


def _ray_devices(text: str, useful: int | None, options: Options) -> Sequence[str]:
    from mlrtui.engines.ray.devices import resolve

    return resolve(text, useful, options.get("ray-address"))


ENGINES.register(
    "local", EngineSpec(_local, lambda text, useful, _: devices.resolve(text, useful=useful), runs_loops=True)
)
ENGINES.register("fake", EngineSpec(_fake, lambda text, useful, _: (devices.FAKE,)))
ENGINES.register("ray", EngineSpec(_ray, _ray_devices, frozenset({"ray-address"}), shares_devices=False))
