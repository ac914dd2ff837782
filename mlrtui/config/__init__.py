"""Sweep files: from TOML to a frozen `SweepSpec` or `LoopSweep`, every mistake reported at once."""

from mlrtui.config.changes import changes
from mlrtui.config.files import load_sweep
from mlrtui.config.loops import LoopSweep
from mlrtui.config.parsing import parse_sweep
from mlrtui.config.sections import AnySweep, SweepSpec
from mlrtui.config.stored import read_sweep

__all__ = ["AnySweep", "LoopSweep", "SweepSpec", "changes", "load_sweep", "parse_sweep", "read_sweep"]
