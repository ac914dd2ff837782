"""What the table [map] makes of a grid: a row of a map is a cell, with the value of the map's other axis."""

from dataclasses import dataclass, replace

from mlrtui.config.maps import LISTED, WINDOWS, MapSection
from mlrtui_db.axes import AXES
from mlrtui_trainer.spec import TrainSpec

__all__ = ["MapRow", "axis_field", "map_train"]


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


def map_train(section: MapSection, train: TrainSpec) -> TrainSpec:
    """How the trainings of a map end, and that their steps are not stored."""
    return replace(train, success=section.success, threshold=section.threshold, curves=False)
