"""Sweep files: from TOML to a frozen `SweepSpec`, every mistake reported at once."""

from mlrtui.config.changes import changes
from mlrtui.config.files import load_sweep
from mlrtui.config.parsing import parse_sweep
from mlrtui.config.sections import SweepSpec

__all__ = ["SweepSpec", "changes", "load_sweep", "parse_sweep"]
