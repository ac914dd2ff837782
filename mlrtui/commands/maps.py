"""`mlrtui map`: what the maps of a store say, and the box dimension of their boundaries; or a window of one, finer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlrtui.commands.resume import stored_spec
from mlrtui.commands.run import RunOptions, run_specs
from mlrtui.config import SweepSpec
from mlrtui.config.parsing import parse_sweep
from mlrtui.errors import BadInput
from mlrtui.figures.success_maps import SuccessMap, words
from mlrtui.reading import documents
from mlrtui.reading.fitting import chosen
from mlrtui.reading.mapping import as_row, boundary_maps
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import exact
from mlrtui_db.reader import Reader

__all__ = ["Window", "boundary_map", "map_window"]

_DIGITS = 6  # of the ends of a window in the name of its sweep


@dataclass(frozen=True)
class Window:
    """A part of a map: the ends of each axis; None: as they are."""

    eta: tuple[float, float] | None = None
    other: tuple[float, float] | None = None


def _as_json(one: SuccessMap) -> dict[str, Any]:
    row = as_row(one)
    return row | {"boxes": None if row["boxes"] is None else json.loads(row["boxes"])}


def boundary_map(store: Path, names: Sequence[str], *, as_json: bool) -> None:
    """Print every map of these sweeps, or of all that have some.

    Raises:
        BadInput: an unknown name, or nothing to print.
        StoreError: the store cannot be used.
    """
    with Reader.open(store) as reader:
        found = boundary_maps(reader, names)
    if as_json:
        print(documents.text({"maps": [_as_json(one) for one in found]}))
        return
    last = ""
    for one in found:
        if one.sweep != last:
            print(one_line(one.sweep))
        last = one.sweep
        for line in words(one):
            print(f"  {one_line(line)}")


def map_window(names: Sequence[str], window: Window, options: RunOptions) -> int:
    """Train a window of a map as finely as the whole, as a sweep of its own; the exit code of `mlrtui run`.

    The same window again goes on with the same sweep.

    Raises:
        BadInput: no sweep with a map or more than one, or a window that [map] may not have.
        StoreError: the store cannot be used.
    """
    with Reader.open(options.store) as reader:
        found = [stored_spec(row) for row in chosen(reader, names) if row.is_map]
    maps = [spec for spec in found if isinstance(spec, SweepSpec)]
    if not maps:
        raise BadInput(f"{options.store}: none of its sweeps that are asked for has a map; name one that has [map]")
    if len(maps) > 1:
        named = ", ".join(repr(spec.sweep.name) for spec in maps)
        raise BadInput(f"--eta, --window: of one map, there are {len(maps)} ({one_line(named)}); give the name of one")
    return run_specs([_of_window(maps[0], window)], replace(options, overrides=()))


def _of_window(spec: SweepSpec, window: Window) -> SweepSpec:
    assert spec.map is not None
    stored = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    name = spec.sweep.name
    for what, key, ends in (("η", "eta", window.eta), (spec.map.axis, "window", window.other)):
        if ends is not None:
            stored["map"][key] = list(ends)
            name += f", {what} {exact(ends[0], _DIGITS)} to {exact(ends[1], _DIGITS)}"
    stored["sweep"]["name"] = name
    found = parse_sweep(stored, f"the window of {one_line(spec.sweep.name)!r}")
    assert isinstance(found, SweepSpec)
    return found
