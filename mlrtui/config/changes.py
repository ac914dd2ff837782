"""How two sweeps of one name differ, in the words of the sweep file."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mlrtui.config.mistakes import toml_text
from mlrtui.config.sections import AnySweep
from mlrtui.config.stored import read_sweep

__all__ = ["Difference", "changes", "differences"]


@dataclass(frozen=True)
class Difference:
    """A key that two sweeps set differently; None: one of them has no such key."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.old)} -> {_shown(self.new)}"


def changes(stored: str, spec: AnySweep) -> list[str]:
    """What differs between a sweep's stored settings and these, a line a key; empty: it is the same sweep.

    An earlier version wrote its settings down without the keys that came later: each counts as its default. That a fit
    may mix rules is no difference: the question comes up only when such a sweep is resumed.
    """
    return [str(one) for one in differences(stored, spec)]


def differences(stored: str, spec: AnySweep) -> list[Difference]:
    """The same as records."""
    with suppress(ValidationError):
        stored = _comparable(read_sweep(stored))
    old, new = dict(_flat("", json.loads(stored))), dict(_flat("", json.loads(_comparable(spec))))
    keys = sorted(old.keys() | new.keys())
    return [Difference(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _comparable(spec: AnySweep) -> str:
    fits = tuple(fit.model_copy(update={"mixed_rules": False}) for fit in spec.fit)
    return spec.settled.model_copy(update={"fit": fits}).canonical()


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else key, inner)
    elif path == "fit":
        for number, table in enumerate(value, start=1):
            yield f"fit#{number}", table
    else:
        yield path, value


def _shown(value: Any) -> str:
    return "(none)" if value is None else toml_text(value)
