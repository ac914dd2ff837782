"""From a checked sweep file over a training of the user's to its cells. Nothing of the function is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mlrtui.config.loops import LoopSweep, Value
from mlrtui.errors import BadInput
from mlrtui_db.own import own_cell, own_settings
from mlrtui_db.records import CellRecord, NetRecord
from mlrtui_trainer.models.sources import module_of, source_hash, source_of
from mlrtui_trainer.spec import LoopSpec

__all__ = ["LoopCell", "planned"]

NOT_ASKED = "not asked"
"""λ of a training of the user's: as operator, loss convention and schedule of its nets."""


@dataclass(frozen=True)
class LoopCell:
    """One grid point of a sweep over a training of the user's."""

    position: int
    label: str  # "2x64 dropout=0.1": depth x width where they are arguments, then the other ones that vary
    loop: LoopSpec
    values: Mapping[str, Value]  # of all arguments
    seeds: tuple[int, ...] = ()  # of its trainings; in a shard, of its own
    data_id: str = ""  # what it learns is its own business

    @property
    def max_steps(self) -> int:
        """Budget of a training in steps, where it is known; else 0."""
        return self.loop.max_steps

    @property
    def width(self) -> int:
        """Argument of this name, where it is a whole number; else 0."""
        return self._whole("width")

    @property
    def depth(self) -> int:
        """The same of depth."""
        return self._whole("depth")

    @cached_property
    def in_keys(self) -> dict[str, object]:
        """What the keys of all its trials have in common."""
        loop = self.loop
        return {
            "loop": loop.name,
            "code": loop.code_hash,
            "arguments": dict(self.values),
            "success": loop.success,
            "threshold": loop.threshold,
        }

    def _whole(self, name: str) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def planned(spec: LoopSweep) -> list[tuple[LoopCell, CellRecord]]:
    """The cells in order, each as the driver and as the store gets it: arguments that are axes are in their columns.

    Raises:
        BadInput: the function's source is not there, or not that with which the sweep began.
    """
    code_hash = "" if spec.in_script else _code_hash(spec)
    search, training = spec.search, spec.training
    varying = [name for name, values in sorted(spec.arguments.items()) if len(values) > 1]
    nets = [NetRecord(seed, NOT_ASKED, "its own", "none", NOT_ASKED) for seed in spec.sweep.seeds]
    cells = []
    for position, values in enumerate(spec.points()):
        own = own_settings(values)
        known = {"model": training.loop, "max_steps": training.steps}
        known = {name: value for name, value in known.items() if name not in own}
        record = own_cell(own, nets, position=position, shown=varying, **known)
        loop = LoopSpec(
            name="" if spec.in_script else training.loop,
            path=training.path or "",
            code_hash=code_hash,
            arguments=tuple(values.items()),
            success=None if search is None else search.success,
            threshold=search.threshold if search is not None and search.success == "accuracy" else None,
            max_steps=training.steps or 0,
            record_every=spec.record.every,
        )
        cells.append((LoopCell(position, record.label, loop, values, spec.sweep.seeds), record))
    return cells


def _code_hash(spec: LoopSweep) -> str:
    """Of the source by which it will train, which is not run here."""
    name, folder, begun = spec.training.loop, spec.training.path or "", spec.training.code_hash
    origin = source_of(module_of(name), folder)
    if origin is None:
        raise BadInput(
            f"training.loop = {name!r}: no module {module_of(name)} in {folder} or installed; put it there again"
        )
    found = source_hash(origin)
    if begun is not None and found not in begun:
        raise BadInput(
            f"training.loop = {name!r}: {origin} is not the code that the sweep began with (training.code_hash); put "
            "that back, or give the sweep another sweep.name"
        )
    return found
