"""A map: where training succeeds over η and another axis; what was trained, and what follows from it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlrtui.analysis.dimension import Dimension, box_dimension
from mlrtui.analysis.fields import FAILURE, SILENT, SUCCESS, UNKNOWN, Field, Values, boxes
from mlrtui.analysis.prediction import Refusal
from mlrtui.config.maps import MapSection
from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Queried, Row, number, text_of, view_rows
from mlrtui.map_planning import grid_of
from mlrtui.text.numbers import exact, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mlrtui_db.models import SweepRow

__all__ = [
    "BOTH",
    "FAILURE",
    "SUCCESS",
    "UNKNOWN",
    "SuccessMap",
    "blocks",
    "picture",
    "read_maps",
    "section_of",
    "success_map",
    "success_maps",
    "words",
]

BOTH = 3
"""Of a part of a map in which some points succeed and some fail."""

COLOURS = {
    "succeeds": "#2f6f9f",
    "succeeds, inferred": "#b9d3e6",
    "fails": "#b3541e",
    "fails, inferred": "#f1d3bd",
    "not known yet": "#ffffff",
}
"""Measured ones are darker by more than a step of grey, so that a print without colour tells them apart, too."""


@dataclass(frozen=True)
class SuccessMap:
    """One map: of one seed, and of cells that agree in all but the map's axis."""

    sweep: str
    number: int  # of the map in its sweep, from 1
    name: str  # what its cells' labels have in common
    seed: int
    section: MapSection
    values: tuple[float, ...]  # rows: of the other axis, rising
    field: Field

    @property
    def etas(self) -> tuple[float, ...]:
        """Columns: the learning rates, rising."""
        return self.section.etas

    @property
    def trained(self) -> int:
        """Points that have an outcome."""
        return int((self.field.known != UNKNOWN).sum())

    @property
    def points(self) -> int:
        """Of the finest grid."""
        return self.field.known.size

    @property
    def lacking(self) -> int:
        """Points that are wanted and have no outcome yet."""
        return int(self.field.wanted().sum())

    @cached_property
    def filled(self) -> Values:
        """Success (1) or failure (0) of every point, [rows, columns]; -1: not known yet."""
        return self.field.filled()

    @property
    def succeeding(self) -> float:
        """Share of all points that succeed, those that follow from others included."""
        return float((self.filled == SUCCESS).mean())

    @cached_property
    def dimension(self) -> Dimension | Refusal:
        """The box dimension of the boundary on the finest grid, or why there is none."""
        if self.lacking:
            return Refusal(f"the map is not done: {whole(self.lacking)} points are wanted")
        if not self.field.grid.both:
            return Refusal(f"the values of {self.section.axis} are a list, which is not refined")
        return box_dimension(boxes(self.filled))


def section_of(spec: str) -> MapSection | None:
    """The table [map] of a stored sweep; None: it has none."""
    stored = json.loads(spec).get("map")
    return None if stored is None else MapSection.model_validate(stored)


def success_maps(sweep: str, section: MapSection, rows: Iterable[Row]) -> list[SuccessMap]:
    """The maps of a sweep, by number and seed.

    Args:
        sweep: its name.
        section: its table [map].
        rows: of the view `maps`, as dicts.
    """
    found: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        found.setdefault((int(number(row, "map")), int(number(row, "seed"))), []).append(row)
    return [_assembled(sweep, section, key, its) for key, its in sorted(found.items())]


def read_maps(reader: Queried, sweep: "SweepRow") -> list[SuccessMap]:
    """The maps of a stored sweep; none where it is no sweep with [map]."""
    section = section_of(sweep.spec)
    if section is None:
        return []
    return success_maps(sweep.name, section, view_rows(reader, "maps", sweep.name))


def _assembled(sweep: str, section: MapSection, key: tuple[int, int], rows: Sequence[Row]) -> SuccessMap:
    held = np.array([number(row, "value") for row in rows])
    values = np.array(section.rows(tuple(sorted(set(held.tolist())))), dtype=np.float64)
    etas = np.array(section.etas)
    field = Field(grid_of(section, len(values)))
    places = zip(_places(values, held), _places(etas, np.array([number(row, "eta") for row in rows])), strict=True)
    for row, (down, across) in zip(rows, places, strict=True):
        if text_of(row, "status") in ("done", "failed"):
            success = number(row, "success")
            field.tell(down, across, None if np.isnan(success) else success > 0.0)
    first, last = text_of(rows[0], "cell").split(), set(text_of(rows[-1], "cell").split())
    name = " ".join(part for part in first if part in last)
    return SuccessMap(sweep, key[0], name, key[1], section, tuple(values.tolist()), field)


def _places(axis: "np.ndarray[tuple[int], np.dtype[np.float64]]", at: Iterable[float]) -> list[int]:
    """The nearest place of an axis to each number: the stored ones are those of the axis, but for rounding."""
    middles = (axis[1:] + axis[:-1]) / 2.0
    places: list[int] = np.searchsorted(middles, np.asarray(at)).tolist()
    return places


