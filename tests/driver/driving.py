"""A driver in this process, over a sweep that stands in the test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.engines.base import Engine
from mlrtui_db.store import Store


def driven(store: Path, wanted: Mapping[str, Any], engine: Engine, stop_after: int | None = None) -> SweepEnd:
    """Run a sweep to its end, or until the driver has asked so many times whether it should stop."""
    spec, looks = parse_sweep(dict(wanted), "f").settled, 0

    def should_stop() -> bool:
        nonlocal looks
        looks += 1
        return stop_after is not None and looks > stop_after

    with Store.open(store) as opened:
        driver = Driver(opened, engine, driver_id="t", should_stop=should_stop)
        return driver.run_sweep(spec, planning.plan(spec, data.load))
