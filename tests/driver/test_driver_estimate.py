"""The estimate of rows a second, and what is said where one store is too slow for them."""

from pathlib import Path

import pytest

from mlrtui import planning
from mlrtui.config import load_sweep
from mlrtui.driver.estimate import WRITER_ROWS, rows_per_second, writer_remark
from mlrtui.planning import Plan

SWEEP = """
sweep = {{ name = "rows", seeds = 4 }}
data = {{ name = "digits", samples = 64 }}
model = {{ depth = 2, width = 32 }}
training = {{ loss = "ce", batch = 32, epochs = 10 }}
scan = {{ eta = [0.01, 0.02] }}
record = {{ every = {every} }}
"""


def plan(tmp_path: Path, every: int) -> Plan:
    (tmp_path / "s.toml").write_text(SWEEP.format(every=every), encoding="utf-8")
    return planning.plan(load_sweep(tmp_path / "s.toml"), None)


@pytest.mark.parametrize("device", ["cuda:0", "cpu"])
def test_rows_grow_with_devices_and_fall_with_the_interval(tmp_path: Path, device: str) -> None:
    one = rows_per_second(plan(tmp_path, 1), [device])
    assert one > 0
    assert rows_per_second(plan(tmp_path, 1), [device] * 8) == pytest.approx(8 * one)
    assert rows_per_second(plan(tmp_path, 10), [device]) == pytest.approx(one / 10)


def test_the_suggested_interval_is_enough_and_nothing_is_said_with_it(tmp_path: Path) -> None:
    many = ["cuda:0"] * 1000
    assert writer_remark(plan(tmp_path, 1), many[:8]) == ""
    assert "set record.every = 100, or use --shard" in writer_remark(plan(tmp_path, 1), many)
    assert rows_per_second(plan(tmp_path, 100), many) <= WRITER_ROWS
    assert writer_remark(plan(tmp_path, 100), many) == ""
