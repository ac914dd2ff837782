"""Maps of stored sweeps, in numbers: what `mlrtui map` prints and `Store.boundary_maps` gives."""

import json
from collections.abc import Sequence
from typing import Any

from mlrtui.analysis.dimension import Dimension
from mlrtui.errors import BadInput
from mlrtui.figures.success_maps import SuccessMap, read_maps
from mlrtui.reading.fitting import chosen
from mlrtui_db.reader import Reader
from mlrtui_db.view_columns import Column

__all__ = ["COLUMNS", "as_row", "boundary_maps"]

COLUMNS = (
    Column("sweep", "TEXT", "text", "Name of the sweep."),
    Column("map", "INTEGER", "1", "Number of the map in its sweep, from 1."),
    Column("cells", "TEXT", "text", "What the labels of its cells have in common."),
    Column("seed", "INTEGER", "1", "Seed of the nets."),
    Column("axis", "TEXT", "text", "The other axis, by its key in the sweep file."),
    Column("success", "TEXT", "text", "The rule of success."),
    Column("columns", "INTEGER", "1", "Learning rates of the finest grid."),
    Column("rows", "INTEGER", "1", "Values of the other axis in it."),
    Column("trained", "INTEGER", "1", "Points that have an outcome."),
    Column("wanted", "INTEGER", "1", "Points that are wanted and have none; 0: the map is done."),
    Column("succeeding", "REAL", "1", "Share of all points that succeed, inferred ones too; NULL: none is trained."),
    Column("dimension", "REAL", "1", "Box dimension of the boundary; NULL: refused."),
    Column("low", "REAL", "1", "Lower end of the regression's 95 % interval."),
    Column("high", "REAL", "1", "Upper end of it."),
    Column("boxes", "TEXT", "JSON", "Boxes with a piece of the boundary, by their side in squares of the finest grid."),
    Column("refused", "TEXT", "text", "Why there is no dimension; NULL: there is one."),
)


def boundary_maps(reader: Reader, names: Sequence[str]) -> list[SuccessMap]:
    """The maps of the sweeps of these names, or of all that have some.

    Raises:
        BadInput: an unknown name, or a sweep without a map.
    """
    found: list[SuccessMap] = []
    for sweep in chosen(reader, names):
        maps = read_maps(reader, sweep)
        if names and not maps:
            raise BadInput(f"{sweep.name!r} has no map: a sweep with [map] in its file has one, once it trains")
        found += maps
    if not found:
        raise BadInput(f"{reader.path}: no sweep in it has a map; train one with [map] in its file")
    return found


def as_row(one: SuccessMap) -> dict[str, Any]:
    """A map as plain values, by the names of `COLUMNS`; ``boxes`` is a text, as in a table."""
    found = one.dimension
    dimension: dict[str, Any] = dict.fromkeys(("dimension", "low", "high", "boxes", "refused"))
    if isinstance(found, Dimension):
        boxes = json.dumps({str(side): count for side, count in found.boxes.items()})
        dimension |= {"dimension": found.value, "low": found.low, "high": found.high, "boxes": boxes}
    else:
        dimension["refused"] = found.reason
    return {
        "sweep": one.sweep,
        "map": one.number,
        "cells": one.name,
        "seed": one.seed,
        "axis": one.section.axis,
        "success": one.section.success,
        "columns": len(one.etas),
        "rows": len(one.values),
        "trained": one.trained,
        "wanted": one.lacking,
        "succeeding": one.succeeding if one.trained else None,
        **dimension,
    }
