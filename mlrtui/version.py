"""The version, read by the build too: nothing else, so that whatever needs it imports nothing more."""

__all__ = ["__version__"]

__version__ = "0.3.0"
