"""From device names to an engine."""

from collections.abc import Sequence

from mlrtui.engines.base import Engine

__all__ = ["open_engine"]


def open_engine(devices: Sequence[str]) -> Engine:
    """Start the workers of these devices; ``fake`` makes numbers up and never trains."""
    if list(devices) == ["fake"]:
        from mlrtui.engines.fake import FakeEngine

        return FakeEngine()
    from mlrtui.engines.local import LocalEngine

    return LocalEngine(devices)
