"""Data sets as NumPy arrays, by name; `describe` tells their sizes without loading anything."""

from mlrtui.data.loading import load
from mlrtui.data.shapes import FILES, SOURCES, DataShape, DataSpec, describe, resolve, source_of
from mlrtui.data.sources import DataTrouble, Source

__all__ = [
    "FILES",
    "SOURCES",
    "DataShape",
    "DataSpec",
    "DataTrouble",
    "Source",
    "describe",
    "load",
    "resolve",
    "source_of",
]
