"""A plug-in of sqlite-utils: functions for questions to a store, and a command that explains its columns.

sqlite-utils finds it by itself where mlrtui is installed:

    sqlite-utils query mlrtui.db "SELECT width, geometric_mean(eta_star) FROM eta_star GROUP BY width"
    sqlite-utils mlrtui mlrtui.db eta_star

| function | value |
| --- | --- |
| ``ln(x)``, ``log10(x)`` | logarithms; NULL for NULL and for x ≤ 0 |
| ``exp(x)`` | e to the x |
| ``geometric_mean(x)`` | of all x that are not NULL; NULL where there is none, or one is ≤ 0 |
| ``slope(y, x)`` | least-squares slope of y on x over rows where neither is NULL; NULL below two different x |
"""

import json
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from sqlite_utils import hookimpl

if TYPE_CHECKING:
    from mlrtui_db.view_columns import Column

__all__ = ["GeometricMean", "Slope", "prepare_connection", "register_commands"]


@hookimpl
def prepare_connection(conn: Any) -> None:
    """Give a connection of sqlite-utils the functions; SQLite has some of them only in some builds."""
    conn.create_function("ln", 1, _positive(math.log), deterministic=True)
    conn.create_function("log10", 1, _positive(math.log10), deterministic=True)
    conn.create_function("exp", 1, _exp, deterministic=True)
    conn.create_aggregate("geometric_mean", 1, GeometricMean)
    conn.create_aggregate("slope", 2, Slope)


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `sqlite-utils mlrtui`."""

    @cli.command(name="mlrtui")
    @click.argument("store", type=click.Path(exists=True, dir_okay=False))
    @click.argument("views", nargs=-1)
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def columns(store: str, views: tuple[str, ...], as_json: bool) -> None:
        """Explain the columns of a mlrtui store's views (default: of all)."""
        from mlrtui_db.errors import StoreError
        from mlrtui_db.reader import Reader

        try:
            with Reader.open(store) as reader:
                names = views or reader.views()
            _print(names, as_json)
        except StoreError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)


def _print(views: tuple[str, ...], as_json: bool) -> None:
    from mlrtui_db.view_columns import view_columns, view_text

    found: dict[str, tuple[Column, ...]] = {view: view_columns(view) for view in views}
    if as_json:
        rows = [
            {"view": view, "column": one.name, "type": one.type, "unit": one.unit, "text": one.text}
            for view, columns in found.items()
            for one in columns
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for view, columns in found.items():
        click.echo(f"{view}: {view_text(view)}")
        width = max(len(column.name) for column in columns)
        for column in columns:
            click.echo(f"  {column.name:<{width}}  {column.type:<7}  [{column.unit}] {column.text}")


class GeometricMean:
    """exp of the mean of ln x."""

    def __init__(self) -> None:
        self.logarithms: list[float] | None = []

    def step(self, value: float | None) -> None:
        """One row."""
        if not isinstance(value, int | float):
            return
        if value <= 0:
            self.logarithms = None
        elif self.logarithms is not None:
            self.logarithms.append(math.log(value))

    def finalize(self) -> float | None:
        """The mean."""
        return math.exp(math.fsum(self.logarithms) / len(self.logarithms)) if self.logarithms else None


class Slope:
    """Slope of y on x by least squares."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def step(self, y: float | None, x: float | None) -> None:
        """One row."""
        if isinstance(y, int | float) and isinstance(x, int | float):
            self.points.append((float(x), float(y)))

    def finalize(self) -> float | None:
        """The slope."""
        if len({x for x, _ in self.points}) < 2:
            return None
        middle_x, middle_y = (math.fsum(values) / len(self.points) for values in zip(*self.points, strict=True))
        spread = math.fsum((x - middle_x) ** 2 for x, _ in self.points)
        return math.fsum((x - middle_x) * (y - middle_y) for x, y in self.points) / spread if spread else None


def _positive(function: Callable[[float], float]) -> Callable[[float | None], float | None]:
    return lambda value: function(value) if isinstance(value, int | float) and value > 0 else None


def _exp(value: float | None) -> float | None:
    if not isinstance(value, int | float):
        return None
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
