"""What the table [map] makes of a grid: a row of a map is a cell, with the value of the map's other axis."""

from dataclasses import dataclass, replace

from mlrtui.analysis.fields import Grid
from mlrtui.config.maps import LISTED, WINDOWS, MapSection
from mlrtui_db.axes import AXES
from mlrtui_trainer.spec import TrainSpec

__all__ = ["MapRow", "axis_field", "grid_of", "map_train"]


@dataclass(frozen=True)
class MapRow:
    """What makes a cell a row of a map."""

    home: int  # position of the cell that is the map's first row
    row: int  # of the finest grid, from 0
    value: float  # of the map's other axis


def axis_field(section: MapSection) -> str:
    """The other axis among the settings of one point of a grid.

    >>> axis_field(MapSection(eta=(0.1, 1.0), axis="input_lr"))
    'input_lr'
    """
    key = {**WINDOWS, **LISTED}[section.axis].replace("model.input_lr", "model.layer_lr.input")
    return next(axis.field for axis in AXES if axis.key == key)


def grid_of(section: MapSection, rows: int) -> Grid:
    """The grid of a map with so many rows: those of a list are all of the coarse grid."""
    return Grid(rows, section.points, section.levels, section.margin, both=section.window is not None)


def map_train(section: MapSection, train: TrainSpec) -> TrainSpec:
    """How the trainings of a map end, and that their steps are not stored."""
    return replace(train, success=section.success, threshold=section.threshold, curves=False)
