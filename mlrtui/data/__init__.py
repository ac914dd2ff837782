"""Data sets as NumPy arrays, by name; `describe` tells their sizes without loading anything."""

from mlrtui.data.loading import load
from mlrtui.data.shapes import SOURCES, DataShape, DataSpec, describe, resolve

__all__ = ["SOURCES", "DataShape", "DataSpec", "describe", "load", "resolve"]
