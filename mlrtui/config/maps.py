"""The table [map] of a sweep file: a picture of where training succeeds, over η and one other axis."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from mlrtui.config.rules import choice, listed, number, whole
from mlrtui.config.tables import Reals, Section, make_key

__all__ = ["LISTED", "WINDOWS", "MapSection"]

WINDOWS: Mapping[str, str] = MappingProxyType(
    {
        "input_lr": "model.input_lr",
        "hidden_lr": "model.layer_lr.hidden",
        "output_lr": "model.layer_lr.output",
        "init_variance": "model.init_variance",
        "momentum": "training.momentum",
        "weight_decay": "training.weight_decay",
    }
)
"""Axes of real numbers, which may have a window, with their keys."""

LISTED: Mapping[str, str] = MappingProxyType({"width": "model.width", "batch": "training.batch"})
"""Axes of whole numbers, whose values are those that the file lists."""


class MapSection(Section):
    """Where training succeeds, over η and one other axis, refined where success meets failure.

    Give [map] in place of [search] or [scan]. Of the grid of η (in equal ratios) and the other axis a coarse part is
    trained first; then, level by level, the squares in which success meets failure, and those next to them. What else
    there is, such as an island inside a square whose corners agree, is not seen. See the [guide](guides/maps.md).
    """

    eta: Annotated[Reals, listed(number(1e-30, 1e30))] = make_key("Lowest and highest learning rate.", [0.01, 10.0])
    axis: Annotated[str, choice(*WINDOWS, *LISTED)] = make_key("The other axis.", "input_lr")
    window: Annotated[Reals | None, listed(number(0.0, 1e4))] = make_key(
        "Lowest and highest value of the other axis, which is then given nowhere else. Without it the values are those "
        "that the file lists for the axis, each of which is a row: so for width and batch.",
        [0.1, 10.0],
        None,
    )
    scale: Annotated[str, choice("log", "linear")] = make_key(
        "How the other axis goes through its window: in equal ratios or in equal steps.", "linear", "log"
    )
    squares: Annotated[int, whole(2, 1024)] = make_key("Squares of the coarse grid along each axis.", 16, 16)
    levels: Annotated[int, whole(0, 8)] = make_key(
        "How often squares are halved: 16 squares and 4 levels make a grid of 257 x 257 points. May be raised later.",
        4,
        4,
    )
    margin: Annotated[int, whole(0, 16)] = make_key(
        "How many squares on every side of one in which success meets failure are refined, too.", 1, 1
    )
    success: Annotated[str, choice("survives", "finite", "loss-below-initial", "accuracy")] = make_key(
        "When a training counts, as search.success. survives: its loss ends below its start, and the net has not "
        "collapsed.",
        "finite",
        "survives",
    )
    threshold: Annotated[float, number(0.0, 1.0, above=True)] = make_key(
        'Accuracy to be reached; for success = "accuracy".', 0.5, 0.5
    )

    @property
    def points(self) -> int:
        """Points of the finest grid along an axis that is refined."""
        return (self.squares << self.levels) + 1

    @property
    def etas(self) -> tuple[float, ...]:
        """The learning rates, columns of the finest grid; those of a grid with fewer levels are among them."""
        return along(self.eta, "log", self.points)

    def rows(self, listed: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values of the other axis, rows of the finest grid; ``listed``: those that the file gives it."""
        return listed if self.window is None else along(self.window, self.scale, self.points)


def along(window: tuple[float, ...], scale: str, points: int) -> tuple[float, ...]:
    """So many numbers from the first of a window to the last.

    >>> along((1.0, 100.0), "log", 3), along((0.0, 1.0), "linear", 3)
    ((1.0, 10.0, 100.0), (0.0, 0.5, 1.0))
    """
    low, high = window
    parts = [place / (points - 1) for place in range(1, points - 1)]  # the same where the grid is twice as fine
    inner = [low * (high / low) ** part if scale == "log" else low + (high - low) * part for part in parts]
    return (low, *inner, high)