def words(one: SuccessMap) -> Iterator[str]:
    """What a map says, in lines."""
    down, across = one.field.known.shape
    fewer = f" ({exact(one.points / one.trained, 3)} times fewer)" if one.trained and not one.lacking else ""
    left = f", {whole(one.lacking)} more are wanted" if one.lacking else ""
    yield f"map {one.number}{f', {one.name}' if one.name else ''}, seed {one.seed}: η over {one.section.axis}"
    yield f"  {across} x {down} points, {whole(one.trained)} trained{fewer}{left}"
    if not one.lacking:
        yield f"  {exact(100 * one.succeeding, 3)} % of the points succeed ({one.section.success})"
    if silent := int((one.field.known == SILENT).sum()):
        yield f"  trainings that failed and say nothing: {silent}"
    found = one.dimension
    if isinstance(found, Refusal):
        yield "  box dimension of the boundary: none"
        yield f"    {found.reason}"
        return
    counts = ", ".join(f"{side}: {count}" for side, count in found.boxes.items())
    span = f"[{exact(found.low, 3)}, {exact(found.high, 3)}]"
    yield f"  box dimension of the boundary: {exact(found.value, 3)} {span}"
    yield f"    boxes by side in squares {counts}"


def success_map(one: SuccessMap, axes: "Axes") -> "Axes":
    """Draw a map: what was trained in full colours, what follows from it in pale ones.

    Args:
        one: the map, see `read_maps`.
        axes: of matplotlib; it is returned.

    Raises:
        BadInput: nothing of it is trained yet.
    """
    if not one.trained:
        raise BadInput(f"{one.sweep!r}: no training of map {one.number} is done; nothing to draw")
    measured = (one.field.known == SUCCESS) | (one.field.known == FAILURE)
    codes = np.select(
        [one.filled == UNKNOWN, (one.filled == SUCCESS) & measured, one.filled == SUCCESS, measured], [4, 0, 1, 2], 3
    )
    rgb = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in COLOURS.values()]) / 255.0
    log_rows = one.section.window is None or one.section.scale == "log"
    edges = _edges(one.etas, log=True), _edges(one.values, log=log_rows)
    style.log_axis(axes, "x", edges[0][0], edges[0][-1])
    if log_rows:
        style.log_axis(axes, "y", edges[1][0], edges[1][-1])
    else:
        axes.set_ylim(edges[1][0], edges[1][-1])
    axes.pcolormesh(*edges, rgb[codes], rasterized=True, linewidth=0, gid="map")
    for place, (text, colour) in enumerate(COLOURS.items()):
        if (codes == place).any():
            axes.plot([], [], linestyle="none", marker="s", color=colour, markeredgecolor=style.MUTED, label=text)
    axes.set_xlabel("η")
    axes.set_ylabel(one.section.axis)
    style.legend_below(axes)
    return axes


def _edges(values: Sequence[float], *, log: bool) -> list[float]:
    """Of cells around these values: halfway between neighbours, on the scale of the axis."""
    at = np.log(values) if log else np.array(values, dtype=np.float64)
    inner = (at[1:] + at[:-1]) / 2.0
    edges = np.concatenate([[2.0 * at[0] - inner[0]], inner, [2.0 * at[-1] - inner[-1]]])
    found: list[float] = (np.exp(edges) if log else edges).tolist()
    return found


def blocks(filled: Values, high: int, wide: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int8]]":
    """A map in so many parts: what is in each, `UNKNOWN`, `FAILURE`, `SUCCESS` or `BOTH`, the highest row first.

    Args:
        filled: the values of all points, [rows, columns].
        high: parts along the rows; more than there are repeat them.
        wide: parts along the columns.
    """
    held = []
    for value in (SUCCESS, FAILURE):
        points = filled == value
        for axis, parts in enumerate((high, wide)):
            firsts = np.arange(parts) * points.shape[axis] // parts
            repeats = parts >= points.shape[axis]
            points = points.take(firsts, axis) if repeats else np.logical_or.reduceat(points, firsts, axis)
        held.append(points[::-1])
    success, failure = held
    return np.select([success & failure, success, failure], [BOTH, SUCCESS, FAILURE], UNKNOWN).astype(np.int8)


def picture(one: SuccessMap, columns: int = 64) -> Iterator[str]:
    """A map in characters, the highest row of the axis first: # success, . failure, + both, a space: not known."""
    down, across = one.filled.shape
    wide = min(columns, across)
    high = min(max(wide * down // across // 2, 1), down)
    signs = {UNKNOWN: " ", FAILURE: ".", SUCCESS: "#", BOTH: "+"}
    for row in blocks(one.filled, high, wide).tolist():
        yield f"|{''.join(signs[value] for value in row)}|"
