"""mlrtui: find maximal initial learning rates and watch catapults, in a terminal."""

__all__ = ["__version__"]

__version__ = "0.1.0"
