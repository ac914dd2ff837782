"""How two sweeps of one name differ, in the words of the sweep file."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from mlrtui.config.mistakes import toml_text
from mlrtui.config.sections import AnySweep
from mlrtui.config.stored import read_sweep

__all__ = ["changes", "diff"]


def changes(stored: str, spec: AnySweep) -> list[str]:
    """What differs between a sweep's stored settings and these, a line a key; empty: it is the same sweep.

    An earlier version wrote its settings down without the keys that came later: each counts as its default. That a fit
    may mix rules is no difference: the question comes up only when such a sweep is resumed.
    """
    with suppress(ValidationError):
        stored = _comparable(read_sweep(stored))
    return diff(stored, _comparable(spec))


def _comparable(spec: AnySweep) -> str:
    fits = tuple(fit.model_copy(update={"mixed_rules": False}) for fit in spec.fit)
    return spec.settled.model_copy(update={"fit": fits}).canonical()


def diff(old_json: str, new_json: str) -> list[str]:
    """A line for every key that two `AnySweep.canonical` texts set differently: ``model.width: [64] -> [128]``."""
    old, new = dict(_flat("", json.loads(old_json))), dict(_flat("", json.loads(new_json)))
    keys = sorted(old.keys() | new.keys())
    return [f"{key}: {_shown(old, key)} -> {_shown(new, key)}" for key in keys if old.get(key) != new.get(key)]


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else key, inner)
    elif path == "fit":
        for number, table in enumerate(value, start=1):
            yield f"fit#{number}", table
    else:
        yield path, value


def _shown(values: dict[str, Any], key: str) -> str:
    return toml_text(values[key]) if key in values else "(none)"
