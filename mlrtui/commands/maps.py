"""`mlrtui map`: what the maps of a store say, and the box dimension of their boundaries."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrtui.figures.success_maps import SuccessMap, words
from mlrtui.reading import documents
from mlrtui.reading.mapping import as_row, boundary_maps
from mlrtui.text.escape import one_line
from mlrtui_db.reader import Reader

__all__ = ["boundary_map"]


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
